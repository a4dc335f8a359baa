"""What a log tells of the runs in it: where each begins and ends, its snapshots, its solver's fields."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .batch import Batch, Note, NoteKind
from .exact import number
from .reasons import Reason, decode
from .results import Results, add_result

MAX_EVENTS = 20_000
"""Only so many events are kept, the newest: a log that is all events must not fill the memory."""


MAX_RUNS = 1000
"""Likewise for runs in one log."""
_MAX_FIELDS = 1000


class EventKind(StrEnum):
    CONSTRUCTING = "constructing"
    """The solver's text begins; nets are built after it."""
    STARTED = "started"
    """``Starting Optimization``: since 2015 the nets stand then."""
    RESUMED = "resumed"
    """``text`` is the solver state's file."""
    FINETUNED = "finetuned"
    """``text`` is the weights' file."""
    SNAPSHOT_MODEL = "snapshot model"
    """``text`` is the file; printed before it is written. So for the next."""
    SNAPSHOT_STATE = "snapshot state"
    TEST_INTERRUPTED = "test interrupted"
    STOPPED_EARLY = "stopped early"
    DONE = "done"
    FATAL = "fatal"
    """``text`` is the message of the F line."""
    SIGNAL = "signal"
    """The process died of a signal; ``text`` is its name."""
    TRACEBACK = "traceback"
    """A Python exception begins to be told."""
    EXCEPTION = "exception"
    """What an exception of Python or C++ says."""
    PROTOBUF = "protobuf"
    """What protobuf has against a file, with line and column; the F line follows."""
    USAGE = "usage"
    """A complaint about the command line."""
    VERDICT = "verdict"
    """How the shell says that the process ended."""
    MULTISTEP = "multistep"
    """The learning rate takes its next step."""
    CLIPPING = "clipping"
    """Gradients were scaled down. Only counted, never kept: it may come with every iteration."""


class Ending(StrEnum):
    OPEN = "open"
    """Nothing said so far: the run goes on, or was cut off."""
    FINISHED = "finished"
    STOPPED_EARLY = "stopped early"
    FAILED = "failed"


class Life(StrEnum):
    """What the newest run in the log is doing, as far as it says."""

    EMPTY = "empty"
    """Not one run has begun."""
    CONSTRUCTING = "constructing"
    OPTIMIZING = "optimizing"
    TESTING = "testing"
    """A test began and has printed no output yet."""
    ENDED = "ended"


@dataclass(slots=True, frozen=True)
class Event:
    kind: EventKind
    line: int
    """0-based line number."""
    iteration: int
    """The last one printed before it in its run; -1 before any."""
    seconds: float
    """Since the log's first time stamp; NaN before any."""
    text: str = ""


@dataclass(slots=True)
class Run:
    """One life of a caffe process within a log."""

    first_line: int
    ending: Ending = Ending.OPEN
    end_line: int | None = None
    """Line that told the ending."""
    error: str = ""
    """Message of the F line or of the exception, or name of the signal, of a failed run."""
    clue: str = ""
    """What was said beside ``error`` of the place: protobuf's complaint, a traceback's last frame."""
    layer: str = ""
    """Layer that was being set up when it failed, where it was one."""
    kind: Literal["train", "test", "time"] = "train"
    """Which of caffe's commands ran."""
    results: Results = field(default_factory=Results)
    thread: int = -1
    """That told the ending, where one did."""
    rank: int = -1
    """Process whose lines were followed, where several print into one log and a launcher names them."""
    resumed_from: str | None = None
    """Solver state file."""
    first_iteration: int | None = None
    last_iteration: int | None = None
    started_line: int | None = None
    """Line of ``Starting Optimization``."""
    net_name: str = ""
    """From ``Solving NAME``."""
    solver: dict[str, list[str]] = field(default_factory=dict)
    """The scalar fields of the solver's text as printed, strings without quotes, repeated ones in full."""

    @property
    def resume_iteration(self) -> int | None:
        """Iteration it went on from: by the state's name, else the first printed; None without a resume."""
        if self.resumed_from is None:
            return None
        named = iteration_in_name(self.resumed_from)
        return self.first_iteration if named is None else named

    def number(self, name: str) -> int | None:
        """The whole number a solver field holds, such as ``max_iter``; None where unset."""
        text = self.solver.get(name, [""])[0]
        return int(text) if text.isdecimal() else None

    @property
    def reason(self) -> Reason | None:
        """Why it failed, taken apart; None for a run that did not."""
        return decode(self.error, self.clue, self.layer) if self.ending is Ending.FAILED else None

    @property
    def max_iter(self) -> int | None:
        return self.number("max_iter")

    @property
    def display(self) -> int | None:
        return self.number("display")

    @property
    def test_interval(self) -> int | None:
        return self.number("test_interval")

    @property
    def snapshot(self) -> int | None:
        return self.number("snapshot")

    @property
    def test_iter(self) -> list[int]:
        """Batches of a test, one number per test net."""
        return [int(text) for text in self.solver.get("test_iter", []) if text.isdecimal()]


