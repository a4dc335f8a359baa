"""What the messages say of editing a session's net and solver: forms, texts, checks, undo."""

from __future__ import annotations

from typing import Literal

from barista_server.api.things import Message, Problem

FileName = Literal["net", "solver"]
"""``net.prototxt`` or ``solver.prototxt`` of the session."""
FieldKind = Literal["bool", "enum", "int", "float", "string", "block", "foreign"]
"""A block and what only forks understand (``foreign``) are shown, and changed in the text alone."""


class FormField(Message, frozen=True):
    """One field of a form."""

    path: str
    """From the top of the file: ``layer[3].convolution_param.num_output``."""
    name: str
    kind: FieldKind
    repeated: bool = False
    values: list[str] = []
    """As set, texts without quotes; empty: it is left out."""
    default: str = ""
    """What it is when left out; empty: nothing."""
    choices: list[str] = []
    """All values of an enum, the usual ones of a text."""
    unit: str = ""
    about: str = ""
    line: int | None = None
    """1-based, where it is set."""
    used: bool = True
    """The layer's, filler's or solver's type looks at it."""
    open: bool = True
    """May be changed after the first start."""


class FormGroup(Message, frozen=True):
    title: str
    fields: list[FormField]


class Standing(Message, frozen=True):
    """What may be done to a file now."""

    frozen: Literal["", "running", "started"] = ""
    """It runs: nothing may be changed. It has been started: only fields that are ``open``."""
    undo: str = ""
    """What an undo takes back; empty: nothing. Likewise ``redo``."""
    redo: str = ""


class FieldEdit(Message, frozen=True):
    """``typed`` replaces all values of the field; several stand with commas or blanks between, texts in
    quotes if they hold such. None leaves the field out. A path may name a layer: ``layer.conv1.name``.
    """

    path: str
    typed: str | None = None


class GetText(Message, frozen=True, tag="get-text"):
    """Answered by :class:`FileText`, without problems."""

    session: str
    file: FileName


class GetForm(Message, frozen=True, tag="get-form"):
    """The fields of the solver, or of a layer of the net. Answered by :class:`Form`."""

    session: str
    file: FileName
    layer: int | None = None
    """Its number in the file."""
    line: int = 0
    """Taken if there is no number: the layer whose block begins on this line."""
    name: str = ""
    """Taken before them: the only layer of this name; ``[3]`` is a number."""


class CheckText(Message, frozen=True, tag="check-text"):
    """What would be wrong with the session's files if this were the text of one. Answered by
    :class:`TextReport`; nothing is written.
    """

    session: str
    file: FileName
    data: bytes


class EditText(Message, frozen=True, tag="edit-text"):
    """Change fields, or all of the text. Answered by :class:`FileText` with what is wrong with the files now.

    ``data`` is the whole new text, taken if there are no ``edits``. A text that cannot be read is refused as
    ``invalid``; with ``strict`` also one that brings errors the files do not have now. ``seen`` is the
    revision by which it was decided, empty: whatever it is.
    """

    session: str
    file: FileName
    edits: list[FieldEdit] = []
    data: bytes = b""
    seen: str = ""
    strict: bool = False
    renew: bool = False
    """Write a net of an old form anew in the current one, taken before ``edits``; what Caffe says of that is
    among the warnings.
    """


class EditLayer(Message, frozen=True, tag="edit-layer"):
    """Put a layer into the net, double one, or take one out. Answered by :class:`FileText`.

    Which one is told as for a form; a new one is put behind it, with -1 before the first, if none is told
    behind the last. It reads what the layer before it makes, and those that follow read it instead.
    """

    session: str
    deed: Literal["add", "copy", "remove"]
    layer: int | None = None
    line: int = 0
    name: str = ""
    kind: str = ""
    """Type of a layer that is added."""
    called: str = ""
    """Name of the new one; empty: one that nothing has."""
    seen: str = ""
    strict: bool = False
    file: Literal["net"] = "net"


class UndoEdit(Message, frozen=True, tag="undo-edit"):
    """Go ``steps`` back in the file's history, or forward if negative. Answered by :class:`FileText`."""

    session: str
    file: FileName
    steps: int = 1
    seen: str = ""


class FileText(Message, frozen=True, tag="file-text"):
    session: str
    file: FileName
    data: bytes
    """As it lies on the disk; UTF-8, in comments perhaps other bytes."""
    revision: str
    standing: Standing
    what: str = ""
    """What was changed, in words; empty: nothing."""
    layer: int | None = None
    """The layer that was put in, or that stands where one was."""
    problems: list[Problem] = []
    warnings: list[Problem] = []


class Form(Message, frozen=True, tag="form"):
    title: str
    """``solver``, or the layer's name."""
    kind: str
    """The solver's or the layer's type."""
    groups: list[FormGroup]
    layer: int | None
    """The layer's number in the file."""
    revision: str
    standing: Standing


class TextReport(Message, frozen=True, tag="text-report"):
    problems: list[Problem] = []
    warnings: list[Problem] = []


EditingCall = GetText | GetForm | CheckText | EditText | EditLayer | UndoEdit
EditingResult = FileText | Form | TextReport
EDITING_LOOKS: frozenset[type[Message]] = frozenset({GetText, GetForm, CheckText})
