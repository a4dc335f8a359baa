"""The console's pane: which log it shows, through which filter, and where its lines come from."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.widget import Widget

from barista_server.api.link import CallFailed, LinkError
from barista_tui import feeds, titles
from barista_tui.allowed import cause_line
from barista_tui.lines import Source, Window, shown_log
from barista_tui.panes.base import Look, Pane
from barista_tui.panes.table import PaneSpec
from barista_tui.widgets.bar import Piece
from barista_tui.widgets.console import KINDS, Console


class ConsolePane(Pane):
    """The selected session's log, or the notices of all hosts."""

    def __init__(self, spec: PaneSpec) -> None:
        super().__init__(spec)
        self.console = Console(id="console")
        self.kinds = "all lines"
        self._mark: tuple[object, ...] = ()
        self._look: Look | None = None

    def compose(self) -> ComposeResult:
        yield self.console

    def show(self, look: Look) -> None:
        self._look = look
        console, session = self.console, look.session
        console.show_notices(look.known.notices)
        if session is None or look.key is None:
            console.show_log(None)
            console.empty = ()
            return
        run = shown_log(session)
        if run is None:
            console.empty = ("No log yet: space starts the training.",)
            console.show_log(None)
            return
        none = f"No {self.kinds} in this log: f shows the other lines."
        console.empty = (none if KINDS[self.kinds] else "No lines yet.",)
        source = Source(look.key, run.number, KINDS[self.kinds])
        mark = (source, run.lines, run.log_size, look.linked)
        if source != console.source:
            console.show_log(source)
        elif mark != self._mark:
            console.poke()
        self._mark = mark

    def head(self) -> list[Piece]:
        console = self.console
        look = titles.ConsoleLook(
            console.showing, self.kinds, console.follow, console.unseen, console.total, self.main.shape.wide
        )
        return titles.console(self._look.session if self._look else None, look)

    def goal(self) -> Widget:
        return self.console

    @on(Console.StatusChanged)
    def _status_changed(self) -> None:
        self.post_message(self.HeadChanged())

    @on(Console.Wanted)
    def _lines_wanted(self, message: Console.Wanted) -> None:
        lines = self._fetch(message.source, message.window)
        self.main.run_worker(lines, group="lines", exit_on_error=False)

    async def _fetch(self, source: Source, window: Window) -> None:
        try:
            reply = await feeds.lines(self.app.fleet.of(source.key), source, window)
        except (CallFailed, LinkError, KeyError):
            self.console.refused()
            return
        self.console.take(source, reply.start, reply.total, reply.lines)

    # ---------------------------------------------------------------------------------- actions

    def set_follow(self) -> None:
        """Go to the last line and stay there."""
        self.console.set_follow()

    def cause(self) -> None:
        """Go to the line that tells why the session failed."""
        session = self._look.session if self._look else None
        line = cause_line(session) if session is not None else None
        if line is not None:
            self.console.switch("log")
            self.show_kinds("all lines")
            self.console.reveal(line - 1)

    def switch(self) -> None:
        """The log, or the notices."""
        self.console.switch("log" if self.console.showing == "notices" else "notices")
        self.main.show_known()

    def next_kinds(self) -> None:
        """The next filter."""
        names = list(KINDS)
        self.show_kinds(names[(names.index(self.kinds) + 1) % len(names)])

    def show_kinds(self, kinds: str) -> None:
        """Filter the lines."""
        self.kinds = kinds
        if self._look is not None:
            self.show(self._look)
        self.post_message(self.HeadChanged())

    def raw(self) -> None:
        """Log lines just as caffe wrote them, or without what glog puts before them."""
        self.console.set_raw(not self.console.raw)
