"""A small curve as plain text, drawn by plotext."""

from __future__ import annotations

import math
from collections.abc import Sequence

_ASCII = str.maketrans(
    {
        "─": "-",
        "│": "|",
        "┌": "+",
        "┐": "+",
        "└": "+",
        "┘": "+",
        "┤": "+",
        "┬": "+",
        "├": "+",
        "┴": "+",
        "┼": "+",
    }
)


def text_plot(
    x: Sequence[float],
    y: Sequence[float],
    *,
    title: str,
    x_label: str = "iteration",
    width: int = 72,
    height: int = 16,
    log: bool = False,
    ascii_only: bool = False,
) -> str:
    """Lines of at most ``width`` columns, ``height`` in number, without colours and trailing blanks.

    NaN and infinite points are left out, with ``log`` also those that are not positive; the last line says
    how many. Raises ValueError when nothing is left to draw.
    """
    points = [
        (a, b)
        for a, b in zip(x, y, strict=True)
        if math.isfinite(a) and math.isfinite(b) and (not log or b > 0)
    ]
    if not points:
        raise ValueError("no points to draw")
    # plotext takes a while to load, and only this needs it.
    import plotext

    # Otherwise the size asked for would be cut to the terminal's, and a pipe has none.
    plotext.terminal.limit(False, False)
    figure = plotext.figure
    figure.clear()
    figure.plot_size(width, height)
    figure.title(title + (" (log)" if log else ""))
    figure.label(x_label)
    x_ticks = _ticks(points[0][0], points[-1][0], max(1, width // 12))
    if len(x_ticks) > 1:
        figure.ruler("x").ticks(x_ticks, [f"{tick:g}" for tick in x_ticks])
    low, high = min(b for _, b in points), max(b for _, b in points)
    # Two labels in one line would be written over each other.
    most = max(2, (height - 4) // 2)
    y_ticks = _log_ticks(low, high, most) if log else _ticks(low, high, most)
    # plotext's own logarithmic scale cannot take ticks of our own, so what it gets are the logarithms.
    scaled = math.log10 if log else float
    if log or len(y_ticks) > 1:
        figure.ruler("y").ticks([scaled(tick) for tick in y_ticks], [f"{tick:.4g}" for tick in y_ticks])
    marker = "*" if ascii_only else "braille"
    figure.draw(figure.signal([a for a, _ in points], [scaled(b) for _, b in points], marker=marker).lines())
    text = figure.build().string(colorless=True)
    figure.clear()
    lines = [line.rstrip() for line in text.rstrip("\n").split("\n")]
    if left_out := len(x) - len(points):
        lines.append(
            f"{left_out} of {len(x)} points cannot be drawn (not finite{', or not positive' if log else ''})"
        )
    drawn = "\n".join(lines)
    return drawn.translate(_ASCII) if ascii_only else drawn


def _ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers between ``low`` and ``high``, about ``most`` of them."""
    if high <= low:
        return [low]
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [step * n for n in range(first, last + 1)]


def _log_ticks(low: float, high: float, most: int) -> list[float]:
    """1, 2, 5, 10 ... between ``low`` and ``high``; whole powers of ten where these are too many."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 5), (1,)):
        ticks = [float(f"{factor}e{power}") for power in powers for factor in factors]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) <= most:
            break
    return ticks[:: math.ceil(len(ticks) / most)] if len(ticks) > 1 else [low, high]
