"""A plot without a size: axes, and lines in places between 0 and 1. Cells, SVG and PNG are drawn from it."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from barista_tui.plotting.axes import Scale, x_scale, y_scale
from barista_tui.plotting.curves import Curve, View, is_share, points

Point = tuple[float, float]

SIGNS = "●▲■◆▼○△□◇▽"
ASCII_SIGNS = "ox#+@%&=sv"
"""Signs of curves by their slot; letters from there on."""
BEST, BROKEN = "★", "✖"
ASCII_BEST, ASCII_BROKEN = "*", "X"


def sign_of(slot: int, ascii_only: bool = False) -> str:
    """The sign that stands on a curve, another for each of the first 36."""
    signs = ASCII_SIGNS if ascii_only else SIGNS
    return signs[slot] if slot < len(signs) else "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[(slot - len(signs)) % 26]


class Slots:
    """Numbers of curves: each keeps its own while it is there, a new one gets the lowest that is free."""

    def __init__(self) -> None:
        self._taken: dict[object, int] = {}

    def of(self, names: Sequence[object]) -> list[int]:
        """The numbers of these; all others are free from now on."""
        kept = {name: self._taken[name] for name in names if name in self._taken}
        used = set(kept.values())
        free = (number for number in range(len(names) + len(used)) if number not in used)
        self._taken = {name: kept[name] if name in kept else next(free) for name in names}
        return [self._taken[name] for name in names]


class Line(Struct, frozen=True):
    """A curve in places: ``points`` with None where it breaks, ``broken`` where it is NaN or infinite."""

    curve: Curve
    points: list[Point | None]
    broken: list[float]
    best: Point | None


class Scene(Struct, frozen=True):
    """Axes and lines, the most important line first; ``right`` is None where no curve needs it."""

    x: Scale
    left: Scale
    right: Scale | None
    lines: tuple[Line, ...]
    view: View

    @property
    def left_used(self) -> bool:
        """Some curve has the left axis."""
        return any(not line.curve.right for line in self.lines)


def x_bounds(curves: Sequence[Curve], view: View) -> tuple[float, float]:
    """The range of the x axis: what the view asks for, else from 0 (or the first time) to the last point."""
    firsts = [each.x[0] for each in curves if each.x] + [
        each.nonfinite[0] for each in curves if each.nonfinite
    ]
    lasts = [each.x[-1] for each in curves if each.x] + [
        each.nonfinite[-1] for each in curves if each.nonfinite
    ]
    if view.axis == "clock":
        low = min(firsts, default=0.0)
    elif view.log_x:
        low = min((at for each in curves for at in _first_above(each.x)), default=1.0)
    else:
        low = min([0.0, *firsts])
    low = view.x0 if view.x0 is not None else low
    high = view.x1 if view.x1 is not None else max(lasts, default=1.0)
    return (low, high) if high > low else (low, low + 10.0)


def _first_above(x: Sequence[float]) -> Sequence[float]:
    place = bisect_right(x, 0.0)
    return x[place : place + 1]


def hidden_by_log(curves: Sequence[Curve], view: View) -> bool:
    """Some values are not above zero: the logarithmic scale that they belong to cannot show them."""
    return any(
        value <= 0 for each in curves if (view.log_right if each.right else view.log) for value in each.low
    )


def scene(curves: Sequence[Curve], view: View, x_most: int, y_most: int) -> Scene:
    """The plot of the curves that are not off; at most so many ticks on its axes."""
    shown = [each for each in curves if not each.off]
    low, high = x_bounds(shown, view)
    x = x_scale(low, high, view.axis, view.log_x, x_most)
    cut = [_cut(each, x.low, x.high) for each in shown]
    drawn = [points(each, view) for each in cut]
    close = view.x0 is not None or view.x1 is not None
    scales = []
    for right in (False, True):
        some = [line for each, line in zip(shown, drawn, strict=True) if each.right is right]
        share = any(is_share(each.key) for each in shown if each.right is right)
        log = view.log_right if right else view.log
        scales.append(y_scale(_bounds(some, x), log, y_most, share, close))
    left, second = scales
    at = x.placer()
    lines = []
    for each, line in zip(cut, drawn, strict=True):
        y = second if each.right else left
        to = y.placer()
        places = [None if point is None else (at(point[0]), to(point[1])) for point in line]
        broken = [at(value) for value in each.nonfinite if x.low <= value <= x.high]
        lines.append(Line(each, places, broken, _best(each, x, y)))
    return Scene(x, left, second if any(each.right for each in shown) else None, tuple(lines), view)


def _best(each: Curve, x: Scale, y: Scale) -> Point | None:
    best = each.best
    if best is None or not x.low <= best.x <= x.high or (y.log and best.y <= 0):
        return None
    return x.place(best.x), y.place(best.y)


def _cut(each: Curve, low: float, high: float) -> Curve:
    """What is visible, and a neighbour at either side that lines go on to."""
    first = max(0, bisect_left(each.x, low) - 1)
    stop = min(len(each.x), bisect_right(each.x, high) + 1)
    if first == 0 and stop == len(each.x):
        return each

    def part(some: array[float]) -> array[float]:
        return some[first:stop]

    return replace(each, x=part(each.x), low=part(each.low), high=part(each.high))


def _bounds(lines: Sequence[Sequence[Point | None]], x: Scale) -> tuple[float, float] | None:
    values = [
        point[1]
        for line in lines
        for point in line
        if point is not None and x.low <= point[0] <= x.high and math.isfinite(point[1])
    ]
    return (min(values), max(values)) if values else None
