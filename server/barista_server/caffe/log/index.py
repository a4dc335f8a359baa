"""Where the lines of a log are and of what kind, without their text."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

_T = TypeVar("_T", bound=np.generic)

STRIDE = 64
"""Every so many lines the byte offset is kept."""
_BLOCK = 4096
"""Lines a block of the filter index holds."""


class LineKind(IntEnum):
    """What a line is to somebody who filters the console."""

    PLAIN = 0
    METRIC = 1
    TEST = 2
    EVENT = 3
    WARNING = 4
    ERROR = 5


class Span(NamedTuple):
    """Bytes to read for some lines: from ``start`` to before ``stop``; line ``first`` begins at ``start``."""

    start: int
    stop: int
    first: int


class LineIndex:
    """Sparse offsets and one kind per line. Costs one byte a line and eight every ``STRIDE`` lines."""

    def __init__(self) -> None:
        self._kinds = np.empty(1024, np.uint8)
        self._offsets = np.empty(64, np.int64)
        self._counts = np.zeros((64, len(LineKind)), np.int32)
        self.lines = 0
        """Complete lines indexed."""
        self.size = 0
        """Bytes these lines take."""

    @property
    def kinds(self) -> NDArray[np.uint8]:
        """Kind of each line, a view."""
        return self._kinds[: self.lines]

    def extend(self, starts: NDArray[np.int64], kinds: NDArray[np.uint8], size: int) -> None:
        """Append lines that begin at the absolute offsets ``starts``; the last one ends at ``size``."""
        old, new = self.lines, self.lines + len(kinds)
        self._kinds = _grown(self._kinds, new)
        self._kinds[old:new] = kinds
        kept = starts[-old % STRIDE :: STRIDE]
        slot = -(-old // STRIDE)
        self._offsets = _grown(self._offsets, slot + len(kept))
        self._offsets[slot : slot + len(kept)] = kept
        self._counts = _grown(self._counts, new // _BLOCK + 1)
        for block in range(old // _BLOCK, (new - 1) // _BLOCK + 1):
            self._counts[block] = np.bincount(
                self._kinds[block * _BLOCK : min(new, (block + 1) * _BLOCK)], minlength=len(LineKind)
            )
        self.lines, self.size = new, size

    def span(self, start: int, stop: int) -> Span:
        """Where to read lines ``start`` to before ``stop``, and up to ``STRIDE - 1`` more at either end."""
        start, stop = max(0, min(start, self.lines)), max(0, min(stop, self.lines))
        if start >= stop:
            return Span(self.size, self.size, self.lines)
        slot, after = start // STRIDE, -(-stop // STRIDE)
        end = int(self._offsets[after]) if after * STRIDE < self.lines else self.size
        return Span(int(self._offsets[slot]), end, slot * STRIDE)

    def count(self, kinds: Iterable[LineKind]) -> int:
        """How many lines have one of ``kinds``."""
        return int(self._per_block(kinds).sum())

    def select(self, kinds: Iterable[LineKind], start: int, stop: int) -> NDArray[np.int64]:
        """Line numbers of the lines of ``kinds``: the ``start``-th of them to before the ``stop``-th."""
        wanted = list(kinds)
        before = np.concatenate(([0], np.cumsum(self._per_block(wanted))))
        start, stop = max(0, start), min(stop, int(before[-1]))
        if start >= stop:
            return np.empty(0, np.int64)
        first = int(np.searchsorted(before, start, "right")) - 1
        last = int(np.searchsorted(before, stop, "left"))
        table = np.zeros(256, bool)
        table[wanted] = True
        found = np.flatnonzero(table[self.kinds[first * _BLOCK : last * _BLOCK]]) + first * _BLOCK
        return found[start - int(before[first]) : stop - int(before[first])]

    def _per_block(self, kinds: Iterable[LineKind]) -> NDArray[np.int64]:
        blocks = -(-self.lines // _BLOCK)
        counts: NDArray[np.int64] = self._counts[:blocks, list(kinds)].sum(axis=1, dtype=np.int64)
        return counts


def _grown(array: NDArray[_T], size: int) -> NDArray[_T]:
    if size <= len(array):
        return array
    grown = np.zeros((max(size, 2 * len(array)), *array.shape[1:]), array.dtype)
    grown[: len(array)] = array
    return grown
