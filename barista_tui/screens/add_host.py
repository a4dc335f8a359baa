"""A host more: its address, or one that ~/.ssh/config or the list of hosts knows."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Literal

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Grid, Horizontal, Vertical
from textual.content import Content
from textual.suggester import SuggestFromList
from textual.widgets import Button, Input, OptionList, Select, Static
from textual.widgets.option_list import Option

from barista_server.remote.address import AddressError, parse
from barista_tui import workers
from barista_tui.hosts import HostEntry, Hosts, HostsError
from barista_tui.screens.dialog import Dialog
from barista_tui.sshconfig import aliases

if TYPE_CHECKING:
    from barista_tui.app import BaristaApp


def name_for(address: str) -> str:
    """What a host is called if nobody says otherwise; empty for what is no address."""
    try:
        host = parse(address).host
    except AddressError:
        return ""
    return re.sub(r"[^\w.+-]", "-", host).strip("-")[:40]


class AddHostScreen(Dialog[str | None]):
    """Answers the name of the host that was added, or None. What is wrong is shown here."""

    app: BaristaApp
    BINDINGS = [Binding("escape", "dismiss", show=False)]

    def __init__(self) -> None:
        super().__init__()
        self._offered: list[tuple[str, str]] = []
        """Name and address of each suggestion."""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide", id="add-host"):
            yield Static(Content("Add a host"), classes="title")
            with Grid(id="fields"):
                yield Static(Content("address"), classes="label")
                yield Input(
                    placeholder="gpu01, me@gpu01:22, ssh://gpu01/DIR, port://gpu01:4200",
                    id="address",
                    compact=True,
                )
                yield Static(Content("name"), classes="label")
                yield Input(placeholder="after the address", id="name", compact=True)
                yield Static(Content("reached by"), classes="label")
                yield Select[str](
                    [("built-in SSH", "asyncssh"), ("the system's ssh program", "ssh")],
                    value="asyncssh",
                    allow_blank=False,
                    id="via",
                    compact=True,
                )
            yield Static(id="known-title", classes="line dim")
            yield OptionList(id="answers", compact=True)
            yield Static(id="error", classes="line")
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Add", id="add", variant="primary", compact=True)

    def on_mount(self) -> None:
        self.query_one("#answers").display = False
        self.query_one("#address").focus()
        workers.begin(self, self._offer)

    async def _offer(self) -> None:
        """Hosts of the list that are not shown, then those that ssh knows."""
        shown = {entry.address for entry in self.app.host_entries()}
        try:
            listed = await asyncio.to_thread(Hosts().all)
        except HostsError as error:
            self._refuse(str(error))
            listed = []
        found = [(each.name, each.address, "on the list of hosts") for each in listed]
        of_ssh = await asyncio.to_thread(aliases)
        found += [(alias.name, alias.name, alias.where or "in ~/.ssh/config") for alias in of_ssh]
        places = {address: (name, address, note) for name, address, note in reversed(found)}
        offered = [each for each in reversed(places.values()) if each[1] not in shown]
        self._offered = [(name, address) for name, address, _ in offered]
        answers = self.query_one("#answers", OptionList)
        for name, _, note in offered:
            answers.add_option(Option(Content.assemble(name, (f"  {note}", "$dim"))))
        answers.display = bool(offered)
        words = "known already: ↓ chooses, → completes" if offered else "~/.ssh/config names no other host"
        self.query_one("#known-title", Static).update(Content(f"\n{words}"))
        addresses = [address for _, address in self._offered]
        self.query_one("#address", Input).suggester = SuggestFromList(addresses, case_sensitive=False)

    def on_key(self) -> None:
        """Any key is an answer to what was wrong."""
        self.query_one("#error", Static).update(Content(""))

    def key_down(self) -> None:
        """From the fields to the suggestions."""
        if isinstance(self.focused, Input) and self._offered:
            self.query_one("#answers").focus()

    @on(Input.Changed, "#address")
    def _address_changed(self, event: Input.Changed) -> None:
        self.query_one("#name", Input).placeholder = name_for(event.value.strip()) or "after the address"

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        name, address = self._offered[event.option_index]
        self.query_one("#address", Input).value = address
        self.query_one("#name", Input).value = name
        self.query_one("#name").focus()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "cancel":
            self.dismiss(None)
        else:
            self._add()

    @on(Input.Submitted)
    def _add(self) -> None:
        address = self.query_one("#address", Input).value.strip()
        name = self.query_one("#name", Input).value.strip() or name_for(address)
        via: Literal["asyncssh", "ssh"] = (
            "ssh" if self.query_one("#via", Select).value == "ssh" else "asyncssh"
        )
        entry = HostEntry(name, address, via)
        try:
            if not address:
                raise HostsError("an address is needed: gpu01, me@gpu01:22, or port://gpu01:4200")
            entry.where()
            self.app.host_deeds.add(entry)
        except (HostsError, OSError) as error:
            self._refuse(str(error))
        else:
            self.dismiss(name)

    def _refuse(self, text: str) -> None:
        self.query_one("#error", Static).update(Content.styled(text, "$error"))
