"""Image files as Caffe's OpenCV hands them over: bytes (channels, height, width), colours in the order BGR.

JPEG and PNG come from Pillow; what its decoder rounds otherwise than that of some OpenCV differs by one step.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from barista_engine.errors import CheckFailed

if TYPE_CHECKING:
    from PIL.Image import Image

Pixels = NDArray[np.uint8]


_FORMATS = ("BMP", "DIB", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "SUN", "TIFF", "WEBP")
"""Not all that Pillow knows: some start other programs."""


def decode(data: bytes, color: bool | None) -> Pixels:
    """The image in `data`, (C, H, W): BGR, grey, or with None as it is, which may be four channels.

    Raises ValueError when it is no image, CheckFailed where Pillow is missing.
    """
    try:
        from PIL import Image
    except ImportError:
        message = "Decoding images needs Pillow: pip install 'barista-server[images]'"
        raise CheckFailed(message, "io.cpp", 73) from None
    try:
        # Beyond Pillow's limit of 179 million pixels it is no image but a trap for the memory.
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            if color is False and image.format == "JPEG":
                image.draft("L", image.size)  # its own brightness channel, as OpenCV takes it
            image.load()
            pixels = _array(image, color)
    except Exception as error:  # decoders raise anything about damaged bytes
        raise ValueError(str(error) or type(error).__name__) from None
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _array(image: Image, color: bool | None) -> Pixels:
    """(H, W, C)."""
    if image.mode.startswith("I"):  # 16 bits: the upper half counts
        image = _eight_bits(image)
    if color is False and image.format == "PNG" and image.mode not in ("1", "L", "LA"):
        return _png_brightness(np.asarray(image.convert("RGB")))
    mode = "RGB" if color else "L"
    if color is None:
        mode = "L" if image.mode in ("1", "L") else "RGB"
        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            mode = "RGBA"
    pixels = np.asarray(image.convert(mode))
    if mode == "L":
        return pixels[..., None]
    return pixels[..., [2, 1, 0, 3][: pixels.shape[-1]]]


def _png_brightness(rgb: Pixels) -> Pixels:
    """As libpng makes it: weights in 1/32768, rounded down."""
    return ((rgb @ np.array([[9797], [19234], [3737]], np.int32)) >> 15).astype(np.uint8)


def _eight_bits(image: Image) -> Image:
    from PIL import Image as images

    return images.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8))


_SCALE = 1 << 11
"""OpenCV's bilinear resize works in whole numbers: weights in units of 1/2048."""


def resize(pixels: Pixels, height: int, width: int) -> Pixels:
    """(C, H, W) -> (C, height, width), from the four nearest pixels at any ratio, as OpenCV does."""
    if pixels.shape[1:] == (height, width):
        return pixels
    top, low, low_weight = _taps(pixels.shape[1], height)
    left, right, right_weight = _taps(pixels.shape[2], width)
    wide = pixels.astype(np.int32)
    across = wide[..., left] * (_SCALE - right_weight) + wide[..., right] * right_weight
    upper, lower = across[:, top] >> 4, across[:, low] >> 4
    upper_part = (upper * (_SCALE - low_weight)[:, None]) >> 16
    lower_part = (lower * low_weight[:, None]) >> 16
    return ((upper_part + lower_part + 2) >> 2).clip(0, 255).astype(np.uint8)


def _taps(size: int, wanted: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
    """For each of `wanted` places: both source indices and the weight of the second in 1/2048."""
    at = ((np.arange(wanted) + 0.5) * (size / wanted) - 0.5).astype(np.float32)
    first = np.floor(at).astype(np.int64)
    part = at - first
    part[(first < 0) | (first >= size - 1)] = 0
    first = first.clip(0, size - 1)
    second = (first + 1).clip(0, size - 1)
    return first, second, np.rint(part * _SCALE).astype(np.int32)
