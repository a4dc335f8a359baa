"""The main screen: lays the panes out, gives them what is known, and turns keys into actions."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, cast

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingsMap
from textual.geometry import Region, Size

from barista_server.api.messages import CancelHash, DatasetReply, SessionInfo
from barista_tui import looks, titles
from barista_tui.actions import ACTIONS, BY_ID, MENUS, label
from barista_tui.allowed import Context
from barista_tui.commands import Commands
from barista_tui.deeds import Deeds
from barista_tui.frame import Shape, Shares
from barista_tui.panes.base import Look, Pane
from barista_tui.panes.console import ConsolePane
from barista_tui.panes.plot import PlotPane
from barista_tui.panes.sessions import SessionsPane
from barista_tui.panes.table import PANES, SPECS
from barista_tui.screens.acting import ActingScreen
from barista_tui.store import HostKnown, Key
from barista_tui.widgets.bar import Bar
from barista_tui.widgets.console import Console
from barista_tui.widgets.frame import Divider, PaneFrame
from barista_tui.widgets.plot import Plot
from barista_tui.widgets.session_list import SessionList
from barista_tui.widgets.tray import Tray

if TYPE_CHECKING:
    from barista_tui.app import BaristaApp


FOUND = ("help", "menu", "palette", "back")
"""Who has found one of these needs no hint any more."""


class MainScreen(ActingScreen):
    """Composes the panes, gives them what is known, and carries out actions of the table."""

    app: BaristaApp
    AUTO_FOCUS = "SessionList"
    CSS_PATH = None

    def __init__(self, title: str) -> None:
        super().__init__()
        self.heading = title
        self.active = "sessions"
        """The pane with the focus."""
        self.tab = "plot"
        self.shares = Shares()
        self.hinted = False
        self._panes: dict[str, Pane] = {}
        self._fresh: set[str] = set()
        """Panes that were seen when something was told last."""
        self._bars = {name: Bar(id=name) for name in ("header", "strip", "dock-title", "hint", "footer")}
        self._frame = PaneFrame(id="panes")
        self._tray = Tray(id="tray")
        self.sessions = cast(SessionsPane, self.pane("sessions"))
        self.plot_pane = cast(PlotPane, self.pane("plot"))
        self.console_pane = cast(ConsolePane, self.pane("console"))

    # ---------------------------------------------------------------------------------- composition

    def compose(self) -> ComposeResult:
        yield self._bars["header"]
        with self._frame:
            yield Divider("vertical", id="divider")
            yield Divider("horizontal", id="dock-divider")
            yield self._bars["strip"]
            yield self._bars["dock-title"]
            yield from self._panes.values()
        yield self._bars["hint"]
        yield self._tray
        yield self._bars["footer"]

    def on_mount(self) -> None:
        self._bindings = self._keys()
        self.commands = Commands(self.app.fleet, self.app.store, self.say)
        self._deeds = Deeds(self, self.commands)
        looks.restore(self, self.app.settings)
        self.show_known()
        self.set_interval(1.0, self._tick)

    def _keys(self) -> BindingsMap:
        """The table's keys, or the person's; those of one pane come before others with the same key."""
        keys = self.app.keymap.keys
        ranked = sorted(ACTIONS, key=lambda action: action.pane is None)
        wanted = [(action, keys.get(action.id, action.keys)) for action in ranked]
        return BindingsMap(
            [Binding(",".join(each), f"do('{action.id}')", id=action.id) for action, each in wanted if each]
        )

    def on_resize(self) -> None:
        if self.tab not in SPECS or (self.shape.docked and self.tab == "console"):
            self.tab = "plot"
        self.call_after_refresh(self.show_known)

    def pane(self, name: str) -> Pane:
        """The pane of that name, made when it is first asked for."""
        if name not in self._panes:
            spec = SPECS[name]
            module, _, kind = spec.where.partition(":")
            made: Pane = getattr(importlib.import_module(module), kind)(spec)
            self._panes[name] = made
            if self._frame.is_attached:  # From the start on: the tab of the last time may be any.
                self._frame.mount(made)
        return self._panes[name]

    @property
    def shape(self) -> Shape:
        """How the panes are laid out now."""
        taken = 2 + self._tray.rows + (not self.hinted)
        size = Size(self.size.width, max(0, self.size.height - taken))
        rows = self.sessions.rows_wanted
        return Shape(size, self.tab, self.active, rows, self.shares)

    @property
    def list(self) -> SessionList:
        """The list of sessions."""
        return self.sessions.list

    @property
    def plot(self) -> Plot:
        """The plot."""
        return self.plot_pane.plot

    @property
    def console(self) -> Console:
        """The console."""
        return self.console_pane.console

    # ---------------------------------------------------------------------------------- what is known → panes

    @property
    def key(self) -> Key | None:
        """The selected row."""
        return self.list.selected

    @property
    def session(self) -> SessionInfo | None:
        """The selected session."""
        return self.app.store.known.sessions.get(self.key) if self.key is not None else None

    @property
    def host_name(self) -> str:
        """The host that is meant: the selected session's, the selected one, or the first."""
        return (
            self.key.host
            if self.key is not None and self.key.host in self.app.fleet
            else self.app.fleet.names[0]
        )

    @property
    def look(self) -> Look:
        """What the panes look at."""
        known = self.app.store.known
        return Look(self.key, self.session, known.host(self.host_name), known)

    def context(self) -> Context:
        """What the action table decides by."""
        known, shape = self.app.store.known, self.shape
        host = known.host(self.host_name)
        seen = [pane for name, pane in self._panes.items() if name in shape.shown]
        return Context(
            session=self.session,
            host=host.name,
            link=host.link,
            viewer=host.role == "viewer",
            lost=any(each.link.state == "lost" for each in known.hosts.values()),
            key_unknown=any(each.link.cause == "key-unknown" for each in known.hosts.values()),
            any_alive=any(each.alive and each.role == "owner" for each in known.hosts.values()),
            elsewhere=any(
                each.alive and each.role == "owner" and each.name != host.name
                for each in known.hosts.values()
            ),
            several=len(known.hosts) > 1,
            pane=self.active,
            shown=shape.shown,
            wide=shape.wide,
            docked=shape.docked,
            facts={pane.spec.name: pane.facts() for pane in seen},
            keys=self.app.keymap.keys,
            marked=self.sessions.marked,
            can_undo=bool(self.commands.trash),
            filtered=bool(self.sessions.wish.words),
            grouped=self.sessions.wish.grouped,
            hidden=bool(self.sessions.wish.hidden),
            project=self.app.project.stem if self.app.project else "",
            working=self._tray.rows > 0,
            queue_length=sum(one.queued is not None for one in host.sessions.values()),
        )

    def show_known(self) -> None:
        """Bring every pane that can be seen up to what the store knows."""
        if not self.is_attached or not hasattr(self, "commands"):
            return
        known = self.app.store.known
        self.sessions.show_known(known)
        self._tray.show(self.app.works.lines(known, self.stop_hashing))
        self.tell_errors(known)
        self.show_session()

    def show_session(self) -> None:
        """Bring the panes up to the selected session."""
        shape, look = self.shape, self.look
        self._frame.take(shape)
        for name in shape.shown - {"sessions"}:
            self.pane(name).show(look)
        self.show_titles()

    # ---------------------------------------------------------------------------------- titles

    @on(Pane.HeadChanged)
    def show_titles(self) -> None:
        """Header, strip of tabs, footer."""
        if not self.is_attached or not hasattr(self, "commands"):
            return
        known, shape, bars = self.app.store.known, self.shape, self._bars
        now = self.app.now()
        session = self.session if not shape.wide and self.active != "sessions" else None
        bars["header"].show(*titles.header(self.heading, session, known, now, self.size.width))
        right = self.pane(shape.tab if shape.wide else shape.active).head()
        width = shape.regions()["strip"].width
        bars["strip"].show(*titles.strip(shape, right, width))
        if shape.docked:
            bars["dock-title"].show(titles.dock(shape), self.console_pane.head())
        context = self.context()
        bars["hint"].display = not self.hinted
        if not self.hinted:
            bars["hint"].show(*titles.hint(context))
        bars["footer"].show(*titles.footer(context, shape.wide))
        self.app.remember(looks.present(self))

    def _tick(self) -> None:
        if self.app.store.known.stale or self.app.works.any:
            self.show_known()
        else:
            self.show_titles()
        self.sessions.fetch_sparks()

    # ---------------------------------------------------------------------------------- deeds

    def action_do(self, name: str) -> None:
        """Carry out an action of the table, or say why not."""
        action = BY_ID[name]
        if name in FOUND:
            self.hinted = True
        refused = action.refused(self.context())
        if refused:
            self.say(f"{label(action, self.context())}: {refused}", "warning")
        else:
            action.handler(self._deeds)
            self.show_titles()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that belong to one pane are free for others elsewhere."""
        if action == "do":
            pane = BY_ID[str(parameters[0])].pane
            return pane is None or pane == self.active
        return super().check_action(action, parameters)

    def acted(self) -> None:
        self.show_known()

    def start_from(self, iteration: int) -> None:
        """Start the selected session from a snapshot."""
        if self.session is not None:
            start = self.commands.start(self.host_name, self.session, iteration)
            self.ask_agent(start, f"{self.session.name} was not started")

    def stop_hashing(self, dataset: Key) -> None:
        """End the hashing of a dataset, named by host and id."""
        cancel = self.app.fleet.of(dataset).call(CancelHash(dataset=dataset.session), DatasetReply)
        self.ask_agent(cancel, "It is still being hashed")

    def go_to_work(self) -> None:
        """The tray gets the focus."""
        self.set_focus(self._tray)

    @on(Bar.Pressed)
    def _bar_pressed(self, message: Bar.Pressed) -> None:
        what, _, name = message.action.partition(":")
        match what:
            case "sort":
                self.sessions.sort_by(name)
            case "lamp":
                self._lamp_pressed(self.app.store.known.host(name))
            case "menu":
                self._deeds.open_menu(name)
            case _:
                self.action_do(message.action)

    def _lamp_pressed(self, host: HostKnown) -> None:
        if host.link.state == "offline":
            self.app.toggle_link(host.name)
        elif host.link.cause == "key-unknown":
            self._deeds.trust()
        else:
            self.app.fleet.relink(host.name)

    @on(SessionList.Opened)
    def _opened(self) -> None:
        self.action_do("open")

    @on(SessionList.MenuWanted)
    def _menu_wanted(self) -> None:
        self._deeds.open_context()

    @on(SessionList.Selected)
    def _selected(self) -> None:
        self.show_session()

    def want(self, session: str, host: str | None = None) -> None:
        """Select a session by id or name, as soon as it is known."""
        self.sessions.want(session, host)

    # ---------------------------------------------------------------------------------- panes

    def show_pane(self, name: str) -> None:
        """Make a pane the active one; in the narrow layout the only one."""
        self.active = name
        if name != "sessions" and not (name == "console" and self.shape.docked):
            self.tab = name
        pane = self.pane(name)
        self.show_session()
        # At once, not by a message: keys typed ahead belong to the new pane.
        self.set_focus(pane.goal())

    def places(self) -> dict[str, Region]:
        """Where the panes lie that can be gone to: those that can be seen, and the tabs."""
        shape = self.shape
        top = self._frame.region.offset
        placed = shape.regions()
        seen = {name: placed[name].translate(top) for name in sorted(shape.shown)}
        strip, row = self._bars["strip"], placed["strip"].translate(top)
        for spec in PANES:
            if spec.name not in seen:
                x = strip.place_of(spec.name)
                seen[spec.name] = Region(row.x + x + 1, row.y, 1, 1)
        return {**seen, "tray": self._tray.region} if self._tray.rows else seen

    def menu_columns(self) -> dict[str, int]:
        """Where the menus stand in the header; on a narrow screen one sign stands for all."""
        header = self._bars["header"]
        return {
            name: header.place_of(f"menu:{name}") or header.place_of(f"menu:{MENUS[0]}") for name in MENUS
        }

    def next_pane(self, step: int) -> None:
        """Cycle through the panes that can be seen; on a narrow screen through all."""
        shape = self.shape
        names = [spec.name for spec in PANES if not shape.wide or spec.name in shape.shown]
        self.show_pane(names[(names.index(self.active) + step) % len(names)])

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """A click focuses its pane."""
        name = next(
            (each.spec.name for each in event.widget.ancestors_with_self if isinstance(each, Pane)), None
        )
        if name is not None and name != self.active:
            self.active = name
            self.show_session()

    @on(Tray.HeightChanged)
    def _tray_changed(self) -> None:
        self.show_session()
        if not self._tray.rows and self.focused in (None, self._tray):
            self.show_pane(self.active)

    @on(Divider.Dragged)
    def _dragged(self, message: Divider.Dragged) -> None:
        size = self.shape.size
        if message.divider.id == "divider":
            self.resize_to(list=message.x / max(1, size.width))
        else:
            self.resize_to(dock=1 - (message.y - 1) / max(1, size.height))

    def resize_to(self, list: float | None = None, dock: float | None = None) -> None:
        """Other shares of the room; within limits that leave each pane of use."""
        wanted_list = self.shares.list if list is None else min(max(list, 0.2), 0.8)
        wanted_dock = self.shares.dock if dock is None else min(max(dock, 0.1), 0.8)
        self.shares = Shares(round(wanted_list, 3), round(wanted_dock, 3))
        self.show_session()

    def back(self) -> None:
        """One layer back: what the pane has open, the list's filter, the pane."""
        if self.pane(self.active).back() or (self.active != "sessions" and self.sessions.back()):
            self.show_titles()
        else:
            self.show_pane("sessions")
