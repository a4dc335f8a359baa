"""A scene as lines, shapes and words at places in pixels: what SVG and PNG files are written from. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct, field

from barista_tui import format as fmt
from barista_tui.plotting.axes import Scale, x_word
from barista_tui.plotting.curves import Curve, Style, View, session_words
from barista_tui.plotting.scene import SIGNS, Line, Point, scene, sign_of
from barista_tui.store import Key

SIZE = 13.0
"""Height of words in pixels."""
LETTER = 0.6 * SIZE
"""Width of a letter."""
MARGIN, ROW = 16.0, 20.0
LINE, THIN = 1.6, 1.0
MARK = 4.5
"""Half the size of a sign."""

Anchor = Literal["start", "middle", "end"]

DASHES: dict[Style, tuple[float, ...]] = {"solid": (), "dotted": (2.0, 3.0), "dashed": (9.0, 4.0)}
AXIS_NAMES = {"iteration": "iteration", "time": "training time", "clock": "time of day"}


class Paper(Struct, frozen=True):
    """Colours (``#rrggbb``)."""

    ground: str = "#ffffff"
    text: str = "#2e2a26"
    axis: str = "#796b5c"
    grid: str = "#e6ddd0"
    mark: str = "#b3261e"
    curves: tuple[str, ...] = (
        *("#b25f00", "#12658a", "#2f7d32", "#7d3c98"),
        *("#a93246", "#6b6500", "#0b7a6a", "#796b5c"),
    )


class Stroke(Struct, frozen=True):
    """A line through points; ``dash``: lengths of lines and gaps; ``clip``: only within the axes."""

    points: tuple[Point, ...]
    color: str
    width: float = LINE
    dash: tuple[float, ...] = ()
    clip: bool = False


class Shape(Struct, frozen=True):
    """A convex outline, filled with its colour or with the ground's."""

    points: tuple[Point, ...]
    color: str
    filled: bool = True


class Words(Struct, frozen=True):
    """Text whose baseline is at ``y``."""

    x: float
    y: float
    text: str
    color: str
    anchor: Anchor = "start"


Item = Stroke | Shape | Words


class Group(Struct, frozen=True):
    """What belongs together, and what it is, for those who cannot see it."""

    items: tuple[Item, ...]
    about: str = ""


class Figure(Struct, frozen=True):
    """``area``: left, top, right, bottom of the axes."""

    width: int
    height: int
    area: tuple[float, float, float, float]
    title: str
    paper: Paper
    groups: list[Group] = field(default_factory=list)


def figure(
    curves: Sequence[Curve],
    view: View,
    title: str,
    width: int = 1000,
    height: int = 560,
    paper: Paper | None = None,
) -> Figure:
    """The plot of curves that are not off, its legend above it. At least 240 x 160 pixels."""
    paper = paper or Paper()
    shown = [each for each in curves if not each.off]
    top = MARGIN + (ROW if title else 0) + ROW * len(shown)
    # However many curves there are, the plot below their names keeps some room.
    width, height = max(240, width), max(160, height, int(top + 160))
    bottom = height - MARGIN - 2 * ROW
    made = scene(curves, view, max(2, int(width / 110)), max(2, int((bottom - top) / 45)))
    left = MARGIN + LETTER * (1 + _widest(made.left if made.left_used else None))
    right = width - MARGIN - LETTER * (1 + _widest(made.right))
    area = (left, top, right, bottom)
    result = Figure(width, height, area, title, paper)
    title = fmt.fit(title, int((width - 2 * MARGIN) / LETTER)).rstrip()
    if title:
        result.groups.append(Group((Words(MARGIN, MARGIN + 9, title, paper.text),)))
    left_scale = made.left if made.left_used else None
    result.groups.append(_axes(made.x, left_scale, made.right, view, area, paper))
    both = made.right is not None and made.left_used
    sessions = session_words(shown)
    for row, line in enumerate(made.lines):
        words = words_of(line.curve, view, sessions) + (" (right axis)" if both and line.curve.right else "")
        y = MARGIN + (ROW if title else 0) + ROW * row + 9
        result.groups.append(_curve(line, area, y, words, paper))
    return result


def _widest(scale: Scale | None) -> int:
    return max((len(tick.label) for tick in scale.ticks), default=0) if scale else 0


def _axes(
    x: Scale,
    y_left: Scale | None,
    y_right: Scale | None,
    view: View,
    area: tuple[float, float, float, float],
    paper: Paper,
) -> Group:
    left, top, right, bottom = area
    items: list[Item] = []
    sides: tuple[tuple[Scale | None, float, Anchor, int], ...] = (
        (y_left, left, "end", -1),
        (y_right, right, "start", 1),
    )
    for scale, at, anchor, away in sides:
        for tick in scale.ticks if scale else ():
            y = bottom - tick.place * (bottom - top)
            if scale is (y_left or y_right):
                items.append(Stroke(((left, y), (right, y)), paper.grid, THIN))
            items.append(Words(at + away * LETTER * 0.8, y + 4, tick.label, paper.axis, anchor))
            items.append(Stroke(((at, y), (at + away * 4, y)), paper.axis, THIN))
    free = -math.inf
    for tick in x.ticks:
        at = left + tick.place * (right - left)
        items.append(Stroke(((at, bottom), (at, bottom + 4)), paper.axis, THIN))
        half = len(tick.label) * LETTER / 2
        if at - half > free:
            items.append(Words(at, bottom + ROW - 2, tick.label, paper.axis, "middle"))
            free = at + half + LETTER
    frame = [(left, top), (left, bottom), (right, bottom)] + ([(right, top)] if y_right else [])
    items.append(Stroke(tuple(frame if y_left else frame[1:]), paper.axis, THIN))
    name = AXIS_NAMES[view.axis]
    items.append(Words((left + right) / 2, bottom + 2 * ROW - 2, name, paper.axis, "middle"))
    first, last = (x_word(at, view.axis) for at in (x.low, x.high))
    return Group(tuple(items), f"axes: {name} from {first} to {last}")


def _curve(line: Line, area: tuple[float, float, float, float], y: float, words: str, paper: Paper) -> Group:
    """The line with its signs, and its line of the legend at ``y``."""
    left, top, right, bottom = area
    each, room = line.curve, int((right - MARGIN - 46) / LETTER)
    color = paper.curves[each.slot % len(paper.curves)]
    dash = DASHES[each.style]

    def at(point: Point) -> Point:
        return left + point[0] * (right - left), bottom - point[1] * (bottom - top)

    items: list[Item] = []
    for piece in _pieces(line.points):
        placed = tuple(at(point) for point in piece)
        items.append(Stroke(placed if len(placed) > 1 else placed * 2, color, LINE, dash, True))
    items += [sign(at(point), each.slot, color) for point in _marked(line, right - left)]
    if line.best is not None and 0 <= line.best[1] <= 1:
        items.append(star(at(line.best), color))
    for place in line.broken:
        x = left + place * (right - left)
        items += [
            Stroke(((x - 4, bottom - 4), (x + 4, bottom + 4)), paper.mark, 2.0),
            Stroke(((x - 4, bottom + 4), (x + 4, bottom - 4)), paper.mark, 2.0),
        ]
    items += [
        Stroke(((MARGIN, y - 4), (MARGIN + 36, y - 4)), color, LINE, dash),
        sign((MARGIN + 18, y - 4), each.slot, color),
        Words(MARGIN + 46, y, fmt.fit(words, room).rstrip(), paper.text),
    ]
    return Group(tuple(items), words)


def words_of(each: Curve, view: View, sessions: Mapping[Key, str]) -> str:
    """``7 lenet train loss: last 0.0312, best 0.0281 at 9800``."""
    word = sessions[each.name.session]
    session = f"{word} {each.title} " if word else ""
    told = []
    if each.last is not None:
        told.append(f"last {fmt.value(each.last)}")
    if each.best is not None:
        told.append(f"best {fmt.value(each.best.y)} at {x_word(each.best.x, view.axis)}")
    if each.nonfinite:
        told.append("NaN or infinite: crosses on the axis")
    return f"{session}{each.label}" + (f": {', '.join(told)}" if told else "")


def _pieces(points: Sequence[Point | None]) -> list[list[Point]]:
    """Unbroken stretches."""
    pieces: list[list[Point]] = [[]]
    for point in points:
        if point is None:
            pieces.append([])
        else:
            pieces[-1].append(point)
    return [piece for piece in pieces if piece]


def _marked(line: Line, width: float) -> list[Point]:
    """Where signs stand: at every point where these are few, else about every hundred pixels."""
    points = [point for point in line.points if point and 0 <= point[0] <= 1 and 0 <= point[1] <= 1]
    if len(points) * 24 <= width:
        return points
    gap = max(0.12, 100 / width)
    due, found = 0.02 + (line.curve.slot * 0.37 % 1) * gap, []
    for point in points:
        if point[0] >= due:
            found.append(point)
            due += gap * math.ceil((point[0] - due) / gap + 1e-9) or gap
    return found


def sign(at: Point, slot: int, color: str) -> Item:
    """The sign of a curve."""
    if slot >= len(SIGNS):
        return Words(at[0], at[1] + SIZE / 3, sign_of(slot), color, "middle")
    filled = slot % len(SIGNS) < 5
    x, y = at
    r = MARK
    match slot % 5:
        case 0:
            around = [2 * math.pi * n / 16 for n in range(16)]
            outline = [(x + r * math.cos(angle), y + r * math.sin(angle)) for angle in around]
        case 1:
            outline = [(x, y - r), (x + r, y + r * 0.8), (x - r, y + r * 0.8)]
        case 2:
            r *= 0.85
            outline = [(x - r, y - r), (x + r, y - r), (x + r, y + r), (x - r, y + r)]
        case 3:
            outline = [(x, y - r * 1.15), (x + r, y), (x, y + r * 1.15), (x - r, y)]
        case _:
            outline = [(x, y + r), (x - r, y - r * 0.8), (x + r, y - r * 0.8)]
    return Shape(tuple(outline), color, filled)


def star(at: Point, color: str) -> Stroke:
    """The best value: a star of lines."""
    x, y = at
    r = MARK * 1.6
    angles = [0.8 * math.pi * n for n in range(6)]
    ends = [(x + r * math.sin(angle), y - r * math.cos(angle)) for angle in angles]
    return Stroke(tuple(ends), color, 1.3)
