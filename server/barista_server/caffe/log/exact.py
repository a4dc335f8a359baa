"""Reads one message at a time: every wording known, at about 4 µs each.

What the fast reader (:mod:`.fast`) settles must come out here in just the same way; a test runs both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from .batch import TEST_LOSS, Action, Batch, Labels, Note, NoteKind
from .dumps import is_dump_line
from .index import LineKind
from .prefix import rank_of, read_prefix

_TAG = re.compile(rb" *(?:[\[(]\d{1,9}\.\d{1,9}[\])] *)?")
"""NVCaffe's device (``[0.0] ``) and the blanks around it."""

_ITERATION = re.compile(
    rb"Iteration (\d{1,18})(?:"
    rb"(?: \([^()]*\))?, lr = (?P<rate>[^\s,]+)"
    rb"|.*, loss = (?P<loss>\S+)\s*$"
    rb"|, Testing net(?: \(#(?P<net>\d{1,9})\))?)",
    re.DOTALL,
)
_OUTPUT = re.compile(rb"(Train|Test) net output(?: mAP)? #(\d{1,9}: .*)", re.DOTALL)
_SCORE = re.compile(rb"Test score #(\d{1,9}): (\S+)")
_TEST_LOSS = re.compile(rb"Test loss: (\S+)\s*$")
_CLASS = re.compile(rb"(class ?(?:AP )?\d{1,9}): (\S+)\s*$")
_BATCH = re.compile(rb"Batch (\d{1,18}), (.+) = (\S+)\s*$", re.DOTALL)
_PASS = re.compile(rb"Iteration: (\d{1,18}) forward-backward time: (\S+) ms\.$")
_LAYER_TIME = re.compile(rb"(.+)\t(forward|backward): (\S+) ms\.$", re.DOTALL)
_RARE: list[tuple[NoteKind, re.Pattern[bytes]]] = [
    (NoteKind.DEVICE, re.compile(rb"(Use CPU\.|Using GPUs? .*|Use GPU with device.*)")),
    (NoteKind.SOLVER_DUMP, re.compile(rb"Initializing solver from parameters()")),
    (NoteKind.NET_DUMP, re.compile(rb"Initializing net from parameters()")),
    (NoteKind.TRAIN_NET, re.compile(rb"Creating training net()")),
    (NoteKind.TEST_NET, re.compile(rb"Creating test net(?: \(#(\d{1,9})\))?")),
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
    (NoteKind.MULTISTEP, re.compile(rb"(?:MultiStep|Plateau) Status: (Iteration \d+, step = \d+)")),
    (NoteKind.TEST_TOOL, re.compile(rb"Running for (\d{1,18}) iterations")),
    (NoteKind.TIME_TOOL, re.compile(rb"\*\*\* Benchmark begins()|Average time per layer()")),
    (NoteKind.TOTAL_LOSS, re.compile(rb"Loss: (\S+)\s*$")),
    (NoteKind.AVERAGE_TIME, re.compile(rb"(?:Average|Total) ([A-Z][\w -]{0,40}: \S+) ms\.")),
    (NoteKind.TIME_DONE, re.compile(rb"\*\*\* Benchmark ends()")),
]
_ENDS = {NoteKind.DONE, NoteKind.STOPPED_EARLY}
_HARMLESS = (b"[Backward]", b"[Forward]", b"[Update]")
"""debug_info prints its sums at level E."""

SPOKEN = (
    b"Iteratio", b"Test sco", b"Test los", b"Testing ", b"Train ne", b"Test net", b"Use CPU.",
    b"Using GP", b"Use GPU ", b"Initiali", b"Solving ", b"Starting", b"Resuming", b"Restorin",
    b"Finetuni", b"Snapshot", b"Test int", b"Optimiza", b"MultiSte", b"Plateau ", b"Gradient",
    b"Running ", b"*** Benc", b"Average ", b"Total Ti",
)  # fmt: skip
"""First eight bytes of every message that means something here."""
CREATING = (b"Creating training", b"Creating test net")
"""Of the many messages that begin in this way, those that mean something."""
SPOKEN_SHORT = (b"Batch ", b"Loss: ", b"class")
"""First bytes of those whose eighth byte varies."""

