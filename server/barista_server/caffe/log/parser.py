"""The incremental parser: bytes of a Caffe log in, metric columns, events, runs and a line index out."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from .batch import Action, Batch, Labels, NoteKind
from .clocks import Clocks
from .columns import LEARNING_RATE, LOSS, PASS_TIME, Phase, Series, SeriesKey, Tests, points
from .dumps import Dump, DumpTracker
from .exact import ExactReader
from .fast import scan
from .index import LineIndex
from .nearby import Nearby
from .ordinals import Ordinals
from .runs import Ending, Event, EventKind, Life, Run, RunTracker
from .torn import split_torn
from .words import PADDING

BLOCK = 1 << 20
"""Bytes read in one go: bounds the memory beside the results."""
MAX_LINE = 1 << 16
"""A longer line is plain, whatever it holds: binary junk must not pile up in memory."""
MAX_SERIES = 20_000
"""Metrics told apart: nets, outputs and names that never repeat must not fill the memory."""
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
        self._clock = Clocks(year)
        self._labels = Labels()
        self._reader = ExactReader(self._labels)
        self._tracker = RunTracker()
        self._dumps = DumpTracker()
        self._nearby = Nearby()
        self._ordinals = Ordinals()
        self._exact = exact
        self._pending = bytearray()
        self._dropped = 0
        self._loss_iteration = -1
        self._last_iteration = -1
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
    def dumps(self) -> deque[Dump]:
        """Where the log echoes solvers and nets, the newest :data:`~.dumps.MAX_DUMPS` of them."""
        return self._dumps.dumps

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
        return self._clock.first.epoch

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
        first = self.index.lines
        brackets = np.flatnonzero(data == ord("]"))
        begins, stops, number = split_torn(padded, starts, ends, brackets)
        batch = Batch(number + first)
        todo = stops - begins <= MAX_LINE
        if len(begins) >= _WORTH and not self._exact:
            todo &= ~scan(padded, begins, stops, brackets, batch, self._labels)
        self._read_exactly(batch, block, begins, stops, todo)
        self._nearby.enter(block, begins, stops)
        base = self.index.size
        kinds = batch.kind if len(number) == len(starts) else _strongest(batch.kind, number)
        self._commit(batch)
        offsets = starts + base
        offsets[1:] += dropped
        self.index.extend(offsets, kinds, base + dropped + size)

    def _read_exactly(
        self, batch: Batch, block: bytes, begins: NDArray[np.intp], stops: NDArray[np.intp],
        todo: NDArray[np.bool_],
    ) -> None:  # fmt: skip
        """Read the messages marked ``todo``, and those whose meaning hangs on one of them."""
        reader = self._reader
        rows = np.flatnonzero(todo)
        bounds = zip(rows.tolist(), begins[rows].tolist(), stops[rows].tolist(), strict=True)
        done = self._listen(batch, block, begins, stops, 0) if reader.listening else 0
        for row, begin, stop in bounds:
            if row >= done:
                reader.read(batch, row, block[begin:stop])
                if reader.listening:
                    done = self._listen(batch, block, begins, stops, row + 1)

    def _listen(
        self, batch: Batch, block: bytes, begins: NDArray[np.intp], stops: NDArray[np.intp], row: int
    ) -> int:
        """Read on from ``row`` for as long as that is needed; return where it ended."""
        while row < len(begins) and self._reader.listening:
            begin, stop = int(begins[row]), int(stops[row])
            if stop - begin <= MAX_LINE:
                batch.clear(row)
                self._reader.read(batch, row, block[begin:stop])
            row += 1
        return row

    # ---- commit

    def _commit(self, batch: Batch) -> None:
        for note in batch.notes:
            if note.kind is NoteKind.YEAR and not (self._stamped or batch.date[: note.row].any()):
                self._clock.first.year = int(note.text)
        self._stamped = self._stamped or bool(batch.date.any())
        seconds = self._clock.resolve(batch.date, batch.microsecond, batch.rank)
        rows = {action: np.flatnonzero(batch.action == action) for action in Action if action}
        begins = rows[Action.TEST_BEGIN]
        bare = begins[batch.iteration[begins] < 0]
        dated = np.setdiff1d(begins, bare, assume_unique=True)
        named = np.sort(np.concatenate((rows[Action.LOSS], rows[Action.RATE], dated)))
        # Tests before 2014-02 do not print their iteration: it is the last one that was printed.
        batch.iteration[bare] = _last_before(named, batch.iteration[named], bare, self._last_iteration)
        ordinals = self._ordinals.count(batch, rows[Action.BATCH])
        self._tracker.advance(batch, named, seconds, self._ordinals.values, self._nearby.layer)
        self._tracker.counts[EventKind.CLIPPING] += len(rows[Action.CLIPPING])
        self._dumps.advance(batch)
        if len(named):
            self._last_iteration = int(batch.iteration[named[-1]])
        known = len(self.series)
        for action, key in ((Action.LOSS, LOSS), (Action.RATE, LEARNING_RATE), (Action.PASS, PASS_TIME)):
            if len(rows[action]):
                self._append(key, _points(batch, rows[action], seconds))
        self._train_outputs(batch, rows, seconds)
        self._test_outputs(batch, rows, ordinals, seconds)
        if len(self.series) > known:
            ordered = sorted(self.series.items(), key=lambda item: int(item[1].line[0]))
            self.series.clear()
            self.series.update(ordered)
        last = {action: int(found[-1]) for action, found in rows.items() if len(found)}
        if last:
            self._testing = (
                Action.TEST_BEGIN in last if max(last.values()) == last.get(Action.TEST_BEGIN) else False
            )

    def _append(self, key: SeriesKey, rows: NDArray[np.void]) -> None:
        series = self.series.get(key)
        if series is None:
            if len(self.series) >= MAX_SERIES:
                return
            series = self.series[key] = Series()
        series.append(rows)

    def _train_outputs(
        self, batch: Batch, rows: dict[Action, NDArray[np.intp]], seconds: NDArray[np.float64]
    ) -> None:
        losses, outputs = rows[Action.LOSS], rows[Action.TRAIN_OUTPUT]
        batch.iteration[outputs] = _last_before(
            losses, batch.iteration[losses], outputs, self._loss_iteration
        )
        if len(losses):
            self._loss_iteration = int(batch.iteration[losses[-1]])
        self._outputs("train", batch, outputs, np.zeros(len(outputs), np.int64), seconds)

    def _test_outputs(
        self, batch: Batch, rows: dict[Action, NDArray[np.intp]], ordinals: NDArray[np.int64],
        seconds: NDArray[np.float64],
    ) -> None:  # fmt: skip
        begins, outputs, batches = rows[Action.TEST_BEGIN], rows[Action.TEST_OUTPUT], rows[Action.BATCH]
        known = len(self.tests)
        self.tests.extend(batch.iteration[begins], seconds[begins], batch.label[begins], batch.number[begins])
        owner = np.searchsorted(begins, outputs) - 1 + known
        outputs, owner = outputs[owner >= 0], owner[owner >= 0]
        if len(outputs):
            last = np.append(np.flatnonzero(np.diff(owner)), len(owner) - 1)
            self.tests.set_end(owner[last], seconds[outputs[last]])
            batch.iteration[outputs] = self.tests.iteration[owner]
        net = self.tests.net[owner]
        if len(batches):
            batches = self._numbered(batch, batches, ordinals)
            outputs, net = np.append(outputs, batches), np.append(net, np.zeros(len(batches), np.int64))
            order = np.argsort(outputs)
            outputs, net = outputs[order], net[order]
        self._outputs("test", batch, outputs, net, seconds)

    def _numbered(
        self, batch: Batch, rows: NDArray[np.intp], ordinals: NDArray[np.int64]
    ) -> NDArray[np.intp]:
        """Label the values of batches with their numbers too; return the rows of those that could be."""
        outputs = self._labels.outputs
        count = len(outputs)
        pairs, places = np.unique(ordinals * count + batch.label[rows], return_inverse=True)
        labels = []
        for pair in pairs.tolist():
            ordinal, label = divmod(pair, count)
            labels.append(
                self._labels[b"%d: %s" % (ordinal, outputs[label][1].encode())] if ordinal >= 0 else -1
            )
        batch.label[rows] = np.array(labels)[places]
        return rows[batch.label[rows] >= 0]

    def _outputs(
        self, phase: Phase, batch: Batch, rows: NDArray[np.intp], net: NDArray[np.int64],
        seconds: NDArray[np.float64],
    ) -> None:  # fmt: skip
        """Append net outputs to their series. One whose iteration is not known (-1) has no place in any."""
        placed = batch.iteration[rows] >= 0
        rows, net = rows[placed], net[placed]
        if not len(rows):
            return
        known = len(self._labels.outputs)
        wanted = net * known + batch.label[rows]
        order = np.argsort(wanted, kind="stable")
        wanted, found = wanted[order], _points(batch, rows[order], seconds)
        begins = np.flatnonzero(np.diff(wanted, prepend=-1))
        stops = [*begins[1:].tolist(), len(wanted)]
        for begin, stop, which in zip(begins.tolist(), stops, wanted[begins].tolist(), strict=True):
            test_net, label = divmod(which, known)
            self._append(SeriesKey(phase, test_net, *self._labels.outputs[label]), found[begin:stop])


def _points(batch: Batch, rows: NDArray[np.intp], seconds: NDArray[np.float64]) -> NDArray[np.void]:
    return points(batch.iteration[rows], seconds[rows], batch.value[rows], batch.number[rows])


def _strongest(kinds: NDArray[np.uint8], number: NDArray[np.int64]) -> NDArray[np.uint8]:
    """The kind of each line of which a torn one holds several messages."""
    strongest: NDArray[np.uint8] = np.maximum.reduceat(kinds, np.flatnonzero(np.diff(number, prepend=-1)))
    return strongest


def _last_before(
    rows: NDArray[np.intp], values: NDArray[np.int64], at: NDArray[np.intp], otherwise: int
) -> NDArray[np.int64]:
    """For each of ``at``, the value of the last of ``rows`` before it."""
    owner = np.searchsorted(rows, at) - 1
    return np.where(owner >= 0, np.append(values, otherwise)[owner], otherwise)
