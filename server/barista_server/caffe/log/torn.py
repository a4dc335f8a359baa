"""Lines that hold two messages, because what was printed between them lacked its end."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .prefix import TORN

Positions = NDArray[np.intp]


def split_torn(
    block: bytes, starts: Positions, ends: Positions, brackets: Positions
) -> tuple[Positions, Positions, NDArray[np.int64]]:
    """Bounds of the messages in the lines from ``starts`` to ``ends``, and the number of the line of each.

    Almost always these are the lines themselves. ``brackets``: where there is a ``]``.
    """
    number = np.arange(len(starts))
    cuts = _cuts(block, starts, ends, brackets)
    if not cuts:
        return starts, ends, number
    at = np.array(cuts)
    owner = np.searchsorted(starts, at, "right") - 1
    place = owner + 1
    begins = np.insert(starts, place, at)
    stops = np.insert(ends, owner, at)
    return begins, stops, np.insert(number, place, owner)


def _cuts(block: bytes, starts: Positions, ends: Positions, brackets: Positions) -> list[int]:
    """Where a message begins within a line that had begun with another one."""
    if len(brackets) < 2:
        return []
    owner = np.searchsorted(starts, brackets, "right")
    several = np.flatnonzero(owner[1:] == owner[:-1])
    if not len(several):
        return []
    among = np.zeros(len(brackets), bool)
    among[several] = among[several + 1] = True
    several = np.flatnonzero(among)
    # A prefix ends with the number of a source line.
    data = np.frombuffer(block, np.uint8)
    good = _after_colon(data, brackets[several]) & (data[brackets[several] + 1] == ord(" "))
    near, owner = brackets[several][good], owner[several][good] - 1
    rows, first, count = np.unique(owner, return_index=True, return_counts=True)
    rows, first = rows[count > 1], first[count > 1]
    cuts: list[int] = []
    for row, begin in zip(rows.tolist(), near[first].tolist(), strict=True):
        found = TORN.finditer(block, int(starts[row]) + 1, int(ends[row]))
        cuts += [each.start() for each in found if each.end() - 2 > begin]
    return cuts


def _after_colon(data: NDArray[np.uint8], brackets: Positions) -> NDArray[np.bool_]:
    """Whether a colon and up to five digits stand before each bracket."""
    digits = np.ones(len(brackets), bool)
    found = np.zeros(len(brackets), bool)
    for back in range(1, 8):
        byte = data[brackets - back]
        found |= digits & (byte == ord(":")) & (back > 1)
        digits &= byte - ord("0") <= 9
    return found
