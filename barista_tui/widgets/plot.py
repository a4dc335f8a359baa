"""The plot: curves of one or several sessions, drawn only when they changed and are visible."""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec.structs import replace
from rich.segment import Segment
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from barista_server.api.messages import SeriesKey
from barista_tui import format as fmt
from barista_tui.keymap import move
from barista_tui.plotting import cells, legend
from barista_tui.plotting.curves import AXES, Choice, Curve, Name, View, toggled
from barista_tui.plotting.scene import Slots
from barista_tui.plotting.sources import Ask, Source, Window, ask_for, curves_of, kept, off_word, whole_range
from barista_tui.store import Key
from barista_tui.theme import Palette, ink, palette_of
from barista_tui.widgets.bar import Piece

LEAST_SPAN = 1e-6
"""Part of the whole range that zooming stops at."""
LEGEND_SHARE = 5
"""One line of so many may be the legend's."""
MANY = 20
"""Curves from which each is drawn more coarsely, so that a frame stays quick."""
STEP = 10
"""Columns that the cursor moves by with the keys for pages."""


class Plot(Widget, can_focus=True):
    """Shows windows of metrics as curves; asks for them by a message when the view or the size changed."""

    DEFAULT_CSS = """
    Plot { height: 1fr; width: 1fr; padding: 0 1; }
    """

    BINDINGS = [
        move("move-left", "cursor(-1)"),
        move("move-right", "cursor(1)"),
        move("page-up", f"cursor(-{STEP})"),
        move("page-down", f"cursor({STEP})"),
        move("first", "end(0)"),
        move("last", "end(1)"),
        move("move-up", "choose(-1)"),
        move("move-down", "choose(1)"),
    ]

    class Wanted(Message):
        """The windows for the present view are needed; answer with :meth:`Plot.take`."""

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, Plot.Wanted)

    class StatusChanged(Message):
        """View, values or cursor changed: legend and title want to be painted anew."""

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, Plot.StatusChanged)

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.view = View()
        self.choice = Choice()
        self.empty: tuple[str, ...] = ()
        self.cursor: float | None = None
        """In units of the x axis."""
        self.chosen: Name | None = None
        """The curve under the cursor."""
        self.sources: dict[Key, Source] = {}
        self.slots = Slots()
        self._curves: list[Curve] | None = None
        self._cells = cells.Cells()
        self._strips: list[Strip] = []
        self._drawn_for: tuple[object, ...] = ()
        self._version = 0

    # ---------------------------------------------------------------------------------- contents

    @property
    def session(self) -> Key | None:
        """The first of the sessions that are shown."""
        return next(iter(self.sources), None)

    def show(self, wanted: Sequence[tuple[Key, str]], empty: tuple[str, ...] = ()) -> None:
        """Show these sessions, by key and title; windows come with :meth:`take`, until then ``empty``."""
        before, titles = self.sources, [source.title for source in self.sources.values()]
        self.sources = kept(before, wanted)
        if list(before) != list(self.sources) or titles != [title for _, title in wanted]:
            if not before.keys() & self.sources.keys():
                self.view = replace(self.view, x0=None, x1=None)
                self.cursor = None
            self._changed()
            self.post_message(self.Wanted())
        if empty != self.empty:
            self.empty = empty
            self._changed()

    def take(self, session: Key, window: Window, known: Sequence[SeriesKey] = ()) -> None:
        """Windows that were asked for, and every metric that the session has."""
        source = self.sources.get(session)
        if source is None or (window.ask.axis, window.ask.log_x) != (self.view.axis, self.view.log_x):
            return
        if known:
            source.known = tuple(known)
        if source.take(window):
            self._changed()

    @property
    def curves(self) -> list[Curve]:
        """The curves that have points, those that are switched off too."""
        if self._curves is None:
            self._curves = curves_of(self.sources.values(), self.view, self.choice, self.slots)
        return self._curves

    @property
    def known(self) -> list[SeriesKey]:
        """Every metric that any of the sessions has."""
        return list(dict.fromkeys(key for source in self.sources.values() for key in source.known))

    @property
    def ask(self) -> Ask:
        """What to ask for: two points a cell of braille, one where there are many curves."""
        each = 2 if len(self.curves) <= MANY else 1
        return ask_for(self.view, max(40, min(2000, self.size.width * each)))

    # ---------------------------------------------------------------------------------- view

    def set_view(self, view: View) -> None:
        """Look differently at the same sessions."""
        before, self.view = self.view, view
        if (view.axis, view.log_x) != (before.axis, before.log_x):
            for source in self.sources.values():
                source.forget()
            self.cursor = None
        if (view.axis, view.log_x, view.x0, view.x1) != (before.axis, before.log_x, before.x0, before.x1):
            self.post_message(self.Wanted())
        self._changed()

    def set_choice(self, choice: Choice) -> None:
        """Other metrics, other axes of them, other curves switched off."""
        more = (choice.shown, choice.hidden) != (self.choice.shown, self.choice.hidden)
        self.choice = choice
        if more:
            self.post_message(self.Wanted())
        self._changed()

    def cycle_axis(self) -> None:
        """Iterations, training time, time of day."""
        axis = AXES[(AXES.index(self.view.axis) + 1) % len(AXES)]
        log_x = self.view.log_x and axis != "clock"
        self.set_view(replace(self.view, axis=axis, x0=None, x1=None, log_x=log_x))

    def zoom(self, factor: float, around: float | None = None) -> None:
        """Narrow (below 1) or widen the range around an x: the cursor's, else the middle."""
        low, high = self._place(0.0), self._place(1.0)
        around = self.cursor if around is None else around
        at = self._at(around) if around is not None else 0.5
        at = at if 0 <= at <= 1 else 0.5
        if self._now().scene is None or not self._whole_is_wider(factor):
            return
        begin, end = self._place(at - at * factor), self._place(at + (1 - at) * factor)
        if begin != low or end != high:
            self._set_range(begin, end)

    def _whole_is_wider(self, factor: float) -> bool:
        first, last = self._whole()
        return factor >= 1 or abs(self._place(1.0) - self._place(0.0)) * factor > (last - first) * LEAST_SPAN

    def pan(self, part: float) -> None:
        """Move by a part of the visible range, within the whole one."""
        if self._now().scene is None:
            return
        first, last = (self._at(each) for each in self._whole())
        part = max(min(first, 0.0), min(max(last - 1, 0.0), part))
        if part:
            self._set_range(self._place(part), self._place(1 + part))

    def reset_range(self) -> None:
        """The whole range again, growing with the training."""
        self.set_view(replace(self.view, x0=None, x1=None))

    @property
    def zoomed(self) -> bool:
        """Only a part of the range is visible."""
        return self.view.x0 is not None or self.view.x1 is not None

    def _whole(self) -> tuple[float, float]:
        """The range of all there is."""
        return whole_range(self.sources.values(), self.view, self.choice)

    def _set_range(self, low: float, high: float) -> None:
        first, last = self._whole()
        if low <= first and high >= last:
            self.reset_range()
        else:
            self.set_view(replace(self.view, x0=max(low, first), x1=min(high, last)))

    def _place(self, place: float) -> float:
        """The x at a place between 0 and 1 of what is visible."""
        scene = self._now().scene
        return scene.x.value(place) if scene is not None else place

    def _at(self, x: float) -> float:
        scene = self._now().scene
        return scene.x.place(x) if scene is not None and (x > 0 or not scene.x.log) else 0.0

    # ---------------------------------------------------------------------------------- cursor

    def action_cursor(self, step: int) -> None:
        """Move the cursor by columns; at the edge of what is zoomed into, the range moves."""
        drawn = self._now()
        if drawn.scene is None:
            return
        each = 1 / max(1, drawn.width - 1)
        at = self._at(self.cursor) if self.cursor is not None else 1.0 if step < 0 else 0.0
        at = (round(at / each) + (step if self.cursor is not None else 0)) * each
        if self.zoomed and not 0 <= at <= 1:
            before = self.view
            self.pan(0.25 if at > 1 else -0.25)
            if self.view != before:
                at = self._at(self.cursor or 0.0) + step * each
        self.point(self._place(min(1.0, max(0.0, at))))

    def action_end(self, end: int) -> None:
        """The cursor goes to the first or the last x that is visible."""
        self.point(self._place(float(end)))

    def action_choose(self, step: int) -> None:
        """The curve before or after in the legend."""
        names = [each.name for each in self.curves]
        if not names:
            return
        at = names.index(self.chosen) + step if self.chosen in names else 0
        self.choose(names[at % len(names)])

    def point(self, x: float | None) -> None:
        """Put the cursor at an x, or take it away."""
        self.cursor = x
        if x is not None and self.chosen not in [each.name for each in self.curves]:
            self.chosen = next((each.name for each in self.curves if not each.off), None)
        self._changed(False)

    def choose(self, name: Name | None) -> None:
        """The curve that space, y and enter are about."""
        self.chosen = name
        self._changed(False)

    @property
    def chosen_curve(self) -> Curve | None:
        """The curve under the cursor; without one the first."""
        found = next((each for each in self.curves if each.name == self.chosen), None)
        return found or next((each for each in self.curves if not each.off), None)

    def toggle_curve(self, name: Name) -> None:
        """Switch a curve off, or on again; its colour and sign stay its own."""
        self.chosen = name
        self.set_choice(replace(self.choice, off=self.choice.off ^ {off_word(name)}))

    def toggle_metric(self, key: SeriesKey) -> None:
        """Give a metric curves, or none, in all sessions."""
        self.set_choice(toggled(self.choice, key, self.known))

    # ---------------------------------------------------------------------------------- painting

    def legend(self, room: int | None = None) -> list[list[Piece]]:
        """The legend's lines."""
        most = room if room is not None else max(1, (self.size.height + 2) // LEGEND_SHARE)
        look = legend.Look(self.view, self.cursor, self.chosen)
        return legend.lines(self.curves, look, self.size.width + 2, most) if self.curves else []

    def _changed(self, curves: bool = True) -> None:
        if curves:
            self._curves = None
        self._version += 1
        self.refresh()
        self.post_message(self.StatusChanged())

    def on_resize(self, event: events.Resize) -> None:
        if event.size.width != 0:
            self.post_message(self.Wanted())

    def get_content_width(self, container: Size, viewport: Size) -> int:
        return container.width

    def render_line(self, y: int) -> Strip:
        self._now()
        if y < len(self._strips):
            return self._strips[y].apply_style(self.rich_style)
        return Strip.blank(self.size.width, self.rich_style)

    def _now(self) -> cells.Cells:
        """What is to be seen, drawn anew if something changed."""
        width, height = self.size
        theme = self.app.theme
        drawn_for = (self._version, width, height, theme)
        if drawn_for != self._drawn_for:
            self._drawn_for = drawn_for
            self._cells = cells.draw(self.curves, self.view, width, height, self.cursor, self.chosen)
            self._strips = self._painted(palette_of(theme), width, height)
        return self._cells

    def _painted(self, palette: Palette, width: int, height: int) -> list[Strip]:
        if not self._cells.rows:
            lines = self.empty
            top = max(0, (height - len(lines)) // 2)
            return [Strip.blank(width) for _ in range(top)] + [
                Strip([Segment(fmt.fit(line, width), ink(palette.dim))]).adjust_cell_length(width)
                for line in (line.center(width)[:width] for line in lines)
            ]
        colors = {
            cells.AXIS: palette.dim,
            cells.LABEL: palette.dim,
            cells.GRID: palette.faint,
            cells.MARK: palette.tones["failed"],
            cells.CURSOR: palette.accent,
        }
        return [
            Strip(
                [
                    Segment(text, ink(colors.get(each) or palette.curves[each % len(palette.curves)]))
                    for text, each in row
                ]
            ).adjust_cell_length(width)
            for row in self._cells.rows
        ]

    # ---------------------------------------------------------------------------------- mouse

    def _x_of(self, event: events.MouseEvent) -> float | None:
        """The x below the mouse; None outside the canvas."""
        # What was painted last: moving the cursor changes no axis, and mice move oftener than is painted.
        drawn, at = self._cells, event.get_content_offset_capture(self)
        if drawn.scene is None or not drawn.left <= at.x < drawn.left + drawn.width:
            return None
        return drawn.scene.x.value(drawn.place(at.x))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        x = self._x_of(event)
        if x is not None and event.button == 1:
            self.capture_mouse()
            self._pick(event, x)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self.app.mouse_captured is self and (x := self._x_of(event)) is not None:
            self.point(x)

    def on_mouse_up(self, event: events.MouseUp) -> None:
        if self.app.mouse_captured is self:
            self.release_mouse()

    def _pick(self, event: events.MouseEvent, x: float) -> None:
        """The cursor goes there, and to the curve that is nearest."""
        scene, row = self._cells.scene, event.get_content_offset_capture(self).y
        assert scene is not None
        place = 1 - row / max(1, self._cells.height - 1)
        near: list[tuple[float, Name]] = []
        for line in scene.lines:
            each, scale = line.curve, scene.right if line.curve.right else scene.left
            at = each.nearest(x)
            if at is None or scale is None or not math.isfinite(each.high[at]):
                continue
            if each.high[at] > 0 or not scale.log:
                near.append((abs(scale.place(each.high[at]) - place), each.name))
        if near:
            self.chosen = min(near, key=lambda found: found[0])[1]
        self.point(x)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.zoom(0.8, self._x_of(event))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.zoom(1.25, self._x_of(event))
