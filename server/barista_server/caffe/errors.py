"""Errors that several readers of Caffe's files raise."""


class WeightsError(ValueError):
    """A snapshot file that is truncated, garbled or of another kind; the text says which file and why."""


class NetError(ValueError):
    """A net that Caffe would refuse, in its words; layer names the layer at fault, hint says what to do.

    path is the net's file where it was read from one.
    """

    def __init__(self, message: str, layer: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.layer = layer
        self.hint = hint
        self.path: str | None = None
