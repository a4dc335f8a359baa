"""What the two line readers hand over: one row per line of a block of the log."""

from __future__ import annotations

import re
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from barista_server.api.text import clean


class Action(IntEnum):
    """What a line adds to the metrics."""

    NONE = 0
    LOSS = 1
    """``Iteration N, loss = V``: iteration, value."""
    RATE = 2
    """``Iteration N, lr = V``: iteration, value."""
    TRAIN_OUTPUT = 3
    """``Train net output #i: name = V``: label, value."""
    TEST_OUTPUT = 4
    """``Test net output #i: name = V``: label, value."""
    TEST_BEGIN = 5
    """``Iteration N, Testing net (#k)``: iteration (-1 where the line has none), net."""


class NoteKind(IntEnum):
    """Rare lines, those that tell of a run's life."""

    DEVICE = 0
    YEAR = 1
    SOLVER_DUMP = 2
    SOLVER_FIELD = 3
    SOLVING = 4
    STARTED = 5
    RESUMED = 6
    FINETUNED = 7
    SNAPSHOT_MODEL = 8
    SNAPSHOT_STATE = 9
    TEST_INTERRUPTED = 10
    STOPPED_EARLY = 11
    DONE = 12
    FATAL = 13
    SIGNAL = 14
    TRACEBACK = 15


class Note(NamedTuple):
    row: int
    """Line within the block."""
    kind: NoteKind
    text: str

    @classmethod
    def of(cls, row: int, kind: NoteKind, text: bytes) -> Note:
        """With ``text`` made fit to be shown."""
        return cls(row, kind, clean(text[:MAX_TEXT]))


MAX_LABELS = 10_000
"""Net outputs told apart: a log whose outputs never repeat must not fill the memory."""
MAX_TEXT = 2000
"""Characters of a note that are kept."""


class Labels(dict[bytes, int]):
    """Numbers for the ``i: name`` labels of net outputs as they turn up; -1 for what is no label."""

    def __init__(self) -> None:
        self.outputs: list[tuple[int, str]] = []
        """Output number and name of each label."""

    def __missing__(self, label: bytes) -> int:
        if len(self) >= MAX_LABELS:
            return -1
        found = _LABEL.fullmatch(label)
        if found:
            self[label] = len(self.outputs)
            self.outputs.append((int(found[1]), clean(found[2])))
        else:
            self[label] = -1
        return self[label]


_LABEL = re.compile(rb"(\d{1,9}): ((?!.* \(\* ).*[^\0])", re.DOTALL)


class Batch:
    """Columns over the lines of a block; all have one entry per line."""

    def __init__(self, lines: int) -> None:
        self.kind = np.zeros(lines, np.uint8)
        self.action = np.zeros(lines, np.uint8)
        self.iteration = np.zeros(lines, np.int64)
        self.value = np.zeros(lines, np.float64)
        self.label = np.zeros(lines, np.int64)
        """Label of an output, net of a test."""
        self.date = np.zeros(lines, np.int32)
        """yyyymmdd, mmdd, or 0 for a line without a stamp."""
        self.microsecond = np.zeros(lines, np.int64)
        """Of the day."""
        self.notes: list[Note] = []
        """By row."""
