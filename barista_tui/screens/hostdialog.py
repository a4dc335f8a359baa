"""A dialog about files of a host that is chosen in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Input, Select, Static

from barista_tui.hosts import LOCAL
from barista_tui.screens.dialog import Dialog
from barista_tui.screens.new_session import PathSuggester
from barista_tui.store import Key

if TYPE_CHECKING:
    from barista_tui.app import BaristaApp


class HostDialog(Dialog[Key | None]):
    """``PATHS``: ids of the fields that are completed while the host is this machine."""

    app: BaristaApp
    PATHS: ClassVar[Sequence[str]] = ()

    def __init__(self, hosts: Sequence[str], host: str) -> None:
        super().__init__()
        self._hosts = hosts
        self._first = host

    def host_field(self) -> ComposeResult:
        """The row of a grid of fields in which the host is chosen."""
        yield Static(Content("host"), classes="label")
        yield Select(
            [(each, each) for each in self._hosts],
            value=self._first, allow_blank=False, compact=True, id="host",
        )  # fmt: skip

    @property
    def host(self) -> str:
        """The chosen one."""
        return str(self.query_one("#host", Select).value)

    @on(Select.Changed, "#host")
    def _complete_paths(self) -> None:
        for field in self.PATHS:
            self.query_one(f"#{field}", Input).suggester = PathSuggester("") if self.host == LOCAL else None
