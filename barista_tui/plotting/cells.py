"""A scene as cells of a terminal: braille dots, or plain ASCII where nothing else can be shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby

from msgspec import Struct
from rich.cells import cell_len

from barista_tui.plotting.axes import Tick
from barista_tui.plotting.curves import Curve, Name, Style, View
from barista_tui.plotting.scene import (
    ASCII_BEST,
    ASCII_BROKEN,
    BEST,
    BROKEN,
    Line,
    Point,
    Scene,
    scene,
    sign_of,
)

LEAST_WIDTH, LEAST_HEIGHT = 20, 5

FEW = 4
"""Of so many points none is marked as the best one: each has its sign."""

AXIS, GRID, MARK, CURSOR, LABEL = -1, -2, -3, -4, -5
"""Inks of what is no curve; those of curves are their slots."""

_LEFT, _RIGHT = (0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80)
_MASKS = [
    [[sum(side[top : bottom + 1]) for bottom in range(4)] for top in range(4)] for side in (_LEFT, _RIGHT)
]
"""Of either column of dots of a cell: the bits from one dot to another."""
_ON: dict[Style, tuple[int, int]] = {"solid": (1, 1), "dotted": (4, 2), "dashed": (10, 6)}
"""Of so many columns of dots so many are drawn."""
_ASCII = str.maketrans("─│┤├┬└┘┈╎▴", "-|+++++.:^")


class Cells(Struct, frozen=True):
    """``rows`` of text and ink, all as wide as was asked; the canvas within begins at column ``left``."""

    rows: tuple[tuple[tuple[str, int], ...], ...] = ()
    left: int = 0
    width: int = 0
    """Columns of the canvas."""
    height: int = 0
    """Its rows, from the first one on."""
    scene: Scene | None = None

    def place(self, column: int) -> float:
        """The place on the x axis, 0 to 1, of a column."""
        return min(1.0, max(0.0, (column - self.left) / max(1, self.width - 1)))

    def text(self) -> str:
        """The lines without colours and trailing blanks."""
        return "\n".join("".join(text for text, _ in row).rstrip() for row in self.rows)


class _Canvas:
    """The area within the axes. A cell has ``across`` x ``down`` dots."""

    def __init__(self, width: int, height: int, ascii_only: bool) -> None:
        self.width, self.height = width, height
        self.ascii_only = ascii_only
        self.across, self.down = (1, 1) if ascii_only else (2, 4)
        self.columns, self.lines = width * self.across, height * self.down
        self.bits = [[0] * width for _ in range(height)]
        self.inks = [[0] * width for _ in range(height)]
        self.chars: list[list[str]] = [[""] * width for _ in range(height)]

    def column(self, place: float) -> int:
        """Cell column of a place on the x axis."""
        return round(place * (self.width - 1))

    def row(self, place: float) -> int:
        """Cell row of a place on a y axis."""
        return round((1 - place) * (self.height - 1))

    def put(self, column: int, row: int, char: str, ink: int) -> None:
        """A sign, over what is there."""
        if 0 <= column < self.width and 0 <= row < self.height:
            self.chars[row][column] = char
            self.inks[row][column] = ink

    def fill(self, spans: Sequence[tuple[float, float] | None], ink: int, style: Style, sign: str) -> None:
        """The dots between least and greatest of each column of dots."""
        of, on = _ON[style]
        if self.ascii_only:
            of, on = (1, 1) if style == "solid" else (2, 1)
        last = self.lines - 1
        for column, span in enumerate(spans):
            if span is None or column % of >= on or span[0] > last + 0.5 or span[1] < -0.5:
                continue
            first, stop = max(0, round(span[0])), min(last, round(span[1]))
            if self.ascii_only:
                for row in range(first, stop + 1):
                    self.put(column, row, sign, ink)
            else:
                self._dots(column, first, stop, ink)

    def _dots(self, column: int, first: int, stop: int, ink: int) -> None:
        """A column of dots from one line of them to another."""
        cell, masks = column >> 1, _MASKS[column & 1]
        top, bottom = first >> 2, stop >> 2
        if top == bottom:
            self.bits[top][cell] |= masks[first & 3][stop & 3]
        else:
            self.bits[top][cell] |= masks[first & 3][3]
            self.bits[bottom][cell] |= masks[0][stop & 3]
            whole = masks[0][3]
            for row in self.bits[top + 1 : bottom]:
                row[cell] |= whole
        for row_inks, row_chars in zip(
            self.inks[top : bottom + 1], self.chars[top : bottom + 1], strict=True
        ):
            row_inks[cell] = ink
            row_chars[cell] = ""

    def cell(self, column: int, row: int) -> tuple[str, int]:
        """What is to be shown there."""
        char, ink = self.chars[row][column], self.inks[row][column]
        if char:
            return char, ink
        bits = self.bits[row][column]
        return (chr(0x2800 + bits), ink) if bits else (" ", AXIS)


def spans(points: Sequence[Point | None], columns: int, lines: int) -> list[tuple[float, float] | None]:
    """Least and greatest line of dots that a polyline touches in each column of dots; None in between."""
    low = [math.inf] * columns
    high = [-math.inf] * columns
    wide, tall = columns - 1, lines - 1
    before: tuple[float, float] | None = None
    last = -1
    for point in points:
        if point is None:
            before = None
            continue
        x, y = point[0] * wide, (1 - point[1]) * tall
        column = round(x)
        if before is None or column == last:
            least, most = (y, y) if before is None else (y, before[1]) if y < before[1] else (before[1], y)
            if 0 <= column <= wide:
                low[column] = min(low[column], least)
                high[column] = max(high[column], most)
        else:
            _slope(low, high, (*before, last), (x, y, column))
        before, last = (x, y), column
    return [(a, b) if a <= b else None for a, b in zip(low, high, strict=True)]


def _slope(
    low: list[float], high: list[float], p: tuple[float, float, int], q: tuple[float, float, int]
) -> None:
    """A line between two columns: each gets what of it lies nearer to its middle than to another's."""
    (x0, y0, first), (x1, y1, stop) = (p, q) if p[2] < q[2] else (q, p)
    slope = (y1 - y0) / (x1 - x0)
    for column in range(max(first, 0), min(stop, len(low) - 1) + 1):
        a = y0 if column == first else y0 + slope * (column - 0.5 - x0)
        b = y1 if column == stop else y0 + slope * (column + 0.5 - x0)
        if a > b:
            a, b = b, a
        if a < low[column]:
            low[column] = a
        if b > high[column]:
            high[column] = b