_ITERATION_IN_NAME = re.compile(r"_iter_(\d{1,18})\b")


def iteration_in_name(file: str) -> int | None:
    """Of a snapshot, by the name caffe gives it."""
    found = _ITERATION_IN_NAME.search(file)
    return int(found[1]) if found else None


_EVENT_OF = {
    NoteKind.SOLVER_DUMP: EventKind.CONSTRUCTING,
    NoteKind.STARTED: EventKind.STARTED,
    NoteKind.RESUMED: EventKind.RESUMED,
    NoteKind.FINETUNED: EventKind.FINETUNED,
    NoteKind.SNAPSHOT_MODEL: EventKind.SNAPSHOT_MODEL,
    NoteKind.SNAPSHOT_STATE: EventKind.SNAPSHOT_STATE,
    NoteKind.TEST_INTERRUPTED: EventKind.TEST_INTERRUPTED,
    NoteKind.STOPPED_EARLY: EventKind.STOPPED_EARLY,
    NoteKind.DONE: EventKind.DONE,
    NoteKind.FATAL: EventKind.FATAL,
    NoteKind.SIGNAL: EventKind.SIGNAL,
    NoteKind.TRACEBACK: EventKind.TRACEBACK,
    NoteKind.EXCEPTION: EventKind.EXCEPTION,
    NoteKind.TERMINATE: EventKind.EXCEPTION,
    NoteKind.PROTOBUF: EventKind.PROTOBUF,
    NoteKind.USAGE: EventKind.USAGE,
    NoteKind.VERDICT: EventKind.VERDICT,
    NoteKind.MULTISTEP: EventKind.MULTISTEP,
}
_BEGINS = {NoteKind.DEVICE, NoteKind.SOLVER_DUMP, NoteKind.STARTED, NoteKind.TEST_TOOL, NoteKind.TIME_TOOL}
_FAILS = {
    NoteKind.FATAL,
    NoteKind.SIGNAL,
    NoteKind.TRACEBACK,
    NoteKind.EXCEPTION,
    NoteKind.TERMINATE,
    NoteKind.USAGE,
    NoteKind.VERDICT,
}
_SIGNALS = {
    "Aborted": "SIGABRT",
    "Killed": "SIGKILL",
    "Terminated": "SIGTERM",
    "Segmentation fault": "SIGSEGV",
    "Bus error": "SIGBUS",
    "Floating point exception": "SIGFPE",
    "Illegal instruction": "SIGILL",
    "Out Of Memory": "SIGKILL",
    "CANCELLED AT": "SIGTERM",
}
"""Signals by the words of a shell, or of Slurm."""


