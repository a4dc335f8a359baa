"""Datasets: LMDB databases of Datum records, and the handwritten digits of the demo."""
