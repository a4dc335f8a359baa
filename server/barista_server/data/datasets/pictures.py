"""Images decoded, and samples made small enough for a screen."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

NO_PILLOW = "images need Pillow on the agent's machine: pip install 'barista-server[images]'"
_FORMATS = ("BMP", "DIB", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
"""Not all that Pillow knows: some start other programs."""


def decode(data: bytes) -> Pixels:
    """(C, H, W): grey, or blue, green, red. Raises ValueError when it is no image or Pillow is missing."""
    try:
        from PIL import Image
    except ImportError:
        raise ValueError(NO_PILLOW) from None
    try:
        # Beyond Pillow's limit of 179 million pixels it is no image but a trap for the memory.
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            image.load()
            if image.mode.startswith("I"):  # 16 bits: the upper half counts
                return np.ascontiguousarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8)[None])
            if image.mode in ("1", "L", "LA"):
                return np.ascontiguousarray(np.asarray(image.convert("L"))[None])
            pixels = np.asarray(image.convert("RGB"))[..., ::-1]
    except Exception as error:  # decoders raise anything about damaged bytes
        raise ValueError(f"no image that can be decoded: {error or type(error).__name__}") from None
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def thumbnail(values: NDArray[Any], side: int) -> Pixels:
    """(H, W, 1) or, red, green, blue, (H, W, 3), at most `side` high and wide; bytes as they are, other
    values from the least (black) to the greatest.
    """
    picture = shrink(_as_picture(values), side)
    if values.dtype != np.uint8:
        picture = _stretched(picture)
    return np.ascontiguousarray(np.rint(picture).astype(np.uint8))


def _as_picture(values: NDArray[Any]) -> NDArray[Any]:
    """(H, W, 1 or 3) of a sample of any shape."""
    shape = [size for size in values.shape if size > 1] if values.ndim != 3 else list(values.shape)
    if len(shape) == 3 and shape[0] == 3:
        colours: NDArray[Any] = values.reshape(shape)[::-1].transpose(1, 2, 0)
        return colours
    if len(shape) >= 3:  # further channels, and what is before them, are left out
        height, width = shape[-2:]
        first: NDArray[Any] = values.reshape(-1, height, width)[0][..., None]
        return first
    if len(shape) == 2:
        return values.reshape(*shape, 1)
    root = int(values.size**0.5)
    height = root if root and root * root == values.size else 1
    return values.reshape(height, -1, 1)


def shrink(picture: NDArray[Any], side: int) -> NDArray[np.float64]:
    """(H, W, C) with the mean over the pixels that fall into one."""
    rows, columns = picture.shape[:2]
    scale = min(1.0, side / max(rows, columns, 1))
    # Of very large ones every n-th pixel is enough.
    step = max(1, int(1 / scale / 8))
    out: NDArray[np.float64] = picture[::step, ::step].astype(np.float64)
    for axis, size in ((0, rows), (1, columns)):
        wanted = max(1, round(size * scale))
        starts = np.arange(wanted) * out.shape[axis] // wanted
        lengths = np.diff(starts, append=out.shape[axis])
        sums = np.add.reduceat(out, starts, axis)
        out = sums / lengths.reshape([-1 if one == axis else 1 for one in range(3)])
    return out


def _stretched(picture: NDArray[np.float64]) -> NDArray[np.float64]:
    finite = picture[np.isfinite(picture)]
    if not finite.size:
        return np.zeros_like(picture)
    low, high = float(finite.min()), float(finite.max())
    width = high - low if high > low else 1.0
    return np.clip(np.nan_to_num((picture - low) / width, posinf=1.0, neginf=0.0), 0, 1) * 255
