"""A figure as pixels, with smooth edges; by numpy alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from barista_tui.plotting.figure import LETTER, SIZE, Figure, Item, Shape, Stroke, Words
from barista_tui.plotting.letters import lines_of
from barista_tui.plotting.scene import Point
from barista_tui.png import png

Mask = NDArray[np.float32]
Box = tuple[float, float, float, float]

CAPITALS = 0.7 * SIZE
"""Height of a capital letter in pixels."""


def write(figure: Figure, scale: int = 1) -> bytes:
    """The PNG file's bytes, of ``scale`` times the figure's size."""
    rgb = pixels(figure, scale)
    return png(rgb.shape[1], rgb.shape[0], rgb.tobytes())


def pixels(figure: Figure, scale: int = 1) -> NDArray[np.uint8]:
    """RGB, (height, width, 3)."""
    sheet = _Sheet(figure, scale)
    for group in figure.groups:
        for item in group.items:
            sheet.draw(item)
    return (sheet.rgb + 0.5).astype(np.uint8)


class _Sheet:
    def __init__(self, figure: Figure, scale: int) -> None:
        self._scale = scale
        self._figure = figure
        self._shape = figure.height * scale, figure.width * scale
        self.rgb = np.empty((*self._shape, 3), np.float32)
        self.rgb[:] = _rgb(figure.paper.ground)
        self._mask: Mask = np.zeros(self._shape, np.float32)

    def draw(self, item: Item) -> None:
        if isinstance(item, Stroke):
            pieces = [item.points] if not item.dash else dashed(item.points, item.dash)
            self._strokes(pieces, item.width, item.color, self._figure.area if item.clip else None)
        elif isinstance(item, Shape):
            if not item.filled:
                self._fill(item.points, self._figure.paper.ground)
            else:
                self._fill(item.points, item.color)
            self._strokes([(*item.points, item.points[0])], 1.2, item.color, None)
        else:
            self._words(item)

    def _words(self, item: Words) -> None:
        letters = lines_of(item.text)
        length = len(letters) * LETTER
        x = item.x - {"start": 0.0, "middle": length / 2, "end": length}[item.anchor]
        unit, wide = CAPITALS / 6, LETTER * 0.72 / 4
        lines = [
            [(x + place * LETTER + a * wide + 1, item.y + (b - 6) * unit) for a, b in line]
            for place, letter in enumerate(letters)
            for line in letter
        ]
        self._strokes(lines, 1.15, item.color, None)

    def _strokes(self, lines: Iterable[Sequence[Point]], width: float, color: str, clip: Box | None) -> None:
        """Lines in one colour: where they cross, it is not put on twice."""
        half = width * self._scale / 2
        touched: list[tuple[slice, slice]] = []
        for line in lines:
            for p, q in pairwise(line):
                if place := self._segment(p, q, half):
                    touched.append(place)
        self._blend(touched, color, clip)

    def _segment(self, p: Point, q: Point, half: float) -> tuple[slice, slice] | None:
        (x0, y0), (x1, y1) = ((each[0] * self._scale, each[1] * self._scale) for each in (p, q))
        rows, columns = self._window(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1), half + 1)
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return None
        y, x = np.ogrid[rows, columns]
        px, py = x + 0.5 - x0, y + 0.5 - y0
        dx, dy = x1 - x0, y1 - y0
        square = dx * dx + dy * dy
        along = np.clip((px * dx + py * dy) / square, 0, 1) if square else 0.0
        away = np.hypot(px - along * dx, py - along * dy)
        inside = np.clip(half + 0.5 - away, 0, 1).astype(np.float32)
        part = self._mask[rows, columns]
        np.maximum(part, inside, out=part)
        return rows, columns

    def _fill(self, outline: Sequence[Point], color: str) -> None:
        """A convex outline, in either direction."""
        at = [(x * self._scale, y * self._scale) for x, y in outline]
        rows, columns = self._window(
            min(x for x, _ in at), min(y for _, y in at), max(x for x, _ in at), max(y for _, y in at), 1
        )
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return
        turn = sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairwise([*at, at[0]]))
        y, x = np.ogrid[rows, columns]
        inside = np.full((rows.stop - rows.start, columns.stop - columns.start), np.inf)
        for (x0, y0), (x1, y1) in pairwise([*at, at[0]]):
            length = math.hypot(x1 - x0, y1 - y0) or 1.0
            away = ((x1 - x0) * (y + 0.5 - y0) - (y1 - y0) * (x + 0.5 - x0)) / length
            inside = np.minimum(inside, away if turn > 0 else -away)
        part = self._mask[rows, columns]
        np.maximum(part, np.clip(inside + 0.5, 0, 1).astype(np.float32), out=part)
        self._blend([(rows, columns)], color, None)

    def _window(
        self, left: float, top: float, right: float, bottom: float, more: float
    ) -> tuple[slice, slice]:
        height, width = self._shape
        rows = slice(max(0, math.floor(top - more)), min(height, math.ceil(bottom + more)))
        return rows, slice(max(0, math.floor(left - more)), min(width, math.ceil(right + more)))

    def _blend(self, touched: Sequence[tuple[slice, slice]], color: str, clip: Box | None) -> None:
        """Put the colour on where the mask is, and empty it."""
        if not touched:
            return
        rows = slice(min(each[0].start for each in touched), max(each[0].stop for each in touched))
        columns = slice(min(each[1].start for each in touched), max(each[1].stop for each in touched))
        mask = self._mask[rows, columns]
        if clip is not None:
            left, top, right, bottom = (round(each * self._scale) for each in clip)
            y, x = np.ogrid[rows, columns]
            mask *= (x >= left) & (x <= right) & (y >= top) & (y <= bottom)
        part = self.rgb[rows, columns]
        part += (np.array(_rgb(color), np.float32) - part) * mask[..., None]
        mask[:] = 0


def dashed(points: Sequence[Point], dash: Sequence[float]) -> list[list[Point]]:
    """The pieces of a line that are drawn: lines and gaps of these lengths in turn, from its beginning on."""
    pieces: list[list[Point]] = [[points[0]]]
    turn, left = 0, dash[0]
    for (x0, y0), (x1, y1) in pairwise(points):
        length, done = math.hypot(x1 - x0, y1 - y0), 0.0
        while length > 0 and length - done >= left:
            done += left
            at = (x0 + (x1 - x0) * done / length, y0 + (y1 - y0) * done / length)
            if turn % 2 == 0:
                pieces[-1].append(at)
            else:
                pieces.append([at])
            turn += 1
            left = dash[turn % len(dash)]
        left -= length - done
        if turn % 2 == 0:
            pieces[-1].append((x1, y1))
    return [piece for piece in pieces if len(piece) > 1]


def _rgb(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
