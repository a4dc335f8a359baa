"""Measurements of what the project promises. Run with ``python -m benchmarks [names...]``."""
