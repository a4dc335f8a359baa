"""A plot as lines of text, for a shell: drawn, or in words for those who listen to it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from barista_tui import format as fmt
from barista_tui.plotting import cells
from barista_tui.plotting.axes import x_word
from barista_tui.plotting.curves import Curve, View, session_words
from barista_tui.plotting.figure import AXIS_NAMES, words_of
from barista_tui.plotting.scene import hidden_by_log, sign_of

_INKS = ("33", "36", "32", "35", "31", "93", "96", "90")
"""Colours of curves, by their slot."""
_OTHER = {cells.MARK: "31", cells.GRID: "90", cells.AXIS: "90", cells.LABEL: ""}
SAMPLES = 8
"""Values of a curve that are told in words."""


def chart(
    curves: Sequence[Curve],
    view: View,
    title: str,
    width: int = 72,
    height: int = 16,
    ascii_only: bool = False,
    colour: bool = False,
) -> str:
    """Title, legend and plot, ``width`` columns wide; the plot is ``height`` lines high.

    Raises ValueError when nothing is left to draw.
    """
    shown = [each for each in curves if not each.off]
    if not shown or all(each.last is None and not each.nonfinite for each in shown):
        raise ValueError("no points to draw")
    if all(_nothing(each, view) for each in shown):
        raise ValueError("no points to draw: a logarithmic scale has none above zero")
    sessions = session_words(shown)
    lines = [title] if title else []
    for each in shown:
        sign = _ink(sign_of(each.slot, ascii_only), each.slot, colour)
        side = " (right axis)" if each.right and any(not other.right for other in shown) else ""
        lines.append(f"{sign} {words_of(each, view, sessions)}{side}")
    if hidden_by_log(shown, view):
        lines.append("Values that are not above zero have no place on a logarithmic scale.")
    drawn = cells.draw(shown, view, width, height, ascii_only=ascii_only, grid=colour)
    lines += ["".join(_ink(text, ink, colour) for text, ink in row).rstrip() for row in drawn.rows]
    name = AXIS_NAMES[view.axis]
    lines.append(name.rjust((width + len(name)) // 2))
    return "\n".join(lines)


def _nothing(each: Curve, view: View) -> bool:
    log = view.log_right if each.right else view.log
    return log and not each.nonfinite and not any(value > 0 for value in each.high)


def _ink(text: str, ink: int, colour: bool) -> str:
    code = _OTHER.get(ink, "") if ink < 0 else _INKS[ink % len(_INKS)]
    return f"\x1b[{code}m{text}\x1b[0m" if colour and code and text.strip() else text


def words(curves: Sequence[Curve], view: View) -> list[str]:
    """Each curve in a few lines: how many points, from where to where, ends and extremes, some values."""
    lines = []
    for each in curves:
        if each.off or not each.x:
            continue
        first, last = (x_word(each.x[at], view.axis) for at in (0, -1))
        name = f"{each.title} {each.label}"
        lines.append(
            f"{name}: {fmt.plural(each.points, 'point')}, {AXIS_NAMES[view.axis]} {first} to {last}."
        )
        finite = [value for value in each.high if math.isfinite(value)]
        if finite:
            said = [f"begins at {fmt.value(finite[0])}", f"ends at {fmt.value(finite[-1])}"]
            if each.best is not None:
                said.append(f"best {fmt.value(each.best.y)} at {x_word(each.best.x, view.axis)}")
            said.append(
                f"from {fmt.value(min(v for v in each.low if math.isfinite(v)))} to {fmt.value(max(finite))}"
            )
            lines.append(f"  It {', '.join(said)}.")
        if each.nonfinite:
            begin, end = (x_word(each.nonfinite[at], view.axis) for at in (0, -1))
            lines.append(f"  NaN or infinite between {begin} and {end}.")
        lines.append(f"  {_samples(each, view)}.")
    return lines


def _samples(each: Curve, view: View) -> str:
    """``At 0: 2.3, 1000: 0.51 ...``."""
    count = min(SAMPLES, len(each.x))
    places = [round(n * (len(each.x) - 1) / max(1, count - 1)) for n in range(count)]
    told = (
        f"{x_word(each.x[at], view.axis)}: {fmt.value((each.low[at] + each.high[at]) / 2)}" for at in places
    )
    return f"At {', '.join(told)}"
