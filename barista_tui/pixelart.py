"""Pixels as what a terminal draws: sixels, or kitty's graphics. Imported only where a picture is made."""

from __future__ import annotations

import sys
import zlib
from base64 import b64encode
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from rich.color import Color, ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual_image._sixel import SixelOptions, image_to_sixels

from barista_tui.filters import GROUND, NOT_FINITE, Image

RGB = tuple[int, int, int]
GREYS = 101
"""Sixels give colours in per cent."""
PIECE = 4096
"""Characters of kitty's messages at most."""
HOLDER = "\U0010eeee"
"""The character in whose place kitty shows a part of a picture."""
NUMBERS = (201, 51)
"""Pictures take turns, so that none is seen half: two of the 256 colours, the same where there are more."""


def canvas(image: Image, width: int, height: int) -> Image:
    """The image with ground at the right and below, ``width`` x ``height`` pixels."""
    high, wide = image.kinds.shape
    below, right = max(0, height - high), max(0, width - wide)
    levels = np.pad(image.levels, ((0, below), (0, right), (0, 0)))[:height, :width]
    kinds = np.pad(image.kinds, ((0, below), (0, right)), constant_values=GROUND)[:height, :width]
    return Image(levels, kinds, image.low, image.high)


def sixels(image: Image, ground: RGB, mark: RGB) -> str:
    """A DCS string. Greys are exact to the per cent, of colours there are 256."""
    grey = bool((image.levels == image.levels[..., :1]).all())
    if not grey:
        rgb = Pillow.fromarray(np.ascontiguousarray(image.rgb(ground, mark)))
        return image_to_sixels(rgb, SixelOptions(quantize="maxcoverage"))
    places = np.round(image.levels[..., 0] * ((GREYS - 1) / 255)).astype(np.uint8)
    places[image.kinds == GROUND] = GREYS
    places[image.kinds == NOT_FINITE] = GREYS + 1
    height, width = places.shape
    picture = Pillow.frombytes("P", (width, height), places.tobytes())
    steps = (round(each * 255 / (GREYS - 1)) for each in range(GREYS))
    picture.putpalette([*(each for step in steps for each in (step, step, step)), *ground, *mark])
    return image_to_sixels(picture)


def kitty(rgb: NDArray[np.uint8], control: str) -> str:
    """APC strings that send all pixels; ``control``: keys of the first one."""
    height, width = rgb.shape[:2]
    data = b64encode(zlib.compress(rgb.tobytes(), 1)).decode()
    pieces = [data[start : start + PIECE] for start in range(0, len(data), PIECE)]
    first = f"{control},f=24,o=z,s={width},v={height},q=2,"
    last = len(pieces) - 1
    return "".join(
        f"\x1b_G{first if place == 0 else ''}m={int(place < last)}{',q=2' if place else ''};{piece}\x1b\\"
        for place, piece in enumerate(pieces)
    )


def kitty_held(rgb: NDArray[np.uint8], columns: int, rows: int, number: int, full: bool) -> str:
    """Sends a picture that is shown where :func:`holders` stand. ``full``: all colours reach the terminal."""
    id = _id(number, full)
    return kitty(rgb, f"a=t,i={id}") + f"\x1b_Ga=p,U=1,i={id},c={columns},r={rows},q=2\x1b\\"


def holders(columns: int, rows: int, number: int) -> list[Strip]:
    """Cells in whose place the picture of that number is shown."""
    signs = _signs()
    columns, rows = min(columns, len(signs)), min(rows, len(signs))
    ink = Style(color=Color.from_rgb(*_color(number)))
    return [
        Strip([Segment("".join(HOLDER + signs[row] + signs[each] for each in range(columns)), ink)], columns)
        for row in range(rows)
    ]


def _color(number: int) -> RGB:
    red, green, blue = Color.from_ansi(number).get_truecolor()
    return red, green, blue


def _id(number: int, full: bool) -> int:
    """Kitty knows a picture by the colour of its cells."""
    red, green, blue = _color(number)
    assert Color.from_rgb(red, green, blue).downgrade(ColorSystem.EIGHT_BIT).number == number
    return red << 16 | green << 8 | blue if full else number


@cache
def _signs() -> list[str]:
    """Marks that count rows and columns. When imported, the library asks the terminal, if there is one."""
    stdout, sys.__stdout__ = sys.__stdout__, None  # type: ignore[misc]
    try:
        from textual_image.renderable.tgp import _NUMBER_TO_DIACRITIC
    finally:
        sys.__stdout__ = stdout  # type: ignore[misc]
    return [chr(each) for each in _NUMBER_TO_DIACRITIC]