BARE = (
    b"*** ", b"    @ ", b"terminate called", b"  what():", b"[libprotobuf ", b"ERROR: ", b"Traceback (",
    b"Log file created", b"Aborted", b"Killed", b"Terminated", b"Segmentation", b"Bus error",
    b"Floating point", b"Illegal instr", b"srun: error", b"slurmstepd: error",
)  # fmt: skip
"""First bytes of the lines without a prefix that mean something."""
_DEATH = (
    rb"(Aborted|Killed|Terminated|Segmentation fault|Bus error|Floating point exception|Illegal instruction)"
)
_BARE = re.compile(
    rb"\*\*\* (?P<signal>SIG[A-Z]{2,8}) \(@"
    rb"|(?P<traceback>Traceback \(most recent call last\))"
    rb"|terminate called (?P<terminate>.*)"
    rb"|  what\(\): *(?P<what>.*)"
    rb"|(?P<usage>ERROR: (?:unknown command line flag|illegal value|flag ').*)"
    rb"|\[libprotobuf (?:ERROR|FATAL) [^\]]{0,200}\] (?P<protobuf>.*)"
    rb"|Log file created at: (?P<year>\d{4})/"
    rb"|(?P<verdict>" + _DEATH + rb")(?: \(core dumped\))?\s*$"
    rb"|(?P<error>\*\*\* (?:Check failure|Aborted at)|    @ +0x|ERROR: )",
    re.DOTALL,
)
SHELL = re.compile(
    rb".{1,200}: line \d{1,9}: +\d{1,9} +" + _DEATH + rb"\b"
    rb"|(?:srun|slurmstepd): error: .{1,200}(Killed|Out Of Memory|Segmentation fault|Aborted|CANCELLED AT)\b"
)
"""The verdict of a shell that runs a script, or of Slurm."""
_PROTOBUF = b"] Error parsing text-format "
"""Said by way of Abseil's log since 2022, with a stamp that is none of glog's."""
_MARGIN = re.compile(rb"[ \t]|$")
_FRAME = re.compile(rb"  File \"")
_SIGNED_MICROSOFT = re.compile(rb"[+-]?1\.#(QNAN|SNAN|IND|INF)\d*", re.IGNORECASE)


def number(token: bytes) -> float | None:
    """The value of a number as any C++ stream prints it (``-nan``, ``1.#QNAN``), None for anything else."""
    if len(token) > 64:
        return None
    try:
        return float(token)
    except ValueError:
        found = _SIGNED_MICROSOFT.fullmatch(token)
    if not found:
        return None
    if found[1].upper() != b"INF":
        return float("nan")
    return float("-inf") if token.startswith(b"-") else float("inf")


class _Kind(Enum):
    """What the next lines are part of."""

    SOLVER = 1
    FINALS = 2
    LAYERS = 3
    TRACEBACK = 4


@dataclass(slots=True)
class _Part:
    """Where a process stands within what it tells in several lines."""

    kind: _Kind
    depth: int = 0
    frame: bytes = b""


_MAX_PARTS = 256
_PATIENCE = 5000
"""Lines after which nobody listens any longer for the rest of something."""


