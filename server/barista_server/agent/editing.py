"""Calls that edit a session's net and solver: read, checked and written as one text, with a history."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from barista_server.agent import files
from barista_server.agent.edits import Edits
from barista_server.agent.errors import CallError
from barista_server.api import messages as m
from barista_server.api.text import clean_name

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from barista_server.agent.client import Client
    from barista_server.agent.session import Session

LONGEST = 8 << 20
"""Bytes of a text: an answer has to fit a frame."""
MOST_TOLD = 200
"""Characters of what was changed, in words."""
LIVE = (m.State.RUNNING, m.State.PAUSING)
_WAYS = (
    "Clone it with its weights (barista clone), or its settings alone (--settings-only), or reset it. How "
    "long it goes on and what it tells can still be changed: max_iter, display, test_interval, snapshot ..."
)


def calls(find: Callable[[Any], Session]) -> dict[type, Callable[[Any, Client], Awaitable[m.Result]]]:
    """The calls this module answers; ``find`` tells the session that a call is about."""

    async def text(call: m.GetText, client: Client) -> m.Result:
        session = find(call)
        return await asyncio.to_thread(lambda: _reply(session, call.file, _read(session, call.file)))

    async def form(call: m.GetForm, client: Client) -> m.Result:
        return await asyncio.to_thread(_form, find(call), call)

    async def check(call: m.CheckText, client: Client) -> m.Result:
        problems, warnings = await asyncio.to_thread(_check, find(call), call.file, call.data)
        return m.TextReport(problems=problems, warnings=warnings)

    async def edit(call: m.EditText | m.EditLayer, client: Client) -> m.Result:
        session = find(call)
        async with session.lock:
            return await _edit(session, call)

    async def undo(call: m.UndoEdit, client: Client) -> m.Result:
        session = find(call)
        async with session.lock:
            return await _undo(session, call)

    answers: dict[type, Callable[[Any, Client], Awaitable[m.Result]]] = {m.EditText: edit, m.EditLayer: edit}
    return answers | {m.GetText: text, m.GetForm: form, m.CheckText: check, m.UndoEdit: undo}


# -------------------------------------------------------------------------------------------------- reading


def _path(session: Session, file: m.FileName) -> Path:
    return session.folder.net if file == "net" else session.folder.solver


def _read(session: Session, file: m.FileName) -> bytes:
    path = _path(session, file)
    data = path.read_bytes()
    if len(data) > LONGEST:
        raise CallError("invalid", f"has a {path.name} of {len(data) >> 20} MiB", "Edit it where it is.")
    return data


def _text(data: bytes) -> str:
    """Foreign bytes in comments come back as they were."""
    return data.decode("utf-8", "surrogateescape")


def revision(data: bytes) -> str:
    """Another one for another text."""
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def _standing(session: Session, file: m.FileName, data: bytes) -> m.Standing:
    undo, redo = Edits(session.folder.path, file).ends(data)
    if session.state in LIVE or session.underway is not None:
        return m.Standing(frozen="running", undo=undo, redo=redo)
    # What cannot be started as it is may be mended, whatever was trained with it.
    started = bool(session.runs) and session.state is not m.State.INVALID
    return m.Standing(frozen="started" if started else "", undo=undo, redo=redo)


def _reply(
    session: Session,
    file: m.FileName,
    data: bytes,
    what: str = "",
    found: tuple[list[m.Problem], list[m.Problem]] = ([], []),
    layer: int | None = None,
) -> m.FileText:
    return m.FileText(
        session=session.id,
        file=file,
        data=data,
        revision=revision(data),
        standing=_standing(session, file, data),
        what=what,
        layer=layer,
        problems=found[0],
        warnings=found[1],
    )


def _form(session: Session, call: m.GetForm) -> m.Form:
    # Imported here: an agent that is never asked saves the memory.
    from barista_server.agent import forms
    from barista_server.caffe.prototxt import PrototxtError

    data = _read(session, call.file)
    text, name = _text(data), _path(session, call.file).name
    layer = None
    try:
        if call.file == "solver":
            title, (kind, groups) = "solver", forms.solver_groups(text)
        else:
            layer = _number(text, call)
            title, kind, groups = forms.layer_groups(text, layer)
    except PrototxtError as error:
        raise _unreadable(error, name, "has no form:") from None
    return m.Form(
        title=clean_name(title),
        kind=clean_name(kind),
        groups=groups,
        layer=layer,
        revision=revision(data),
        standing=_standing(session, call.file, data),
    )


def _number(text: str, call: m.GetForm | m.EditLayer) -> int:
    from barista_server.agent import forms

    if call.name:
        return forms.layer_named(text, call.name)
    return forms.layer_on(text, call.line) if call.layer is None else call.layer


def _unreadable(error: Any, name: str, what: str) -> CallError:
    one = m.Problem(text=error.message, file=name, line=error.line, hint=error.hint or None)
    return CallError("invalid", what, None, [one])


# ------------------------------------------------------------------------------------------------- checking


def _check(session: Session, file: m.FileName, data: bytes) -> tuple[list[m.Problem], list[m.Problem]]:
    """Errors and warnings of the session's files with this text in place of one."""
    from barista_server.caffe.check import check_session

    path = _path(session, file)

    def read(wanted: Path) -> bytes:
        return data if wanted == path else wanted.read_bytes()

    errors: list[m.Problem] = []
    warnings: list[m.Problem] = []
    for one in check_session(session.folder.path, weights=session.meta.weights, read=read):
        problem = m.Problem(text=one.message, file=one.file, line=one.line, hint=one.hint or None)
        (errors if one.severity == "error" else warnings).append(problem)
    told = [each.file for each in errors]
    if file == "net" and path.name not in told and (unread := _unread(file, path.name, data)):
        # A solver that cannot be read hides what is wrong with the net.
        errors.append(unread)
    return errors, warnings


