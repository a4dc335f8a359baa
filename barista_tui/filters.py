"""Blobs as pictures: values in, pixels out. Pure numpy; imported only where a picture is made.

Light is high. What is not finite is marked, never averaged away.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from barista_tui.blobform import Form, Grid, Mode

Floats = NDArray[np.floating[Any]]
Scale = Literal["shared", "filter"]
GROUND, VALUE, NOT_FINITE = 0, 1, 2


class Image(Struct, frozen=True):
    """``levels``: 0 to 255, (height, width, 3); ``kinds``: what each pixel is, (height, width)."""

    levels: NDArray[np.uint8]
    kinds: NDArray[np.uint8]
    low: float | None = None
    """The value that is black, ``high`` the one that is white; None where each filter has its own, or where
    no value is finite.
    """
    high: float | None = None

    def rgb(self, ground: tuple[int, int, int], mark: tuple[int, int, int]) -> NDArray[np.uint8]:
        """All pixels coloured, (height, width, 3)."""
        rgb = self.levels.copy()
        rgb[self.kinds == GROUND] = ground
        rgb[self.kinds == NOT_FINITE] = mark
        return rgb


def draw(
    values: Floats,
    form: Form,
    grid: Grid,
    blocks: range,
    first: int = 0,
    mode: Mode = "channels",
    scale: Scale = "shared",
    bounds: tuple[float, float] | None = None,
) -> Image:
    """The picture of some blocks, or rows of a matrix.

    ``values``: rows of the blob from row ``first`` on, flat; ``bounds``: the blob's least and greatest finite
    value, if known, else those of ``values``.
    """
    rows = values.reshape(-1, form.planes, form.height, form.width).astype(np.float64)
    if mode == "mean" and form.kind == "blocks":
        with np.errstate(invalid="ignore", over="ignore"):
            rows = rows.mean(axis=1, keepdims=True)
        bounds = None
    own = scale == "filter" and form.row > 1
    if bounds is None and not own:
        bounds = _bounds(rows)
    levels = _normal(rows, None if own else bounds)
    low, high = bounds if bounds is not None and not own else (None, None)
    if form.kind == "matrix":
        kept = levels.reshape(len(rows), -1)[blocks.start - first : blocks.stop - first]
        pixels, kinds = _heat(kept, grid.height, grid.width)
        return Image(np.repeat(pixels[..., None], 3, axis=2), kinds, low, high)
    pixels, kinds = _tiles(levels, form, grid, blocks, first, mode)
    return Image(*_placed(pixels, kinds, grid), low, high)


def _bounds(values: Floats) -> tuple[float, float] | None:
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else None


def _normal(rows: Floats, bounds: tuple[float, float] | None) -> Floats:
    """0 to 1 between the bounds, or each row between its own; a half where all values are alike; NaN for
    what is not finite.
    """
    finite = np.isfinite(rows)
    if bounds is None:
        axes = tuple(range(1, rows.ndim))
        low = np.where(finite, rows, np.inf).min(axis=axes, keepdims=True)
        high = np.where(finite, rows, -np.inf).max(axis=axes, keepdims=True)
    else:
        low, high = np.float64(bounds[0]), np.float64(bounds[1])
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        span = high - low
        levels = np.where(span > 0, (rows - low) / np.where(span > 0, span, 1), 0.5)
    return np.where(finite, np.clip(levels, 0, 1), np.nan)


def _weights(size: int, wanted: int) -> Floats:
    """What part of each of ``size`` values is in each of ``wanted`` pixels, (wanted, size)."""
    edges = np.linspace(0, size, wanted + 1)
    at = np.arange(size)
    overlap = np.minimum(edges[1:, None], at + 1) - np.maximum(edges[:-1, None], at)
    clipped: Floats = np.clip(overlap, 0, None)
    return clipped


def resized(tiles: Floats, height: int, width: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """(n, h, w) of 0 to 1 as (n, height, width) of 0 to 255, each pixel the mean of the values it covers;
    and what it is: one that covers something not finite says so.
    """
    down, across = _weights(tiles.shape[1], height), _weights(tiles.shape[2], width).T
    good = np.isfinite(tiles)
    share = down @ good.astype(np.float64) @ across
    sums = down @ np.where(good, tiles, 0.0) @ across
    spoilt = down @ (~good).astype(np.float64) @ across > 1e-9
    mean = np.divide(sums, share, out=np.zeros_like(sums), where=share > 1e-12)
    pixels = np.round(np.clip(mean, 0, 1) * 255).astype(np.uint8)
    return pixels, np.where(spoilt, NOT_FINITE, VALUE).astype(np.uint8)


def shrunk(image: Image, height: int, width: int) -> Image:
    """The same in fewer pixels: each the mean of the values it covers; ground where that is most of it."""
    down, across = _weights(image.kinds.shape[0], height), _weights(image.kinds.shape[1], width).T
    drawn = (image.kinds != GROUND).astype(np.float64)
    share = down @ drawn @ across
    sums = [down @ (image.levels[..., each] * drawn) @ across for each in range(3)]
    room = down.sum(axis=1)[:, None] * across.sum(axis=0)
    means = np.stack(sums, axis=-1) / np.maximum(share, 1e-12)[..., None]
    kinds = np.where(share * 2 >= room, VALUE, GROUND)
    kinds[down @ (image.kinds == NOT_FINITE).astype(np.float64) @ across > 1e-9] = NOT_FINITE
    levels = np.round(np.clip(means, 0, 255)).astype(np.uint8)
    return Image(levels, kinds.astype(np.uint8), image.low, image.high)


def _tiles(
    levels: Floats, form: Form, grid: Grid, blocks: range, first: int, mode: Mode
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """(blocks, height, width, 3) and their kinds without the last axis."""
    if mode == "colour":
        # Caffe reads pictures with OpenCV: blue comes first.
        chosen = levels[blocks.start - first : blocks.stop - first, ::-1]
        flat, kinds = resized(chosen.reshape(-1, form.height, form.width), grid.height, grid.width)
        shape = (-1, 3, grid.height, grid.width)
        return np.moveaxis(flat.reshape(shape), 1, 3), kinds.reshape(shape).max(axis=1)
    before = first * form.blocks(mode)
    chosen = levels.reshape(-1, form.height, form.width)[blocks.start - before : blocks.stop - before]
    flat, kinds = resized(chosen, grid.height, grid.width)
    return np.repeat(flat[..., None], 3, axis=3), kinds


def _placed(
    pixels: NDArray[np.uint8], kinds: NDArray[np.uint8], grid: Grid
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Blocks beside and below each other."""
    count = len(pixels)
    columns = max(1, min(grid.columns, count))
    rows = max(1, -(-count // columns))
    gap = grid.gap
    high, wide = grid.height + gap, grid.width + gap
    image = np.zeros((rows * high - gap, columns * wide - gap, 3), np.uint8)
    what = np.zeros(image.shape[:2], np.uint8)
    for number in range(count):
        y, x = number // columns * high, number % columns * wide
        image[y : y + grid.height, x : x + grid.width] = pixels[number]
        what[y : y + grid.height, x : x + grid.width] = kinds[number]
    return image, what


def _heat(levels: Floats, height: int, width: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A matrix in at most ``height`` x ``width`` pixels, a whole number of pixels for a value where it is
    smaller.
    """
    rows, columns = levels.shape
    tall = rows * max(1, height // rows) if rows <= height else height
    wide = columns * max(1, width // columns) if columns <= width else width
    pixels, kinds = resized(levels[None], tall, wide)
    return pixels[0], kinds[0]


def histogram(values: Floats, bins: int) -> tuple[list[int], list[float]]:
    """How many finite values lie in each of ``bins`` equal parts of their range, and the parts' edges; one
    part where all are alike, none where none is finite.
    """
    finite = values[np.isfinite(values)].astype(np.float64)
    if not finite.size:
        return [], []
    low, high = float(finite.min()), float(finite.max())
    if low == high:
        return [int(finite.size)], [low, high]
    counts, edges = np.histogram(finite, bins=max(1, bins), range=(low, high))
    return [int(each) for each in counts], [float(each) for each in edges]