class ExactReader:
    """Reads single messages into a :class:`Batch`."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._parts: dict[int, _Part] = {}
        """By process."""
        self._until = 0

    @property
    def listening(self) -> bool:
        """Whether the meaning of the next line hangs on those before it, so that it must be read here."""
        return bool(self._parts)

    def read(self, batch: Batch, row: int, line: bytes) -> None:
        """Fill row ``row`` of ``batch`` from ``line`` (without its LF)."""
        line = line.removesuffix(b"\r")
        prefix = read_prefix(line)
        level, message = prefix.level, line[prefix.begin :]
        batch.date[row], batch.microsecond[row] = prefix.date, prefix.microsecond
        rest = message[_TAG.match(message).end() :]  # type: ignore[union-attr]
        batch.prefixed[row] = level is not None and rest != b""
        batch.rank[row] = rank = rank_of(line)
        if self._parts:
            if batch.number[row] > self._until:
                self._parts.clear()
            part = self._parts.get(rank)
            if part is not None and self._continued(batch, row, part, level, message):
                self._until = int(batch.number[row]) + _PATIENCE
                return
        bare, message = message, rest
        if level == b"F":
            batch.kind[row] = LineKind.ERROR
            batch.notes.append(Note.of(row, NoteKind.FATAL, message, thread=prefix.thread))
        elif _may_speak(message) and self._spoken(batch, row, message):
            note = batch.notes[-1] if batch.notes else None
            if note is not None and note.row == row and note.kind in _ENDS:
                batch.notes[-1] = note._replace(thread=prefix.thread)
        elif level == b"E" and not message.startswith(_HARMLESS):
            batch.kind[row] = LineKind.ERROR
        elif level == b"W":
            batch.kind[row] = LineKind.WARNING
        elif level is None:
            self._bare(batch, row, bare)

    # ---- lines whose meaning hangs on those before

    def _listen(self, batch: Batch, row: int, kind: _Kind) -> None:
        if len(self._parts) < _MAX_PARTS:
            self._parts[int(batch.rank[row])] = _Part(kind)
            self._until = int(batch.number[row]) + _PATIENCE

    def _continued(self, batch: Batch, row: int, part: _Part, level: bytes | None, message: bytes) -> bool:
        """Read a line as what the last ones led to expect. False if it is something else."""
        if part.kind is _Kind.TRACEBACK:
            return level is None and self._traceback(batch, row, part, message)
        if part.kind is _Kind.SOLVER:
            if level is None:
                return self._solver_field(batch, row, part, message)
        elif level is not None and not _may_speak(message.strip()):
            read = self._final if part.kind is _Kind.FINALS else self._layer_time
            if read(batch, row, message.strip()):
                return True
        del self._parts[int(batch.rank[row])]
        return False

    def _final(self, batch: Batch, row: int, message: bytes) -> bool:
        name, token = _named_value(message)
        if not name or number(token) is None:
            return False
        batch.kind[row] = LineKind.TEST
        batch.notes.append(Note.of(row, NoteKind.FINAL, name, token))
        return True

    def _layer_time(self, batch: Batch, row: int, message: bytes) -> bool:
        found = _LAYER_TIME.match(message)
        if not found or number(found[3]) is None:
            return False
        batch.kind[row] = LineKind.METRIC
        batch.notes.append(Note.of(row, NoteKind.LAYER_TIME, *found.groups()))
        return True

    def _solver_field(self, batch: Batch, row: int, part: _Part, line: bytes) -> bool:
        """A line of the solver's text. Only its own fields count, not those of messages within."""
        if not is_dump_line(line):
            # A print of some other thread's may come in between.
            if part.depth <= 0 or _may_speak(line):
                del self._parts[int(batch.rank[row])]
            return False
        text = line.strip()
        if part.depth == 0 and b": " in text:
            batch.notes.append(Note.of(row, NoteKind.SOLVER_FIELD, text))
        part.depth += text.endswith(b"{") - (text == b"}")
        return True

    def _traceback(self, batch: Batch, row: int, part: _Part, line: bytes) -> bool:
        batch.kind[row] = LineKind.ERROR
        if _MARGIN.match(line):
            if _FRAME.match(line):
                part.frame = line.strip()
        elif line.startswith(b"Traceback ("):
            part.frame = b""
        else:
            del self._parts[int(batch.rank[row])]
            batch.notes.append(Note.of(row, NoteKind.EXCEPTION, line, part.frame))
        return True

    # ---- single lines

    def _spoken(self, batch: Batch, row: int, message: bytes) -> bool:
        if message.startswith(b"Iteration "):
            return self._iteration(batch, row, message)
        if found := _OUTPUT.match(message):
            return self._output(batch, row, found)
        if found := _SCORE.match(message):
            return self._put(
                batch, row, Action.TEST_OUTPUT, self._labels[found[1] + b": score" + found[1]], found[2]
            )
        if found := _TEST_LOSS.match(message):
            return self._put(batch, row, Action.TEST_OUTPUT, TEST_LOSS, found[1])
        if found := _CLASS.match(message):
            return self._put(batch, row, Action.TEST_OUTPUT, self._labels.named(found[1]), found[2])
        if found := _BATCH.match(message):
            batch.iteration[row] = int(found[1])
            return self._put(batch, row, Action.BATCH, self._labels.named(found[2]), found[3])
        if found := _PASS.match(message):
            batch.iteration[row] = int(found[1])
            return self._put(batch, row, Action.PASS, 0, found[2])
        if message.startswith(b"Testing net"):
            batch.kind[row], batch.action[row], batch.iteration[row] = LineKind.TEST, Action.TEST_BEGIN, -1
            return True
        if message.startswith(b"Gradient clipping"):
            batch.kind[row], batch.action[row] = LineKind.METRIC, Action.CLIPPING
            return True
        return self._rare(batch, row, message)

    def _rare(self, batch: Batch, row: int, message: bytes) -> bool:
        for kind, pattern in _RARE:
            if found := pattern.match(message):
                batch.kind[row] = LineKind.EVENT
                batch.notes.append(Note.of(row, kind, found[1] or b""))
                if kind is NoteKind.SOLVER_DUMP:
                    self._listen(batch, row, _Kind.SOLVER)
                elif kind is NoteKind.TOTAL_LOSS:
                    self._listen(batch, row, _Kind.FINALS)
                elif kind is NoteKind.TIME_TOOL:
                    self._listen(batch, row, _Kind.LAYERS)
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
        label, token = _named_value(found[2])
        action = Action.TRAIN_OUTPUT if found[1] == b"Train" else Action.TEST_OUTPUT
        return self._put(batch, row, action, self._labels[label], token)

    def _put(self, batch: Batch, row: int, action: Action, label: int, token: bytes) -> bool:
        value = number(token)
        if value is None or label < 0:
            batch.iteration[row] = 0
            return False
        tested = action in (Action.TEST_OUTPUT, Action.BATCH)
        batch.kind[row] = LineKind.TEST if tested else LineKind.METRIC
        batch.action[row], batch.label[row], batch.value[row] = action, label, value
        return True

    def _bare(self, batch: Batch, row: int, line: bytes) -> None:
        found = _BARE.match(line)
        if not found:
            self._told(batch, row, line)
            return
        kind = (found.lastgroup or "error").upper()
        batch.kind[row] = LineKind.ERROR if kind != "YEAR" else LineKind.PLAIN
        if kind != "ERROR":
            batch.notes.append(Note.of(row, NoteKind[kind], found[found.lastgroup or 0]))
        if kind == "TRACEBACK":
            batch.notes[-1] = Note.of(row, NoteKind.TRACEBACK, line)
            self._listen(batch, row, _Kind.TRACEBACK)

    def _told(self, batch: Batch, row: int, line: bytes) -> None:
        """What a shell or a newer protobuf tells."""
        if found := SHELL.match(line):
            batch.kind[row] = LineKind.ERROR
            batch.notes.append(Note.of(row, NoteKind.VERDICT, found[1] or found[2]))
        elif (at := line.find(_PROTOBUF)) >= 0:
            batch.kind[row] = LineKind.ERROR
            batch.notes.append(Note.of(row, NoteKind.PROTOBUF, line[at + 2 :]))


def _named_value(text: bytes) -> tuple[bytes, bytes]:
    """Name and value of ``name = value (* weight = contribution loss)``."""
    name, _, token = text.split(b" (* ", 1)[0].rpartition(b" = ")
    return name, token.rstrip()


def _may_speak(message: bytes) -> bool:
    return (
        message[:8] in _SPOKEN_SET
        or message.startswith(SPOKEN_SHORT)
        or (message.startswith(b"Creating t") and message.startswith(CREATING))
    )


_SPOKEN_SET = frozenset(SPOKEN)
