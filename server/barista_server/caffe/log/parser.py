"""The incremental parser: bytes of a Caffe log in, metric columns, events, runs and a line index out."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from .batch import Action, Batch, Labels, NoteKind
from .clock import Clock
from .columns import LEARNING_RATE, LOSS, Phase, Series, SeriesKey, Tests
from .exact import ExactReader
from .fast import PADDING, scan
from .index import LineIndex
from .runs import Ending, Event, EventKind, Life, Run, RunTracker

BLOCK = 1 << 20
"""Bytes read in one go: bounds the memory beside the results."""
MAX_LINE = 1 << 16
"""A longer line is plain, whatever it holds: binary junk must not pile up in memory."""
_WORTH = 48
"""Lines from which on the vectorised reader pays."""


class LogParser:
    """Reads a Caffe log as it grows, however it is cut into pieces.

    Feed it the bytes of one log from the start on. All results are those of the complete lines fed so far and
    can be read at any time; arrays read earlier stay as they were. Lines are numbered from 0.
    """

    def __init__(self, year: int | None = None, *, exact: bool = False) -> None:
        """``year`` of the first line, where the caller knows it (only old prefixes lack it).

        ``exact`` reads every line by itself, slowly; the results are the same.
        """
        self.index = LineIndex()
        """Where the lines are and of what kind."""
        self.series: dict[SeriesKey, Series] = {}
        """Every metric by key, in the order of their first lines."""
        self.tests = Tests()
        """Tests begun."""
        self._clock = Clock(year)
        self._labels = Labels()
        self._reader = ExactReader(self._labels)
        self._tracker = RunTracker()
        self._exact = exact
        self._pending = bytearray()
        self._dropped = 0
        self._loss_iteration = -1
        self._last_iteration = -1
        self._test_net = 0
        self._testing = False
        self._stamped = False

    # ---- results

    @property
    def runs(self) -> list[Run]:
        """The runs found, in order; the last one may still go on."""
        return self._tracker.runs

    @property
    def runs_before(self) -> int:
        """Runs found before the first of :attr:`runs`: only the newest are kept."""
        return self._tracker.forgotten

    @property
    def events(self) -> deque[Event]:
        """Rare lines that tell of a run's life, the newest :data:`~.runs.MAX_EVENTS` of them."""
        return self._tracker.events

    @property
    def event_counts(self) -> dict[EventKind, int]:
        return self._tracker.counts

    @property
    def lines(self) -> int:
        return self.index.lines

    @property
    def seconds(self) -> float:
        """Time of the last stamp, in seconds since the first; NaN before any."""
        return self._clock.seconds

    @property
    def epoch(self) -> float | None:
        """Wall-clock time of the first stamp (this machine's zone); None where no year is known."""
        return self._clock.epoch

    @property
    def run(self) -> Run | None:
        """The newest run."""
        return self.runs[-1] if self.runs else None

    @property
    def iteration(self) -> int | None:
        """The last iteration the newest run printed."""
        return self.runs[-1].last_iteration if self.runs else None

    @property
    def test_iteration(self) -> int | None:
        """Iteration of the last test begun in the newest run."""
        if not len(self.tests) or not self.runs or self.tests.line[-1] < self.runs[-1].first_line:
            return None
        iteration = int(self.tests.iteration[-1])
        return iteration if iteration >= 0 else None

    @property
    def life(self) -> Life:
        """What the newest run is doing, as far as the log says."""
        if not self.runs:
            return Life.EMPTY
        run = self.runs[-1]
        if run.ending is not Ending.OPEN:
            return Life.ENDED
        if run.first_iteration is None:
            return Life.CONSTRUCTING
        return Life.TESTING if self._testing else Life.OPTIMIZING

    # ---- input

    def feed(self, data: bytes) -> None:
        """Take in the next bytes of the log. A last line without LF waits for the rest of it."""
        for begin in range(0, len(data), BLOCK):
            piece = data[begin : begin + BLOCK]
            cut = piece.rfind(b"\n") + 1
            if cut:
                block = bytes(self._pending) + piece[:cut] if self._pending else piece[:cut]
                dropped, self._dropped = self._dropped, 0
                self._pending.clear()
                self._read(block, dropped, len(block))
            rest = piece[cut:]
            room = MAX_LINE + 1 - len(self._pending)
            self._pending += rest[:room]
            self._dropped += max(0, len(rest) - room)

    def finish(self) -> None:
        """No more will come: what waits for its LF is the last line."""
        if self._pending:
            block, dropped = bytes(self._pending), self._dropped
            self._pending.clear()
            self._dropped = 0
            self._read(block + b"\n", dropped, len(block))

    def _read(self, block: bytes, dropped: int, size: int) -> None:
        """Read complete lines; ``dropped`` bytes of the first one were left out."""
        padded = block + bytes(PADDING)
        data = np.frombuffer(padded, np.uint8)
        feeds = np.flatnonzero(data[: len(block)] == ord("\n"))
        starts = np.concatenate((np.zeros(1, np.intp), feeds[:-1] + 1))
        ends = feeds - ((feeds > starts) & (data[feeds - 1] == ord("\r")))
        batch = Batch(len(starts))
        todo = ends - starts <= MAX_LINE
        if len(starts) >= _WORTH and not self._exact:
            todo &= ~scan(padded, starts, ends, batch, self._labels)
        first = self.index.lines
        rows = np.flatnonzero(todo)
        for row, start, end in zip(rows.tolist(), starts[rows].tolist(), ends[rows].tolist(), strict=True):
            self._reader.read(batch, row, block[start:end], first + row)
        base = self.index.size
        starts += base
        starts[1:] += dropped
        self._commit(batch, first)
        self.index.extend(starts, batch.kind, base + dropped + size)

    # ---- commit

    def _commit(self, batch: Batch, first: int) -> None:
        for note in batch.notes:
            if note.kind is NoteKind.YEAR and not (self._stamped or batch.date[: note.row].any()):
                self._clock.year = int(note.text)
        self._stamped = self._stamped or bool(batch.date.any())
        seconds = self._clock.resolve(batch.date, batch.microsecond)
        rows = {action: np.flatnonzero(batch.action == action) for action in Action if action}
        begins = rows[Action.TEST_BEGIN]
        bare = begins[batch.iteration[begins] < 0]
        dated = np.setdiff1d(begins, bare, assume_unique=True)
        named = np.sort(np.concatenate((rows[Action.LOSS], rows[Action.RATE], dated)))
        # Tests before 2014-02 do not print their iteration: it is the last one that was printed.
        batch.iteration[bare] = _last_before(named, batch.iteration[named], bare, self._last_iteration)
        self._tracker.advance(
            first, batch.notes, named, batch.iteration[named], lambda row: float(seconds[row])
        )
        if len(named):
            self._last_iteration = int(batch.iteration[named[-1]])
        known = len(self.series)
        for action, key in ((Action.LOSS, LOSS), (Action.RATE, LEARNING_RATE)):
            self._append(key, batch, rows[action], batch.iteration[rows[action]], seconds, first)
        self._train_outputs(batch, rows, seconds, first)
        self._test_outputs(batch, rows, seconds, first)
        if len(self.series) > known:
            ordered = sorted(self.series.items(), key=lambda item: int(item[1].line[0]))
            self.series.clear()
            self.series.update(ordered)
        last = {action: int(found[-1]) for action, found in rows.items() if len(found)}
        if last:
            self._testing = (
                Action.TEST_BEGIN in last if max(last.values()) == last.get(Action.TEST_BEGIN) else False
            )

    def _append(
        self, key: SeriesKey, batch: Batch, rows: NDArray[np.intp], iteration: NDArray[np.int64],
        seconds: NDArray[np.float64], first: int,
    ) -> None:  # fmt: skip
        if len(rows):
            series = self.series.get(key)
            if series is None:
                series = self.series[key] = Series()
            series.extend(iteration, seconds[rows], batch.value[rows], rows + first)

    def _train_outputs(
        self, batch: Batch, rows: dict[Action, NDArray[np.intp]], seconds: NDArray[np.float64], first: int
    ) -> None:
        losses, outputs = rows[Action.LOSS], rows[Action.TRAIN_OUTPUT]
        iteration = _last_before(losses, batch.iteration[losses], outputs, self._loss_iteration)
        if len(losses):
            self._loss_iteration = int(batch.iteration[losses[-1]])
        self._outputs("train", batch, outputs, iteration, np.zeros(len(outputs), np.int64), seconds, first)

    def _test_outputs(
        self, batch: Batch, rows: dict[Action, NDArray[np.intp]], seconds: NDArray[np.float64], first: int
    ) -> None:
        begins, outputs = rows[Action.TEST_BEGIN], rows[Action.TEST_OUTPUT]
        known = len(self.tests)
        self.tests.extend(batch.iteration[begins], seconds[begins], batch.label[begins], begins + first)
        owner = np.searchsorted(begins, outputs) - 1 + known
        outputs, owner = outputs[owner >= 0], owner[owner >= 0]
        if not len(outputs):
            return
        last = np.append(np.flatnonzero(np.diff(owner)), len(owner) - 1)
        self.tests.set_end(owner[last], seconds[outputs[last]])
        iteration, net = self.tests.iteration[owner], self.tests.net[owner]
        self._outputs("test", batch, outputs, iteration, net, seconds, first)

    def _outputs(
        self, phase: Phase, batch: Batch, rows: NDArray[np.intp], iteration: NDArray[np.int64],
        net: NDArray[np.int64], seconds: NDArray[np.float64], first: int,
    ) -> None:  # fmt: skip
        """Append net outputs to their series. One whose iteration is not known (-1) has no place in any."""
        placed = iteration >= 0
        rows, iteration, net = rows[placed], iteration[placed], net[placed]
        if not len(rows):
            return
        wanted = net * len(self._labels.outputs) + batch.label[rows]
        order = np.argsort(wanted, kind="stable")
        edges = np.flatnonzero(np.diff(wanted[order])) + 1
        for group in np.split(order, edges):
            output, name = self._labels.outputs[int(batch.label[rows[group[0]]])]
            key = SeriesKey(phase, int(net[group[0]]), output, name)
            self._append(key, batch, rows[group], iteration[group], seconds, first)


def _last_before(
    rows: NDArray[np.intp], values: NDArray[np.int64], at: NDArray[np.intp], otherwise: int
) -> NDArray[np.int64]:
    """For each of ``at``, the value of the last of ``rows`` before it."""
    owner = np.searchsorted(rows, at) - 1
    return np.where(owner >= 0, np.append(values, otherwise)[owner], otherwise)
