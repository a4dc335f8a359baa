"""What has come from agents, and the curves that are made of it: pure, kept by the plot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from barista_server.api.messages import Series, SeriesKey
from barista_tui.plotting.axes import x_scale
from barista_tui.plotting.curves import (
    Axis,
    Choice,
    Curve,
    Name,
    View,
    chosen_keys,
    curve,
    labels_of,
    on_right,
    text_of,
)
from barista_tui.plotting.scene import Slots, x_bounds
from barista_tui.store import Key


class Ask(Struct, frozen=True):
    """A window as it was asked for: ``x0``/``x1`` in units of ``axis``, None: open."""

    axis: Axis = "iteration"
    log_x: bool = False
    x0: float | None = None
    x1: float | None = None
    buckets: int = 400
    metrics: tuple[SeriesKey, ...] = ()

    def covers(self, view: View) -> bool:
        """All that the view shows is in it."""
        if (self.axis, self.log_x) != (view.axis, view.log_x):
            return False
        return (self.x0 is None or (view.x0 is not None and self.x0 <= view.x0)) and (
            self.x1 is None or (view.x1 is not None and view.x1 <= self.x1)
        )


class Window(Struct, frozen=True):
    """What an agent answered; ``origin``: the time that seconds are counted from."""

    ask: Ask
    series: tuple[Series, ...]
    origin: float = 0.0


class Source(Struct, eq=False):
    """A session in the plot. ``whole``: all of it, coarse; ``part``: what is zoomed into, finer."""

    key: Key
    title: str
    known: tuple[SeriesKey, ...] = ()
    """Every metric it has."""
    whole: Window | None = None
    part: Window | None = None
    _made: dict[int, tuple[Window, list[Curve]]] = field(default_factory=dict)

    def take(self, window: Window) -> bool:
        """Keep an answer; False where nothing is different by it."""
        whole = window.ask.x0 is None and window.ask.x1 is None
        before = self.whole if whole else self.part
        if whole:
            self.whole = window
        else:
            self.part = window
        return before is None or (before.series, before.origin) != (window.series, window.origin)

    def rename(self, title: str) -> None:
        """The session has another name now."""
        if title != self.title:
            self.title = title
            self._made.clear()

    def forget(self) -> None:
        """The axis is another one now."""
        self.whole = self.part = None

    def shown(self, view: View) -> Window | None:
        """The window to be drawn: the finer one where it has all that is visible."""
        zoomed = view.x0 is not None or view.x1 is not None
        if zoomed and self.part is not None and self.part.ask.covers(view):
            return self.part
        whole = self.whole
        return whole if whole is not None and whole.ask.axis == view.axis else None

    @property
    def series(self) -> tuple[Series, ...]:
        """What has come."""
        window = self.part or self.whole
        return window.series if window is not None else ()

    def curves(self, window: Window) -> list[Curve]:
        """The window's curves, read once."""
        place = 0 if window is self.whole else 1
        if place not in self._made or self._made[place][0] is not window:
            labels = labels_of(series.key for series in window.series)
            shift = window.origin if window.ask.axis == "clock" else 0.0
            made = [
                curve(series, Name(self.key, series.key), self.title, labels[series.key], shift)
                for series in window.series
            ]
            self._made[place] = (window, [each for each in made if each.x or each.nonfinite])
        return self._made[place][1]

    def chosen(self, window: Window, choice: Choice) -> list[Curve]:
        """Those of the chosen metrics: a window may have been asked for before the choice changed."""
        keys = set(chosen_keys(self.known, choice))
        return [each for each in self.curves(window) if each.key in keys or not self.known]


def off_word(name: Name) -> str:
    """A curve in a word, as :attr:`Choice.off` has it."""
    return f"{name.session} {text_of(name.key)}"


def curves_of(sources: Iterable[Source], view: View, choice: Choice, slots: Slots) -> list[Curve]:
    """All curves, those that are switched off too, with their axes, colours and signs."""
    found = [
        each
        for source in sources
        if (window := source.shown(view)) is not None
        for each in source.chosen(window, choice)
    ]
    right = on_right(list(dict.fromkeys(each.key for each in found)), choice)
    numbers = slots.of([each.name for each in found])
    return [
        replace(each, right=right[each.key], slot=slot, off=off_word(each.name) in choice.off)
        for each, slot in zip(found, numbers, strict=True)
    ]


def ask_for(view: View, buckets: int) -> Ask:
    """The window to ask for: zoomed in, half as much again at either side, so that moving finds it there."""
    ask = Ask(view.axis, view.log_x, None, None, buckets)
    if view.x0 is None or view.x1 is None:
        return ask
    if view.log_x:
        return replace(ask, x0=view.x0, x1=view.x1)
    more = (view.x1 - view.x0) / 2
    return replace(ask, x0=view.x0 - more, x1=view.x1 + more, buckets=2 * buckets)


def kept(sources: Mapping[Key, Source], wanted: Sequence[tuple[Key, str]]) -> dict[Key, Source]:
    """The sources of these sessions in their order: those that are there stay."""
    made = {}
    for key, title in wanted:
        source = made[key] = sources.get(key) or Source(key, title)
        source.rename(title)
    return made


def whole_range(sources: Iterable[Source], view: View, choice: Choice) -> tuple[float, float]:
    """The x axis of all there is."""
    everything = replace(view, x0=None, x1=None)
    found = [
        each
        for source in sources
        if (window := source.shown(everything)) is not None
        for each in source.curves(window)
        if off_word(each.name) not in choice.off
    ]
    low, high = x_bounds(found, everything)
    return (x_scale(low, high, view.axis, True, 2).low if view.log_x else low), high
