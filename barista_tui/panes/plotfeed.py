"""Where the curves of one session in the plot come from."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from textual.worker import Worker

from barista_server.api.link import CallFailed, LinkError
from barista_server.api.messages import SeriesKey
from barista_tui import feeds, workers
from barista_tui.store import Key

if TYPE_CHECKING:
    from barista_tui.panes.plot import PlotPane

PAUSE, MOST_PAUSE = 0.25, 2.0
"""Seconds between two looks at the same curves: where there is one session, and at most."""


class Feed:
    """Asks the host of one session, one question at a time and no oftener than the curves can change.

    Each session has its own, so that a slow host holds up nobody's curves but its own sessions'.
    """

    def __init__(self, pane: PlotPane, key: Key) -> None:
        self.key = key
        self.mark: object = None
        """What the curves depended on when they were asked for."""
        self._pane = pane
        self._due = self._busy = False
        self._time = 0.0
        self._worker: Worker[None] | None = None
        self._known: tuple[SeriesKey, ...] = ()

    def want(self, at_once: bool = False) -> None:
        """Curves, soon, unless nobody sees them; wanted while busy, they are fetched once more."""
        self._due = True
        if at_once:
            self._time = 0.0
        self._pump()

    def close(self) -> None:
        """The session is not in the plot any more."""
        self._due = False
        if self._worker is not None:
            self._worker.cancel()

    def _pump(self) -> None:
        if not self._due or self._busy:
            return
        if not self._pane.shown:
            self.mark = None
            return
        self._busy = True
        # Many sessions share the looks that one has, so that a link carries no more for them.
        wait = self._time + min(MOST_PAUSE, PAUSE * self._pane.sessions) - time.monotonic()
        if wait > 0:
            self._pane.set_timer(wait, self._start)
        else:
            self._start()

    def _start(self) -> None:
        self._due = False
        self._worker = workers.begin(self._pane.main, self._fetch, "plot")

    async def _fetch(self) -> None:
        plot = self._pane.plot
        self._time = time.monotonic()
        try:
            host = self._pane.app.fleet.of(self.key)
            ask, choice, origin = plot.ask, plot.choice, self._pane.began(self.key)
            made, self._known = await feeds.curves(host, self.key.session, ask, choice, self._known, origin)
            plot.take(self.key, made, self._known)
        except (CallFailed, LinkError, KeyError):
            pass
        self._busy, self._worker = False, None
        self._pump()
