"""The verb that looks into trained models."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from math import prod
from pathlib import Path

from barista_server.api.link import Link
from barista_server.api.messages import (
    BlobInfo,
    BlobStats,
    BlobStatsList,
    GetBlobStats,
    LayerWeights,
    ListWeights,
    WeightsList,
)
from barista_tui import format
from barista_tui.verbs import output, weightspng
from barista_tui.verbs.agentlink import linked, target_of
from barista_tui.verbs.errors import Exit, VerbError

_MODEL_ENDINGS = (".caffemodel", ".h5", ".hdf5", ".binaryproto")
SOME = 8
"""Layers named to somebody who asked for one that is not there."""

PORTION, MOST_LAYERS = 50_000_000, 1000
"""Values and layers asked about in one call: some tenths of a second."""

Found = dict[int, list[BlobStats | None]]
"""Statistics of the blobs, by number of the layer."""


async def weights(args: argparse.Namespace) -> Exit:
    """A row a blob."""
    call = what(args.session)
    async with linked(target_of(args)) as link:
        model = await link.call(call, WeightsList)
        chosen = _chosen(model, args.layer)
        if args.png is not None or args.terminal is not None:
            if not args.layer or len(chosen) != 1:
                way = "--png" if args.png is not None else f"--{args.terminal}"
                raise VerbError(f"{way} draws one layer", "Name it with --layer.", Exit.USAGE)
            return await weightspng.draw(args, link, call, model, chosen[0])
        stats = await _stats(link, call, model, chosen) if args.stats or args.layer else {}
    if args.json:
        output.print_json(as_objects(model, chosen, stats))
        return Exit.OK
    for line in head(model):
        output.say(line)
    for line in blob_table(model, chosen, stats):
        output.say(line)
    return Exit.OK


def what(text: str) -> ListWeights:
    """A file if it looks like one or is one, else a session, with an iteration after the last ``@``."""
    path = Path(text).expanduser()
    if "/" in text or text.endswith(_MODEL_ENDINGS) or path.is_file():
        return ListWeights(path=str(path.absolute()))
    name, at, iteration = text.rpartition("@")
    if at and name and iteration.isdecimal():
        return ListWeights(session=name, iteration=int(iteration))
    return ListWeights(session=text)


def _chosen(model: WeightsList, names: list[str] | None) -> list[int]:
    """Numbers of the layers asked for, in the file's order. Raises VerbError."""
    if not names:
        return list(range(len(model.layers)))
    there = {layer.name for layer in model.layers}
    if unknown := [name for name in names if name not in there]:
        trained = [layer.name for layer in model.layers if layer.blobs]
        more = ", ..." if len(trained) > SOME else ""
        hint = f"Those with weights are: {', '.join(trained[:SOME])}{more}" if trained else None
        raise VerbError(f"{model.path} has no layer {', '.join(unknown)}", hint, Exit.NOT_FOUND)
    return [number for number, layer in enumerate(model.layers) if layer.name in names]


async def _stats(link: Link, which: ListWeights, model: WeightsList, chosen: Sequence[int]) -> Found:
    found: Found = {}
    for numbers in portions([_values(model.layers[number]) for number in chosen]):
        asked = [chosen[number] for number in numbers]
        call = GetBlobStats(layers=asked, session=which.session, iteration=which.iteration, path=which.path)
        found |= zip(asked, (await link.call(call, BlobStatsList)).layers, strict=True)
    return found


def portions(sizes: Sequence[int]) -> Iterator[range]:
    """What to ask for at a time: layers in a row with up to PORTION values together, or one."""
    begin, held = 0, 0
    for number, size in enumerate(sizes):
        if number > begin and (held + size > PORTION or number - begin == MOST_LAYERS):
            yield range(begin, number)
            begin, held = number, 0
        held += size
    if sizes:
        yield range(begin, len(sizes))


def _values(layer: LayerWeights) -> int:
    return sum(prod(blob.shape) for blob in layer.blobs if not blob.shared)


def head(model: WeightsList) -> list[str]:
    """Where it is, of what net, how large."""
    values = sum(map(_values, model.layers))
    of = f" of {output.one_line(model.net)}" if model.net else ""
    layers = format.plural(len(model.layers), "layer")
    return [
        output.one_line(model.path),
        f"{layers}{of}, {values:,} values, {format.size(model.size)}",
    ]


def blob_table(model: WeightsList, chosen: Sequence[int], stats: Found) -> list[str]:
    """A header, then a row a blob; a layer without blobs has one row without a shape."""
    header = ["LAYER", "TYPE", "SHAPE", "VALUES", *(_STATS if stats else ())]
    rows = [header]
    for number in chosen:
        layer = model.layers[number]
        name, kind = output.one_line(layer.name), output.one_line(layer.type)
        if not layer.blobs:
            rows.append([name, kind, *[""] * (len(header) - 2)])
        for index, blob in enumerate(layer.blobs):
            first = [name, kind] if index == 0 else ["", ""]
            cells = _stat_cells(stats[number][index]) if stats else []
            rows.append([*first, _shape(blob), "" if blob.shared else f"{prod(blob.shape):,}", *cells])
    right = range(3, len(header))
    return ["  ".join(cells).rstrip() for cells in output.table(rows, right=right)]


_STATS = ("LEAST", "MEAN", "GREATEST", "DEVIATION", "NAN/INF", "ZERO")


def _shape(blob: BlobInfo) -> str:
    if blob.shared:
        return "(shared)"
    dims = " x ".join(map(str, blob.shape)) or "scalar"
    return dims if blob.dtype == "float32" else f"{dims} {blob.dtype}"


def _stat_cells(stats: BlobStats | None) -> list[str]:
    if stats is None:
        return [""] * len(_STATS)
    numbers = [stats.least, stats.mean, stats.greatest, stats.deviation]
    return [
        *(format.value(number) for number in numbers),
        _share(stats.nans + stats.infinite, stats.count),
        _share(stats.zeros, stats.count),
    ]


def _share(part: int, count: int) -> str:
    """``0`` for none, else per cent; never ``0 %`` for some, nor ``100 %`` for not all."""
    if not part:
        return "0"
    share = 100 * part / count
    if part < count and not 0.1 <= share <= 99.9:
        return "<0.1 %" if share < 50 else ">99.9 %"
    return f"{share:.3g} %"


def as_objects(model: WeightsList, chosen: Sequence[int], stats: Found) -> dict[str, object]:
    """For --json: the file, and of each layer its blobs, with ``stats`` where they were read."""

    def blob(layer: int, index: int, info: BlobInfo) -> dict[str, object]:
        known = {"stats": stats[layer][index]} if stats else {}
        return {"shape": info.shape, "dtype": info.dtype, "shared": info.shared, **known}

    def layer(number: int, info: LayerWeights) -> dict[str, object]:
        blobs = [blob(number, index, one) for index, one in enumerate(info.blobs)]
        return {"name": info.name, "type": info.type, "form": info.form, "blobs": blobs}

    return {
        "path": model.path,
        "net": model.net,
        "size": model.size,
        "session": model.session or None,
        "iteration": model.iteration,
        "layers": [layer(number, model.layers[number]) for number in chosen],
    }
