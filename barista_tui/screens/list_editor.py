"""An editor of lists of HDF5 files on this machine."""

from __future__ import annotations

import asyncio
from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Grid, Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static, TextArea

from barista_tui import format as fmt
from barista_tui import hdf5_list
from barista_tui.screens.new_session import PathSuggester


class ListEditor(ModalScreen[str | None]):
    """Answers the path that was saved, or None. ``path``: the list to begin with; empty: a new one."""

    DEFAULT_CSS = """
    ListEditor #lines { height: 10; border: none; padding: 0; margin-top: 1; background: $panel; }
    """
    BINDINGS = [
        Binding("escape", "dismiss", show=False),
        Binding("f8", "remove_line", show=False, priority=True),
        Binding("ctrl+s", "save", show=False, priority=True),
        Binding("ctrl+o", "load", show=False, priority=True),
    ]

    def __init__(self, path: str = "") -> None:
        super().__init__()
        self._path = path
        self._loaded = ""
        """The file that the lines are of: another one is not written over."""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide", id="list-editor"):
            yield Static(Content("A list of HDF5 files"), classes="title")
            with Grid(id="fields"):
                yield Static(Content("list"), classes="label")
                yield Input(
                    self._path, placeholder="path of the text file", compact=True, id="list",
                    suggester=PathSuggester(""),
                )  # fmt: skip
                yield Static(Content("add"), classes="label")
                yield Input(
                    placeholder="a file, or a folder with all below it; enter", compact=True, id="more",
                    suggester=PathSuggester(""),
                )  # fmt: skip
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

    def _typed(self, field: str) -> Path:
        return Path(self.query_one(field, Input).value.strip()).expanduser().absolute()

    @on(Button.Pressed, "#cancel")
    def _cancel(self) -> None:
        self.dismiss(None)

    @on(Button.Pressed, "#load")
    def action_load(self) -> None:
        """Show the lines of the file that is named."""
        self.run_worker(self._load(self._typed("#list")), exit_on_error=False)

    async def _load(self, typed: Path) -> None:
        path = await asyncio.to_thread(typed.resolve)
        try:
            text = await asyncio.to_thread(path.read_text)
        except (OSError, UnicodeDecodeError) as error:
            self._tell(f"{path} cannot be read: {error}", "$error")
            return
        self._loaded = str(path)
        lines = hdf5_list.tidy(text)
        self.query_one(TextArea).load_text("\n".join(lines))
        self._tell(fmt.plural(len(lines), "file"))

    @on(Input.Submitted, "#more")
    async def _add(self) -> None:
        path = self._typed("#more")
        try:
            found = await asyncio.to_thread(hdf5_list.below, path)
        except OSError as error:
            self._tell(f"Nothing was added: {error}", "$error")
            return
        area = self.query_one(TextArea)
        area.insert("".join(f"\n{each}" for each in found), area.document.end)
        self.query_one("#more", Input).clear()
        self._tell(
            f"{fmt.plural(len(found), 'file')} added" if found else f"There is no HDF5 file below {path}"
        )

    @on(Button.Pressed, "#save")
    def action_save(self) -> None:
        """Write it, under the path that is named."""
        self.run_worker(self._save(self._typed("#list")), exit_on_error=False)

    async def _save(self, typed: Path) -> None:
        # A link stays one, and the agent knows files by where they lead.
        path = await asyncio.to_thread(typed.resolve)
        lines = hdf5_list.tidy(self.query_one(TextArea).text)
        if not self.query_one("#list", Input).value.strip() or not lines:
            self._tell("A path for the list and one file at least are needed", "$error")
            return
        if str(path) != self._loaded and await asyncio.to_thread(path.exists):
            self._tell(f"{path} is there already: open it with ^o, or choose another name", "$error")
            return
        try:
            await asyncio.to_thread(hdf5_list.write, path, lines)
        except OSError as error:
            self._tell(f"Not saved: {error}", "$error")
        else:
            self.dismiss(str(path))

    def _tell(self, text: str, tone: str = "$dim") -> None:
        self.query_one("#told", Static).update(Content.styled(text, tone))
