"""Layers that bring data in."""

from __future__ import annotations

import torch
from barista_server.caffe.schema import FillerParameter

from barista_engine.errors import check_equal
from barista_engine.fillers import fill
from barista_engine.interfaces import Shape
from barista_engine.layers.registry import Built, Context, layer


@layer("Data", bottoms=0, tops=(1, 2))
@layer("HDF5Data", bottoms=0, tops=(1, None))
def data(ctx: Context) -> Built:
    """Batches from a source that somebody else reads: one tensor a top."""
    source = ctx.source or ctx.sources(ctx.spec, ctx.spec.phase, ctx.tops)
    for place, message in source.log_lines:
        ctx.log.info(place, message)
    device = ctx.device

    def forward() -> tuple[torch.Tensor, ...]:
        return tuple(blob.to(device, non_blocking=True) for blob in source.next())

    return list(source.shapes), forward


@layer("Input", bottoms=0, tops=(1, None))
def input_(ctx: Context) -> Built:
    """Blobs set from outside (`Net.set_input`), zeros until then: the net keeps them, nothing is computed."""
    shapes = [tuple(int(d) for d in s.dim) for s in ctx.spec.input_param.shape]
    _check_number(ctx, "shape", len(shapes), allow_none=False)
    shapes = shapes * ctx.tops if len(shapes) == 1 else shapes
    zeros = tuple(torch.zeros(shape, device=ctx.device) for shape in shapes)
    return shapes, lambda: zeros


@layer("DummyData", bottoms=0, tops=(1, None))
def dummy_data(ctx: Context) -> Built:
    """Filled blobs; those with a random filler are filled anew for every batch."""
    shapes, fillers = _dummy_shapes(ctx), list(ctx.spec.dummy_data_param.data_filler)
    _check_number(ctx, "data_filler", len(fillers), allow_none=True)
    fillers = fillers or [FillerParameter()]
    fillers = fillers * ctx.tops if len(fillers) == 1 else fillers
    device, generator = ctx.device, ctx.generator
    pairs = list(zip(fillers, shapes, strict=True))
    fixed = [fill(f, s, generator).to(device) if f.type == "constant" else None for f, s in pairs]

    def forward() -> tuple[torch.Tensor, ...]:
        return tuple(
            fill(f, s, generator).to(device) if blob is None else blob
            for (f, s), blob in zip(pairs, fixed, strict=True)
        )

    return shapes, forward


def _dummy_shapes(ctx: Context) -> list[Shape]:
    p = ctx.spec.dummy_data_param
    legacy = {"num": p.num, "channels": p.channels, "height": p.height, "width": p.width}
    if any(legacy.values()):
        message = "Both shape and legacy fields were specified"
        check_equal("0", 0, "param.shape_size()", len(p.shape), message, "dummy_data_layer.cpp", 22)
        for name, values in legacy.items():
            _check_number(ctx, name, len(values), allow_none=False)
        return [tuple(v[i if len(v) > 1 else 0] for v in legacy.values()) for i in range(ctx.tops)]
    _check_number(ctx, "shape", len(p.shape), allow_none=False)
    shapes = [tuple(int(d) for d in s.dim) for s in p.shape]
    return shapes * ctx.tops if len(shapes) == 1 else shapes


def _check_number(ctx: Context, name: str, have: int, *, allow_none: bool) -> None:
    wanted = {1, ctx.tops} | ({0} if allow_none else set())
    message = f"Must specify '{name}' once, or once per top blob ({ctx.tops}); specified {have}."
    ctx.check(have in wanted, f"param.{name}_size() == 1 || param.{name}_size() == num_top", message, 25)
