"""The plot's pane: asks for the curves of the selected session, no oftener than they can change."""

from __future__ import annotations

import time
from dataclasses import replace

from textual import on
from textual.app import ComposeResult
from textual.widget import Widget
from textual.worker import Worker

from barista_server.api.link import CallFailed, LinkError
from barista_tui import feeds, titles
from barista_tui.curves import SMOOTHING
from barista_tui.panes.base import Look, Pane
from barista_tui.panes.table import PaneSpec
from barista_tui.store import Key
from barista_tui.widgets.bar import Bar, Piece
from barista_tui.widgets.plot import Plot

PAUSE = 0.25
"""Seconds between two looks at the same curves."""


class PlotPane(Pane):
    """Legend and plot."""

    def __init__(self, spec: PaneSpec) -> None:
        super().__init__(spec)
        self.plot = Plot(id="plot")
        self._legend = Bar(id="plot-legend")
        self._mark: tuple[object, ...] = ()
        self._due = False
        self._busy = False
        self._fetching: tuple[Key, Worker[None]] | None = None
        """Whose curves are being waited for."""
        self._time = 0.0

    def compose(self) -> ComposeResult:
        yield self._legend
        yield self.plot

    def show(self, look: Look) -> None:
        session = look.session
        if session is None:
            self.plot.show(None)
            return
        self.plot.show(look.key, titles.nothing_to_plot(session))
        tests = tuple(session.tests.items())
        mark = (look.key, session.iteration, len(session.runs), session.state, tests, look.linked)
        if mark != self._mark:
            self._mark = mark
            self.want()

    def head(self) -> list[Piece]:
        return titles.plot(self.plot.view, self.plot.zoomed)

    def goal(self) -> Widget:
        return self.plot

    def back(self) -> bool:
        zoomed = self.plot.zoomed
        if zoomed:
            self.plot.reset_range()
        return zoomed

    @on(Plot.StatusChanged)
    def _status_changed(self) -> None:
        self._legend.show(self.plot.legend())
        self.post_message(self.HeadChanged())

    @on(Plot.Wanted)
    def want(self) -> None:
        """Curves, soon, unless it is hidden; wanted while busy, they are fetched once more."""
        # Its size may have changed, and with it how much the legend can say.
        self._legend.show(self.plot.legend())
        self._due = True
        if self._fetching is not None and self._fetching[0] != self.plot.session:
            # Another host than that of the session before may answer sooner.
            self._fetching[1].cancel()
            self._fetching, self._busy = None, False
        self._pump()

    def _pump(self) -> None:
        if not self._due or self._busy:
            return
        if not self.shown:
            self._mark = ()
            return
        wait = self._time + PAUSE - time.monotonic()
        self._busy = True
        if wait > 0:
            self.set_timer(wait, self._start)
        else:
            self._start()

    def _start(self) -> None:
        self._due = False
        key = self.plot.session
        if key is None:
            self._busy = False
            return
        worker = self.main.run_worker(self._fetch(key), group="plot", exit_on_error=False)
        self._fetching = (key, worker)

    async def _fetch(self, key: Key) -> None:
        view = self.plot.view
        self._time = time.monotonic()
        try:
            host = self.app.fleet.of(key)
            self.plot.take(key, await feeds.curves(host, key.session, view, self.plot.buckets), view)
        except (CallFailed, LinkError, KeyError):
            pass
        self._fetching, self._busy = None, False
        self._pump()

    # ---------------------------------------------------------------------------------- actions

    def scale(self) -> None:
        """Linear or logarithmic."""
        self.plot.set_view(replace(self.plot.view, log=not self.plot.view.log))

    def cycle_axis(self) -> None:
        """Iterations, or training time."""
        self.plot.cycle_axis()

    def smooth(self) -> None:
        """Off, a little, much."""
        view = self.plot.view
        self.plot.set_view(replace(view, smooth=(view.smooth + 1) % len(SMOOTHING)))

    def zoom(self, factor: float) -> None:
        """Narrow or widen the range."""
        self.plot.zoom(factor)

    def pan(self, part: float) -> None:
        """Move the range."""
        self.plot.pan(part)

    def reset_range(self) -> None:
        """All of it."""
        self.plot.reset_range()
