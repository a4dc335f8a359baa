"""The host manager: all hosts with their states; devices, caffes and defaults of the chosen one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, cast

from textual import on
from textual.app import ComposeResult
from textual.containers import Container, Grid, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import OptionList, Select, Static
from textual.widgets.option_list import Option

from barista_server.api.messages import (
    CaffeList,
    Defaults,
    DeviceList,
    GetDefaults,
    ListCaffes,
    ListDevices,
    QueueList,
    SetDefaults,
    SetSlots,
)
from barista_tui import caffelook, hostlook, managerkeys, workers
from barista_tui.callers import HOST_MANAGER
from barista_tui.host import CallFailed, Host, LinkError
from barista_tui.hostlook import HostLine, Offers
from barista_tui.hosts import HostsError
from barista_tui.hostwork import HostWork, footer
from barista_tui.keymap import move
from barista_tui.screens.acting import ActingScreen
from barista_tui.store import HostKnown, Key
from barista_tui.widgets.bar import Bar, Piece
from barista_tui.widgets.tray import Tray

WIDE = 132
"""Columns from which the details stand beside the table."""
RENEW = 5.0
"""Seconds between two questions for the chosen host's devices."""


class HostList(OptionList):
    """One line a host."""

    BINDINGS = [
        move("move-up", "cursor_up"),
        move("move-down", "cursor_down"),
        move("first", "first"),
        move("last", "last"),
    ]


