"""A caffe build more: its command and name; it is tried before it is added."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Grid, Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input, Static

from barista_server.api.link import CallFailed, LinkError
from barista_server.api.messages import AddCaffe, CaffeInfo, CaffeList
from barista_tui import caffelook, workers
from barista_tui.commands import failure_text
from barista_tui.host import Host
from barista_tui.hosts import LOCAL
from barista_tui.screens.dialog import Dialog
from barista_tui.screens.new_session import PathSuggester, on_host


class AddCaffeScreen(Dialog[tuple[str, list[CaffeInfo]] | None]):
    """Answers its name and what there is now, or None. What is wrong with it is shown here."""

    BINDINGS = [Binding("escape", "dismiss", show=False)]

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host = host
        self._busy = False

    def compose(self) -> ComposeResult:
        here = self._host.name == LOCAL
        with Vertical(classes="dialog wide", id="add-caffe"):
            yield Static(Content(f"Add a caffe build{on_host(self._host)}"), classes="title")
            with Grid(id="fields"):
                yield Static(Content("command"), classes="label")
                yield Input(
                    placeholder="/opt/caffe/build/tools/caffe, or a wrapper with its options",
                    id="command",
                    compact=True,
                    suggester=PathSuggester("") if here else None,
                )
                yield Static(Content("name"), classes="label")
                yield Input(placeholder="after the path", id="name", compact=True)
            words = "→ completes the path. " if here else f"The path is one of {self._host.name}. "
            words += "A training of one iteration is tried with it first."
            yield Static(Content(words), classes="line dim hint")
            yield Static(id="error", classes="line")
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Add all the same", id="unchecked", variant="warning", compact=True)
                yield Button("Add ⏎", id="add", variant="primary", compact=True)

    def on_mount(self) -> None:
        self.query_one("#unchecked").display = False
        self.query_one("#command").focus()

    @on(Input.Changed)
    def _changed(self) -> None:
        try:
            name = caffelook.name_for(caffelook.split(self._text("command")))
        except ValueError:
            name = ""
        self.query_one("#name", Input).placeholder = name or "after the path"
        # What was tried is not what stands here now.
        self.query_one("#unchecked").display = False

    def _text(self, field: str) -> str:
        return self.query_one(f"#{field}", Input).value.strip()

    @on(Button.Pressed, "#cancel")
    def _cancel(self) -> None:
        self.dismiss(None)

    @on(Button.Pressed, "#unchecked")
    def _add_unchecked(self) -> None:
        self._add(unchecked=True)

    @on(Input.Submitted)
    @on(Button.Pressed, "#add")
    def _add_tried(self) -> None:
        self._add(unchecked=False)

    def _add(self, unchecked: bool) -> None:
        if self._busy:
            return
        try:
            argv = caffelook.split(self._text("command"))
        except ValueError as error:
            self._refuse(str(error), "command")
            return
        if self._host.name == LOCAL and "/" in argv[0]:
            argv[0] = str(Path(argv[0]).expanduser().absolute())
        name = self._text("name") or caffelook.name_for(argv)
        if not name:
            self._refuse("it needs a name", "name")
            return
        self._busy = True
        words = "adding it …" if unchecked else "trying it: seconds, for a container more …"
        self.query_one("#error", Static).update(Content.styled(words, "$dim"))
        workers.begin(self, partial(self._call, AddCaffe(name=name, argv=argv, unchecked=unchecked)))

    async def _call(self, call: AddCaffe) -> None:
        try:
            found = (await self._host.call(call, CaffeList)).caffes
        except CallFailed as error:
            untrained = error.failure.code == "untrained"
            self._refuse(failure_text(error.failure), "name" if "name" in error.failure.text else "command")
            self.query_one("#unchecked").display = untrained
        except LinkError as error:
            self._refuse(str(error), "command")
        else:
            self.dismiss((call.name, found))
        finally:
            self._busy = False

    def _refuse(self, text: str, field: str) -> None:
        self.query_one("#error", Static).update(Content.styled(text, "$error"))
        self.query_one(f"#{field}").focus()
