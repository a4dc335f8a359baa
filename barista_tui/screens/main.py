"""The main screen: list, plot and console, and what the keys do to them."""

from __future__ import annotations

import time
from collections.abc import Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Input
from textual.worker import Worker, WorkerState

from barista_server.api.messages import Notice, SessionInfo
from barista_tui import looks, rows, titles
from barista_tui.actions import ACTIONS, BY_ID, label
from barista_tui.allowed import Context, Pane
from barista_tui.commands import Commands, failure_text
from barista_tui.deeds import Deeds
from barista_tui.host import CallFailed, LinkError
from barista_tui.lines import Source, shown_log
from barista_tui.listing import Wish, listed
from barista_tui.store import Key, Known
from barista_tui.supply import Supply
from barista_tui.titles import PANES
from barista_tui.widgets.bar import Bar
from barista_tui.widgets.console import KINDS, Console
from barista_tui.widgets.plot import Plot
from barista_tui.widgets.session_list import ListModel, SessionList

if TYPE_CHECKING:
    from barista_tui.app import BaristaApp

WIDE = 110
"""Columns from which all panes stand side by side."""

OWN = "Barista"
"""Caller of this program's own notices."""

LEAST_PREVIEW = 10
"""Rows that the plot needs below the list to be worth it."""


def bindings() -> list[BindingType]:
    """The action table as key bindings of the screen; pane-only keys go to their pane by the focus."""
    return [
        Binding(",".join(action.keys), f"do('{action.id}')", action.label, show=False) for action in ACTIONS
    ]


