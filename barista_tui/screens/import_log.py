"""A log file to be shown beside the sessions: its path, and a name for it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Grid, Vertical
from textual.content import Content
from textual.widgets import Input, Static

from barista_server.api.messages import ImportLog, SessionInfo, SessionReply
from barista_tui import workers
from barista_tui.commands import failure_text
from barista_tui.host import CallFailed, Host, LinkError
from barista_tui.screens.dialog import Dialog
from barista_tui.screens.new_session import PathSuggester, on_host


class ImportScreen(Dialog[SessionInfo | None]):
    """Answers the imported log, or None when backed out. What is wrong is shown here, where it is mended."""

    BINDINGS = [Binding("escape", "dismiss", show=False)]

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host = host
        self._busy = False

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide", id="import-log"):
            yield Static(Content(f"Import a log{on_host(self._host)}"), classes="title")
            yield Static(
                Content("It is only read, also while it grows; several runs in it are told apart."),
                classes="line dim",
            )
            with Grid(id="fields"):
                yield Static(Content("log file"), classes="label")
                yield Input(
                    placeholder="path of a log of any caffe",
                    id="path",
                    compact=True,
                    suggester=PathSuggester(""),
                )
                yield Static(Content("name"), classes="label")
                yield Input(placeholder="after the file", id="name", compact=True)
            yield Static(id="error", classes="line")
            yield Static(Content("→ completes, enter imports, esc leaves"), classes="line dim hint")

    def on_mount(self) -> None:
        self.query_one("#path").focus()

    def on_input_submitted(self) -> None:
        """Import it."""
        path = self.query_one("#path", Input).value.strip()
        if path and not self._busy:
            self._busy = True
            name = self.query_one("#name", Input).value.strip()
            # On another host a path means what it says there.
            here = str(Path(path).expanduser().absolute()) if self._host.target.host is None else path
            call = ImportLog(path=here, name=name)
            workers.begin(self, partial(self._import, call))

    async def _import(self, call: ImportLog) -> None:
        try:
            session = (await self._host.call(call, SessionReply)).session
        except CallFailed as error:
            self._refused(failure_text(error.failure))
        except LinkError as error:
            self._refused(str(error))
        else:
            self.dismiss(session)
        finally:
            self._busy = False

    def _refused(self, text: str) -> None:
        self.query_one("#error", Static).update(Content.styled(text, "$error"))
        self.query_one("#path").focus()
