"""Errors that several readers of Caffe's files raise."""


class WeightsError(ValueError):
    """A snapshot file that is truncated, garbled or of another kind; the text says which file and why."""
