"""Pixels as cells: two in a cell, above each other, where there are colours, else shades of one."""

from __future__ import annotations

from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from barista_tui.filters import GROUND, NOT_FINITE, Image
from barista_tui.theme import Colors, Palette

SHADES = " ░▒▓█"
BROKEN = "✖"
"""Something not finite, where there are no colours."""
_GREYS = ("black", "bright_black", "white", "bright_white")
"""What sixteen colours have of grey."""


def strips(image: Image, palette: Palette, colors: Colors) -> list[Strip]:
    """A line for two rows of pixels."""
    if colors == "none":
        return _shaded(image, palette)
    keys = _keys(image, sixteen=colors == "sixteen")
    if len(keys) % 2:
        keys = np.vstack([keys, np.full((1, keys.shape[1]), -1, keys.dtype)])
    made: dict[int, Color] = {
        -1: Color.parse(palette.background),
        -2: Color.parse(palette.tones["failed"]),
        **{-3 - place: Color.parse(name) for place, name in enumerate(_GREYS)},
    }
    lines = []
    for top, bottom in zip(keys[::2].tolist(), keys[1::2].tolist(), strict=True):
        segments = []
        for (above, below), run in groupby(zip(top, bottom, strict=True)):
            style = Style(color=_color(made, above), bgcolor=_color(made, below))
            segments.append(Segment("▀" * len(list(run)), style))
        lines.append(Strip(segments, keys.shape[1]))
    return lines


def _color(made: dict[int, Color], key: int) -> Color:
    if key not in made:
        made[key] = Color.from_rgb(key >> 16, key >> 8 & 255, key & 255)
    return made[key]


def _keys(image: Image, sixteen: bool) -> NDArray[np.int32]:
    """A number for the colour of each pixel: 0xrrggbb, or below 0 one with a name."""
    red, green, blue = (image.levels[..., each].astype(np.int32) for each in range(3))
    keys = red << 16 | green << 8 | blue
    if sixteen:
        grey = (red == green) & (green == blue)
        keys = np.where(grey, -3 - red * len(_GREYS) // 256, keys)
    keys[image.kinds == GROUND] = -1
    keys[image.kinds == NOT_FINITE] = -2
    return keys.astype(np.int32)


def _shaded(image: Image, palette: Palette) -> list[Strip]:
    """Two rows of pixels are one character; on a light ground ink makes dark, so there it is turned round."""
    levels, kinds = image.levels.mean(axis=2), image.kinds
    if len(levels) % 2:
        levels, kinds = np.vstack([levels, levels[-1:]]), np.vstack([kinds, kinds[-1:]])
    both = np.stack([kinds[::2], kinds[1::2]])
    drawn = (both != GROUND).astype(float)
    level = (np.stack([levels[::2], levels[1::2]]) * drawn).sum(axis=0) / np.maximum(drawn.sum(axis=0), 1)
    steps = np.minimum((level / 256 * len(SHADES)).astype(int), len(SHADES) - 1)
    if sum(Color.parse(palette.background).get_truecolor()) > 3 * 128:
        steps = len(SHADES) - 1 - steps
    ink = Style(color=palette.foreground)
    lines = []
    for row in range(len(steps)):
        text = "".join(
            BROKEN if NOT_FINITE in pair else " " if not any(pair) else SHADES[step]
            for pair, step in zip(both[:, row].T.tolist(), steps[row].tolist(), strict=True)
        )
        lines.append(Strip([Segment(text, ink)], len(text)))
    return lines


def bars(counts: list[int], edges: list[float], width: int, palette: Palette) -> list[Strip]:
    """A histogram: a line a part, its lower edge, a bar, how many."""
    label, figure = 11, max((len(f"{each:,}") for each in counts), default=0) + 1
    room = max(1, width - label - figure)
    most = max(counts, default=0) or 1
    dim, ink = Style(color=palette.dim), Style(color=palette.curves[0])
    lines = []
    for count, edge in zip(counts, edges, strict=False):
        bar = "█" * round(room * count / most) or ("▏" if count else "")
        parts = [Segment(f"{edge:>10.3g} ", dim), Segment(bar, ink), Segment(f" {count:,}", dim)]
        lines.append(Strip(parts).adjust_cell_length(width))
    return lines
