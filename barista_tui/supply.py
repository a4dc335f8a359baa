"""Fetches for the panes what they ask for: one request at a time a pane, and nothing that nobody sees."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from barista_tui import feeds
from barista_tui.fleet import Fleet
from barista_tui.host import CallFailed, LinkError
from barista_tui.lines import Source, Window
from barista_tui.listing import SessionRow
from barista_tui.store import Key

if TYPE_CHECKING:
    from barista_tui.screens.main import MainScreen

PLOT_PAUSE = 0.25
"""Seconds between two looks at the same curves."""

SPARKS_AT_ONCE = 8


class Supply:
    """Runs as workers of the main screen. A lost link ends a fetch silently: the header tells about it."""

    def __init__(self, screen: MainScreen, fleet: Fleet) -> None:
        self._screen = screen
        self._fleet = fleet
        self._plot_due = False
        self._plot_busy = False
        self._plot_time = 0.0
        self._spark_at: dict[Key, int] = {}

    def lines(self, source: Source, window: Window) -> None:
        """Log lines for the console."""
        self._screen.run_worker(self._fetch_lines(source, window), group="lines", exit_on_error=False)

    async def _fetch_lines(self, source: Source, window: Window) -> None:
        try:
            reply = await feeds.lines(self._fleet.of(source.key), source, window)
        except (CallFailed, LinkError):
            self._screen.console.refused()
            return
        self._screen.console.take(source, reply.start, reply.total, reply.lines)

    def want_plot(self) -> None:
        """Curves for the plot, soon, unless it is hidden; wanted while busy, they are fetched once more."""
        self._plot_due = True
        self._pump_plot()

    def _pump_plot(self) -> None:
        if not self._plot_due or self._plot_busy or not self._screen.plot_visible():
            return
        wait = self._plot_time + PLOT_PAUSE - time.monotonic()
        self._plot_busy = True
        if wait > 0:
            self._screen.set_timer(wait, self._start_plot)
        else:
            self._start_plot()

    def _start_plot(self) -> None:
        self._plot_due = False
        self._screen.run_worker(self._fetch_plot(), group="plot", exit_on_error=False)

    async def _fetch_plot(self) -> None:
        plot = self._screen.plot
        session, view = plot.session, plot.view
        self._plot_time = time.monotonic()
        try:
            if session is not None:
                host = self._fleet.of(session)
                plot.take(session, await feeds.curves(host, session.session, view, plot.buckets), view)
        except (CallFailed, LinkError):
            pass
        finally:
            self._plot_busy = False
        self._pump_plot()

    def sparks(self) -> None:
        """The small curves of the rows that are visible and have moved on."""
        rows = self._screen.list
        width = rows.columns.spark
        if not width:
            return
        known = self._screen.app.store.known
        top = rows.scroll_offset.y
        stale: dict[str, list[SessionRow]] = {}
        for row in rows.model.rows[top : top + rows.size.height]:
            if not isinstance(row, SessionRow) or not known.host(row.key.host).alive:
                continue
            if row.session.iteration and self._spark_at.get(row.key) != row.session.iteration:
                stale.setdefault(row.key.host, []).append(row)
        for host, some in stale.items():
            # A group for each host: a slow one holds up its own rows alone.
            fetch = self._fetch_sparks(some[:SPARKS_AT_ONCE], width)
            self._screen.run_worker(fetch, group=f"sparks {host}", exclusive=True, exit_on_error=False)

    async def _fetch_sparks(self, some: Sequence[SessionRow], width: int) -> None:
        try:
            for key, session in [(row.key, row.session) for row in some]:
                self._screen.sparks[key] = await feeds.spark(self._fleet.of(key), key.session, width)
                self._spark_at[key] = session.iteration
        except (CallFailed, LinkError):
            return
        self._screen.show_known()
