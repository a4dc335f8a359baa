"""What several callers say, brought together for the console: asks for the ends of logs as they grow."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from barista_server.api.link import CallFailed, LinkError
from barista_tui import callers, feeds, workers
from barista_tui.consolerows import TYPES
from barista_tui.lines import Source, Window, shown_log
from barista_tui.merging import Merged, Stream
from barista_tui.panes.base import Look

if TYPE_CHECKING:
    from barista_tui.panes.console import ConsolePane

GATHER = 0.1
"""Seconds in which what comes is gathered to one change of the console."""


class MergedFeed:
    """Of one choice of callers and type; made anew for another."""

    def __init__(self, pane: ConsolePane, caller: str, type_: str) -> None:
        self._pane = pane
        self.wanted = (caller, type_)
        self.merged = Merged(pane.app.now)
        self._busy: set[Source] = set()
        self._lines: dict[Source, tuple[object, ...]] = {}
        """Of each log, how it stood when it was asked last."""
        self._due = False
        self._older_waits = False
        """Older lines were wanted while newer ones were on their way."""

    def update(self, look: Look) -> None:
        """Bring it up to what is known."""
        caller, type_ = self.wanted
        if self.merged.take_notices(callers.messages(look.known.notices, caller, type_, look.known)):
            self._changed()
        for key, session in callers.logs(caller, look.known):
            host = look.known.host(key.host)
            run = shown_log(session)
            if run is None or not host.alive:
                continue
            source = Source(key, run.number, TYPES[type_])
            stream = self.merged.stream(source, callers.caller_of(key, session))
            mark = (run.lines, run.log_size, host.link.since)
            if self._lines.get(source) != mark:
                self._lines[source] = mark
                self._ask(stream, self.merged.newer(stream))

    def older(self) -> None:
        """What comes before the first row is wanted."""
        self._older_waits = False
        for stream, window in self.merged.older():
            self._older_waits |= stream.source in self._busy
            self._ask(stream, window)

    def _ask(self, stream: Stream, window: Window) -> None:
        if stream.source in self._busy:
            # Its answer asks on, for what is newer and for what is older.
            return
        self._busy.add(stream.source)
        workers.begin(self._pane.main, partial(self._fetch, stream, window), "merged")

    async def _fetch(self, stream: Stream, window: Window) -> None:
        source = stream.source
        mark = self._lines.get(source)
        try:
            host = self._pane.app.fleet.of(source.key)
            reply = await feeds.lines(host, source, window)
        except (CallFailed, LinkError, KeyError):
            return
        finally:
            self._busy.discard(source)
        if self.merged.take(stream, reply.start, reply.lines):
            self._changed()
        more = stream.begun and stream.high < reply.total
        if self._pane.feed is self and self._pane.shown and (more or self._lines.get(source) != mark):
            self._ask(stream, self.merged.newer(stream))
        elif self._older_waits and self._pane.at_begin:
            self.older()

    def _changed(self) -> None:
        if not self._due:
            self._due = True
            self._pane.set_timer(GATHER, self._tell)

    def _tell(self) -> None:
        self._due = False
        if self._pane.feed is self:
            if self._pane.console.follow:
                self.merged.trim()
            self._pane.refill()
