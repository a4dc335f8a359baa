"""Caffe builds of a host: where they lie, and what each is, found out by running it."""
