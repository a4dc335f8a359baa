"""Images as PNG files, large enough to be looked at."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from barista_tui.filters import Image
from barista_tui.png import png

GROUND, MARK = (32, 28, 26), (238, 60, 60)
"""Colours of what is between filters, and of what is not finite."""
LONG = 800
"""Pixels that the longer side is enlarged to at least, as far as whole factors go."""


def enlarged(image: Image) -> Image:
    """Each pixel as a square of pixels."""
    factor = max(1, LONG // max(image.kinds.shape))
    levels, kinds = (each.repeat(factor, 0).repeat(factor, 1) for each in (image.levels, image.kinds))
    return Image(levels, kinds, image.low, image.high)


def write_png(path: Path, image: Image, new: bool = False) -> tuple[int, int]:
    """Height and width of what was written; ``new``: only where there is no file. Raises OSError."""
    rgb = np.ascontiguousarray(image.rgb(GROUND, MARK))
    height, width = image.kinds.shape
    with path.open("xb" if new else "wb") as file:
        file.write(png(width, height, rgb.tobytes()))
    return height, width
