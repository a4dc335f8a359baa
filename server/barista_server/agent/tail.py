"""A run's log as far as it was read: facts for the state, lines and metrics for clients."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from barista_server.agent.files import open_regular
from barista_server.agent.parts import Facts, Pace, Part
from barista_server.api.messages import LogLine
from barista_server.caffe.log import LineKind, LogParser, clean

CHUNK = 512 * 1024
"""Bytes parsed in one go on the event loop: a few milliseconds. Half of it takes nearly as long, for a piece
costs the parser some two thousand calls whatever its size; twice as much takes more memory.
"""
MARK = 32
"""Bytes read last by which a log is known again."""
MAX_LINE = 1 << 16
"""Bytes of a line that are shown."""
MOST_TEXT = 4 * 1024 * 1024
"""Characters of lines in one answer, so that it fits a frame even if all are junk."""

Kind = Literal["plain", "metric", "test", "event", "warning", "error"]
KINDS: dict[str, LineKind] = {name: LineKind[name.upper()] for name in get_args(Kind)}
_NAMES = {kind: cast(Kind, name) for name, kind in KINDS.items()}


class Log:
    """Reads ``path`` in bounded chunks as it grows. The file may not exist yet."""

    _facts: tuple[int, int, Facts] | None = None
    """Bytes and lines they were told of, and what."""

    def __init__(self, path: Path, started: float) -> None:
        self.path = path
        self._year: int | None = time.localtime(started).tm_year
        self.forget()

    def forget(self) -> None:
        """Free what was parsed; the next :meth:`grow` begins anew."""
        self.parser = LogParser(self._year)
        self.read = 0
        """Bytes given to the parser."""
        self.cut = False
        """What was read is not what stands there any more: somebody cut it off, and it has grown since."""
        self._mark = b""
        self._facts = None

    def grow(self) -> bool:
        """Parse the next chunk. False when there is nothing more for now. Raises OSError."""
        try:
            size = self.path.stat().st_size
            if size <= self.read:
                return False
            with self.path.open("rb") as file:
                file.seek(self.read - len(self._mark))
                self.cut = file.read(len(self._mark)) != self._mark
                data = b"" if self.cut else file.read(CHUNK)
        except FileNotFoundError:
            return False
        self.parser.feed(data)
        self.read += len(data)
        self._mark = data[-MARK:] or self._mark
        return bool(data) and self.read < size

    def mended(self) -> None:
        """What stands before ``read`` is another thing now, and what follows goes on from there."""
        self.cut, self._mark = False, b""

    @property
    def part(self) -> Part:
        """All of it, as one run."""
        return Part(self.parser, self.parser.run)

    def facts(self) -> Facts:
        """The state of things; cheap, whatever the length of the log."""
        known = self._facts
        # A last line without its end counts only once the parser is told that it is whole.
        if known is None or known[:2] != (self.read, self.parser.lines):
            known = self._facts = (self.read, self.parser.lines, self.part.facts(self.read))
        return known[2]

    def pace(self) -> Pace:
        """Speed and time to go, as of the last displays."""
        return self.part.pace()

    def lines(
        self, kinds: Sequence[str], start: int, count: int, within: tuple[int, int | None] = (0, None)
    ) -> tuple[int, int, list[LogLine]]:
        """Index of the first line sent, number of lines that pass, and up to ``count`` lines; fewer where
        these would be more than ``MOST_TEXT`` bytes.

        ``start`` counts lines of ``kinds`` (all when empty) in the lines ``within``, from the end when
        negative. Raises KeyError for an unknown kind, OSError.
        """
        index = self.parser.index
        wanted = [KINDS[kind] for kind in kinds]
        low, high = within[0], index.lines if within[1] is None else within[1]
        chosen: NDArray[np.int64] | None = None
        if wanted and (low, high) != (0, index.lines):
            chosen = np.flatnonzero(np.isin(index.kinds[low:high], wanted)) + low
            total = len(chosen)
        else:
            total = index.count(wanted) if wanted else high - low
        first = max(0, total + start) if start < 0 else min(start, total)
        stop = min(total, first + max(0, count))
        if chosen is not None:
            numbers = chosen[first:stop].tolist()
        elif wanted:
            numbers = index.select(wanted, first, stop).tolist()
        else:
            numbers = list(range(low + first, low + stop))
        return first, total, self.numbered(numbers)

    def numbered(self, numbers: list[int]) -> list[LogLine]:
        """Lines by their numbers, ascending; fewer where these would be more than ``MOST_TEXT`` bytes. Raises
        OSError.
        """
        if not numbers:
            return []
        kinds = self.parser.index.kinds
        return [
            LogLine(number=number, kind=name_of(kinds[number]), text=text)
            for number, text in zip(numbers, self._texts(numbers), strict=False)
        ]

    def _texts(self, numbers: list[int]) -> list[str]:
        """Text of lines, ascending; those near each other are read together."""
        texts: list[str] = []
        room = MOST_TEXT
        with open_regular(self.path) as file:
            begin = 0
            while begin < len(numbers) and room > 0:
                end = begin + 1
                while end < len(numbers) and numbers[end] - numbers[end - 1] < 256:
                    end += 1
                span = self.parser.index.span(numbers[begin], numbers[end - 1] + 1)
                file.seek(span.start)
                here = span.first
                for number in numbers[begin:end]:
                    skip_lines(file, number - here)
                    texts.append(clean(read_line(file)))
                    here = number + 1
                    room -= len(texts[-1])
                    if room <= 0:
                        break
                begin = end
        return texts


def name_of(kind: int) -> Kind:
    """As messages tell it."""
    return _NAMES[LineKind(int(kind))]


def read_line(file: BinaryIO) -> bytes:
    """The next line as far as it is shown: at most MAX_LINE bytes. The rest of it is skipped."""
    line = file.readline(MAX_LINE)
    if len(line) == MAX_LINE and not line.endswith(b"\n"):
        skip_lines(file, 1)
    return line


def skip_lines(file: BinaryIO, count: int) -> None:
    """Pass over whole lines, however long they are."""
    for _ in range(count):
        while (piece := file.readline(CHUNK)) and not piece.endswith(b"\n"):
            pass


class Pulse:
    """Whether a log has been silent for far longer than its own history predicts."""

    LEAST = 60.0
    """Seconds of silence that never mean anything."""
    BEFORE_FIRST = 900.0
    """Until there is a history: loading data and building nets may take minutes."""
    FACTOR = 10.0

    def __init__(self, now: float) -> None:
        self._last = now
        self._longest = 0.0
        self._beats = 0

    def beat(self, now: float) -> None:
        """The log grew."""
        self._longest = max(self._longest, now - self._last)
        self._last = now
        self._beats += 1

    def stalled(self, now: float) -> bool:
        """Silent for longer than ``FACTOR`` times the longest silence so far."""
        if self._beats < 3:
            return now - self._last > self.BEFORE_FIRST
        return now - self._last > max(self.LEAST, self.FACTOR * self._longest)
