"""A log that somebody else writes: read as it grows, and anew when it is another; its runs told apart."""

from __future__ import annotations

import os
from bisect import bisect_left
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from barista_server.agent import files
from barista_server.agent.parts import Facts, Pace, Part
from barista_server.agent.tail import Log, skip_lines
from barista_server.api.messages import RunEnding
from barista_server.caffe.log import LOSS, Ending, Event, EventKind, LogParser
from barista_server.caffe.log.runs import iteration_in_name
from barista_server.caffe.log.year import first_year, years_too_late

STEP = 4 * 1024 * 1024
"""Bytes parsed in one go, in a thread: some tens of milliseconds."""
PROBE = 64 * 1024
"""Bytes at either end in which stamps are looked for."""
MARK = 512
"""Bytes at the beginning and before the place reached by which a file is known again."""
MOST_RUNS = 100
"""Runs of one file that are told apart, the newest."""
RECENT = 200
"""Points and events of a run by which its longest silence is measured."""


SMALL = STEP
"""Bytes of a file that may be read again and again without anybody noticing."""

_ENDINGS: dict[Ending, RunEnding] = {
    Ending.OPEN: "open",
    Ending.FINISHED: "finished",
    Ending.STOPPED_EARLY: "stopped early",
    Ending.FAILED: "failed",
}


class Stamp(msgspec.Struct, frozen=True):
    """Two looks at a file that is as it was have the same. Also kept across agents."""

    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, found: os.stat_result) -> Stamp:
        return cls(found.st_size, found.st_mtime_ns, found.st_ino)


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a file says of one run in it. Lines are those of the file, 0-based."""

    number: int
    first: int
    """Its first line, and at which byte that is."""
    begin: int
    facts: Facts
    ending: RunEnding
    started: float | None = None
    """Wall-clock time of its first and last stamp, where the file tells."""
    last: float | None = None
    resumed_from: int | None = None
    command: Literal["train", "test", "time"] = "train"
    """Which of caffe's commands ran."""
    longest: float | None = None
    """Seconds of the longest silence lately; None while it has printed too little to tell."""


