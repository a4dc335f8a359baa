"""What a net needs from outside: a log and sources of batches (the real ones: modules `glog` and `data`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from barista_server.caffe.schema import LayerParameter

if TYPE_CHECKING:
    import torch

Shape = tuple[int, ...]


class Log(Protocol):
    """Takes Caffe's log lines; `source` is ``net.cpp:86``, the prefix is the log's own business."""

    def info(self, source: str, message: str) -> None: ...

    def warning(self, source: str, message: str) -> None: ...

    def error(self, source: str, message: str) -> None: ...


class NullLog:
    """A log nobody reads."""

    def info(self, source: str, message: str) -> None: ...

    def warning(self, source: str, message: str) -> None: ...

    def error(self, source: str, message: str) -> None: ...


class BatchSource(Protocol):
    """The source of a data layer: batches without end, always of the same shapes.

    It logs what Caffe prints: while it is created (``Opened lmdb DIR``) and while it is set up.
    """

    @property
    def shapes(self) -> Sequence[Shape]: ...

    def set_up(self) -> None:
        """Find out `shapes`; CheckFailed where the data do not fit the layer. To be called once, first."""
        ...

    def next(self) -> Sequence[torch.Tensor]:
        """The next batch: one float32 CPU tensor a top, of `shapes`, valid until the next call."""
        ...


class DataSourceFactory(Protocol):
    """Opens the source of a data layer; raises CheckFailed when it cannot."""

    def __call__(self, layer: LayerParameter, phase: int, tops: int) -> BatchSource: ...
