"""The plot's pane: the curves of the selected session and of all marked ones, whatever hosts they are on."""

from __future__ import annotations

import math

from msgspec.structs import replace
from textual import on
from textual.app import ComposeResult
from textual.widget import Widget

from barista_server.api.messages import SessionInfo
from barista_tui import titles
from barista_tui.allowed import PlotFacts
from barista_tui.panes.base import Look, Pane
from barista_tui.panes.plotfeed import Feed
from barista_tui.panes.table import PaneSpec
from barista_tui.plotting.curves import SMOOTHING, text_of
from barista_tui.store import Key, Known
from barista_tui.widgets.bar import Bar, Piece
from barista_tui.widgets.legend import Legend
from barista_tui.widgets.plot import Plot

MOST_SESSIONS = 16
"""Marked sessions in one plot; of more nobody could tell which is which."""


class PlotPane(Pane):
    """Legend and plot."""

    def __init__(self, spec: PaneSpec) -> None:
        super().__init__(spec)
        self.plot = Plot(id="plot")
        self._legend = Legend(id="plot-legend")
        self._feeds: dict[Key, Feed] = {}
        self._sessions: dict[Key, SessionInfo] = {}
        self._left_out = 0
        """Marked sessions that are not shown, as there are too many."""

    def compose(self) -> ComposeResult:
        yield self._legend
        yield self.plot

    def show(self, look: Look) -> None:
        self._sessions = self._wanted(look)
        for key in self._feeds.keys() - self._sessions.keys():
            self._feeds.pop(key).close()
        first = next(iter(self._sessions.values()), None)
        empty = titles.nothing_to_plot(first) if first is not None else ()
        self.plot.show([(key, session.name) for key, session in self._sessions.items()], empty)
        for key, session in self._sessions.items():
            feed = self._feeds.setdefault(key, Feed(self, key))
            mark = _mark(session, key, look.known)
            if mark != feed.mark:
                feed.mark = mark
                feed.want()

    def _wanted(self, look: Look) -> dict[Key, SessionInfo]:
        """Marked sessions in the order of marking, then the selected one: colours stay when it changes."""
        marked = self.main.sessions.marked
        keys = list(marked[:MOST_SESSIONS])
        if look.key is not None and look.session is not None and look.key not in keys:
            keys.append(look.key)
        self._left_out = len(marked) - len(keys[:MOST_SESSIONS]) if len(marked) > MOST_SESSIONS else 0
        return {key: look.known.sessions[key] for key in keys if key in look.known.sessions}

    @property
    def sessions(self) -> int:
        """How many are shown."""
        return len(self._sessions)

    def began(self, key: Key) -> float:
        """When the session's first run was started; 0 where it was not."""
        session = self._sessions.get(key)
        return session.runs[0].started if session is not None and session.runs else 0.0

    def head(self) -> list[Piece]:
        count = len(self._sessions), len(self._sessions) + self._left_out
        return titles.plot(self.plot.view, self.plot.zoomed, count)

    def facts(self) -> PlotFacts:
        shown = [each for each in self.plot.curves if not each.off]
        chosen = self.plot.chosen_curve
        return PlotFacts(
            curves=len(self.plot.curves),
            right=any(each.right for each in shown),
            clock=self.plot.view.axis == "clock",
            best=chosen is not None and chosen.best is not None,
        )

    def goal(self) -> Widget:
        return self.plot

    def back(self) -> bool:
        if self.plot.zoomed:
            self.plot.reset_range()
            return True
        if self.plot.cursor is not None:
            self.plot.point(None)
            self.plot.choose(None)
            return True
        return False

    @on(Plot.StatusChanged)
    def _status_changed(self) -> None:
        self._legend.show(self.plot.legend())
        self.post_message(self.HeadChanged())

    @on(Plot.Wanted)
    def _want(self) -> None:
        # Its size may have changed, and with it how much the legend can say.
        self._legend.show(self.plot.legend())
        for feed in self._feeds.values():
            feed.want(at_once=True)

    @on(Bar.Pressed)
    def _pressed(self, message: Bar.Pressed) -> None:
        what, _, number = message.action.partition(":")
        if what == "curve":
            message.stop()
            self.plot.toggle_curve(self.plot.curves[int(number)].name)

    # ---------------------------------------------------------------------------------- actions

    def scale(self) -> None:
        """The left axis: linear or logarithmic."""
        self.plot.set_view(replace(self.plot.view, log=not self.plot.view.log))

    def scale_right(self) -> None:
        """The right axis."""
        self.plot.set_view(replace(self.plot.view, log_right=not self.plot.view.log_right))

    def scale_x(self) -> None:
        """The x axis."""
        view = self.plot.view
        self.plot.set_view(replace(view, log_x=not view.log_x, x0=None, x1=None))

    def cycle_axis(self) -> None:
        """Iterations, training time, or the time of day."""
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

    def toggle_series(self) -> None:
        """Switch the curve under the cursor off or on; without curves, what space does elsewhere."""
        if not self.plot.curves:
            self.main.action_do("toggle")
        elif (each := self.plot.chosen_curve) is not None:
            self.plot.toggle_curve(each.name)
        else:
            self.plot.toggle_curve(self.plot.curves[0].name)

    def swap_axis(self) -> None:
        """The metric under the cursor goes to the other y axis, in all sessions."""
        if (each := self.plot.chosen_curve) is not None:
            choice = self.plot.choice
            self.plot.choose(each.name)
            self.plot.set_choice(replace(choice, swapped=choice.swapped ^ {text_of(each.key)}))

    def to_best(self) -> None:
        """The cursor goes to the best value of its curve."""
        if (each := self.plot.chosen_curve) is not None and each.best is not None:
            self.plot.choose(each.name)
            self.plot.point(each.best.x)

    def export(self) -> None:
        """Ask how, and write a file."""
        from barista_tui.panes import plotsave

        plotsave.ask_how(self)

    def to_log(self) -> None:
        """Go to the line of the log that told the point under the cursor, without a cursor the last one;
        without curves, what enter does elsewhere.
        """
        if not self.plot.curves:
            self.main.action_do("open")
            return
        each, cursor = self.plot.chosen_curve, self.plot.cursor
        place = each.nearest(cursor if cursor is not None else math.inf) if each is not None else None
        if each is None or place is None:
            return
        run, line = each.run[place], each.line[place]
        if each.best is not None and cursor == each.best.x:
            # Of the bucket around it, another point may be the last.
            run, line = each.best.run, each.best.line
        if line < 0:
            self.main.say("No line of the log tells of this point", "warning")
        else:
            self.main.console_pane.show_line(each.name.session, run, line)

    def show_point(self, key: Key, iteration: int) -> None:
        """Put the cursor at an iteration of a session, on its first curve."""
        plot = self.plot
        if plot.view.axis != "iteration":
            plot.set_view(replace(plot.view, axis="iteration", x0=None, x1=None))
        view = plot.view
        if plot.zoomed and not ((view.x0 or 0) <= iteration <= (view.x1 or iteration)):
            plot.reset_range()
        plot.choose(next((each.name for each in plot.curves if each.name.session == key), plot.chosen))
        plot.point(float(iteration))


def _mark(session: SessionInfo, key: Key, known: Known) -> object:
    """What its curves depend on."""
    host = known.host(key.host)
    linked = host.link.since if host.alive else None
    tests = tuple(session.tests.items())
    return session.iteration, len(session.runs), session.state, tests, linked