class Content(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a file says as far as it was read."""

    stamp: Stamp
    lines: int = 0
    size: int = 0
    runs: list[Told] = []
    """Oldest first, the newest MOST_RUNS."""


class Source(NamedTuple):
    """A run within a file that is parsed, for windows of metrics."""

    number: int
    started: float
    part: Part


class LogFile(Log):
    """Every method blocks on the disk or the parser, and may raise OSError. Not to be used by two at once."""

    def __init__(self, path: Path) -> None:
        self.generation = 0
        """Counts the files that have been at this place."""
        super().__init__(path, 0.0)

    def forget(self) -> None:
        """Free what was parsed; the next :meth:`grow` begins anew."""
        self._begin_anew(None)

    def _begin_anew(self, year: int | None) -> None:
        self.parser = LogParser(year)
        self._facts = None
        self.read = 0
        self.size = 0
        """Of the file when it was looked at last."""
        self.closed = False
        """The last line was taken for whole though it had no end."""
        self._stamp: Stamp | None = None
        self._head = self._mark = b""
        self._begins: dict[int, int] = {0: 0}
        self._told: dict[int, Told] = {}
        self._year = year
        self._guessed = True

    def stamp(self) -> Stamp:
        """What the file looks like now."""
        return Stamp.of(files.stat_regular(self.path))

    def grow(self) -> bool:
        """Parse the next step; False when there is nothing more for now. A file that is not the one read so
        far is read from its beginning, and another ``generation``.
        """
        with files.open_regular(self.path) as file:
            found = os.fstat(file.fileno())
            self.size = found.st_size
            if self.read and not self._is_the_same(file):
                self.generation += 1
                self._begin_anew(None)
            elif self.closed and self.size > self.read:
                # Its last line had not ended after all.
                self._begin_anew(None)
            self.size = found.st_size
            if not self.read:
                self._find_year(file, found)
            file.seek(self.read)
            data = file.read(min(STEP, max(0, self.size - self.read)))
        self._stamp = Stamp.of(found)
        if data:
            self._head = (self._head + data)[:MARK] if len(self._head) < MARK else self._head
            self._mark = (self._mark + data)[-MARK:]
            self.parser.feed(data)
            self.read += len(data)
        if data and self.read < self.size:
            return True
        return self._correct_year(found.st_mtime)

    def close(self) -> None:
        """No more is expected: a last line without an end counts as it is."""
        if self.read > self.parser.index.size:
            self.parser.finish()
            self.closed = True

    def _is_the_same(self, file: BinaryIO) -> bool:
        """It begins as it did, and what was read last is where it was; by name, number or time none can tell:
        writers replace, cut off and copy.
        """
        if self.size < self.read:
            return False
        file.seek(0)
        head = file.read(len(self._head))
        file.seek(self.read - len(self._mark))
        return head == self._head and file.read(len(self._mark)) == self._mark

    def _find_year(self, file: BinaryIO, found: os.stat_result) -> None:
        if self._year is not None or not found.st_size:
            return
        file.seek(0)
        head = file.read(PROBE)
        file.seek(max(0, found.st_size - PROBE))
        self._year = first_year(self.path.name, head, file.read(PROBE), found.st_mtime)
        self.parser = LogParser(self._year)

    def _correct_year(self, mtime: float) -> bool:
        """Read it once more if it turned out to be of more than a year; True when so."""
        epoch = self.parser.epoch
        if self._year is None or epoch is None or not self._guessed:
            return False
        late = years_too_late(epoch + self.parser.seconds, mtime)
        self._guessed = False
        if not late:
            return False
        self._begin_anew(self._year - late)
        self._guessed = False
        return True

    # -------------------------------------------------------------------------------------------- its runs

    def sources(self) -> list[Source]:
        """The runs in it, oldest first."""
        runs = self.parser.runs[-MOST_RUNS:]
        before = self.parser.runs_before + len(self.parser.runs) - len(runs)
        stops = [*(run.first_line for run in runs[1:]), None]
        return [
            Source(number, 0.0, Part(self.parser, run, run.first_line if number > 1 else 0, stop))
            for number, (run, stop) in enumerate(zip(runs, stops, strict=False), before + 1)
        ]

    def content(self) -> Content:
        """All it says, for those who do not have it parsed."""
        sources = self.sources()
        begins = [*map(self._begin_of, sources), self.read]
        events = _Events(self.parser)
        told = {}
        for source, begin, after in zip(sources, begins, begins[1:], strict=False):
            # What a later run follows does not change any more.
            known = self._told.get(source.number) if source.part.stop is not None else None
            told[source.number] = known or _told(source, events, begin, after - begin)
        self._told = {one.number: one for one in list(told.values())[:-1]}
        stamp = self._stamp or self.stamp()
        return Content(stamp=stamp, lines=self.parser.lines, size=self.read, runs=list(told.values()))

    def pace(self) -> Pace:
        """Of the newest run."""
        sources = self.sources()
        return sources[-1].part.pace() if sources else Pace()

    def _begin_of(self, source: Source) -> int:
        """Byte at which its first line begins."""
        line = source.part.first
        if line not in self._begins:
            span = self.parser.index.span(line, line + 1)
            with files.open_regular(self.path) as file:
                file.seek(span.start)
                skip_lines(file, line - span.first)
                self._begins[line] = file.tell()
        return self._begins[line]


class _Events:
    """What a log tells of the lives of its runs, by line."""

    def __init__(self, parser: LogParser) -> None:
        self._all = list(parser.events)
        self._lines = [one.line for one in self._all]

    def of(self, part: Part) -> list[Event]:
        stop = len(self._lines) if part.stop is None else bisect_left(self._lines, part.stop)
        return self._all[bisect_left(self._lines, part.first) : stop]


def _told(source: Source, events: _Events, begin: int, size: int) -> Told:
    part, own = source.part, events.of(source.part)
    run = part.run
    assert run is not None, "a source is made from a run"
    facts = part.facts(size)
    snapshots = [iteration_in_name(one.text) for one in own if one.kind is EventKind.SNAPSHOT_STATE]
    at = max([facts.iteration, *(one for one in snapshots if one is not None)])
    if run.ending is Ending.FINISHED:
        at = max(at, run.max_iter or 0)
    times = _times(part, own)
    gaps = np.diff(times[-RECENT:])
    ends = [times[0] if len(times) else None, times[-1] if len(times) else None]
    if source.number == 1:
        ends[0] = 0.0
    if part.stop is None:
        ends[1] = part.parser.seconds
    started, last = (_wall(part.parser, end) for end in ends)
    return Told(
        number=source.number,
        first=part.first,
        begin=begin,
        facts=msgspec.structs.replace(facts, iteration=at),
        ending=_ENDINGS[run.ending],
        started=started,
        last=last,
        resumed_from=run.resume_iteration,
        command=run.kind,
        longest=float(gaps.max()) if run.first_iteration is not None and len(gaps) > 1 else None,
    )


def _wall(parser: LogParser, seconds: float | None) -> float | None:
    """Wall-clock time, None where the log does not tell it."""
    epoch = parser.epoch
    return None if epoch is None or seconds is None or np.isnan(seconds) else epoch + float(seconds)


def _times(part: Part, events: list[Event]) -> NDArray[np.float64]:
    """Seconds of what a run printed that has a place here, ascending."""
    tests = part.parser.tests
    rows = part.rows(tests.line)
    seconds = [one.seconds for one in events]
    found = np.concatenate((part.points(LOSS).seconds, tests.begin[rows], tests.end[rows], seconds))
    return np.sort(found[np.isfinite(found)])
