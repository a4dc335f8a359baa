"""Curves as text: windows of metrics in, lines of coloured braille out. Pure; a plot takes a few ms.

The left axis carries losses, the right one what lies between 0 and 1 (accuracies), each with its own scale.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from barista_server.api.messages import Series, SeriesKey
from barista_tui import format as fmt

SMOOTHING = (0.0, 0.8, 0.95)
"""Weights of the exponential mean: off, a little, much."""

LEAST_WIDTH, LEAST_HEIGHT = 20, 5

FEW = 4
"""Up to so many points each gets a dot of its own: one makes no line, and the next ones hardly any."""


@dataclass(frozen=True)
class Curve:
    """One metric in the order of ``x``. ``low`` and ``high`` bound each bucket; NaN where it has none."""

    key: SeriesKey
    x: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    nonfinite: tuple[float, ...]
    color: str
    right: bool

    @property
    def label(self) -> str:
        """``loss``, ``test accuracy``, ``test #1 loss`` for the second test net."""
        if self.key.phase == "train":
            return "train loss" if self.key.name == "loss" else self.key.name
        net = f" #{self.key.net}" if self.key.net else ""
        return f"test{net} {self.key.name}"

    @property
    def short(self) -> str:
        """``train``, ``test``, ``accuracy``."""
        return self.key.phase if self.key.name == "loss" else self.key.name

    @property
    def last(self) -> float | None:
        """The last finite value."""
        return next((value for value in reversed(self.high) if math.isfinite(value)), None)


@dataclass(frozen=True)
class View:
    """How the person wants to look: ``x0``/``x1`` bound the axis (None: all there is)."""

    axis: Literal["iteration", "time"] = "iteration"
    log: bool = False
    smooth: int = 0
    x0: float | None = None
    x1: float | None = None


@dataclass(frozen=True)
class Inks:
    """Colours (``#rrggbb``) of what is no curve."""

    axis: str
    grid: str
    mark: str


def chosen_keys(keys: Iterable[SeriesKey]) -> list[SeriesKey]:
    """The metrics worth a curve, most important first: train loss, then the outputs of the test nets.

    The raw training outputs are left out where the smoothed loss is there, and so is the learning rate.
    """
    known = list(keys)
    smoothed = [key for key in known if key.phase == "train" and key.output < 0 and key.name == "loss"]
    train = smoothed or [key for key in known if key.phase == "train" and key.output >= 0]
    tests = sorted(
        (key for key in known if key.phase == "test"), key=lambda key: (key.net, key.name != "loss")
    )
    return [*train[:2], *tests[:6]]


def is_share(key: SeriesKey) -> bool:
    """A metric that lies between 0 and 1 by its nature."""
    return key.phase == "test" and any(
        word in key.name.lower() for word in ("acc", "top", "precision", "recall")
    )


def _floats(data: bytes) -> tuple[float, ...]:
    return tuple(array("d", data))


def curve(series: Series, color: str) -> Curve:
    """Read the arrays of one window."""
    return Curve(
        key=series.key,
        x=_floats(series.x),
        low=_floats(series.low),
        high=_floats(series.high),
        nonfinite=_floats(series.nonfinite),
        color=color,
        right=is_share(series.key),
    )


def smoothed(values: Sequence[float], weight: float) -> list[float]:
    """Exponential mean, free of the bias to the first value; NaN stays NaN and does not spread."""
    mean, norm = 0.0, 0.0
    out = []
    for number in values:
        if math.isfinite(number):
            mean = weight * mean + (1 - weight) * number
            norm = weight * norm + (1 - weight)
            out.append(mean / norm)
        else:
            out.append(math.nan)
    return out


