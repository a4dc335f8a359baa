"""One run within a log: the lines that are its own, and what they say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from barista_server import metrics
from barista_server.caffe import log as caffe_log
from barista_server.caffe.log import LOSS, Ending, EventKind, LogParser, SeriesKey

MOST_TESTS = 32
"""Test outputs told with a session; a net that prints a value per class has hundreds."""


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
    untrained: bool = False
    """It was stopped in the test before its first iteration."""
    error: str | None = None
    error_line: int | None = None
    """0-based."""
    reason: caffe_log.Reason | None = None
    """``error`` taken apart."""


class Pace(msgspec.Struct, frozen=True):
    """Iterations per second, tests left out; seconds to go, tests included. None where not known."""

    speed: float | None = None
    eta: float | None = None


class Points(NamedTuple):
    """Points of one metric in the order of the log. All columns have the same length."""

    iteration: NDArray[np.int64]
    seconds: NDArray[np.float64]
    value: NDArray[np.float64]
    line: NDArray[np.int64]


@dataclass(frozen=True)
class Part:
    """Lines ``first`` to before ``stop`` (None: to the end) of a log, and the newest run that is in them."""

    parser: LogParser
    run: caffe_log.Run | None
    first: int = 0
    stop: int | None = None

    def rows(self, line: NDArray[np.int64]) -> slice:
        """Which of the ascending line numbers are within."""
        if self.first == 0 and self.stop is None:
            return slice(None)
        stop = self.parser.lines if self.stop is None else self.stop
        return slice(*np.searchsorted(line, (self.first, stop)).tolist())

    def points(self, key: SeriesKey) -> Points:
        """A metric, empty where this part has none of it."""
        series = self.parser.series.get(key) or caffe_log.Series()
        rows = self.rows(series.line)
        return Points(series.iteration[rows], series.seconds[rows], series.value[rows], series.line[rows])

    def facts(self, size: int) -> Facts:
        """The state of things, of ``size`` bytes; cheap, whatever the length of the log."""
        run = self.run
        lines = (self.parser.lines if self.stop is None else self.stop) - self.first
        if run is None:
            return Facts(size=size, lines=lines)
        losses = self.points(LOSS).value
        failed = run.ending is Ending.FAILED
        return Facts(
            size=size,
            lines=lines,
            # The beginning may have been cut off.
            began=run.started_line is not None or run.last_iteration is not None,
            iteration=run.last_iteration or run.resume_iteration or 0,
            max_iter=run.max_iter,
            loss=float(losses[-1]) if len(losses) else None,
            tests=self._tests(),
            done=run.ending is Ending.FINISHED,
            stopped_early=run.ending is Ending.STOPPED_EARLY,
            untrained=run.ending is Ending.STOPPED_EARLY and self._untrained(run),
            error=run.error if failed else None,
            error_line=run.end_line if failed else None,
            reason=run.reason,
        )

    def _untrained(self, run: caffe_log.Run) -> bool:
        """Of a run that was stopped: in the test before its first iteration. Later ones show another."""
        first = run.started_line or self.first
        interrupted = any(
            event.kind is EventKind.TEST_INTERRUPTED
            and first <= event.line < (self.stop or self.parser.lines)
            for event in self.parser.events
        )
        return interrupted and run.first_iteration == run.last_iteration

    def _tests(self) -> dict[str, float]:
        """Last value of each test output; a name that several outputs have gets their numbers."""
        values = {key: self.points(key).value for key in self.parser.series if key.phase == "test"}
        found = [(key, float(column[-1])) for key, column in values.items() if len(column)]
        names = [key.name for key, _ in found]
        tests = {}
        for key, value in found[:MOST_TESTS]:
            many = names.count(key.name) > 1
            tests[f"{key.name} {key.net}#{key.output}" if many else key.name] = value
        return tests

    def pace(self) -> Pace:
        """Speed and time to go, as of the last displays."""
        run, losses, tests = self.run, self.points(LOSS), self.parser.tests
        if run is None or not len(losses.iteration):
            return Pace()
        rows = self.rows(tests.line)
        begin, end, net = tests.begin[rows], tests.end[rows], tests.net[rows]
        speed = metrics.speed(losses.iteration, losses.seconds, begin, end)
        left = None
        if run.max_iter is not None:
            duration = metrics.duration_of_tests(begin, end, net)
            at = run.last_iteration or 0
            left = metrics.eta(at, run.max_iter, speed, run.test_interval or 0, duration)
        return Pace(speed=speed, eta=left)
