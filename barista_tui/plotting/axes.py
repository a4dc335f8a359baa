"""Axes: from values to places between 0 and 1, linear or logarithmic, and ticks with labels."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from msgspec import Struct

from barista_tui import format as fmt
from barista_tui.plotting.curves import Axis

LOG_DECADES = 7
"""A logarithmic x axis begins so many powers of ten below its end at the earliest."""

LEAST_SPAN = 1e-12
"""Part of its values that an axis spans at least; less, and there are no numbers between its ends."""

TINY = 1e-290
"""Nearer to zero computing with logarithms ends."""

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_TIME_STEPS = (
    *(1, 2, 5, 10, 15, 30),
    *(_MINUTE * step for step in (1, 2, 5, 10, 15, 30)),
    *(_HOUR * step for step in (1, 2, 3, 6, 12)),
    *(_DAY * step for step in (1, 2, 7, 14, 28, 56, 112, 364)),
)
"""Seconds between two ticks of an axis of time."""


class Tick(Struct, frozen=True):
    """``place``: between 0 and 1."""

    place: float
    label: str


class Scale(Struct, frozen=True):
    """An axis from ``low`` to ``high`` in its own units; of a logarithmic one both are above 0."""

    low: float
    high: float
    log: bool = False
    ticks: tuple[Tick, ...] = ()

    def place(self, value: float) -> float:
        """0 at the low end, 1 at the high end, beyond for what lies outside."""
        if self.log:
            low, high = math.log10(self.low), math.log10(self.high)
            return (math.log10(value) - low) / (high - low)
        return (value - self.low) / (self.high - self.low)

    def placer(self) -> Callable[[float], float]:
        """:meth:`place`, quick for many values."""
        log10 = math.log10
        if self.log:
            low = log10(self.low)
            size = 1 / (log10(self.high) - low)
            return lambda value: (log10(value) - low) * size
        low, size = self.low, 1 / (self.high - self.low)
        return lambda value: (value - low) * size

    def value(self, place: float) -> float:
        """What stands at a place."""
        if self.log:
            low, high = math.log10(self.low), math.log10(self.high)
            return float(10.0 ** (low + place * (high - low)))
        return self.low + place * (self.high - self.low)


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


def time_ticks(low: float, high: float, most: int, zone: float = 0.0) -> list[float]:
    """At most ``most`` seconds that are whole minutes, hours ... ``zone``: seconds east of Greenwich."""
    if high - low < 4:
        return nice_ticks(low, high, most)
    for step in _TIME_STEPS:
        first, last = math.ceil((low + zone) / step), math.floor((high + zone) / step)
        if last - first + 1 <= most:
            return [number * step - zone for number in range(first, last + 1)]
    return nice_ticks(low, high, most)


def tick_label(value: float, step: float) -> str:
    """A number just precise enough to differ from its neighbours ``step`` away."""
    if value == 0:
        return "0"
    if abs(value) >= 1e12:
        return log_label(value)
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


def x_label(value: float, axis: Axis, span: float = 0.0) -> str:
    """A position on the x axis: iterations as counts, seconds as durations, times of day with their day where
    the axis is longer than one.
    """
    if axis == "iteration":
        return fmt.count(round(value))
    if axis == "time":
        return f"{value:.2g} s" if 0 < span < 4 else fmt.duration(value)
    moment = time.localtime(value)
    if span > 20 * _DAY:
        return time.strftime("%d %b", moment)
    if span > 18 * _HOUR:
        return time.strftime("%d %b %H:%M", moment)
    return time.strftime("%H:%M" if span > 10 * _MINUTE else "%H:%M:%S", moment)


def x_word(value: float, axis: Axis) -> str:
    """A place on the x axis for a sentence: ``9800``, ``03:12``, ``2026-11-25 14:02:31``."""
    if axis == "iteration":
        return str(round(value))
    return fmt.duration(value) if axis == "time" else f"{fmt.date(value)} {fmt.clock(value)}"


def x_ticks(low: float, high: float, most: int, axis: Axis) -> list[float]:
    """Round positions on the x axis; iterations are whole, times whole minutes, hours, days."""
    if axis == "iteration":
        return [tick for tick in nice_ticks(low, high, most) if tick == round(tick)]
    zone = float(time.localtime(high).tm_gmtoff) if axis == "clock" else 0.0
    return time_ticks(low, high, most, zone)


def x_scale(low: float, high: float, axis: Axis, log: bool, most: int) -> Scale:
    """The x axis; a logarithmic one begins above zero. ``most``: ticks."""
    if not high - low > LEAST_SPAN * max(1.0, abs(high)):
        # A single point stands at the left end of a range that has room for more.
        low, high = low, low + 10.0
    if log and high > 0:
        low = max(low, high / 10**LOG_DECADES)
        if axis == "iteration":
            low = max(low, min(1.0, high / 10))
        exponents = log_ticks(math.log10(low), math.log10(high), most)
        scale = Scale(low, high, True)
        ticks = (Tick(scale.place(10.0**each), x_label(10.0**each, axis)) for each in exponents)
        return Scale(low, high, True, tuple(ticks))
    scale = Scale(low, high)
    found = x_ticks(low, high, most, axis)
    return Scale(
        low, high, False, tuple(Tick(scale.place(at), x_label(at, axis, high - low)) for at in found)
    )


def y_scale(
    bounds: tuple[float, float] | None, log: bool, most: int, share: bool = False, close: bool = False
) -> Scale:
    """A y axis around values within ``bounds`` (None: there are none), from zero on if none is below.

    ``share``: from 0 to 1 at least; ``close``: no more than the values need.
    """
    if bounds is None:
        return Scale(0.0, 1.0)
    low, high = bounds
    if log:
        exponents = math.log10(max(low, TINY)), math.log10(max(high, TINY))
        if exponents[1] - exponents[0] < 0.05:
            exponents = exponents[0] - 0.1, exponents[1] + 0.1
        scale = Scale(10.0 ** exponents[0], 10.0 ** exponents[1], True)
        found = [10.0**tick for tick in log_ticks(*exponents, most)]
        return Scale(scale.low, scale.high, True, tuple(Tick(scale.place(at), log_label(at)) for at in found))
    if not high - low > max(LEAST_SPAN * max(abs(low), abs(high)), TINY):
        high = low
    if close and high > low:
        low, high = low - (high - low) * 0.04, high + (high - low) * 0.04
    elif share:
        low, high = min(low, 0.0), max(high, 1.0)
    else:
        low = min(low, 0.0)
        high = high if high - low > TINY else low + max(1.0, abs(low) / 10)
        high += (high - low) * 0.02
    found = nice_ticks(low, high, most)
    step = found[1] - found[0] if len(found) > 1 else high - low
    scale = Scale(low, high)
    return Scale(low, high, False, tuple(Tick(scale.place(at), tick_label(at, step)) for at in found))