class HostManager(ActingScreen):
    """Every host is asked by itself: one that is slow or dead holds up nothing."""

    caller = HOST_MANAGER
    AUTO_FOCUS = "#hosts"
    DEFAULT_CSS = """
    HostManager #hosts-body { height: 1fr; layout: vertical; }
    HostManager #hosts-left { height: auto; max-height: 50%; }
    HostManager #hosts {
        height: auto; max-height: 100%; border: none; padding: 0; background: $background;
        background-tint: $foreground 0%; text-wrap: nowrap; scrollbar-size-vertical: 1;
    }
    HostManager #host-details { height: 1fr; padding: 1 1 0 1; scrollbar-size-vertical: 1; }
    HostManager #host-details Static { height: auto; width: 1fr; }
    HostManager #host-defaults {
        grid-size: 2; grid-columns: 16 1fr; grid-rows: 1; height: auto; max-width: 66; margin-top: 1;
    }
    HostManager #host-defaults Static { color: $dim; }
    HostManager #host-devices, HostManager #host-caffes { margin-top: 1; }
    HostManager.-wide #hosts-body { layout: horizontal; }
    HostManager.-wide #hosts-left { width: 3fr; height: 1fr; max-height: 100%; }
    HostManager.-wide #host-details { width: 2fr; height: 1fr; padding: 0 1; border-left: solid $faint; }
    """
    BINDINGS = managerkeys.bindings(managerkeys.HOSTS)

    def __init__(self) -> None:
        super().__init__()
        self._head, self._titles, self._footer = Bar(id="header"), Bar(), Bar(id="footer")
        self._tray = Tray(id="tray")
        self._list = HostList(id="hosts", compact=True)
        self._names: list[str] = []
        self._rows: list[Content] = []
        self._offers: dict[str, Offers] = {}
        self._asked: tuple[str, str] | None = None
        """Host and epoch that were asked what they offer."""
        self.name_chosen = ""

    def compose(self) -> ComposeResult:
        yield self._head
        with Container(id="hosts-body"):
            with Vertical(id="hosts-left"):
                yield self._titles
                yield self._list
            with VerticalScroll(id="host-details"):
                yield Static(id="host-facts")
                with Grid(id="host-defaults"):
                    yield Static(Content("default caffe"))
                    yield Select[str]([], id="caffe", prompt="as it is", compact=True)
                    yield Static(Content("default device"))
                    yield Select[str]([], id="device", prompt="as it is", compact=True)
                yield Static(id="host-devices")
                yield Static(id="host-caffes")
        yield self._tray
        yield self._footer

    def on_mount(self) -> None:
        self.work = HostWork(self)
        waiting = [host.name for host in self.app.fleet if host.link_state.cause == "key-unknown"]
        self.name_chosen = waiting[0] if waiting else self.app.main.host_name
        self.set_class(self.size.width >= WIDE, "-wide")
        self.show_known()
        self.set_interval(1.0, self.show_known)
        self.set_interval(RENEW, self._renew)

    def on_resize(self) -> None:
        self.set_class(self.size.width >= WIDE, "-wide")
        self.call_after_refresh(self.show_known)

    # ---------------------------------------------------------------------------------- what is known → table

    @property
    def host(self) -> Host:
        """The one that is chosen."""
        names = self.app.fleet.names
        return self.app.fleet[self.name_chosen if self.name_chosen in names else names[0]]

    @property
    def known(self) -> HostKnown:
        """What is known of it."""
        return self.app.store.known.host(self.host.name)

    @property
    def offers(self) -> Offers:
        """What it has told of itself."""
        return self._offers.get(self.host.name, Offers())

    def line(self, host: Host) -> HostLine:
        """What the table says of a host."""
        entry, agent = host.target.host, host.welcome.agent if host.welcome is not None else ""
        address = str(host.target.root) if entry is None else entry.address
        return HostLine(self.app.store.known.host(host.name), address, agent.rpartition(" ")[2])

    def show_known(self) -> None:
        if not self.is_attached or not hasattr(self, "work"):
            return
        known = self.app.store.known
        self._tray.show(self.app.works.lines(known, self.app.main.stop_hashing))
        self._show_table()
        self._show_host()
        chosen = (self.host.name, self.known.epoch)
        if chosen != self._asked and self.known.alive:
            self._asked = chosen
            self._ask()

    def _show_table(self) -> None:
        width, now = max(20, self._list.size.width), self.app.now()
        hosts = list(self.app.fleet)
        names, rows = (
            [host.name for host in hosts],
            [hostlook.row(self.line(host), now, width) for host in hosts],
        )
        self._titles.show([Piece(hostlook.heading(width), "dim")])
        alive = sum(self.app.store.known.host(name).alive for name in names)
        self._head.show(
            [Piece(" Barista ", "accent", bold=True), Piece(" Hosts ", "text")],
            [Piece(f"{alive} of {len(names)} alive ", "dim")],
        )
        if names != self._names:
            self._names, self._rows = names, rows
            with self.prevent(OptionList.OptionHighlighted):
                self._list.clear_options()
                self._list.add_options([Option(row) for row in rows])
        elif rows != self._rows:
            for place, (row, old) in enumerate(zip(rows, self._rows, strict=True)):
                if row != old:
                    self._list.replace_option_prompt_at_index(place, row)
            self._rows = rows
        # Only the person's moves may choose a host: told of ours, one that is still on its way would undo it,
        # and be undone, for ever.
        with self.prevent(OptionList.OptionHighlighted):
            self._list.highlighted = names.index(self.host.name)

    def _show_host(self) -> None:
        host, known = self.host, self.known
        offered = getattr(host.problem, "offered", None) if known.link.cause == "key-unknown" else None
        fingerprint = f"{offered.kind} {offered.fingerprint}" if offered is not None else ""
        line = self.line(host)
        self.query_one("#host-facts", Static).update(hostlook.facts(line, self.app.now(), fingerprint))
        offers = self.offers
        devices: Content | str = ""
        if offers.devices is not None:
            devices = hostlook.devices(offers.devices, dict(known.sessions))
        elif known.alive:
            devices = Content.styled(offers.problem or "asking for devices …", "$dim")
        self.query_one("#host-devices", Static).update(devices)
        caffes = caffelook.summary(offers.caffes) if offers.caffes is not None else ""
        self.query_one("#host-caffes", Static).update(caffes)
        self._show_defaults(offers)
        self._footer.show(*footer(self.work))

    def _show_defaults(self, offers: Offers) -> None:
        self.query_one("#host-defaults").display = offers.defaults is not None
        for each in self.query(Select):
            each.disabled = not self.known.alive or self.known.role == "viewer"
        if offers.defaults is None:
            return
        caffes = hostlook.caffe_choices(offers.caffes or [], offers.defaults.caffe)
        self._fill("#caffe", caffes, offers.defaults.caffe)
        devices = hostlook.device_choices(offers.devices or [], offers.defaults.device)
        self._fill("#device", devices, offers.defaults.device)

    def _fill(self, id: str, choices: list[tuple[str, str]], value: str) -> None:
        """Options and value of a drop-down, left alone while it is open or says so already."""
        select = cast("Select[str]", self.query_one(id, Select))
        if select.expanded:
            return
        with select.prevent(Select.Changed):
            if getattr(select, "barista_choices", None) != choices:
                select.set_options(choices)
                setattr(select, "barista_choices", choices)  # noqa: B010
            if select.value != value:
                select.value = value

    # ---------------------------------------------------------------------------------- what a host offers

    def _renew(self) -> None:
        if self.known.alive:
            devices = partial(self._offered, self.host, devices_only=True)
            workers.begin(self, devices, f"devices of {self.host.name}", newest=True)

    def _ask(self) -> None:
        """All that the chosen host offers, each shown as it comes."""
        host = self.host
        workers.begin(self, partial(self._offered, host), f"offers of {host.name}", newest=True)

    async def _offered(self, host: Host, devices_only: bool = False) -> None:
        offers = self._offers.setdefault(host.name, Offers())

        async def devices() -> None:
            offers.devices = (await host.call(ListDevices(), DeviceList)).devices

        async def caffes() -> None:
            offers.caffes = (await host.call(ListCaffes(), CaffeList)).caffes

        async def defaults() -> None:
            offers.defaults = await host.call(GetDefaults(), Defaults)

        wanted = [devices] if devices_only else [devices, caffes, defaults]
        await asyncio.gather(*(self._shown(offers, each) for each in wanted))

    async def _shown(self, offers: Offers, ask: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await ask()
        except (CallFailed, LinkError) as error:
            offers.problem = str(error)
        self.show_known()

    @on(Select.Changed)
    def _default_chosen(self, event: Select.Changed) -> None:
        host, value = self.host, event.value
        offers = self._offers.get(host.name)
        if offers is None or offers.defaults is None or not isinstance(value, str):
            return
        what = event.select.id or ""
        if value != getattr(offers.defaults, what):
            call = SetDefaults(caffe=value) if what == "caffe" else SetDefaults(device=value)
            self.ask_agent(self._set_default(host, call), f"The default {what} of {host.name} is as it was")

    async def _set_default(self, host: Host, call: SetDefaults) -> None:
        self.set_defaults(host.name, await host.call(call, Defaults))

    def set_defaults(self, name: str, chosen: Defaults) -> None:
        """New sessions of a host get these now."""
        self._offers.setdefault(name, Offers()).defaults = chosen
        caffe = chosen.caffe or "the first caffe that trains"
        how = ", as jobs of Slurm" if chosen.launcher == "slurm" else ""
        self.say(f"New sessions on {name} get {caffe} on {chosen.device}{how}", "information")
        self.show_known()

    async def set_slots(self, device: str, slots: int) -> None:
        """How many trainings the queue has on a device of the chosen host at a time."""
        await self.host.call(SetSlots(device=device, slots=slots), QueueList)
        self._renew()

    def acted(self) -> None:
        self.show_known()

    # ---------------------------------------------------------------------------------- deeds

    @on(OptionList.OptionHighlighted, "#hosts")
    def _highlighted(self, event: OptionList.OptionHighlighted) -> None:
        if event.option_index < len(self._names):
            self.choose(self._names[event.option_index])

    @on(OptionList.OptionSelected, "#hosts")
    def _selected(self) -> None:
        """Enter does what its state asks for."""
        self.action_act(self.work.usual())

    def choose(self, name: str) -> None:
        """Show the details of another host."""
        if name != self.name_chosen:
            self.name_chosen = name
            self._asked = None
        self.show_known()

    @on(Bar.Pressed)
    def _pressed(self, event: Bar.Pressed) -> None:
        if event.action == "leave":
            self.action_leave()
        elif event.action == "keys":
            self.action_keys()
        elif event.action:
            self.action_act(event.action)

    def action_act(self, name: str) -> None:
        """One of the deeds, or why not."""
        refused = self.work.refused(name)
        if refused:
            self.say(refused, "warning")
            return
        try:
            self.work.do(name)
        except (HostsError, OSError) as error:
            self.say(str(error), "error")
        self.show_known()

    def renamed(self, old: str, new: str) -> None:
        """Call the host differently."""
        try:
            self.app.host_deeds.rename(old, new)
        except (HostsError, OSError) as error:
            self.say(str(error), "error")
        else:
            self.choose(new)

    def show_commands(self, name: str) -> None:
        """Those that install the agent by hand, once their wheels are made."""
        workers.begin(self, partial(self._commands, name), "how to install", newest=True)

    async def _commands(self, name: str) -> None:
        from barista_tui.screens.text import TextScreen

        try:
            text = await self.app.host_deeds.commands(name)
        except (HostsError, LinkError, OSError) as error:
            self.say(str(error), "error")
        else:
            self.app.push_screen(TextScreen(f"To install the agent on {name} by hand", text))

    def ask_again(self) -> None:
        """Of the chosen host, which is connected, anew."""
        self._asked = None
        self.show_known()

    def hidden(self) -> frozenset[Key]:
        """Sessions on the chosen host that the list does not show."""
        known = self.known
        return frozenset(
            key
            for key in self.app.main.sessions.wish.hidden
            if key.host == known.name and key.session in known.sessions
        )

    def action_tray(self) -> None:
        """To what takes long."""
        if self._tray.rows:
            self._tray.focus()

    def action_keys(self) -> None:
        """All keys of this screen."""
        from barista_tui.hostwork import STATES, USUAL
        from barista_tui.screens.text import TextScreen

        text = managerkeys.page(managerkeys.HOSTS, self.app.keymap.keys, USUAL) + STATES
        self.app.push_screen(TextScreen("Keys · Hosts", text))

    def action_leave(self) -> None:
        """Back to the sessions."""
        self.dismiss()