def _unread(file: m.FileName, name: str, data: bytes) -> m.Problem | None:
    """Why the text is no prototxt."""
    from barista_server.caffe.prototxt import PrototxtError
    from barista_server.caffe.tolerant import parse_tolerant

    try:
        parse_tolerant(data, _kind(file))
    except PrototxtError as error:
        return m.Problem(text=error.message, file=name, line=error.line, hint=error.hint or None)
    return None


def _kind(file: m.FileName) -> type[Message]:
    from barista_server.caffe.schema import NetParameter, SolverParameter

    return NetParameter if file == "net" else SolverParameter


def _relayered(call: m.EditLayer, before: bytes, name: str) -> tuple[bytes, str, int]:
    """The net with a layer more or less, in words what is different, and which layer. Raises CallError."""
    from barista_server.caffe.edit import EditError
    from barista_server.caffe.layer_edits import add_layer, copy_layer, layers_in, remove_layer
    from barista_server.caffe.prototxt import PrototxtError

    text = _text(before)
    try:
        told = call.layer is not None or call.name or call.line
        number = _number(text, call) if told else layers_in(text) - 1
        if call.deed == "add":
            text, at, what = add_layer(text, number, call.kind, call.called)
        elif call.deed == "copy":
            text, at, what = copy_layer(text, number, call.called)
        else:
            text, at, what = remove_layer(text, number)
    except PrototxtError as error:
        raise _unreadable(error, name, f"cannot be changed before its {name} can be read:") from None
    except EditError as error:
        raise CallError("invalid", f"was not changed: {error}") from None
    return text.encode("utf-8", "surrogateescape"), _short(what), at


def _edited(session: Session, call: m.EditText, before: bytes) -> tuple[bytes, str, list[m.Problem]]:
    """The new text, in words what is different, and what there is to say of it. Raises CallError."""
    from barista_server.caffe.edit import EditError
    from barista_server.caffe.edit_values import put_text
    from barista_server.caffe.prototxt import PrototxtError

    name = _path(session, call.file).name
    if call.renew:
        return _renewed(call, before, name)
    if not call.edits:
        return call.data, _lines_changed(before, call.data), []
    text = _text(before)
    told = []
    for edit in call.edits:
        try:
            text = put_text(text, _kind(call.file), edit.path, edit.typed)
        except PrototxtError as error:
            raise _unreadable(error, name, f"cannot be changed before its {name} can be read:") from None
        except EditError as error:
            raise CallError("invalid", f"was not changed: {error}") from None
        told.append(f"{edit.path} left out" if edit.typed is None else f"{edit.path}: {edit.typed}")
    return text.encode("utf-8", "surrogateescape"), _short("; ".join(told)), []


def _renewed(call: m.EditText, before: bytes, name: str) -> tuple[bytes, str, list[m.Problem]]:
    from barista_server.caffe.edit import EditError
    from barista_server.caffe.prototxt import PrototxtError
    from barista_server.caffe.rewriting import renewed

    if call.file != "net":
        raise CallError("invalid", "was not changed: only nets have old forms")
    try:
        text, notes = renewed(_text(before), name)
    except PrototxtError as error:
        raise _unreadable(error, name, f"cannot be changed before its {name} can be read:") from None
    except EditError as error:
        raise CallError("invalid", f"was not brought up to date: {error}") from None
    said = [m.Problem(text=note, file=name) for note in notes]
    return text.encode("utf-8", "surrogateescape"), "brought up to date", said


def _short(text: str) -> str:
    """For a line of a console."""
    bare = clean_name(text)
    return bare if len(bare) <= MOST_TOLD else f"{bare[: MOST_TOLD - 1]}…"


def _lines_changed(before: bytes, after: bytes) -> str:
    """Which lines of the new text are others."""
    old, new = before.splitlines(), after.splitlines()
    same = 0
    while same < min(len(old), len(new)) and old[same] == new[same]:
        same += 1
    end = 0
    while end < min(len(old), len(new)) - same and old[-1 - end] == new[-1 - end]:
        end += 1
    first, last = same + 1, len(new) - end
    return f"text of lines {first}-{last}" if last > first else f"text of line {first}"


