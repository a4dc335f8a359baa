"""Layers that pick, repeat or sum up parts of a blob."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from barista_engine.errors import check_equal
from barista_engine.layers.registry import NOT_IMPLEMENTED, Built, Context, layer
from barista_server.caffe.schema import FillerParameter


@layer("ArgMax", undifferentiable={0: NOT_IMPLEMENTED})
def argmax(ctx: Context) -> Built:
    """The top_k largest along `axis` (indices, or values with out_max_val) or of each item (both).

    Of equal numbers the one with the largest index comes first.
    """
    p, shape = ctx.spec.argmax_param, ctx.bottoms[0]
    axis = ctx.axis(p.axis) if p.HasField("axis") else None
    ctx.axis(0)
    k, size = p.top_k, math.prod(shape[1:]) if axis is None else shape[axis]
    ctx.check(k >= 1, f"top_k_ >= 1 ({k} vs. 1)", "top k must not be less than 1.", 17)
    dim, what = (
        ("count(1)", "flattened bottom blob per instance") if axis is None else ("shape(axis_)", "axis")
    )
    many = f"top_k must be less than or equal to the dimension of the {what}."
    ctx.check(k <= size, f"top_k_ <= bottom[0]->{dim} ({k} vs. {size})", many, 26 if axis is None else 23)

    def largest(x: torch.Tensor, dim: int) -> tuple[torch.Tensor, torch.Tensor]:
        values, index = x.flip(dim).sort(dim=dim, descending=True, stable=True)
        return values.narrow(dim, 0, k), (size - 1 - index.narrow(dim, 0, k)).to(x.dtype)

    if axis is not None:
        top = (*shape[:axis], k, *shape[axis + 1 :])
        return [top], lambda x: largest(x, axis)[0 if p.out_max_val else 1]
    output = (shape[0], 2 if p.out_max_val else 1, k, *[1] * (len(shape) - 3))

    def forward(x: torch.Tensor) -> torch.Tensor:
        values, index = largest(x.reshape(shape[0], size), 1)
        return (torch.stack([index, values], 1) if p.out_max_val else index).view(output)

    return [output], forward


@layer("Reduction")
def reduction(ctx: Context) -> Built:
    """coeff * SUM, ASUM, SUMSQ or MEAN over all axes from `axis` on."""
    p = ctx.spec.reduction_param
    axis = ctx.axis(p.axis)
    operations: dict[int, Callable[[torch.Tensor], torch.Tensor]] = {
        p.SUM: lambda x: x.sum(-1),
        p.ASUM: lambda x: x.abs().sum(-1),
        p.SUMSQ: lambda x: x.square().sum(-1),
        p.MEAN: lambda x: x.mean(-1),
    }
    reduced, coeff = operations[p.operation], p.coeff
    return [ctx.bottoms[0][:axis]], lambda x: reduced(x.flatten(axis)) * coeff


@layer("Tile")
def tile(ctx: Context) -> Built:
    """The blob `tiles` times one behind the other along `axis`."""
    p, shape = ctx.spec.tile_param, ctx.bottoms[0]
    axis = ctx.axis(p.axis)
    ctx.check(p.HasField("tiles"), "tile_param.has_tiles()", "Number of tiles must be specified", 13)
    ctx.check(p.tiles > 0, f"tiles_ > 0 ({p.tiles} vs. 0)", "Number of tiles must be positive.", 15)
    repeats = [p.tiles if i == axis else 1 for i in range(len(shape))]
    return [(*shape[:axis], shape[axis] * p.tiles, *shape[axis + 1 :])], lambda x: x.repeat(repeats)


@layer("Crop", bottoms=2)
def crop(ctx: Context) -> Built:
    """The first bottom cut to the size of the second from `axis` on, at one offset or one an axis."""
    p, (shape, like) = ctx.spec.crop_param, ctx.bottoms
    start = ctx.axis(p.axis)
    if len(like) < len(shape):
        ctx.axis(max(start, len(like)), bottom=1)
    if len(p.offset) > 1:
        message = (
            "number of offset values specified must be equal to the number of dimensions following axis."
        )
        sizes = start + len(p.offset), len(shape)
        check_equal(
            "start_axis + param.offset_size()", sizes[0], "input_dim", sizes[1], message, "crop_layer.cpp", 29
        )
    offsets = list(p.offset) or [0]
    offsets = [0] * start + (offsets if len(offsets) > 1 else offsets * (len(shape) - start))
    window = tuple(
        slice(o, o + n) if i >= start else slice(None)
        for i, (o, n) in enumerate(zip(offsets, like, strict=False))
    )
    for i in range(start, len(shape)):
        rest = shape[i] - offsets[i]
        relation = f"bottom[0]->shape(i) - crop_offset >= bottom[1]->shape(i) ({rest} vs. {like[i]})"
        message = f"the crop for dimension {i} is out-of-bounds with size {like[i]} and offset {offsets[i]}"
        ctx.check(rest >= like[i], relation, message, 63)
    return [(*shape[:start], *like[start : len(shape)])], lambda x, _: x[window]


@layer(
    "BatchReindex",
    bottoms=2,
    undifferentiable={1: "Check failed: !propagate_down[1] Cannot backprop to index."},
)
def batch_reindex(ctx: Context) -> Built:
    """The items of the first bottom that the second one lists."""
    names = "1", "bottom[1]->num_axes()"
    check_equal(names[0], 1, names[1], len(ctx.bottoms[1]), "", "batch_reindex_layer.cpp", 11)
    ctx.axis(0)

    size = ctx.bottoms[0][0]

    def forward(x: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        low, high = (float(bound) for bound in torch.aminmax(index.detach())) if index.numel() else (0.0, 0.0)
        said = "Index specified for reindex layer was"
        ctx.check(low >= 0, f"ridx_data[i] >= 0 ({low:g} vs. 0)", f"{said} negative.", 25)
        ctx.check(
            high < size,
            f"ridx_data[i] < initial_num ({high:g} vs. {size})",
            f"{said} greater than batch size.",
            27,
        )
        return x.index_select(0, index.long())

    return [(math.prod(ctx.bottoms[1]), *ctx.bottoms[0][1:])], forward


@layer(
    "Filter",
    bottoms=(2, None),
    tops=(1, None),
    undifferentiable={-1: "FilterLayer cannot backpropagate to filter index inputs"},
)
def filter_(ctx: Context) -> Built:
    """The items of all bottoms but the last whose number in the last is not 0; the batch gets shorter."""
    *kept, selector = ctx.bottoms
    check_equal("top.size()", ctx.tops, "bottom.size() - 1", len(kept), "", "filter_layer.cpp", 11)
    singles = "Selector blob dimensions must be singletons (1), except the first"
    ctx.check(math.prod(selector[1:]) == 1, "bottom[selector_index]->shape(i) == 1", singles, 22)
    for shape in kept:
        message = "Each bottom should have the same 0th dimension as the selector blob"
        names = "bottom[selector_index]->shape(0)", "bottom[i]->shape(0)"
        check_equal(names[0], selector[0], names[1], shape[0], message, "filter_layer.cpp", 26)

    def forward(*bottoms: torch.Tensor) -> tuple[torch.Tensor, ...]:
        chosen = bottoms[-1].flatten() != 0
        return tuple(x[chosen] for x in bottoms[:-1])

    return kept, forward


@layer("Parameter", bottoms=0)
def parameter(ctx: Context) -> Built:
    """A parameter blob, zeros at first, as a top."""
    shape = tuple(int(d) for d in ctx.spec.parameter_param.shape.dim)
    value = ctx.param(shape, FillerParameter())
    return [shape], lambda: value()
