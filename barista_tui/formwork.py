"""A session's net or solver as one file that is edited: forms, texts, undo. All I/O of editing is here."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from barista_server.api.link import CallFailed, LinkError
from barista_server.api.messages import (
    CheckText,
    EditLayer,
    EditText,
    FieldEdit,
    FileName,
    FileText,
    Form,
    GetForm,
    GetText,
    Problem,
    Standing,
    TextReport,
    UndoEdit,
)
from barista_tui.allowed import Context
from barista_tui.commands import failure_text
from barista_tui.store import Key

if TYPE_CHECKING:
    from barista_tui.app import BaristaApp
    from barista_tui.widgets.formview import FormView


class Filing:
    """One file of one session, through its agent. Every method raises CallFailed, LinkError."""

    def __init__(self, app: BaristaApp, key: Key, file: FileName) -> None:
        self._host = app.fleet.of(key)
        self.key = key
        self.file = file
        self._session = key.session

    async def form(self, layer: int | None = None, line: int = 0) -> Form:
        """The solver's form, or a layer's by its number, or by the line it begins on."""
        return await self._host.call(
            GetForm(session=self._session, file=self.file, layer=layer, line=line), Form
        )

    async def text(self) -> FileText:
        """What is written in it."""
        return await self._host.call(GetText(session=self._session, file=self.file), FileText)

    async def check(self, data: bytes) -> TextReport:
        """What would be wrong with this text."""
        return await self._host.call(CheckText(session=self._session, file=self.file, data=data), TextReport)

    async def edit(self, edits: list[FieldEdit], seen: str) -> FileText:
        """Change fields."""
        call = EditText(session=self._session, file=self.file, edits=edits, seen=seen)
        return await self._host.call(call, FileText)

    async def put(self, data: bytes, seen: str) -> FileText:
        """Replace the text."""
        call = EditText(session=self._session, file=self.file, data=data, seen=seen)
        return await self._host.call(call, FileText)

    async def renew(self, seen: str) -> FileText:
        """Write an old net anew in the current form."""
        call = EditText(session=self._session, file=self.file, renew=True, seen=seen)
        return await self._host.call(call, FileText)

    async def relayer(self, deed: EditLayer) -> FileText:
        """Put a layer in, double one, or take one out."""
        return await self._host.call(deed, FileText)

    async def step(self, steps: int) -> FileText:
        """Undo, or redo if negative."""
        return await self._host.call(UndoEdit(session=self._session, file=self.file, steps=steps), FileText)


class FormWork:
    """Keeps a view at one form, and carries out what is filled in there."""

    def __init__(self, view: FormView, changed: Callable[[], None]) -> None:
        self._view = view
        self._changed = changed
        """Called when something was loaded or edited."""
        self.filing: Filing | None = None
        self.form: Form | None = None
        self.problems: Sequence[Problem] = ()
        """Of the file: those that the session is known by, or of the last edit."""

    async def load(self, filing: Filing, layer: int | None = None, line: int = 0) -> None:
        """Show the form. Raises CallFailed, LinkError."""
        form = await filing.form(layer, line)
        self.filing, self.form = filing, form
        self.paint()

    def know(self, problems: Sequence[Problem]) -> None:
        """What is wrong with the session's files, as far as it is known."""
        if list(problems) != list(self.problems):
            self.problems = problems
            self.paint()

    def paint(self) -> None:
        """Show what is known."""
        if self.form is not None and self.filing is not None:
            name = f"{self.filing.file}.prototxt"
            own = [each for each in self.problems if each.file == name]
            context = self._view.app.main.context()  # type: ignore[attr-defined]
            self._view.show(self.form, own, banner(self.form.standing, self.filing.file, context))
            self._changed()

    async def apply(self, edits: list[FieldEdit]) -> bool:
        """Carry out what was filled in; what is refused stays where it was typed."""
        assert self.filing is not None and self.form is not None
        return await self._done(self.filing.edit(edits, self.form.revision))

    async def step(self, steps: int) -> bool:
        """Undo or redo."""
        assert self.filing is not None
        return await self._done(self.filing.step(steps))

    async def relayer(self, deed: EditLayer) -> bool:
        """Put a layer in, double this one, or take it out; then the one that is there now is shown."""
        assert self.filing is not None
        return await self._done(self.filing.relayer(deed))

    async def _done(self, deed: Coroutine[Any, Any, FileText]) -> bool:
        assert self.filing is not None and self.form is not None
        try:
            text = await deed
        except LinkError as error:
            self._view.told(f"Not connected, look again later whether it was done: {error}", "$error")
            return False
        except CallFailed as error:
            if error.failure.code == "changed":
                await self.load(self.filing, self.form.layer)
            self._view.told(failure_text(error.failure).replace("\n", "  "), "$error")
            return False
        self.problems = [*text.problems, *text.warnings]
        self._view.close()
        await self.load(self.filing, self.form.layer if text.layer is None else text.layer)
        what = text.what.replace(f"layer[{self.form.layer}].", "")
        self._view.told(f"✔ {what}" if what else "It is that already")
        return True


def banner(standing: Standing, file: FileName, context: Context) -> str:
    """What keeps the file from being changed, and the ways out; empty: nothing."""
    if standing.frozen == "running":
        return f"Frozen while it runs: {context.key('toggle', 'space')} pauses it."
    if standing.frozen != "started":
        return ""
    open_ = "; ✎ is still open" if file == "solver" else ""
    return f"Frozen: it has been trained with this{open_}. Ways out: {ways(context)}."


def ways(context: Context) -> str:
    """How to go on from frozen files."""
    from barista_tui.actions import BY_ID

    name = context.session.name if context.session is not None else "SESSION"
    if "clone" in BY_ID:
        key = context.key("clone", BY_ID["clone"].keys[0] if BY_ID["clone"].keys else "")
        copies = f"{key} clones it, with its weights or its settings alone"
    else:
        copies = f"barista clone {name} (with weights), or --settings-only"
    return f"{copies}; {context.key('reset', 'R')} throws its runs away"


def save_as(path: Path, data: bytes) -> None:
    """Write a new file. Raises OSError, FileExistsError where one is there."""
    with path.open("xb") as file:
        file.write(data)
