"""An editor of lists of HDF5 files, on any host."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Grid, Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input, Static, TextArea

from barista_server.api.link import CallFailed, LinkError
from barista_server.api.messages import FileList, FindHdf5Files, Hdf5Files, ReadFileList, WriteFileList
from barista_tui import format as fmt
from barista_tui import workers
from barista_tui.commands import failure_text
from barista_tui.screens.hostdialog import HostDialog
from barista_tui.screens.input_add import there
from barista_tui.store import Key

if TYPE_CHECKING:
    pass


class ListEditor(HostDialog):
    """Answers host and path (as ``session``) that was saved, or None.

    ``path``: the list on ``host`` to begin with; empty: a new one.
    """

    PATHS = ("list", "more")
    DEFAULT_CSS = """
    ListEditor #lines { height: 10; border: none; padding: 0; margin-top: 1; background: $panel; }
    """
    BINDINGS = [
        Binding("escape", "dismiss", show=False),
        Binding("f8", "remove_line", show=False, priority=True),
        Binding("ctrl+s", "save", show=False, priority=True),
        Binding("ctrl+o", "load", show=False, priority=True),
    ]

    def __init__(self, hosts: Sequence[str], host: str, path: str = "") -> None:
        super().__init__(hosts, host)
        self._path = path
        self._stamps: dict[Key, str] = {}
        """Of the file that the lines are of, by either name: another one is not written over."""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide", id="list-editor"):
            yield Static(Content("A list of HDF5 files"), classes="title")
            with Grid(id="fields"):
                yield from self.host_field()
                yield Static(Content("list"), classes="label")
                yield Input(self._path, placeholder="path of the text file", compact=True, id="list")
                yield Static(Content("add"), classes="label")
                yield Input(
                    placeholder="a file, or a folder with all below it; enter", compact=True, id="more"
                )
            yield TextArea(id="lines", compact=True)
            yield Static(
                Content("A file a line; F8 removes a line, ^z takes it back"),
                classes="line dim hint",
                id="told",
            )
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Open ^o", id="load", compact=True)
                yield Button("Save ^s", id="save", variant="primary", compact=True)

    def on_mount(self) -> None:
        if self._path:
            self.action_load()
        self.query_one("#more" if self._path else "#list").focus()

    def action_remove_line(self) -> None:
        """Take out the line that the cursor is on."""
        self.query_one(TextArea).action_delete_line()

    def _typed(self, field: str) -> str:
        return there(self.query_one(field, Input).value.strip(), self.host)

    @on(Button.Pressed, "#cancel")
    def _cancel(self) -> None:
        self.dismiss(None)

    @on(Button.Pressed, "#load")
    def action_load(self) -> None:
        """Show the lines of the file that is named."""
        self._ask(self._load, self._typed("#list"))

    async def _load(self, path: str) -> None:
        host = self.host
        read = await self.app.fleet[host].call(ReadFileList(path=path), FileList)
        # The agent tells where a link leads.
        self._stamps = dict.fromkeys((Key(host, path), Key(host, read.path)), read.stamp)
        self.query_one(TextArea).load_text("\n".join(read.lines))
        self._tell(fmt.plural(len(read.lines), "file"))

    @on(Input.Submitted, "#more")
    def _more(self) -> None:
        self._ask(self._add, self._typed("#more"))

    async def _add(self, path: str) -> None:
        self._tell(f"looking below {path} …")
        found = await self.app.fleet[self.host].call(FindHdf5Files(path=path), Hdf5Files)
        area = self.query_one(TextArea)
        area.insert("".join(f"\n{each}" for each in found.paths), area.document.end)
        self.query_one("#more", Input).clear()
        count = fmt.plural(len(found.paths), "file")
        told = f"{count} added" if found.paths else f"There is no HDF5 file below {path}"
        self._tell(f"{told}; {found.note}" if found.note else told, "$warning" if found.note else "$dim")

    @on(Input.Submitted, "#list")
    def _named(self) -> None:
        self.query_one("#more").focus()

    @on(Button.Pressed, "#save")
    def action_save(self) -> None:
        """Write it, under the path that is named."""
        self._ask(self._save, self._typed("#list"))

    async def _save(self, path: str) -> None:
        lines = self.query_one(TextArea).text.splitlines()
        host = self.host
        call = WriteFileList(path=path, lines=lines, stamp=self._stamps.get(Key(host, path), ""))
        saved = await self.app.fleet[host].call(call, FileList)
        self.dismiss(Key(host, saved.path))

    def _ask(self, deed: Callable[[str], Awaitable[None]], path: str) -> None:
        """Do it on the host; what goes wrong is told here."""
        if not path:
            self._tell("A path is needed", "$error")
            return

        async def asked() -> None:
            try:
                await deed(path)
            except CallFailed as error:
                self._tell(failure_text(error.failure), "$error")
            except LinkError as error:
                self._tell(str(error), "$error")

        workers.begin(self, asked, "list")

    def _tell(self, text: str, tone: str = "$dim") -> None:
        self.query_one("#told", Static).update(Content.styled(text, tone))
