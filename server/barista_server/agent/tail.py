"""A run's log as far as it was read: facts for the state, lines and metrics for clients."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, cast, get_args

import msgspec

from barista_server import metrics
from barista_server.api.messages import LogLine
from barista_server.caffe.log import LOSS, Ending, LineKind, LogParser, clean

CHUNK = 256 * 1024
"""Bytes parsed in one go on the event loop: a few milliseconds."""
MOST_TESTS = 32
"""Test outputs told with a session; a net that prints a value per class has hundreds."""

Kind = Literal["plain", "metric", "test", "event", "warning", "error"]
KINDS: dict[str, LineKind] = {name: LineKind[name.upper()] for name in get_args(Kind)}
_NAMES = {kind: cast(Kind, name) for name, kind in KINDS.items()}


class Facts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a log says about its run."""

    size: int = 0
    lines: int = 0
    began: bool = False
    """``Starting Optimization`` was printed: from here on signals are understood."""
    iteration: int = 0
    max_iter: int | None = None
    loss: float | None = None
    tests: dict[str, float] = {}
    done: bool = False
    stopped_early: bool = False
    error: str | None = None
    error_line: int | None = None
    """0-based."""


class Pace(msgspec.Struct, frozen=True):
    """Iterations per second, tests left out; seconds to go, tests included. None where not known."""

    speed: float | None = None
    eta: float | None = None


class Log:
    """Reads ``path`` in bounded chunks as it grows. The file may not exist yet."""

    def __init__(self, path: Path, started: float) -> None:
        self.path = path
        self._year = time.localtime(started).tm_year
        self.forget()

    def forget(self) -> None:
        """Free what was parsed; the next :meth:`grow` begins anew."""
        self.parser = LogParser(self._year)
        self.read = 0
        """Bytes given to the parser."""

    def grow(self) -> bool:
        """Parse the next chunk. False when there is nothing more for now. Raises OSError."""
        try:
            if self.path.stat().st_size <= self.read:
                return False
            with self.path.open("rb") as file:
                file.seek(self.read)
                data = file.read(CHUNK)
        except FileNotFoundError:
            return False
        self.parser.feed(data)
        self.read += len(data)
        return bool(data)

    def facts(self) -> Facts:
        """The state of things; cheap, whatever the length of the log."""
        parser, run = self.parser, self.parser.run
        if run is None:
            return Facts(size=self.read, lines=parser.lines)
        losses = parser.series.get(LOSS)
        failed = run.ending is Ending.FAILED
        return Facts(
            size=self.read,
            lines=parser.lines,
            began=run.started_line is not None,
            iteration=run.last_iteration or run.resume_iteration or 0,
            max_iter=run.max_iter,
            loss=float(losses.value[-1]) if losses is not None and len(losses) else None,
            tests=self._tests(),
            done=run.ending is Ending.FINISHED,
            stopped_early=run.ending is Ending.STOPPED_EARLY,
            error=run.error if failed else None,
            error_line=run.end_line if failed else None,
        )

    def _tests(self) -> dict[str, float]:
        """Last value of each test output; a name that several outputs have gets their numbers."""
        found = [(key, series) for key, series in self.parser.series.items() if key.phase == "test"]
        names = [key.name for key, _ in found]
        tests = {}
        for key, series in found[:MOST_TESTS]:
            many = names.count(key.name) > 1
            tests[f"{key.name} {key.net}#{key.output}" if many else key.name] = float(series.value[-1])
        return tests

    def pace(self) -> Pace:
        """Speed and time to go, as of the last displays."""
        parser, run = self.parser, self.parser.run
        losses, tests = parser.series.get(LOSS), parser.tests
        if run is None or losses is None:
            return Pace()
        speed = metrics.speed(losses.iteration, losses.seconds, tests.begin, tests.end)
        left = None
        if run.max_iter is not None:
            duration = metrics.duration_of_tests(tests.begin, tests.end, tests.net)
            at = run.last_iteration or 0
            left = metrics.eta(at, run.max_iter, speed, run.test_interval or 0, duration)
        return Pace(speed=speed, eta=left)

    def lines(self, kinds: Sequence[str], start: int, count: int) -> tuple[int, int, list[LogLine]]:
        """Index of the first line sent, number of lines that pass, and up to ``count`` lines.

        ``start`` counts lines of ``kinds`` (all when empty), from the end when negative. Raises KeyError for
        an unknown kind, OSError.
        """
        index = self.parser.index
        wanted = [KINDS[kind] for kind in kinds]
        total = index.count(wanted) if wanted else index.lines
        first = max(0, total + start) if start < 0 else min(start, total)
        stop = min(total, first + max(0, count))
        numbers = index.select(wanted, first, stop).tolist() if wanted else list(range(first, stop))
        if not numbers:
            return first, total, []
        texts = self._texts(numbers)
        kinds_of = index.kinds
        lines = [
            LogLine(number=number, kind=_NAMES[LineKind(int(kinds_of[number]))], text=text)
            for number, text in zip(numbers, texts, strict=True)
        ]
        return first, total, lines

    def _texts(self, numbers: list[int]) -> list[str]:
        """Text of lines, ascending; those near each other are read together."""
        texts: list[str] = []
        with self.path.open("rb") as file:
            begin = 0
            while begin < len(numbers):
                end = begin + 1
                while end < len(numbers) and numbers[end] - numbers[end - 1] < 256:
                    end += 1
                span = self.parser.index.span(numbers[begin], numbers[end - 1] + 1)
                file.seek(span.start)
                rows = file.read(span.stop - span.start).split(b"\n")
                texts += [clean(rows[number - span.first]) for number in numbers[begin:end]]
                begin = end
        return texts


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