class MainScreen(Screen[None]):
    """Composes the panes, turns what is known into what they show, and actions into commands."""

    app: BaristaApp

    BINDINGS = bindings()
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-wide")]
    AUTO_FOCUS = "SessionList"

    CSS_PATH = None

    def __init__(self, title: str) -> None:
        super().__init__()
        self.heading = title
        self._pane: Pane = "sessions"
        self.wish = Wish()
        self.kinds = "all lines"
        self.sparks: dict[Key, tuple[float, ...]] = {}
        self._shown_point: tuple[object, ...] = ()
        self._log_mark: tuple[object, ...] = ()
        self._newest_notice: float | None = None
        self._wanted: tuple[str, str | None] | None = None
        self._list_pane = Vertical(id="sessions-pane")
        self._said: dict[str, float] = {}
        """Messages that stand at the screen's edge, and until when."""

    # ---------------------------------------------------------------------------------- composition

    def compose(self) -> ComposeResult:
        yield Bar(id="header")
        with Horizontal(id="top"):
            with self._list_pane:
                yield Bar(id="sessions-title")
                yield Bar(id="sessions-heading")
                yield SessionList(id="sessions")
                yield Input(placeholder="filter: words of id, name, state, host", id="filter", compact=True)
            with Vertical(id="plot-pane"):
                yield Bar(id="plot-title")
                yield Bar(id="plot-legend")
                yield Plot(id="plot")
        with Vertical(id="console-pane"):
            yield Bar(id="console-title")
            yield Console(id="console")
        yield Bar(id="footer")

    def on_mount(self) -> None:
        self.list = self.query_one(SessionList)
        self.plot = self.query_one(Plot)
        self.console = self.query_one(Console)
        self.filter_input = self.query_one("#filter", Input)
        self.filter_input.display = False
        self._bars = {bar.id or "": bar for bar in self.query(Bar)}
        self.commands = Commands(self.app.fleet, self.app.store, self.say)
        self._deeds = Deeds(self, self.commands)
        self._supply = Supply(self, self.app.fleet)
        looks.restore(self, self.app.settings)
        self._place()
        self.show_known()
        self.set_interval(1.0, self._tick)

    def on_resize(self) -> None:
        self._place()
        self.call_after_refresh(self.show_known)

    @property
    def wide(self) -> bool:
        """All panes are visible at once."""
        return self.size.width >= WIDE

    @property
    def preview(self) -> bool:
        """The list is the only pane, and so short that the plot is shown below it."""
        rows_left = self.size.height - 2 - self._list_height
        return self._pane == "sessions" and not self.wide and self._count > 0 and rows_left >= LEAST_PREVIEW

    @property
    def _count(self) -> int:
        return len(self.app.store.known.sessions)

    @property
    def _list_height(self) -> int:
        """Rows of a list above a preview: titles, sessions, one to breathe; three sessions at least, so that
        it does not move with each of the first ones."""
        return 3 + max(3, self._count)

    def _place(self) -> None:
        for pane in PANES:
            self.set_class(self._pane == pane, f"-{pane}")
        preview = self.preview
        if preview != self.has_class("-preview"):
            self.set_class(preview, "-preview")
            self.want_plot()
        self._list_pane.styles.height = self._list_height if preview else "1fr"

    # ---------------------------------------------------------------------------------- what is known → panes

    @property
    def session(self) -> SessionInfo | None:
        """The selected session."""
        key = self.list.selected
        return self.app.store.known.sessions.get(key) if key is not None else None

    @property
    def host_name(self) -> str:
        """The host that is meant: the selected session's, the selected one, or the first."""
        key = self.list.selected
        return key.host if key is not None and key.host in self.app.fleet else self.app.fleet.names[0]

    def context(self) -> Context:
        """What the action table decides by."""
        known = self.app.store.known
        host = known.host(self.host_name)
        return Context(
            session=self.session,
            host=host.name,
            link=host.link,
            viewer=host.role == "viewer",
            lost=any(each.link.state == "lost" for each in known.hosts.values()),
            several=len(known.hosts) > 1,
            pane=self._pane,
            plot_shown=self.plot_visible(),
            console_shown=self.wide or self._pane == "console",
            can_undo=bool(self.commands.trash),
            filtered=bool(self.wish.words),
            grouped=self.wish.grouped,
            queue_length=sum(one.queued is not None for one in host.sessions.values()),
        )

    def show_known(self) -> None:
        """Bring every pane up to what the store knows."""
        self._place()
        known = self.app.store.known
        sessions = known.sessions
        self.list.show(
            ListModel(
                rows=listed(known, self.wish, self.app.now(), self.sparks),
                longest_name=max(map(rows.name_length, sessions.values()), default=12),
                longest_id=max((len(key.session) for key in sessions), default=2),
                longest_host=None if self.wish.grouped else max(map(len, known.hosts)),
                sort=self.wish.sort,
                empty=titles.empty_list(known, self.wish.words, self.app.now()),
            )
        )
        if self._wanted is not None:
            words, host = self._wanted
            for key, session in sessions.items():
                if words in (session.id, session.name) and host in (None, key.host):
                    self._wanted = None
                    self.list.select(key)
                    break
        self.console.show_notices(known.notices)
        self._tell_errors(known)
        self.show_session()
        self._titles()

    def _tell_errors(self, known: Known) -> None:
        """Errors of agent and host that came while this screen was there are said at once."""
        if known.notices and self._newest_notice is not None:
            for notice in known.notices:
                new = notice.time > self._newest_notice and notice.caller != OWN
                if notice.kind == "error" and new:
                    self.say(f"{notice.caller}: {notice.text}", "error")
        if any(host.epoch for host in known.hosts.values()):
            self._newest_notice = max((notice.time for notice in known.notices), default=0.0)

    def show_session(self) -> None:
        """Point plot and console to the selected session; ask for what is new of it."""
        session, key = self.session, self.list.selected
        if session is None or key is None:
            self.plot.show(None)
            self.console.show_log(None)
            self.console.empty = ()
            return
        # What could not be had while the link was lost is asked for again when it is back.
        link = self.app.store.known.host(key.host).link
        linked = link.since if link.state == "alive" else None
        empty = titles.nothing_to_plot(session)
        self.plot.show(key, empty)
        run = shown_log(session)
        if run is None:
            self.console.empty = ("No log yet: space starts the training.",)
            self.console.show_log(None)
        else:
            none = f"No {self.kinds} in this log: f shows the other lines."
            self.console.empty = (none if KINDS[self.kinds] else "No lines yet.",)
            source = Source(key, run.number, KINDS[self.kinds])
            mark = (source, run.lines, run.log_size, linked)
            if source != self.console.source:
                self.console.show_log(source)
            elif mark != self._log_mark:
                self.console.poke()
            self._log_mark = mark
        tests = tuple(session.tests.items())
        point = (key, session.iteration, len(session.runs), session.state, tests, linked)
        if point != self._shown_point:
            self._shown_point = point
            self.want_plot()

    # ---------------------------------------------------------------------------------- titles

    def _titles(self) -> None:
        known, active, wide, session = self.app.store.known, self._pane, self.wide, self.session
        bar = self._bars
        bar["header"].show(*titles.header(self.heading, known, self.app.now(), wide))
        counts = (len(self.list.model.sessions), len(known.sessions))
        bar["sessions-title"].show(*titles.sessions(active, wide, *counts, self.wish.words))
        bar["sessions-heading"].show(titles.columns(self.list.heading_cells()))
        alone = not (wide or self.preview)
        bar["plot-title"].show(*titles.plot(active, not alone, session, self.plot.view, self.plot.zoomed))
        bar["plot-legend"].show(self.plot.legend())
        console = self.console
        look = titles.ConsoleLook(console.showing, self.kinds, console.follow, console.unseen, console.total)
        bar["console-title"].show(*titles.console(active, wide, session, look))
        bar["footer"].show(*titles.footer(self.context(), wide))

        self.app.remember(looks.present(self))

    @on(Console.StatusChanged)
    @on(Plot.StatusChanged)
    def _status_changed(self) -> None:
        self._titles()

    def _tick(self) -> None:
        if self.app.store.known.stale:
            self.show_known()
        else:
            self._titles()
        self._supply.sparks()

    # ---------------------------------------------------------------------------------- what panes need

    @on(Console.Wanted)
    def _lines_wanted(self, message: Console.Wanted) -> None:
        self._supply.lines(message.source, message.window)

    @on(Plot.Wanted)
    def want_plot(self) -> None:
        """The curves may be out of date: fetch them soon, unless nobody sees them."""
        self._supply.want_plot()

    def plot_visible(self) -> bool:
        """Somebody can see the plot."""
        return self.wide or self._pane == "plot" or self.preview

    @on(Worker.StateChanged)
    def _worker_ended(self, event: Worker.StateChanged) -> None:
        if event.state is WorkerState.ERROR:
            self.say(f"A mistake of this program, in {event.worker.group}: {event.worker.error!r}", "error")

    # ---------------------------------------------------------------------------------- deeds

    def action_do(self, name: str) -> None:
        """Carry out an action of the table, or say why not."""
        action = BY_ID[name]
        refused = action.refused(self.context())
        if refused:
            self.say(f"{label(action, self.context())}: {refused}", "warning")
        else:
            action.handler(self._deeds)
            self._titles()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that belong to one pane are free for others elsewhere."""
        if action == "do":
            pane = BY_ID[str(parameters[0])].pane
            return pane is None or pane == self._pane
        return super().check_action(action, parameters)

    def ask_agent(self, deed: Coroutine[Any, Any, None], what: str) -> None:
        """Run a command; when it fails, say what did not happen and why."""
        self.run_worker(self._guarded(deed, what), group="commands", exit_on_error=False)

    async def _guarded(self, deed: Coroutine[Any, Any, None], what: str) -> None:
        try:
            await deed
        except CallFailed as error:
            self._fail(f"{what}.\n{failure_text(error.failure)}")
        except LinkError as error:
            self._fail(f"{what}.\n{error}")
        self.show_known()

    def _fail(self, text: str) -> None:
        """Say it, and keep it among the notices: it can be read again."""
        self.say(text, "error")
        self.app.store.noticed(Notice(time=self.app.now(), caller=OWN, kind="error", text=text))

    def say(self, text: str, severity: Literal["information", "warning", "error"]) -> None:
        """A message at the screen's edge; one that still stands there is not said again."""
        now = time.monotonic()
        self._said = {each: end for each, end in self._said.items() if end > now}
        if text not in self._said:
            timeout = 8 if severity != "information" else 5
            self._said[text] = now + timeout
            self.notify(text, severity=severity, markup=False, timeout=timeout)

    @on(Bar.Pressed)
    def _bar_pressed(self, message: Bar.Pressed) -> None:
        what, _, name = message.action.partition(":")
        if what == "sort":
            self.sort_by(name)
        elif what == "lamp":
            self.app.fleet.relink(name)
        else:
            self.action_do(message.action)

    @on(SessionList.Opened)
    def _opened(self) -> None:
        self.action_do("open")

    @on(SessionList.Selected)
    def _selected(self) -> None:
        self.show_session()
        self._titles()

    def want(self, session: str, host: str | None = None) -> None:
        """Select a session by id or name, as soon as it is known."""
        self._wanted = (session, host)
        if self.is_mounted:
            self.show_known()

    def wish_for(self, wish: Wish) -> None:
        """Filter, sort, group or fold the list differently."""
        self.wish = wish
        self.show_known()

    def sort_by(self, order: str) -> None:
        """Sort the list."""
        self.wish_for(replace(self.wish, sort=order))

    def group(self, grouped: bool) -> None:
        """Sessions below their hosts, or in one list."""
        self.wish_for(replace(self.wish, grouped=grouped))

    def fold(self, host: str) -> None:
        """Hide or show a host's sessions; the host is selected, since they may go."""
        self.wish_for(replace(self.wish, folded=self.wish.folded ^ {host}))
        if host in self.wish.folded:
            self.list.select(Key(host))

    def show_kinds(self, kinds: str) -> None:
        """Filter the console."""
        self.kinds = kinds
        self.show_known()

    # ---------------------------------------------------------------------------------- panes

    def show_pane(self, pane: Pane) -> None:
        """Make a pane the active one; in the narrow layout the only one."""
        self._pane = pane
        self._place()
        # At once, not by a message: keys typed ahead belong to the new pane.
        self.set_focus(self.query_one(f"#{pane}"))
        self.show_known()
        if pane == "plot":
            self.want_plot()

    def next_pane(self, step: int) -> None:
        """Cycle through the panes."""
        self.show_pane(PANES[(PANES.index(self._pane) + step) % len(PANES)])

    def on_descendant_focus(self) -> None:
        """A click focuses its pane."""
        for pane in PANES:
            if self.focused is not None and self.focused.id == pane and pane != self._pane:
                self._pane = pane
                self._place()
                self._titles()

    def back(self) -> None:
        """One layer back: filter being typed, zoom, filter, pane."""
        if self.focused is self.filter_input:
            self.filter_input.value = ""
            self._close_filter()
        elif self._pane == "plot" and self.plot.zoomed:
            self.plot.reset_range()
        elif self.wish.words:
            self.filter_input.value = ""
            self.wish_for(replace(self.wish, words=""))
        else:
            self.show_pane("sessions")

    # ---------------------------------------------------------------------------------- filter

    def open_filter(self) -> None:
        """Ask for the words to filter by."""
        self.show_pane("sessions")
        self.filter_input.display = True
        self.set_focus(self.filter_input)

    @on(Input.Changed, "#filter")
    def _filter_changed(self, message: Input.Changed) -> None:
        self.wish_for(replace(self.wish, words=message.value.strip()))

    @on(Input.Submitted, "#filter")
    def _close_filter(self) -> None:
        self.set_focus(self.list)
        self.filter_input.display = False