def nice_ticks(low: float, high: float, most: int) -> list[float]:
    """At most ``most`` round positions (steps of 1, 2 or 5 times a power of ten) within the bounds."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low or most < 1:
        return [low] if math.isfinite(low) else []
    exponent = math.floor(math.log10((high - low) / most))
    for factor in (1, 2, 5, 10, 20, 50):
        step = factor * 10.0**exponent
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first + 1 <= most:
            return [number * step for number in range(first, last + 1)]
    return [low]


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """Exponents of ten between ``low`` and ``high``: powers of ten, 2s and 5s too where there is room."""
    whole = list(range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1))
    if len(whole) > most:
        stride = math.ceil(len(whole) / most)
        return [float(exponent) for exponent in whole if exponent % stride == 0]
    if len(whole) >= 3:
        return [float(exponent) for exponent in whole]
    for factors in ((1, 2, 5), (1, 3), (1,)):
        fine = [
            exponent + math.log10(factor)
            for exponent in range(math.floor(low) - 1, math.ceil(high) + 1)
            for factor in factors
        ]
        fine = [tick for tick in fine if low - 1e-9 <= tick <= high + 1e-9]
        if 2 <= len(fine) <= most:
            return fine
    return nice_ticks(low, high, most)


def tick_label(value: float, step: float) -> str:
    """A number just precise enough to differ from its neighbours ``step`` away."""
    if value == 0:
        return "0"
    if abs(value) >= 10_000 and abs(value) == int(abs(value)):
        return fmt.count(int(value))
    if abs(value) < 1e-4:
        return f"{value:.0e}".replace("e-0", "e-")
    decimals = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 2
    return f"{value:.{min(decimals, 6)}f}"


def log_label(value: float) -> str:
    """``1000``, ``0.02``, ``1e-8``: three digits at most."""
    mantissa, _, exponent = f"{value:.2e}".partition("e")
    if -4 <= int(exponent) <= 4:
        return f"{float(f'{value:.2e}'):.7f}".rstrip("0").rstrip(".")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def x_label(value: float, axis: str) -> str:
    """A position on the x axis: iterations as counts, seconds as durations."""
    return fmt.count(round(value)) if axis == "iteration" else fmt.duration(value)


def x_ticks(low: float, high: float, most: int, axis: str) -> list[float]:
    """Round positions on the x axis; iterations are whole."""
    ticks = nice_ticks(low, high, most)
    return [tick for tick in ticks if tick == round(tick)] if axis == "iteration" else ticks


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float
    ticks: list[float]
    labels: list[str]


def _bounds(curves: Sequence[Curve], log: bool) -> tuple[float, float] | None:
    finite = [
        value
        for each in curves
        for value in (*each.low, *each.high)
        if math.isfinite(value) and (value > 0 or not log)
    ]
    return (min(finite), max(finite)) if finite else None


def _left_scale(curves: Sequence[Curve], log: bool, height: int) -> _Scale:
    bounds = _bounds(curves, log)
    most = max(2, height // 4)
    if bounds is None:
        return _Scale(0.0, 1.0, [], [])
    low, high = bounds
    if log:
        low, high = math.log10(low), math.log10(high)
        if high - low < 0.05:
            low, high = low - 0.1, high + 0.1
        ticks = log_ticks(low, high, most)
        labels = [log_label(10.0**tick) for tick in ticks]
        return _Scale(low, high, ticks, labels)
    if low >= 0:
        low = 0.0
    if high <= low:
        high = low + 1.0
    high += (high - low) * 0.02
    ticks = nice_ticks(low, high, most)
    step = ticks[1] - ticks[0] if len(ticks) > 1 else high - low
    return _Scale(low, high, ticks, [tick_label(tick, step) for tick in ticks])


def _right_scale(curves: Sequence[Curve], height: int) -> _Scale | None:
    bounds = _bounds(curves, False)
    if bounds is None:
        return None
    low, high = min(0.0, bounds[0]), max(1.0, bounds[1])
    ticks = nice_ticks(low, high, max(2, height // 4))
    step = ticks[1] - ticks[0] if len(ticks) > 1 else high - low
    return _Scale(low, high, ticks, [tick_label(tick, step) for tick in ticks])


def x_bounds(curves: Sequence[Curve], view: View) -> tuple[float, float]:
    """The range of the x axis: what the view asks for, else from 0 to the last point."""
    xs = [x for each in curves for x in (*each.x[-1:], *each.nonfinite[-1:])]
    first = [x for each in curves for x in each.x[:1]]
    low = view.x0 if view.x0 is not None else min([0.0, *first])
    high = view.x1 if view.x1 is not None else max(xs, default=1.0)
    # A single point stands at the left end of a range that has room for more.
    return (low, high) if high > low else (low, low + 10.0)


def draw(curves: Sequence[Curve], view: View, width: int, height: int, inks: Inks) -> str:
    """The plot as ``height`` lines of ``width`` cells with ANSI colours; empty where there is no room."""
    if width < LEAST_WIDTH or height < LEAST_HEIGHT or not curves:
        return ""
    import plotext

    left = [each for each in curves if not each.right]
    right = [each for each in curves if each.right]
    x0, x1 = x_bounds(curves, view)
    scale = _left_scale(left, view.log, height)
    share = _right_scale(right, height)
    figure = plotext.figure
    # Else the terminal's size, as it was at the start, would bound the plot.
    plotext.terminal.limit(False, False)
    figure.clear()
    # No colour of its own: all it draws is given one below.
    figure.theme("colorless")
    figure.plot_size(width, height)
    figure.canvas("default")
    figure.legend(False)
    axis_ink = plotext.pixel(_rgb(inks.axis))
    figure.axes(True, None, axis_ink)
    figure.axes(False, axis="x", side="upper")
    figure.axes(share is not None, axis="y", side="right")
    for axis in ("x", "y"):
        for side in (0, 1):
            figure.ruler(axis, side).pixel(axis_ink)
    ticks = x_ticks(x0, x1, max(2, width // 12), view.axis)
    figure.ruler("x", "lower").lim(x0, x1)
    figure.ruler("x", "lower").ticks(ticks, [x_label(tick, view.axis) for tick in ticks])
    figure.ruler("x", "upper").frequency(0)
    _rule(figure.ruler("y", "left"), scale)
    figure.ruler("y", "left").grid(True, "dotted", plotext.pixel(_rgb(inks.grid)))
    if share is not None:
        _rule(figure.ruler("y", "right"), share)
    else:
        figure.ruler("y", "right").frequency(0)
    for each in reversed(curves):
        _add(figure, plotext, each, view)
    for each in curves:
        bottom = share.low if each.right and share else scale.low
        _mark(figure, plotext, each, bottom, inks.mark)
    return str(figure.build().string())


def _rule(ruler: Any, scale: _Scale) -> None:
    ruler.lim(scale.low, scale.high)
    ruler.ticks(scale.ticks, scale.labels)
    if not scale.ticks:
        ruler.frequency(0)


def _rgb(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def points(each: Curve, view: View) -> list[tuple[float, float] | None]:
    """The line to draw, None where it breaks (NaN). A bucket with a spike contributes both its ends."""
    weight = SMOOTHING[view.smooth] if each.key.phase == "train" else 0.0
    if weight:
        middle = smoothed([(low + high) / 2 for low, high in zip(each.low, each.high, strict=True)], weight)
        pairs: list[tuple[float, ...]] = [(value,) for value in middle]
    else:
        pairs = [
            (low, high) if low != high else (low,) for low, high in zip(each.low, each.high, strict=True)
        ]
    log = view.log and not each.right
    line: list[tuple[float, float] | None] = []
    for x, values in zip(each.x, pairs, strict=True):
        drawable = [value for value in values if math.isfinite(value) and (value > 0 or not log)]
        if not drawable:
            line.append(None)
        line += [(x, math.log10(value) if log else value) for value in drawable]
    return line


def _add(figure: Any, plotext: Any, each: Curve, view: View) -> None:
    line = points(each, view)
    drawn = [point for point in line if point is not None]
    if not drawn:
        return
    marker = plotext.marker("braille", plotext.pixel(_rgb(each.color)))
    signal = figure.signal(
        [x for x, _ in drawn], [y for _, y in drawn], marker=marker, yside="right" if each.right else "left"
    )
    signal.lines()
    place = 0
    for point in line:
        if point is None:
            signal.line(place, False)
        else:
            place += 1
    figure.draw(signal)
    if len(drawn) <= FEW:
        dots = plotext.marker("●", plotext.pixel(_rgb(each.color)))
        side = "right" if each.right else "left"
        figure.draw(figure.signal([x for x, _ in drawn], [y for _, y in drawn], marker=dots, yside=side))


def hidden_by_log(curves: Sequence[Curve]) -> bool:
    """Some values on the left axis are not above zero: a logarithmic scale cannot show them."""
    return any(value <= 0 for each in curves if not each.right for value in each.low)


def _mark(figure: Any, plotext: Any, each: Curve, bottom: float, color: str) -> None:
    """NaN and infinite points, as marks on the axis."""
    if each.nonfinite:
        marker = plotext.marker("✖", plotext.pixel(_rgb(color)))
        bottoms = [bottom] * len(each.nonfinite)
        side = "right" if each.right else "left"
        figure.draw(figure.signal(list(each.nonfinite), bottoms, marker=marker, yside=side))