def draw(
    curves: Sequence[Curve],
    view: View,
    width: int,
    height: int,
    cursor: float | None = None,
    top: Name | None = None,
    ascii_only: bool = False,
    grid: bool = True,
) -> Cells:
    """The plot in ``width`` x ``height`` cells; nothing where there is no room, or no curve.

    ``cursor``: an x where a line stands; ``top``: the curve that lies above the others; ``grid``: lines at
    the ticks of the y axis, which need colours to stay behind.
    """
    if width < LEAST_WIDTH or height < LEAST_HEIGHT or not curves:
        return Cells()
    made = scene(curves, view, max(2, width // 12), max(2, height // 4))
    left = max((len(tick.label) for tick in made.left.ticks), default=0) if made.left_used else 0
    right = max((len(tick.label) for tick in made.right.ticks), default=0) + 1 if made.right else 0
    canvas = _Canvas(max(1, width - left - 1 - right), height - 2, ascii_only)
    for tick in (made.left if made.left_used or made.right is None else made.right).ticks if grid else ():
        for column in range(canvas.width):
            canvas.put(column, canvas.row(tick.place), "┈", GRID)
    if cursor is not None and 0 <= (at := made.x.place(cursor) if _can(made, cursor) else -1) <= 1:
        for row in range(canvas.height):
            canvas.put(canvas.column(at), row, "╎", CURSOR)
    lines = sorted(made.lines, key=lambda line: line.curve.name != top)
    for line in reversed(lines):
        _line(canvas, line)
    for line in reversed(lines):
        if line.best is not None and 0 <= line.best[1] <= 1 and line.curve.points > FEW:
            best = ASCII_BEST if ascii_only else BEST
            canvas.put(canvas.column(line.best[0]), canvas.row(line.best[1]), best, line.curve.slot)
    return Cells(tuple(_rows(canvas, made, left, right, cursor)), left + 1, canvas.width, canvas.height, made)


def _can(made: Scene, x: float) -> bool:
    return x > 0 or not made.x.log


def _line(canvas: _Canvas, line: Line) -> None:
    ink = line.curve.slot
    sign = sign_of(ink, canvas.ascii_only)
    found = spans(line.points, canvas.columns, canvas.lines)
    canvas.fill(found, ink, line.curve.style, sign)
    if canvas.ascii_only:
        return
    points = [point for point in line.points if point is not None and 0 <= point[0] <= 1]
    if len(points) * 4 <= canvas.width:
        for x, y in points:
            if 0 <= y <= 1:
                canvas.put(canvas.column(x), canvas.row(y), sign, ink)
        return
    # Signs of two curves that lie upon each other stand side by side.
    gap = max(10, canvas.width // 5)
    for column in range((3 + ink * 5) % gap, canvas.width, gap):
        span = found[column * 2] or found[column * 2 + 1]
        if span is not None and -0.5 <= (middle := (span[0] + span[1]) / 2) <= canvas.lines - 0.5:
            canvas.put(column, min(canvas.height - 1, max(0, int(middle) // 4)), sign, ink)


def _rows(
    canvas: _Canvas, made: Scene, left: int, right: int, cursor: float | None
) -> list[tuple[tuple[str, int], ...]]:
    """The canvas with its axes around it."""
    y_left = _at_rows(made.left.ticks if made.left_used else (), canvas)
    y_right = _at_rows(made.right.ticks if made.right else (), canvas)
    rows = []
    for row in range(canvas.height):
        cells = [canvas.cell(column, row) for column in range(canvas.width)]
        label = y_left.get(row)
        begin = [((label or "").rjust(left), LABEL), ("│" if label is None else "┤", AXIS)]
        end: list[tuple[str, int]] = []
        if right:
            label = y_right.get(row)
            end = [("│" if label is None else "├", AXIS), ((label or "").ljust(right - 1), LABEL)]
        rows.append(_joined([*begin, *cells, *end], canvas.ascii_only))
    columns = {canvas.column(tick.place): tick.label for tick in made.x.ticks if -0.01 <= tick.place <= 1.01}
    axis = [("┬" if column in columns else "─", AXIS) for column in range(canvas.width)]
    for line in made.lines:
        for place in line.broken:
            axis[canvas.column(place)] = (ASCII_BROKEN if canvas.ascii_only else BROKEN, MARK)
    if cursor is not None and _can(made, cursor) and 0 <= made.x.place(cursor) <= 1:
        column = canvas.column(made.x.place(cursor))
        if axis[column][1] != MARK:
            axis[column] = ("▴", CURSOR)
    end = [("┘", AXIS), (" " * (right - 1), LABEL)] if right else []
    rows.append(_joined([(" " * left, LABEL), ("└", AXIS), *axis, *end], canvas.ascii_only))
    rows.append(((_bottom(columns, left + 1, left + 1 + canvas.width + right), LABEL),))
    return rows


def _at_rows(ticks: Sequence[Tick], canvas: _Canvas) -> dict[int, str]:
    return {canvas.row(tick.place): tick.label for tick in ticks}


def _bottom(columns: dict[int, str], left: int, width: int) -> str:
    """The labels below their ticks; one that would touch the last is left out."""
    line, free = "", 0
    for column, label in sorted(columns.items()):
        begin = min(max(left + column - len(label) // 2, 0), width - cell_len(label))
        if begin >= free:
            line += " " * (begin - len(line)) + label
            free = len(line) + 1
    return line.ljust(width)


def _joined(cells: Sequence[tuple[str, int]], ascii_only: bool) -> tuple[tuple[str, int], ...]:
    """Neighbours of one ink in one piece."""
    made = []
    for ink, some in groupby(cells, key=lambda cell: cell[1]):
        text = "".join(text for text, _ in some)
        if text:
            made.append((text.translate(_ASCII) if ascii_only and ink < 0 else text, ink))
    return tuple(made)
