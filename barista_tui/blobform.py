"""How a blob is laid out as a picture: which of its rows are needed for a page, and where blocks go.

Pure, and without numpy: the screen decides by it before anything is fetched.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, prod
from typing import Literal

from msgspec import Struct

Mode = Literal["colour", "channels", "mean"]
MODES: tuple[Mode, ...] = ("colour", "channels", "mean")

WHOLE = 400_000
"""Values of a blob that are fetched at once, 1.6 MB; of a larger one only what a page shows."""
GAP = 1
"""Pixels between blocks."""
LEAST = 3
"""Pixels that the longer side of a block is scaled down to at most; then there are pages."""
MOST_FACTOR = 16
"""Pixels for a value at most."""
FINE_GAP, FINE_FACTOR = 2, 64
"""The same where pixels are those of the screen, not halves of a character."""


class Form(Struct, frozen=True):
    """A blob as ``count`` rows: filters of ``planes`` channels, each ``height`` x ``width``; or the rows of a
    matrix, ``width`` long. A vector is filters of one value.
    """

    kind: Literal["blocks", "matrix"]
    count: int
    planes: int = 1
    height: int = 1
    width: int = 1

    @property
    def row(self) -> int:
        """Values of a row."""
        return self.planes * self.height * self.width

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The ways to show its channels, the usual one first."""
        if self.kind == "matrix" or self.planes == 1:
            return ("channels",)
        return MODES if self.planes == 3 else ("channels", "mean")

    def blocks(self, mode: Mode) -> int:
        """Blocks of one filter."""
        return self.planes if mode == "channels" else 1


def form_of(kind: str, shape: Sequence[int]) -> Form:
    """Of a layer's type, as files of all ages write it (empty in HDF5), and a blob's shape.

    Old files have four axes always: an inner product (1, 1, N, K), a bias (1, 1, 1, N).
    """
    dims = list(shape)
    if len(dims) >= 4 and prod(dims[-2:]) > 1 and ("conv" in kind.lower() or prod(dims[:-2]) > 1):
        count, planes, (height, width) = dims[0], prod(dims[1:-2]), dims[-2:]
        bias = count == planes == height == 1
        if not bias:
            # The agent leaves out axes in front that are 1: a single filter comes as its channels.
            return Form("blocks", planes if count == 1 else count, 1 if count == 1 else planes, height, width)
    while len(dims) > 1 and dims[0] == 1:
        del dims[0]
    if len(dims) < 2:
        return Form("blocks", prod(dims))
    if prod(dims[1:]) == 1:
        return Form("blocks", dims[0])
    return Form("matrix", dims[0], width=prod(dims[1:]))


class Grid(Struct, frozen=True):
    """Blocks of ``height`` x ``width`` pixels, ``columns`` beside each other, ``rows`` of these on a page."""

    height: int
    width: int
    columns: int
    rows: int
    blocks: int
    """In all, or the rows of a matrix."""
    per_page: int
    gap: int = GAP

    @property
    def pages(self) -> int:
        """At least one."""
        return max(1, ceil(self.blocks / self.per_page))

    def page(self, number: int) -> range:
        """The blocks, or rows of a matrix, that a page shows."""
        start = min(max(number, 0), self.pages - 1) * self.per_page
        return range(start, min(start + self.per_page, self.blocks))


def grid_of(form: Form, mode: Mode, width: int, height: int, zoom: int = 0, fine: bool = False) -> Grid:
    """The largest blocks with which all find room in ``width`` x ``height`` pixels, times 1.5 ** ``zoom``;
    if need be the least, and pages. ``fine``: of true pixels.
    """
    gap, most = (FINE_GAP, FINE_FACTOR) if fine else (GAP, MOST_FACTOR)
    width, height = max(width, 1), max(height, 1)
    if form.kind == "matrix":
        rows = form.count if form.count * form.row <= WHOLE else max(1, WHOLE // form.row)
        return Grid(height, width, 1, 1, form.count, rows)
    blocks = form.count * form.blocks(mode)
    sizes = _sizes(form, most)
    chosen = next((each for each in sizes if _room(each, width, height, gap) >= blocks), sizes[-1])
    if zoom:
        chosen = (_zoomed(chosen[0], zoom, height), _zoomed(chosen[1], zoom, width))
    columns = max(1, (width + gap) // (chosen[1] + gap))
    rows = max(1, (height + gap) // (chosen[0] + gap))
    return Grid(*chosen, columns, rows, blocks, columns * rows, gap)


def _zoomed(size: int, zoom: int, most: int) -> int:
    return int(min(max(1, round(size * 1.5**zoom)), most))


def _sizes(form: Form, most: int) -> list[tuple[int, int]]:
    """Height and width of a block, from large to small, as near to the filter's proportions as pixels go."""
    larger = [(form.height * each, form.width * each) for each in range(most, 0, -1)]
    long = max(form.height, form.width)
    smaller = [
        (max(1, round(form.height * each / long)), max(1, round(form.width * each / long)))
        for each in range(long - 1, LEAST - 1, -1)
    ]
    return larger + smaller


def _room(size: tuple[int, int], width: int, height: int, gap: int) -> int:
    return ((height + gap) // (size[0] + gap)) * ((width + gap) // (size[1] + gap))


def rows_for(form: Form, mode: Mode, blocks: range) -> range:
    """Rows of the blob that hold those blocks; all of a small blob, so that they are asked for once."""
    if form.count * form.row <= WHOLE:
        return range(form.count)
    each = 1 if form.kind == "matrix" else form.blocks(mode)
    return range(blocks.start // each, ceil(blocks.stop / each))
