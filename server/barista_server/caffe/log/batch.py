"""What the two line readers hand over: one row per message of a block of the log."""

from __future__ import annotations

import re
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

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
    BATCH = 6
    """``Batch i, name = V`` of ``caffe test``: batch as iteration, label, value."""
    PASS = 7
    """``Iteration: i forward-backward time: V ms.`` of ``caffe time``: iteration, value."""
    CLIPPING = 8
    """``Gradient clipping: ...``: counted only, it may come with every iteration."""


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
    EXCEPTION = 16
    """Last line of a traceback, and before it, as another line, its innermost frame."""
    TERMINATE = 17
    WHAT = 18
    """What the C++ exception just told says."""
    PROTOBUF = 19
    """A complaint of protobuf's, which gives the place that the F line after it lacks."""
    USAGE = 32
    """A complaint about the command line."""
    VERDICT = 20
    """How the shell says that the process ended."""
    TRAIN_NET = 21
    TEST_NET = 22
    """``text`` is its number."""
    NET_DUMP = 23
    MULTISTEP = 24
    TEST_TOOL = 25
    """``caffe test`` begins; ``text`` is the number of batches."""
    TIME_TOOL = 26
    """``caffe time`` begins."""
    TOTAL_LOSS = 27
    FINAL = 28
    """``name = value`` at the end of ``caffe test``."""
    LAYER_TIME = 29
    AVERAGE_TIME = 30
    TIME_DONE = 31


class Note(NamedTuple):
    row: int
    """Message within the block."""
    kind: NoteKind
    text: str
    thread: int = -1
    """That spoke; -1 where that is not known or does not matter."""

    @classmethod
    def of(cls, row: int, kind: NoteKind, *parts: bytes, thread: int = -1) -> Note:
        """With the ``parts`` of the text made fit to be shown, a line each."""
        return cls(row, kind, "\n".join(clean(part[:MAX_TEXT]) for part in parts), thread)


MAX_LABELS = 10_000
"""Net outputs told apart: a log whose outputs never repeat must not fill the memory."""
MAX_TEXT = 2000
"""Characters of a note that are kept."""


class Labels(dict[bytes, int]):
    """Numbers for the ``i: name`` labels of net outputs as they turn up; -1 for what is no label."""

    def __init__(self) -> None:
        self.outputs: list[tuple[int, str]] = [(-1, "loss")]
        """Output number and name of each label; the first is that of ``Test loss: V``."""

    def __missing__(self, label: bytes) -> int:
        if len(self) >= MAX_LABELS:
            return -1
        found = _LABEL.fullmatch(label)
        if found:
            self[label] = len(self.outputs)
            self.outputs.append((int(found[1] or -1), clean(found[2])))
        else:
            self[label] = -1
        return self[label]

    def named(self, name: bytes) -> int:
        """Label of a value that has a name but no number, as ``class3: V`` and ``Batch i, name = V``."""
        return self[b"\0" + name]


TEST_LOSS = 0
"""Label of ``Test loss: V``."""
_LABEL = re.compile(rb"(?:(\d{1,9}): |\0)((?!.* \(\*(?: |\Z)).*[^\0])", re.DOTALL)


class Batch:
    """Columns over the messages of a block; all have one entry per message, nearly always one per line."""

    def __init__(self, number: NDArray[np.int64]) -> None:
        lines = len(number)
        self.number = number
        """Line each row is of: a torn line holds two messages."""
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
        self.prefixed = np.zeros(lines, bool)
        """Whether a log's prefix with a message was found: Intel's caffe begins a net with an empty one."""
        self.rank = np.full(lines, -1, np.int32)
        """Process that speaks, where a launcher says so before every line (``[5] ``, ``5: ``)."""
        self.notes: list[Note] = []
        """By row."""

    def clear(self, row: int) -> None:
        """Forget what was read from a row."""
        for column in (self.kind, self.action, self.iteration, self.value, self.label):
            column[row] = 0
