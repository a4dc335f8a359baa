"""A layer of a trained model as a PNG file, or as pixels in the terminal."""

from __future__ import annotations

import argparse
from math import isqrt
from pathlib import Path
from typing import TYPE_CHECKING

from barista_server.api.link import Link
from barista_server.api.messages import ListWeights, WeightsList
from barista_tui import blobs, format
from barista_tui.blobform import Form, Grid, Mode, form_of
from barista_tui.verbs import output
from barista_tui.verbs.errors import Exit, VerbError

if TYPE_CHECKING:
    from barista_tui.filters import Image

MOST = 8_000_000
"""Values drawn at most, 32 MB over the link; of a larger blob the rows before."""
SIDE = 2000
"""Pixels that a matrix is scaled down to."""


async def draw(
    args: argparse.Namespace, link: Link, call: ListWeights, model: WeightsList, layer: int
) -> Exit:
    """Fetch, draw, write. Raises VerbError."""
    path: Path | None = args.png
    infos = model.layers[layer].blobs
    if not 0 <= args.blob < len(infos) or infos[args.blob].shared or 0 in infos[args.blob].shape:
        raise VerbError(
            f"layer {model.layers[layer].name} has no blob {args.blob} to draw", None, Exit.NOT_FOUND
        )
    form = form_of(model.layers[layer].type, infos[args.blob].shape)
    mode: Mode = args.channels or form.modes[0]
    if mode not in form.modes:
        raise VerbError(f"--channels {mode} is not for this blob: it allows {', '.join(form.modes)}")
    count = min(form.count, max(1, MOST // form.row))
    data = await blobs.rows(link, call, layer, args.blob, range(count))
    import numpy as np

    from barista_tui import filters
    from barista_tui.pictures import enlarged, write_png

    grid = page_of(form, mode, count)
    scale: filters.Scale = "filter" if args.scale == "filter" else "shared"
    image = filters.draw(np.frombuffer(data, "<f4"), form, grid, grid.page(0), 0, mode, scale)
    if path is None:
        _print(args.terminal, enlarged(image))
        return Exit.OK
    try:
        height, width = write_png(path, enlarged(image))
    except OSError as error:
        raise VerbError(f"{path} was not written: {error.strerror}") from None
    _tell(args, (width, height), (image.low, image.high), count, form)
    return Exit.OK


def _print(kind: str, image: Image) -> None:
    """To standard output, below each other; a terminal that does not know the kind shows nothing of it."""
    from barista_tui import pixelart
    from barista_tui.pictures import GROUND, MARK

    if kind == "sixel":
        text = pixelart.sixels(image, GROUND, MARK)
    else:
        text = pixelart.kitty(image.rgb(GROUND, MARK), "a=T")
    print(text)


def _tell(
    args: argparse.Namespace,
    size: tuple[int, int],
    span: tuple[float | None, float | None],
    count: int,
    form: Form,
) -> None:
    path, (width, height), (low, high) = args.png, size, span
    if args.json:
        told = {"path": str(path.absolute()), "width": width, "height": height, "low": low, "high": high}
        output.print_json({**told, "rows": count, "of": form.count})
        return
    some = "" if count == form.count else f", rows 1 to {count:,} of {form.count:,}"
    shades = "" if low is None else f", black {format.value(low)}, white {format.value(high)}"
    output.say(f"{path}: {width} x {height} pixels{some}{shades}")


def page_of(form: Form, mode: Mode, count: int) -> Grid:
    """All ``count`` rows on one page, about as wide as high, a pixel a value as long as it is no matrix."""
    if form.kind == "matrix":
        return Grid(min(SIDE, count), min(SIDE, form.row), 1, 1, count, count)
    number = count * form.blocks(mode)
    columns = max(1, isqrt(number * (form.height + 1) // (form.width + 1) - 1) + 1) if number > 1 else 1
    return Grid(form.height, form.width, columns, -(-number // columns), number, number)
