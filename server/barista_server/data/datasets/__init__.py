"""Datasets of any kind a caffe reads: what they are, what is in them, what their content id is. Read-only."""
