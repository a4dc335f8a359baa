"""Where the records of an LMDB lie in its file, thousands at a time: asking for one after another is slow.

The format is that of LMDB 0.9, little-endian, 64 bits. Nothing that a page says is believed before it is
checked, so a damaged file is told and not died of.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.int64]

_HEAD, _NODE = 16, 8
"""Bytes before a page's list of nodes, and before a node's key."""
_BRANCH, _LEAF, _KINDS = 0x01, 0x02, 0x2F
_BIG, _ELSEWISE = 0x01, 0x06
"""Of a node: its value lies in pages of its own; it is that of a database within, or several."""
_NUMBER = 2**48 - 1
"""Bits of a branch's node that are the page's number."""
_TOGETHER = 8
"""Branches of which all that hangs on them is looked at together."""
_MOST_LEVELS = 32


class Spans(NamedTuple):
    """Records in order, (n,) each: where in the file their keys and values begin, and how long they are."""

    key: Positions
    key_size: Positions
    value: Positions
    value_size: Positions

    def part(self, start: int, stop: int) -> Spans:
        return Spans(*(column[start:stop] for column in self))


class DamagedPages(ValueError):
    """Pages that cannot be what they are said to be."""


def spans(data: NDArray[np.uint8], page: int, root: int) -> Iterator[Spans]:
    """All records below a root page, as many at a time as a few branches have. ``data``: its file, of
    pages of ``page`` bytes. Raises DamagedPages.
    """
    pages = _Pages(data, page)
    for leaves in pages.leaves(np.array([root], np.int64), _MOST_LEVELS):
        yield pages.records(leaves)


class _Pages:
    def __init__(self, data: NDArray[np.uint8], page: int) -> None:
        self._page, self._count = page, len(data) // page
        whole = data[: self._count * page]
        self._halves = whole.view("<u2")
        self._eights: Positions = np.ndarray((len(whole) - 7,), "<i8", whole, strides=(1,))

    def leaves(self, numbers: Positions, levels: int) -> Iterator[Positions]:
        """The leaf pages below pages of one level, in order."""
        kinds = self._kinds(numbers)
        if (kinds == _LEAF).all():
            yield numbers
            return
        if not levels or not (kinds == _BRANCH).all():
            raise DamagedPages("pages are not of the kind that they should be")
        for first in range(0, len(numbers), _TOGETHER):
            nodes = self._nodes(numbers[first : first + _TOGETHER])
            yield from self.leaves(self._eight(nodes) & _NUMBER, levels - 1)

    def records(self, leaves: Positions) -> Spans:
        """What is in leaf pages."""
        nodes = self._nodes(leaves)
        head = self._eight(nodes)
        value_size, flags, key_size = head & 0xFFFFFFFF, head >> 32 & 0xFFFF, head >> 48 & 0xFFFF
        key = nodes + _NODE
        value, big = key + key_size, (flags & _BIG).astype(bool)
        end = value + np.where(big, 8, value_size)
        if (flags & _ELSEWISE).any():
            raise DamagedPages("it holds databases within, or several values of a key")
        if (end > (nodes // self._page + 1) * self._page).any():
            raise DamagedPages("records go beyond their pages")
        if big.any():
            value[big] = self._beyond(value[big], value_size[big])
        return Spans(key, key_size, value, value_size)

    def _beyond(self, at: Positions, size: Positions) -> Positions:
        """Where values begin that have pages of their own, whose numbers stand at ``at``."""
        numbers = self._eight(at)
        start = numbers * self._page + _HEAD
        inside = (numbers > 1) & (numbers < self._count)
        if not inside.all() or (start + size > self._count * self._page).any():
            raise DamagedPages("values are beyond the end of the file")
        return start

    def _eight(self, at: Positions) -> Positions:
        """Numbers of eight bytes, wherever they stand."""
        numbers: Positions = self._eights[at]
        return numbers

    def _kinds(self, numbers: Positions) -> Positions:
        if ((numbers < 2) | (numbers >= self._count)).any():
            raise DamagedPages("pages are beyond the end of the file")
        return self._halves[numbers * (self._page // 2) + 5].astype(np.int64) & _KINDS

    def _nodes(self, numbers: Positions) -> Positions:
        """Where the nodes of these pages begin."""
        begin = numbers * self._page
        lower = self._halves[begin // 2 + 6].astype(np.int64)
        counts = (lower - _HEAD) // 2
        if (counts < 0).any() or (lower > self._page).any():
            raise DamagedPages("pages have impossible lists of records")
        first = np.cumsum(counts) - counts
        index = np.arange(int(counts.sum())) - np.repeat(first, counts)
        begin = np.repeat(begin, counts)
        within = self._halves[(begin + _HEAD) // 2 + index].astype(np.int64)
        if ((within < _HEAD) | (within > self._page - _NODE) | (within % 2 == 1)).any():
            raise DamagedPages("pages have impossible records")
        nodes: Positions = begin + within
        return nodes
