"""A dataset's path asked for: to put it on a host's list, or where it is now."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Grid, Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input, Select, Static

from barista_server.api.link import CallFailed, LinkError
from barista_server.api.messages import (
    AddDataset,
    DatasetInfo,
    DatasetReply,
    DatasetRoots,
    ListDatasetRoots,
)
from barista_server.api.text import clean_name
from barista_tui import workers
from barista_tui.commands import failure_text
from barista_tui.hosts import LOCAL
from barista_tui.screens.dialog import Dialog
from barista_tui.screens.hostdialog import HostDialog
from barista_tui.screens.new_session import PathSuggester
from barista_tui.store import Key

if TYPE_CHECKING:
    pass

KINDS = ("lmdb", "leveldb", "hdf5", "hdf5-list", "image-list")


def there(path: str, host: str) -> str:
    """Absolute on this machine; on another host it means what it says there."""
    return str(Path(path).expanduser().absolute()) if path and host == LOCAL else path


class AddInput(HostDialog):
    """Answers the dataset that is on the list now, or None. What is wrong is shown where it is mended."""

    PATHS = ("path", "base")
    BINDINGS = [Binding("escape", "dismiss", show=False)]

    def __init__(self, hosts: Sequence[str], host: str) -> None:
        super().__init__(hosts, host)
        self._busy = False

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide", id="add-input"):
            yield Static(Content("Add a dataset"), classes="title")
            with Grid(id="fields"):
                yield from self.host_field()
                yield Static(Content("path"), classes="label")
                yield Input(
                    placeholder="folder of an LMDB or LevelDB, HDF5 file, list", compact=True, id="path"
                )
                yield Static(Content("kind"), classes="label")
                yield Select(
                    [(kind, kind) for kind in KINDS], prompt="found out by itself", compact=True, id="kind"
                )
                yield Static(Content("name"), classes="label")
                yield Input(placeholder="after the path", compact=True, id="name")
                yield Static(Content("names from"), classes="label")
                yield Input(
                    placeholder="of a list: the folder that its names start from", compact=True, id="base"
                )
            yield Static(id="roots", classes="line dim hint")
            yield Static(id="error", classes="line")
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Add and hash ⏎", id="add", variant="primary", compact=True)

    def on_mount(self) -> None:
        self.query_one("#path").focus()

    @on(Select.Changed, "#host")
    def _host_chosen(self) -> None:
        self.query_one("#roots", Static).update(
            Content("→ completes the path. The files are only read, and stay where they are.")
        )
        if self.host != LOCAL:
            workers.begin(self, partial(self._tell_roots, self.host), "roots", newest=True)

    async def _tell_roots(self, host: str) -> None:
        try:
            roots = (await self.app.fleet[host].call(ListDatasetRoots(), DatasetRoots)).roots
        except (CallFailed, LinkError):
            return  # Adding will say why.
        words = ", ".join(map(clean_name, roots))
        self.query_one("#roots", Static).update(Content(f"Open for datasets on {host}: {words}"))

    @on(Input.Submitted)
    @on(Button.Pressed, "#add")
    def _add(self) -> None:
        text = {field: self.query_one(f"#{field}", Input).value.strip() for field in ("path", "name", "base")}
        if not text["path"]:
            self._refused("The path of the dataset is needed")
        elif not self._busy:
            self._busy = True
            kind = self.query_one("#kind", Select).value
            call = AddDataset(
                path=there(text["path"], self.host),
                name=text["name"],
                kind=kind if kind in KINDS else "",
                base=there(text["base"], self.host),
            )
            self.query_one("#error", Static).update(Content.styled("looking into it …", "$dim"))
            workers.begin(self, partial(self._call, self.host, call))

    @on(Button.Pressed, "#cancel")
    def _cancel(self) -> None:
        self.dismiss(None)

    async def _call(self, host: str, call: AddDataset) -> None:
        try:
            dataset = (await self.app.fleet[host].call(call, DatasetReply)).dataset
        except CallFailed as error:
            self._refused(failure_text(error.failure))
        except LinkError as error:
            self._refused(str(error))
        else:
            self.dismiss(Key(host, dataset.id))
        finally:
            self._busy = False

    def _refused(self, text: str) -> None:
        self.query_one("#error", Static).update(Content.styled(text, "$error"))
        self.query_one("#path").focus()


class AskPlace(Dialog[str | None]):
    """Answers the path where a dataset's files are now, or None."""

    BINDINGS = [Binding("escape", "dismiss", show=False)]

    def __init__(self, host: str, dataset: DatasetInfo) -> None:
        super().__init__()
        self._host = host
        self._dataset = dataset

    def compose(self) -> ComposeResult:
        where = "" if self._host == LOCAL else f" on {self._host}"
        with Vertical(classes="dialog wide"):
            yield Static(Content(f"Where is {clean_name(self._dataset.name)} now{where}?"), classes="title")
            suggester = PathSuggester("") if self._host == LOCAL else None
            yield Input(self._dataset.path, compact=True, id="answer", suggester=suggester)
            yield Static(
                Content("enter takes it and hashes what is there, → completes, esc leaves it as it was"),
                classes="line dim hint",
            )

    def on_input_submitted(self, event: Input.Submitted) -> None:
        path = event.value.strip()
        self.dismiss(there(path, self._host) if path else None)
