"""Blocks of log lines around what is on the screen: the log itself stays with the agent."""

from __future__ import annotations

from collections import OrderedDict

from msgspec import Struct

from barista_server.api.messages import LogLine, RunInfo, SessionInfo
from barista_tui.finding import Find
from barista_tui.store import Key

BLOCK = 256
"""Lines fetched at once."""

MAX_BLOCKS = 64
"""Blocks kept: about 16 000 lines."""


class Source(Struct, frozen=True):
    """Which lines: one run's log, seen through a filter of kinds (empty: all), and of them, with ``find``,
    those only in which that is found.
    """

    key: Key
    run: int
    kinds: tuple[str, ...] = ()
    find: Find | None = None


class Window(Struct, frozen=True):
    """Lines to ask for: ``count`` of them from ``start`` (negative: from the end)."""

    start: int
    count: int


def logs_of(session: SessionInfo) -> list[RunInfo]:
    """The runs whose logs the console can show, the usual one last; of an imported log that is the whole
    file, with number 0.
    """
    if session.log is None:
        return session.runs
    whole = RunInfo(number=0, started=0.0, log_size=session.log.size, lines=session.log.lines)
    return [*session.runs, whole] if len(session.runs) > 1 else [whole]


def shown_log(session: SessionInfo, number: int | None = None) -> RunInfo | None:
    """The run whose log the console shows: that of the number, else the last one, or the whole of an imported
    log.
    """
    logs = logs_of(session)
    return next((run for run in logs if run.number == number), logs[-1] if logs else None)


class LineCache:
    """Lines of one source by filtered index. ``total`` grows with the log."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.total = 0
        self._blocks: OrderedDict[int, list[LogLine | None]] = OrderedDict()

    def get(self, index: int) -> LogLine | None:
        """The line, or None when it is not here (see :meth:`missing`)."""
        number, place = divmod(index, BLOCK)
        block = self._blocks.get(number)
        return block[place] if block is not None else None

    def put(self, start: int, total: int, lines: list[LogLine]) -> None:
        """Take a window that the agent sent. A log that became shorter starts the cache anew."""
        if total < self.total:
            self._blocks.clear()
        self.total = total
        for index, line in enumerate(lines, start):
            number, place = divmod(index, BLOCK)
            block = self._blocks.get(number)
            if block is None:
                block = self._blocks[number] = [None] * BLOCK
            block[place] = line
        for number in range(start // BLOCK, (start + len(lines)) // BLOCK + 1):
            if number in self._blocks:
                self._blocks.move_to_end(number)
        while len(self._blocks) > MAX_BLOCKS:
            self._blocks.popitem(last=False)

    def missing(self, first: int, last: int) -> Window | None:
        """The whole blocks to fetch so that ``first`` .. ``last`` (inclusive) can be shown, or None."""
        first, last = max(0, first), min(last, self.total - 1)
        absent = [
            number
            for number in range(first // BLOCK, last // BLOCK + 1)
            if self._lacks(number, max(first, number * BLOCK), min(last, (number + 1) * BLOCK - 1))
        ]
        if first > last or not absent:
            return None
        return Window(absent[0] * BLOCK, (absent[-1] - absent[0] + 1) * BLOCK)

    def tail(self) -> Window:
        """The window that brings what was appended: from the last block that may not be whole."""
        if not self.total:
            return Window(-BLOCK, BLOCK)
        return Window(self.total // BLOCK * BLOCK, BLOCK * 4)

    def _lacks(self, number: int, first: int, last: int) -> bool:
        block = self._blocks.get(number)
        if block is None:
            return True
        return any(block[index % BLOCK] is None for index in range(first, last + 1))
