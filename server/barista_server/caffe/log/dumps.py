"""The prototxt that a log echoes: where each text stands, and the text itself."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .batch import Batch, NoteKind
from .prefix import WRAPPER, rank_of

MAX_DUMPS = 1000
"""Only so many are kept, the newest."""

_DUMP_LINE = re.compile(
    rb"\s*(?:(?:[A-Za-z_]\w*|\[[\w.]+\])(?:: (?:\"(?:[^\"\\]|\\.)*\"|[-+\w.]+)| \{)|\})\s*", re.ASCII
)


@dataclass(slots=True)
class Dump:
    """A text in the log: the solver's, or a net's with the defaults of its layers left out."""

    kind: Literal["solver", "net"]
    first_line: int
    """0-based; the line after the announcement."""
    stop_line: int | None = None
    """Line before which it ends at the latest; None while the log has not gone on."""
    net: int | None = None
    """-1 for the training net, else the number of the test net; None for a solver and where nothing tells."""
    rank: int = -1
    """Process that printed it, where a launcher names it."""


def is_dump_line(line: bytes) -> bool:
    """Whether protobuf prints such a line: one field, the begin or the end of a message."""
    return _DUMP_LINE.fullmatch(line) is not None


def dump_text(lines: list[bytes], rank: int = -1) -> str:
    """The prototxt in the ``lines`` of a dump, without launchers' marks and what others print between.

    ``rank``: of the process that printed it.
    """
    kept: list[bytes] = []
    depth = 0
    for line in lines:
        line = line.rstrip(b"\r\n")
        if rank_of(line) != rank:
            continue
        text = line[WRAPPER.match(line).end() :]  # type: ignore[union-attr]
        if not is_dump_line(text):
            if depth <= 0 and kept:
                break
            continue
        depth += text.rstrip().endswith(b"{") - (text.strip() == b"}")
        kept.append(text)
    return b"\n".join([*kept, b""] if kept else []).decode("utf-8", "replace")


def find_text(data: bytes, dump: Dump, first: int = 0) -> str:
    """The prototxt of ``dump``; ``data`` are the lines of its log from number ``first`` on."""
    stop = None if dump.stop_line is None else dump.stop_line - first
    return dump_text(
        data.split(b"\n", -1 if stop is None else stop)[dump.first_line - first : stop], dump.rank
    )


def whole_part(text: str) -> tuple[str, bool]:
    """Of a text that was cut off, the part before the block that lacks its end; and whether it was cut off.

    glog cuts every message at 30,000 bytes, so the echo of a large net lacks its last layers.
    """
    depth = end = at = 0
    for line in text.splitlines(keepends=True):
        at += len(line)
        depth += line.rstrip().endswith("{") - (line.strip() == "}")
        end = at if depth <= 0 else end
    return text[:end], end < at


_ANNOUNCES = {NoteKind.SOLVER_DUMP, NoteKind.NET_DUMP}
_CREATES = {NoteKind.TRAIN_NET, NoteKind.TEST_NET}


class DumpTracker:
    """Follows where dumps begin, and where they end: at the next line of their process that is no dump's."""

    def __init__(self) -> None:
        self.dumps: deque[Dump] = deque(maxlen=MAX_DUMPS)
        self._creating: dict[int, int] = {}
        """Net that a process builds next."""
        self._open: dict[int, Dump] = {}
        """By process."""

    def advance(self, batch: Batch) -> None:
        """Take in a block of messages."""
        notes = [note for note in batch.notes if note.kind in _ANNOUNCES or note.kind in _CREATES]
        if not notes and not self._open:
            return
        closing = batch.prefixed | (batch.action != 0)
        closing[[note.row for note in batch.notes if note.kind is not NoteKind.SOLVER_FIELD]] = True
        rows = np.flatnonzero(closing)
        # By process and then by row, so that the next row of a process is found.
        keys = np.sort((batch.rank[rows].astype(np.int64) + 1 << 40) + rows)
        for dump in list(self._open.values()):
            self._close(dump, batch, keys, -1)
        for note in notes:
            rank = int(batch.rank[note.row])
            if note.kind in _CREATES:
                self._creating[rank] = int(note.text or 0) if note.kind is NoteKind.TEST_NET else -1
                continue
            solver = note.kind is NoteKind.SOLVER_DUMP
            dump = Dump("solver" if solver else "net", int(batch.number[note.row]) + 1, rank=rank)
            net = self._creating.pop(rank, None)
            dump.net = None if solver else net
            self.dumps.append(dump)
            self._close(dump, batch, keys, note.row)

    def _close(self, dump: Dump, batch: Batch, keys: NDArray[np.int64], after: int) -> None:
        """End it at the first of the closing rows after ``after`` that is of its process."""
        base = dump.rank + 1 << 40
        at = int(np.searchsorted(keys, base + after, "right"))
        if at < len(keys) and keys[at] < base + (1 << 40):
            dump.stop_line = int(batch.number[keys[at] - base])
        if dump.stop_line is None:
            self._open[dump.rank] = dump
        else:
            self._open.pop(dump.rank, None)