def _refuse(session: Session, file: m.FileName, before: bytes, after: bytes) -> None:
    """Whether the text can be read, and may be another now. Raises CallError."""
    from barista_server.caffe.prototxt import PrototxtError
    from barista_server.caffe.tolerant import parse_tolerant

    name = _path(session, file).name
    if len(after) > LONGEST:
        raise CallError("invalid", f"was not changed: the text has more than {LONGEST >> 20} MiB")
    try:
        new, unknown = parse_tolerant(after, _kind(file))
    except PrototxtError as error:
        raise _unreadable(error, name, f"was not changed: this is no {name}:") from None
    frozen = _standing(session, file, before).frozen
    if frozen == "running":
        raise CallError("refused", "is running: its files are frozen", "Pause it first.")
    if frozen != "started":
        return
    try:
        old, old_unknown = parse_tolerant(before, _kind(file))
    except PrototxtError:
        return
    foreign = [one.text for one in old_unknown] != [one.text for one in unknown]
    if changed := _frozen_changes(file, old, new, foreign):
        text = f"has been trained with this {file}, which is frozen: {', '.join(changed)}"
        raise CallError("refused", text, _WAYS)


def _frozen_changes(file: m.FileName, old: Any, new: Any, foreign: bool) -> Sequence[str]:
    """Fields that may not be changed any more, and are."""
    from barista_server.caffe.edit_values import changed_fields
    from barista_server.caffe.fields import ONLY_TELLS

    changed = list(changed_fields(old, new))
    if file == "solver":
        poly = "poly" in (old.lr_policy, new.lr_policy)
        changed = [name for name in changed if name not in ONLY_TELLS or (poly and name == "max_iter")]
    return [*changed, *(["fields of forks"] if foreign else [])]


# ------------------------------------------------------------------------------------------------- writing


def _unchanged(session: Session, file: m.FileName, data: bytes, seen: str) -> None:
    if seen and seen != revision(data):
        text = f"changed meanwhile: somebody else has written its {_path(session, file).name}"
        raise CallError("changed", text, "Look at it again, then decide anew.")


async def _edit(session: Session, call: m.EditText | m.EditLayer) -> m.FileText:
    def prepare() -> tuple[bytes, bytes, str, Any, int | None]:
        before = _read(session, call.file)
        _unchanged(session, call.file, before, call.seen)
        layer, said = None, list[m.Problem]()
        if isinstance(call, m.EditLayer):
            after, what, layer = _relayered(call, before, session.folder.net.name)
        else:
            after, what, said = _edited(session, call, before)
        _refuse(session, call.file, before, after)
        found = _check(session, call.file, after)
        if call.strict:
            _refuse_new(found[0], _check(session, call.file, before)[0])
        return before, after, what, (found[0], [*said, *found[1]]), layer

    before, after, what, found, layer = await asyncio.to_thread(prepare)
    if before == after:
        return await asyncio.to_thread(_reply, session, call.file, after, "", found)
    edits = Edits(session.folder.path, call.file)
    await session.host.disk(edits.add, before, after, what)
    await _write(session, call.file, after, what)
    return await asyncio.to_thread(_reply, session, call.file, after, what, found, layer)


def _refuse_new(after: list[m.Problem], before: list[m.Problem]) -> None:
    """Raises CallError for errors that were not there, wherever they stand."""
    known = {(one.file, one.text) for one in before}
    if new := [one for one in after if (one.file, one.text) not in known]:
        raise CallError("invalid", "was not changed: it could not be started then:", None, new)


async def _undo(session: Session, call: m.UndoEdit) -> m.FileText:
    edits = Edits(session.folder.path, call.file)
    before = await asyncio.to_thread(_read, session, call.file)
    _unchanged(session, call.file, before, call.seen)
    ends = await asyncio.to_thread(edits.ends, before)
    if not ends[0 if call.steps > 0 else 1]:
        raise CallError("refused", f"has nothing to {'undo' if call.steps > 0 else 'do again'} there")
    after, what, taken = await session.host.disk(edits.step, before, call.steps)
    try:
        await asyncio.to_thread(_refuse, session, call.file, before, after)
        await _write(session, call.file, after, f"{'undone' if call.steps > 0 else 'done again'}: {what}")
    except (CallError, OSError):
        await session.host.disk(edits.step, after, -taken if call.steps > 0 else taken)
        raise
    found = await asyncio.to_thread(_check, session, call.file, after)
    told = f"{'undone' if call.steps > 0 else 'done again'}: {what}"
    return await asyncio.to_thread(_reply, session, call.file, after, told, found)


async def _write(session: Session, file: m.FileName, data: bytes, what: str) -> None:
    path = _path(session, file)
    await session.host.disk(files.write, path, data)
    await session.note("edited", file=path.name, what=what)
    session.tell(f"{path.name}: {what}")
    await session.check()
    session.changed()