class RunTracker:
    """Follows the runs of one log through its rare lines and its iterations."""

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self.forgotten = 0
        """Runs before these that are no longer kept."""
        self.events: deque[Event] = deque(maxlen=MAX_EVENTS)
        self.counts = dict.fromkeys(EventKind, 0)
        """Events seen of each kind, also those no longer kept."""

    def advance(
        self, batch: Batch, rows: NDArray[np.intp], seconds: NDArray[np.float64],
        values: Callable[[int], int], layer: Callable[[int], str],
    ) -> None:  # fmt: skip
        """Take in a block of messages.

        ``rows``: those that name an iteration. ``seconds``: of each message. ``values``: how many the last
        batch of ``caffe test`` before a row has. ``layer``: the one that was created just before a row.
        """
        self._values, self._layer = values, layer
        done = 0
        for note in batch.notes:
            upto = int(np.searchsorted(rows, note.row))
            self._iterate(batch, rows[done:upto])
            done = upto
            self._note(batch, note, float(seconds[note.row]))
        self._iterate(batch, rows[done:])

    def _iterate(self, batch: Batch, rows: NDArray[np.intp]) -> None:
        if not len(rows):
            return
        if not self.runs:
            self._new(batch, int(rows[0]))
        if self.runs[-1].rank >= 0:
            ranks = batch.rank[rows]
            rows = rows[(ranks == self.runs[-1].rank) | (ranks < 0)]
            if not len(rows):
                return
        if self.runs[-1].ending in (Ending.FINISHED, Ending.STOPPED_EARLY):
            self._new(batch, int(rows[0]))
        run = self.runs[-1]
        if run.ending is Ending.FAILED:
            # It goes on, so what was fatal was another process's, or caught.
            run.ending, run.end_line = Ending.OPEN, None
            run.error = run.clue = run.layer = ""
        if run.first_iteration is None:
            run.first_iteration = int(batch.iteration[rows[0]])
        run.last_iteration = int(batch.iteration[rows[-1]])

    def _note(self, batch: Batch, note: Note, seconds: float) -> None:
        if note.kind is NoteKind.YEAR:
            return
        line, rank = int(batch.number[note.row]), int(batch.rank[note.row])
        own = not self.runs or min(rank, self.runs[-1].rank) < 0 or rank == self.runs[-1].rank
        if own and note.kind in _BEGINS:
            self._begin(batch, note)
        elif note.kind is NoteKind.FATAL and self._is_anothers(note):
            self._new(batch, note.row)
        if not self.runs:
            self._new(batch, note.row)
        run = self.runs[-1]
        if run.rank < 0:
            run.rank = rank
        if own:
            self._tell(run, note)
        if own or note.kind in _FAILS:
            self._end(run, line, note)
        if note.kind is NoteKind.STARTED and run.started_line is None:
            run.started_line = line
        if note.kind in _EVENT_OF:
            kind = _EVENT_OF[note.kind]
            last = -1 if run.last_iteration is None else run.last_iteration
            self.events.append(Event(kind, line, last, seconds, note.text))
            self.counts[kind] += 1

    def _begin(self, batch: Batch, note: Note) -> None:
        """A line that only a process in its beginning prints."""
        run = self.runs[-1] if self.runs else None
        timing = note.kind is NoteKind.TIME_TOOL and run is not None and run.kind == "time"
        if (
            run is None
            or run.ending is not Ending.OPEN
            or run.first_iteration is not None
            or (run.kind != "train" and not timing)
            or (note.kind is NoteKind.SOLVER_DUMP and run.solver)
        ):
            self._new(batch, note.row)

    def _is_anothers(self, note: Note) -> bool:
        """Whether an F line after the end of a run is of a process that did not get far, as its thread tells.

        Threads of one process have numbers close to each other.
        """
        run = self.runs[-1] if self.runs else None
        ended = run is not None and run.ending in (Ending.FINISHED, Ending.STOPPED_EARLY)
        return ended and min(note.thread, run.thread) >= 0 and not 0 <= note.thread - run.thread <= 64  # type: ignore[union-attr]

    def _new(self, batch: Batch, row: int) -> None:
        self.runs.append(Run(int(batch.number[row]), rank=int(batch.rank[row])))
        self.forgotten += max(0, len(self.runs) - MAX_RUNS)
        del self.runs[:-MAX_RUNS]

    def _tell(self, run: Run, note: Note) -> None:
        """Facts about a run."""
        if note.kind is NoteKind.SOLVER_FIELD:
            name, _, value = note.text.partition(": ")
            if sum(map(len, run.solver.values())) < _MAX_FIELDS:
                run.solver.setdefault(name, []).append(value.strip('"'))
        elif note.kind is NoteKind.SOLVING:
            run.net_name = note.text
        elif note.kind is NoteKind.RESUMED:
            run.resumed_from = note.text
        elif note.kind is NoteKind.TEST_TOOL:
            run.kind, run.results.batches = "test", int(note.text)
        elif note.kind is NoteKind.TIME_TOOL:
            run.kind = "time"
        elif note.kind is NoteKind.TOTAL_LOSS:
            run.results.loss = number(note.text.encode())
        elif note.kind in (NoteKind.FINAL, NoteKind.LAYER_TIME, NoteKind.AVERAGE_TIME):
            add_result(run.results, note)
        elif note.kind is NoteKind.PROTOBUF:
            run.clue = note.text
        elif note.kind is NoteKind.WHAT and run.ending is Ending.FAILED and not run.clue:
            run.error, run.clue = f"{run.error}: {note.text}", note.text

    def _end(self, run: Run, line: int, note: Note) -> None:
        # Of exceptions that led to each other the last one told is what ended it.
        told = note.kind is NoteKind.EXCEPTION and (
            run.error.startswith("Traceback (") or run.clue.startswith("File ")
        )
        if run.ending is not Ending.OPEN and not told:
            return
        if note.kind is NoteKind.STOPPED_EARLY:
            run.ending = Ending.STOPPED_EARLY
        elif note.kind in (NoteKind.DONE, NoteKind.TIME_DONE) or (
            note.kind is NoteKind.FINAL and len(run.results.final) >= max(1, self._values(note.row))
        ):
            run.ending = Ending.FINISHED
        elif note.kind is NoteKind.EXCEPTION:
            run.ending = Ending.FAILED
            run.error, _, run.clue = note.text.partition("\n")
        elif note.kind in _FAILS:
            run.ending, run.error = Ending.FAILED, _SIGNALS.get(note.text, note.text)
            run.layer = self._layer(note.row)
        else:
            return
        run.end_line, run.thread = line, note.thread
