"""What a log tells of the runs in it: where each begins and ends, its snapshots, its solver's fields."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from .batch import Note, NoteKind

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
    """A Python exception."""


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
    """Message of the F line, name of the signal, or the traceback's first line, of a failed run."""
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
}


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
        self, first: int, notes: list[Note], rows: NDArray[np.intp], iterations: NDArray[np.int64],
        seconds: Callable[[int], float],
    ) -> None:  # fmt: skip
        """Take in a block of lines.

        ``first``: number of the block's first line. ``rows``/``iterations``: lines that name an iteration.
        ``seconds``: of a row's stamp.
        """
        done = 0
        for note in notes:
            upto = int(np.searchsorted(rows, note.row))
            self._iterate(first, rows[done:upto], iterations[done:upto])
            done = upto
            self._note(first + note.row, note, seconds(note.row))
        self._iterate(first, rows[done:], iterations[done:])

    def _iterate(self, first: int, rows: NDArray[np.intp], iterations: NDArray[np.int64]) -> None:
        if not len(rows):
            return
        line = first + int(rows[0])
        if not self.runs or self.runs[-1].ending in (Ending.FINISHED, Ending.STOPPED_EARLY):
            self._new(line)
        run = self.runs[-1]
        if run.ending is Ending.FAILED:
            # It goes on, so the F line was another process's.
            run.ending, run.end_line, run.error = Ending.OPEN, None, ""
        if run.first_iteration is None:
            run.first_iteration = int(iterations[0])
        run.last_iteration = int(iterations[-1])

    def _note(self, line: int, note: Note, seconds: float) -> None:
        if note.kind in (NoteKind.DEVICE, NoteKind.SOLVER_DUMP, NoteKind.STARTED):
            self._begin(line, note.kind)
        elif note.kind is NoteKind.YEAR:
            return
        if not self.runs:
            self._new(line)
        run = self.runs[-1]
        if note.kind is NoteKind.SOLVER_FIELD:
            name, _, value = note.text.partition(": ")
            if sum(map(len, run.solver.values())) < _MAX_FIELDS:
                run.solver.setdefault(name, []).append(value.strip('"'))
            return
        if note.kind is NoteKind.SOLVING:
            run.net_name = note.text
            return
        self._end(run, line, note)
        if note.kind is NoteKind.STARTED and run.started_line is None:
            run.started_line = line
        elif note.kind is NoteKind.RESUMED:
            run.resumed_from = note.text
        if note.kind in _EVENT_OF:
            kind = _EVENT_OF[note.kind]
            last = -1 if run.last_iteration is None else run.last_iteration
            self.events.append(Event(kind, line, last, seconds, note.text))
            self.counts[kind] += 1

    def _begin(self, line: int, kind: NoteKind) -> None:
        """A line that only a process in its beginning prints."""
        run = self.runs[-1] if self.runs else None
        if (
            run is None
            or run.ending is not Ending.OPEN
            or run.first_iteration is not None
            or (kind is NoteKind.SOLVER_DUMP and run.solver)
        ):
            self._new(line)

    def _new(self, line: int) -> None:
        self.runs.append(Run(line))
        self.forgotten += max(0, len(self.runs) - MAX_RUNS)
        del self.runs[:-MAX_RUNS]

    def _end(self, run: Run, line: int, note: Note) -> None:
        if run.ending is not Ending.OPEN:
            return
        if note.kind is NoteKind.STOPPED_EARLY:
            run.ending = Ending.STOPPED_EARLY
        elif note.kind is NoteKind.DONE:
            run.ending = Ending.FINISHED
        elif note.kind in (NoteKind.FATAL, NoteKind.SIGNAL, NoteKind.TRACEBACK):
            run.ending, run.error = Ending.FAILED, note.text
        else:
            return
        run.end_line = line
