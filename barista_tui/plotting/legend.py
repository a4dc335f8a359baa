"""The legend: a sign, a name and a value for each curve, in as many lines as there is room for. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct
from rich.cells import cell_len

from barista_tui import format as fmt
from barista_tui.plotting.axes import x_word
from barista_tui.plotting.curves import Curve, Name, View, session_words
from barista_tui.plotting.scene import BEST, BROKEN, hidden_by_log, sign_of
from barista_tui.widgets.bar import Piece

CURSOR = "▴"
SAMPLES = {"solid": "━", "dotted": "┅", "dashed": "╍"}
"""How a curve is drawn, in a cell."""
RIGHT = "→"
"""Stands at curves that the right axis is of, where there is a left one too."""
FAR = 0.1
"""Part of a curve's own range beyond which nothing is said of it."""
COLORS = 8
"""Colours of curves that a palette has."""


class Look(Struct, frozen=True):
    """What the legend depends on beside the curves: ``cursor`` is an x, ``chosen`` the curve it is on."""

    view: View
    cursor: float | None = None
    chosen: Name | None = None


def value_at(each: Curve, cursor: float | None) -> str:
    """The value of the bucket nearest to the cursor, its ends where it stands for several points; without a
    cursor the last one; a dash where the curve has not begun, or has ended.
    """
    if cursor is None:
        return fmt.value(each.last)
    place = each.nearest(cursor)
    if place is None:
        return ""
    if abs(each.x[place] - cursor) > FAR * (each.x[-1] - each.x[0]) + 1e-9:
        return "–"
    low, high = each.low[place], each.high[place]
    if math.isnan(low) and math.isnan(high):
        return "NaN"
    a, b = fmt.value(low), fmt.value(high)
    return a if a == b else f"{a}‥{b}"


def best_of(each: Curve, view: View) -> str:
    """``★ 0.0281 at 9800``."""
    if each.best is None:
        return ""
    at = fmt.clock(each.best.x) if view.axis == "clock" else x_word(each.best.x, view.axis)
    return f"{BEST} {fmt.value(each.best.y)} at {at}"


def entries(curves: Sequence[Curve], look: Look, detail: int) -> list[list[Piece]]:
    """An entry for each curve. ``detail``: 3 with the best values, 2 without, 1 with short names."""
    sessions = session_words(curves)
    both = {each.right for each in curves if not each.off} == {False, True}
    made = []
    for place, each in enumerate(curves):
        action = f"curve:{place}"
        tone = "faint" if each.off else f"curve{each.slot % COLORS}"
        chosen = each.name == look.chosen
        sign = "·" if each.off else sign_of(each.slot)
        session = f"{word} " if (word := sessions[each.name.session]) else ""
        if session and detail > 1:
            session += f"{each.title} "
        label = short(each) if detail < 2 else each.label
        side = RIGHT if both and each.right and not each.off else ""
        words = f"{session}{label}{side} "
        pieces = [
            Piece("▸" if chosen else " ", "accent", action),
            Piece(f"{sign}{SAMPLES[each.style]} ", tone, action),
            Piece(words, "faint" if each.off else "text" if chosen else "dim", action, bold=chosen),
        ]
        if not each.off:
            pieces.append(Piece(f"{value_at(each, look.cursor)} ", "text", action))
            if detail > 2 and (best := best_of(each, look.view)):
                pieces.append(Piece(f"{best} ", "dim", action))
            if each.nonfinite:
                why = f"not a number, or infinite: {BROKEN} on the axis"
                pieces.append(Piece(f"{BROKEN} NaN ", "failed", action, reason=why))
        made.append(pieces)
    return made


def short(each: Curve) -> str:
    """``train``, ``test``, ``accuracy``."""
    loss = each.key.name == "loss" and (each.key.phase == "test" or each.key.output < 0)
    return each.key.phase if loss else each.key.name


def lines(curves: Sequence[Curve], look: Look, width: int, most: int) -> list[list[Piece]]:
    """The legend in at most ``most`` lines: the most detail that has room; what has none even so is counted.

    The chosen curve is always there.
    """
    notes = []
    if look.cursor is not None:
        notes.append([Piece(f" {CURSOR} {x_word(look.cursor, look.view.axis)} ", "accent")])
    if hidden_by_log([each for each in curves if not each.off], look.view):
        notes.append([Piece(" ≤ 0 not on a log scale ", "warning", "scale")])
    rows: list[list[Piece]] = []
    for detail in (3, 2, 1):
        rows = flowed([*notes, *entries(curves, look, detail)], width)
        if len(rows) <= most:
            return rows
    some = [*notes, *entries(curves, look, 1)]
    first = next((at for at, each in enumerate(curves) if each.name == look.chosen), 0) + len(notes)
    rows, stop = _from(some, 0, width, most)
    return rows if first < stop else _from(some, first, width, most)[0]


def _from(some: Sequence[list[Piece]], begin: int, width: int, most: int) -> tuple[list[list[Piece]], int]:
    """Lines with the entries from ``begin`` on that have room, one at least, and where they end."""
    rows: list[list[Piece]] = []
    for stop in range(len(some), begin, -1):
        left = len(some) - (stop - begin)
        more = [[Piece(f" +{left} more", "dim")]] if left else []
        rows = flowed([*some[begin:stop], *more], width)
        if len(rows) <= most or stop == begin + 1:
            return rows[:most], stop
    return rows, begin


def flowed(some: Sequence[list[Piece]], width: int) -> list[list[Piece]]:
    """Entries side by side, as many in a line as have room."""
    rows: list[list[Piece]] = []
    used = width + 1
    for entry in some:
        length = sum(cell_len(piece.text) for piece in entry)
        if used + length > width:
            rows.append([])
            used = 0
        rows[-1].extend(entry)
        used += length
    return rows
