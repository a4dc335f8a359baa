"""Growable typed columns: metric series and the table of tests."""

from __future__ import annotations

import mmap
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Int64Array = NDArray[np.int64]
FloatArray = NDArray[np.float64]

Phase = Literal["train", "test"]


class SeriesKey(NamedTuple):
    """Names one metric of a log."""

    phase: Phase
    net: int
    """Number of the test net; 0 for the train net."""
    output: int
    """Number of the net output (``#0``); -1 for what has none, as ``loss``, ``lr`` and ``class3``.

    The values of ``caffe test`` are counted within their batch, which stands in for the iteration.
    """
    name: str


LOSS = SeriesKey("train", 0, -1, "loss")
"""The smoothed loss of the ``Iteration N, loss = V`` line."""
LEARNING_RATE = SeriesKey("train", 0, -1, "lr")
PASS_TIME = SeriesKey("train", 0, -1, "forward-backward ms")
"""Milliseconds of each pass of ``caffe time``."""


class Table:
    """Rows of a fixed structured type. Grows by a factor: appending a row costs constant time on average."""

    def __init__(self, dtype: np.dtype[np.void]) -> None:
        self._rows = np.empty(16, dtype)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def column(self, name: str) -> NDArray[np.generic]:
        """A view of one column. It keeps showing the rows of now, whatever is appended later."""
        column: NDArray[np.generic] = self._rows[name][: self._size]
        return column

    def extend(self, **columns: NDArray[np.generic]) -> None:
        """Append rows given as columns of equal length; a column of the type must not be left out."""
        rows = self._more(len(next(iter(columns.values()))))
        for name, values in columns.items():
            rows[name] = values

    def append(self, rows: NDArray[np.void]) -> None:
        """Append rows of the type."""
        self._more(len(rows))[:] = rows

    def _more(self, count: int) -> NDArray[np.void]:
        """So many rows behind the last one, to be filled."""
        begin, self._size = self._size, self._size + count
        if self._size > len(self._rows):
            grown = _room(self._size, self._rows.dtype)
            grown[:begin] = self._rows[:begin]
            self._rows = grown
        return self._rows[begin : self._size]


def _room(rows: int, dtype: np.dtype[np.void]) -> NDArray[np.void]:
    """An array with room for ``rows`` and more.

    A large one lies outside the heap, which would keep its memory for ever; there, room costs nothing until
    it is used, so that little has to be copied, and seldom.
    """
    if rows * dtype.itemsize < _LARGE:
        return np.empty(rows * 3 // 2, dtype)
    size = 16 * rows * dtype.itemsize
    return np.frombuffer(mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS), dtype)


_LARGE = 1 << 18
_POINT = np.dtype([("iteration", "i8"), ("seconds", "f8"), ("value", "f8"), ("line", "i8")])
_TEST = np.dtype([("iteration", "i8"), ("begin", "f8"), ("end", "f8"), ("net", "i8"), ("line", "i8")])


class Series:
    """The points of one metric in the order of the log. All columns have the same length."""

    def __init__(self) -> None:
        self._table = Table(_POINT)

    def __len__(self) -> int:
        return len(self._table)

    @property
    def iteration(self) -> Int64Array:
        return self._table.column("iteration")  # type: ignore[return-value]

    @property
    def seconds(self) -> FloatArray:
        """Seconds since the log's first time stamp, never falling; NaN before the first stamp."""
        return self._table.column("seconds")  # type: ignore[return-value]

    @property
    def value(self) -> FloatArray:
        """As printed: NaN and infinities are values."""
        return self._table.column("value")  # type: ignore[return-value]

    @property
    def line(self) -> Int64Array:
        """0-based line number in the log."""
        return self._table.column("line")  # type: ignore[return-value]

    def append(self, rows: NDArray[np.void]) -> None:
        """Append points made by :func:`points`."""
        self._table.append(rows)


def points(
    iteration: Int64Array, seconds: FloatArray, value: FloatArray, line: Int64Array
) -> NDArray[np.void]:
    """Rows of a series, of columns of equal length."""
    rows = np.empty(len(iteration), _POINT)
    rows["iteration"], rows["seconds"], rows["value"], rows["line"] = iteration, seconds, value, line
    return rows


class Tests:
    """One row for each ``Testing net`` line."""

    __test__ = False  # not a test class, whatever pytest thinks of the name

    def __init__(self) -> None:
        self._table = Table(_TEST)

    def __len__(self) -> int:
        return len(self._table)

    @property
    def iteration(self) -> Int64Array:
        return self._table.column("iteration")  # type: ignore[return-value]

    @property
    def begin(self) -> FloatArray:
        """Seconds since the log's first time stamp."""
        return self._table.column("begin")  # type: ignore[return-value]

    @property
    def end(self) -> FloatArray:
        """When its last output (so far) was printed; NaN before the first one."""
        return self._table.column("end")  # type: ignore[return-value]

    @property
    def net(self) -> Int64Array:
        return self._table.column("net")  # type: ignore[return-value]

    @property
    def line(self) -> Int64Array:
        return self._table.column("line")  # type: ignore[return-value]

    def extend(self, iteration: Int64Array, begin: FloatArray, net: Int64Array, line: Int64Array) -> None:
        end = np.full(len(begin), np.nan)
        self._table.extend(iteration=iteration, begin=begin, end=end, net=net, line=line)

    def set_end(self, rows: Int64Array, end: FloatArray) -> None:
        self._table.column("end")[rows] = end
