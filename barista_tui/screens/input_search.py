"""Datasets searched for below the declared folders of a host; those that are chosen go on its list."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Grid, Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input, SelectionList, Static
from textual.widgets.selection_list import Selection

from barista_server.api.link import CallFailed, LinkError
from barista_server.api.messages import (
    AddDataset,
    CancelSearch,
    DatasetReply,
    Found,
    GetSearch,
    SearchDatasets,
    SearchState,
)
from barista_server.api.text import clean_name
from barista_tui import format as fmt
from barista_tui import workers
from barista_tui.commands import failure_text
from barista_tui.screens.hostdialog import HostDialog
from barista_tui.screens.input_add import there
from barista_tui.store import Key

if TYPE_CHECKING:
    pass

ASK = 0.2
"""Seconds between two questions how far a search is."""


class SearchInputs(HostDialog):
    """Answers the last dataset that was added, or None. Left while it searches, the search is cancelled."""

    PATHS = ("below",)
    DEFAULT_CSS = """
    SearchInputs #found {
        height: auto; max-height: 12; border: none; padding: 0; margin-top: 1;
        background: $surface; background-tint: $foreground 0%; text-wrap: nowrap;
    }
    """
    BINDINGS = [
        Binding("escape", "leave", show=False),
        Binding("ctrl+s", "add", show=False),
    ]

    def __init__(self, hosts: Sequence[str], host: str) -> None:
        super().__init__(hosts, host)
        self._search: tuple[str, str] | None = None
        """Host and id of the search that runs."""
        self._found: dict[str, Found] = {}

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide", id="search-inputs"):
            yield Static(Content("Search for datasets"), classes="title")
            with Grid(id="fields"):
                yield from self.host_field()
                yield Static(Content("below"), classes="label")
                yield Input(placeholder="all folders declared for datasets there", compact=True, id="below")
            yield Static(id="progress", classes="line dim hint")
            yield SelectionList[str](id="found", compact=True)
            with Horizontal(classes="buttons"):
                yield Button("Close", id="close", compact=True)
                yield Button("Search ⏎", id="search", compact=True)
                yield Button("Add chosen ^s", id="add", variant="primary", compact=True)

    def on_mount(self) -> None:
        self.query_one("#below").focus()

    @on(Input.Submitted)
    @on(Button.Pressed, "#search")
    async def _begin(self) -> None:
        await self._stop()
        self._found.clear()
        self.query_one(SelectionList).clear_options()
        below = there(self.query_one("#below", Input).value.strip(), self.host)
        workers.begin(self, partial(self._run, self.host, below), "search", newest=True)

    async def _run(self, host: str, below: str) -> None:
        call = self.app.fleet[host].call
        try:
            state = await call(SearchDatasets(below=below), SearchState)
            self._search = (host, state.search)
            self._show(state)
            while state.running:
                await asyncio.sleep(ASK)
                state = await call(GetSearch(search=state.search), SearchState)
                self._show(state)
        except CallFailed as error:
            self._tell(failure_text(error.failure), "$error")
        except LinkError as error:
            self._tell(str(error), "$error")
        else:
            self._search = None
            if self._found:
                self.query_one(SelectionList).focus()

    def _show(self, state: SearchState) -> None:
        listing = self.query_one(SelectionList)
        for one in state.found:
            if one.path not in self._found:
                self._found[one.path] = one
                listed = "  on the list" if one.listed else ""
                words = f"{one.kind:<10} {fmt.size(one.size):>8}  {clean_name(one.path)}{listed}"
                listing.add_option(Selection(Content(words), one.path, False, disabled=bool(one.listed)))
        count = f"{fmt.plural(len(state.found), 'dataset')} in {fmt.plural(state.looked, 'folder')}"
        note = f": {state.note}" if state.note else ""
        how = "space chooses, ^s adds" if state.found else ""
        self._tell(f"searching … {count}; esc cancels" if state.running else f"{count}{note}. {how}", "$dim")

    def _tell(self, text: str, tone: str) -> None:
        self.query_one("#progress", Static).update(Content.styled(text, tone))

    async def _stop(self) -> None:
        """End the search that runs; a host that is gone has ended it by itself."""
        self.workers.cancel_group(self, "search")
        if self._search is not None:
            (host, search), self._search = self._search, None
            try:
                await self.app.fleet[host].call(CancelSearch(search=search), SearchState)
            except (CallFailed, LinkError):
                return

    @on(Button.Pressed, "#close")
    def action_leave(self) -> None:
        """The first time end the search, then the screen."""
        if self._search is not None:
            workers.begin(self, self._stop, "stop")
            self._tell(f"Cancelled: {fmt.plural(len(self._found), 'dataset')} so far", "$dim")
        else:
            self.dismiss(None)

    @on(Button.Pressed, "#add")
    def action_add(self) -> None:
        """Put the chosen ones on the list."""
        if chosen := self.query_one(SelectionList).selected:
            workers.begin(self, partial(self._add, self.host, list(chosen)), "add")

    async def _add(self, host: str, paths: list[str]) -> None:
        last: Key | None = None
        failed: list[str] = []
        for place, path in enumerate(paths):
            self._tell(f"adding {place + 1} of {len(paths)}: {clean_name(path)}", "$dim")
            try:
                call = AddDataset(path=path, kind=self._found[path].kind)
                last = Key(host, (await self.app.fleet[host].call(call, DatasetReply)).dataset.id)
            except CallFailed as error:
                failed.append(f"{clean_name(path)}: {failure_text(error.failure)}")
            except LinkError as error:
                failed.append(str(error))
                break
            self.query_one(SelectionList).deselect(path)
        if failed:
            self._tell("\n".join(failed[:4]), "$error")
        else:
            self.dismiss(last)
