"""Which layer was being set up when a check failed: its text names none, but a line before it does."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from barista_server.api.text import clean

LINES = 16
"""Lines before a failure that are looked at."""
_LONGEST = 500
_CREATING = re.compile(rb"\] Creating [Ll]ayer (.{1,200})")


class Nearby:
    """The last lines before any line of a block."""

    def __init__(self) -> None:
        self._recent: list[bytes] = []
        self._block = b""
        self._begins = self._stops = np.empty(0, np.intp)

    def enter(self, block: bytes, begins: NDArray[np.intp], stops: NDArray[np.intp]) -> None:
        """Go on to the next block of messages."""
        self._recent = self._before(len(self._begins))
        self._block, self._begins, self._stops = block, begins, stops

    def layer(self, row: int) -> str:
        """Layer that was created just before message ``row`` of the block, empty where there is none."""
        for line in reversed(self._before(row)):
            if found := _CREATING.search(line):
                return clean(found[1].rstrip())
            if b"nitialization done" in line:
                break
        return ""

    def _before(self, row: int) -> list[bytes]:
        first = max(0, row - LINES)
        bounds = zip(self._begins[first:row].tolist(), self._stops[first:row].tolist(), strict=True)
        lines = [self._block[begin : min(stop, begin + _LONGEST)] for begin, stop in bounds]
        missing = LINES - len(lines)
        return [*self._recent[-missing:], *lines] if missing else lines
