"""Reads one line at a time: every wording known, at about 4 µs a line.

What the fast reader (:mod:`.fast`) settles must come out here in just the same way; a test runs both.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from .batch import Action, Batch, Labels, Note, NoteKind
from .index import LineKind

# The prefix is looked for near the start of the line: mpirun, mail quotes and torn prints stand before it.
_GLOG = re.compile(
    rb"(?:|.{0,63}?[^0-9A-Za-z]|.{0,63}?(?=[IWEF]\d{4}))"
    rb"([IWEF]?)(\d{8}|\d{4}) (\d\d):(\d\d):(\d\d)\.(\d{6}) [^\]]*\] ?",
    re.DOTALL,
)
_EPOCH = re.compile(rb"(\d{9,10}) +(INFO|WARNING|ERROR|FATAL): .*? : line \d+ : ")
_SPDLOG = re.compile(rb"(INFO|WARNING|ERROR|FATAL) - (\d\d):(\d\d):(\d\d) - ")
_TAG = re.compile(rb" *(?:[\[(]\d+\.\d+[\])] *)?")

_ITERATION = re.compile(
    rb"Iteration (\d{1,18})(?:"
    rb"(?: \([^()]*\))?, lr = (?P<rate>[^\s,]+)"
    rb"|.*, loss = (?P<loss>\S+)\s*$"
    rb"|, Testing net(?: \(#(?P<net>\d{1,9})\))?)",
    re.DOTALL,
)
_OUTPUT = re.compile(rb"(Train|Test) net output(?: mAP)? #(\d{1,9}: .*)", re.DOTALL)
_SCORE = re.compile(rb"Test score #(\d{1,9}): (\S+)")
_RARE: list[tuple[NoteKind, re.Pattern[bytes]]] = [
    (NoteKind.DEVICE, re.compile(rb"(Use CPU\.|Using GPUs? .*|Use GPU with device.*)")),
    (NoteKind.SOLVER_DUMP, re.compile(rb"Initializing solver from parameters()")),
    (NoteKind.SOLVING, re.compile(rb"Solving (.*?)(?: Learning Rate Policy: .*)?$")),
    (NoteKind.STARTED, re.compile(rb"Starting (?:Multi-node )?Optimization()")),
    (NoteKind.RESUMED, re.compile(rb"(?:Resuming from|Restoring previous solver status from) (.+)")),
    (NoteKind.FINETUNED, re.compile(rb"Finetuning from (.+)")),
    (
        NoteKind.SNAPSHOT_STATE,
        re.compile(rb"Snapshotting solver state to (?:binary proto file ?|HDF5 file ?)?(.+)"),
    ),
    (NoteKind.SNAPSHOT_MODEL, re.compile(rb"Snapshotting to (?:binary proto file ?|HDF5 file ?)?(.+)")),
    (NoteKind.TEST_INTERRUPTED, re.compile(rb"Test interrupted\.()")),
    (NoteKind.STOPPED_EARLY, re.compile(rb"Optimization stopped early\.()")),
    (NoteKind.DONE, re.compile(rb"Optimization Done\b(.*)")),
]
_HARMLESS = (b"[Backward]", b"[Forward]", b"[Update]")
"""debug_info prints its sums at level E."""

SPOKEN = (
    b"Iteratio", b"Test sco", b"Testing ", b"Train ne", b"Test net", b"Use CPU.",
    b"Using GP", b"Use GPU ", b"Initiali", b"Solving ", b"Starting", b"Resuming", b"Restorin",
    b"Finetuni", b"Snapshot", b"Test int", b"Optimiza",
)  # fmt: skip
"""First eight bytes of every message that means something here."""

_BARE = re.compile(
    rb"(?P<error>\*\*\* (?:Check failure|Aborted at)|    @ +0x|terminate called|  what\(\):"
    rb"|\[libprotobuf (?:ERROR|FATAL)|ERROR: |Aborted|Killed|Segmentation fault"
    rb"|Bus error|Floating point exception)"
    rb"|\*\*\* (?P<signal>SIG[A-Z]+) \(@"
    rb"|(?P<traceback>Traceback \(most recent call last\))"
    rb"|Log file created at: (?P<year>\d{4})/"
)
_SIGNED_MICROSOFT = re.compile(rb"[+-]?1\.#(QNAN|SNAN|IND|INF)\d*", re.IGNORECASE)


def number(token: bytes) -> float | None:
    """The value of a number as any C++ stream prints it (``-nan``, ``1.#QNAN``), None for anything else."""
    try:
        return float(token)
    except ValueError:
        found = _SIGNED_MICROSOFT.fullmatch(token)
    if not found:
        return None
    if found[1].upper() != b"INF":
        return float("nan")
    return float("-inf") if token.startswith(b"-") else float("inf")


class ExactReader:
    """Reads single lines into a :class:`Batch`."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._dump: int | None = None
        """Number of the line on which the solver's text goes on."""
        self._depth = 0

    def read(self, batch: Batch, row: int, line: bytes, number_in_log: int) -> None:
        """Fill row ``row`` of ``batch`` from ``line`` (without its LF)."""
        line = line.removesuffix(b"\r")
        level, message = self._prefix(batch, row, line)
        if level is None and self._dump == number_in_log:
            self._solver_field(batch, row, message)
            return
        message = message[_TAG.match(message).end() :]  # type: ignore[union-attr]
        if level == b"F":
            batch.kind[row] = LineKind.ERROR
            batch.notes.append(Note.of(row, NoteKind.FATAL, message))
            return
        if message[:8] in _SPOKEN_SET and self._spoken(batch, row, message, number_in_log):
            return
        if level == b"E" and not message.startswith(_HARMLESS):
            batch.kind[row] = LineKind.ERROR
        elif level == b"W":
            batch.kind[row] = LineKind.WARNING
        elif level is None:
            self._bare(batch, row, line)

    def _prefix(self, batch: Batch, row: int, line: bytes) -> tuple[bytes | None, bytes]:
        """Store the stamp; return the level (None without a prefix) and what follows the prefix."""
        if b"]" in line:
            found = _GLOG.match(line)
            if found:
                level, day, hour, minute, second, fraction = found.groups()
                batch.date[row] = int(day)
                batch.microsecond[row] = (
                    int(hour) * 3600 + int(minute) * 60 + int(second)
                ) * 1_000_000 + int(fraction)
                return level or b"I", line[found.end() :]
        elif (
            b"INFO" in line[:40] or b"WARNING" in line[:40] or b"ERROR" in line[:40] or b"FATAL" in line[:40]
        ):
            if found := _EPOCH.match(line):
                moment = datetime.fromtimestamp(int(found[1]), UTC)
                batch.date[row] = moment.year * 10000 + moment.month * 100 + moment.day
                batch.microsecond[row] = (int(found[1]) % 86400) * 1_000_000
                return found[2][:1], line[found.end() :]
            if found := _SPDLOG.match(line):
                return found[1][:1], line[found.end() :]
        return None, line

    def _spoken(self, batch: Batch, row: int, message: bytes, number_in_log: int) -> bool:
        if message.startswith(b"Iteration "):
            return self._iteration(batch, row, message)
        if found := _OUTPUT.match(message):
            return self._output(batch, row, found)
        if found := _SCORE.match(message):
            return self._score(batch, row, found)
        if message.startswith(b"Testing net"):
            batch.kind[row], batch.action[row], batch.iteration[row] = LineKind.TEST, Action.TEST_BEGIN, -1
            return True
        for kind, pattern in _RARE:
            if found := pattern.match(message):
                batch.kind[row] = LineKind.EVENT
                batch.notes.append(Note.of(row, kind, found[1]))
                if kind == NoteKind.SOLVER_DUMP:
                    self._dump, self._depth = number_in_log + 1, 0
                return True
        return False

    def _iteration(self, batch: Batch, row: int, message: bytes) -> bool:
        found = _ITERATION.match(message)
        if not found:
            return False
        token = found["rate"] or found["loss"]
        if token is None:
            batch.kind[row], batch.action[row] = LineKind.TEST, Action.TEST_BEGIN
            batch.label[row] = int(found["net"] or 0)
        else:
            value = number(token)
            if value is None:
                return False
            batch.kind[row] = LineKind.METRIC
            batch.action[row] = Action.RATE if found["rate"] else Action.LOSS
            batch.value[row] = value
        batch.iteration[row] = int(found[1])
        return True

    def _output(self, batch: Batch, row: int, found: re.Match[bytes]) -> bool:
        head = found[2].split(b" (* ", 1)[0]
        label, _, token = head.rpartition(b" = ")
        value = number(token.rstrip())
        if value is None:
            return False
        return self._put_output(batch, row, found[1] == b"Train", label, value)

    def _score(self, batch: Batch, row: int, found: re.Match[bytes]) -> bool:
        value = number(found[2])
        if value is None:
            return False
        return self._put_output(batch, row, False, found[1] + b": score" + found[1], value)

    def _put_output(self, batch: Batch, row: int, train: bool, label: bytes, value: float) -> bool:
        known = self._labels[label]
        if known < 0:
            return False
        batch.kind[row] = LineKind.METRIC if train else LineKind.TEST
        batch.action[row] = Action.TRAIN_OUTPUT if train else Action.TEST_OUTPUT
        batch.label[row], batch.value[row] = known, value
        return True

    def _solver_field(self, batch: Batch, row: int, line: bytes) -> None:
        """A line of the solver's text. Only its own fields count, not those of messages within."""
        text = line.strip()
        if self._depth == 0 and b": " in text:
            batch.notes.append(Note.of(row, NoteKind.SOLVER_FIELD, text))
        self._depth += text.endswith(b"{") - (text == b"}")
        if self._dump is not None:
            self._dump += 1

    def _bare(self, batch: Batch, row: int, line: bytes) -> None:
        found = _BARE.match(line)
        if not found:
            return
        if found["year"]:
            batch.notes.append(Note(row, NoteKind.YEAR, found["year"].decode()))
            return
        batch.kind[row] = LineKind.ERROR
        if found["signal"]:
            batch.notes.append(Note(row, NoteKind.SIGNAL, found["signal"].decode()))
        elif found["traceback"]:
            batch.notes.append(Note.of(row, NoteKind.TRACEBACK, line))


_SPOKEN_SET = frozenset(SPOKEN)
