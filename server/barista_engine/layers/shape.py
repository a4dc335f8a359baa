"""Layers that only move numbers: concat, slice, flatten, reshape, split."""

from __future__ import annotations

import math
from itertools import pairwise

import torch

from barista_engine.errors import check_equal
from barista_engine.interfaces import Shape
from barista_engine.layers.registry import Built, Context, layer


@layer("Split", tops=(1, None))
def split(ctx: Context) -> Built:
    ctx.forbid_in_place(18)
    count = ctx.tops
    return ctx.like_bottom, lambda x: (x,) * count


@layer("Silence", bottoms=(1, None), tops=0)
def silence(ctx: Context) -> Built:
    return [], lambda *xs: ()


@layer("Flatten", heedless=True)
def flatten(ctx: Context) -> Built:
    """The axes from `axis` to `end_axis` as one; an `end_axis` just before `axis` puts in an axis of 1."""
    ctx.forbid_in_place(10)
    p, shape = ctx.spec.flatten_param, ctx.bottoms[0]
    start, end = ctx.axis(p.axis), ctx.axis(p.end_axis)
    ctx.check(start <= end + 1, f"start_axis <= end_axis ({start} vs. {end + 1})")
    target = (*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :])
    return [target], lambda x: x.reshape(target)


@layer("Reshape", heedless=True)
def reshape(ctx: Context) -> Built:
    """New sizes for the axes [axis, axis + num_axes): 0 copies a size, -1 is worked out."""
    ctx.forbid_in_place(10)
    p, shape = ctx.spec.reshape_param, ctx.bottoms[0]
    start = p.axis if p.axis >= 0 else len(shape) + p.axis + 1
    out = f"axis {p.axis} out of range"
    ctx.check(start >= 0, f"start_axis >= 0 ({start} vs. 0)", out, 37)
    axes = len(shape)
    behind = f"{out} for {axes}-D input blob"
    ctx.check(start <= axes, f"start_axis <= bottom[0]->num_axes() ({start} vs. {axes})", behind, 38)
    ctx.check(
        p.num_axes >= -1, f"num_axes >= -1 ({p.num_axes} vs. -1)", "num_axes must be >= 0, or -1 for all", 41
    )
    end = len(shape) if p.num_axes == -1 else start + p.num_axes
    ctx.check(
        end <= len(shape),
        f"end_axis <= bottom[0]->num_axes() ({end} vs. {axes})",
        "end_axis = axis + num_axes is out of range",
        44,
    )
    target = _resolved(ctx, [int(d) for d in p.shape.dim], start, end)
    return [target], lambda x: x.reshape(target)


def _resolved(ctx: Context, dims: list[int], start: int, end: int) -> Shape:
    shape = ctx.bottoms[0]
    many = "new shape contains multiple -1 dims; at most a single (1) value of -1 may be specified"
    ctx.check(dims.count(-1) <= 1, "inferred_axis_ == -1", many, 22)
    for i, dim in enumerate(dims):
        if dim == 0:
            none = "new shape contains a 0, but there was no corresponding bottom axis to copy"
            ctx.check(
                start + i < len(shape),
                f"bottom[0]->num_axes() > start_axis + copy_axis_index ({len(shape)} vs. {start + i})",
                none,
                64,
            )
            dims[i] = shape[start + i]
    count = math.prod(shape)
    if -1 in dims:
        explicit = math.prod(d for d in dims if d != -1) * math.prod((*shape[:start], *shape[end:]))
        product = f"the product of the specified dimensions ({explicit})"
        message = f"bottom count ({count}) must be divisible by {product}"
        ctx.check(
            explicit > 0 and count % explicit == 0, "0 == bottom[0]->count() % explicit_count", message, 80
        )
        dims[dims.index(-1)] = count // explicit
    target = (*shape[:start], *dims, *shape[end:])
    message = "output count must match input count"
    check_equal(
        "top[0]->count()", math.prod(target), "bottom[0]->count()", count, message, "reshape_layer.cpp", 87
    )
    return target


@layer("Concat", bottoms=(1, None))
def concat(ctx: Context) -> Built:
    p = ctx.spec.concat_param
    both = p.HasField("axis") and p.HasField("concat_dim")
    ctx.check(
        not both,
        "!(concat_param.has_axis() && concat_param.has_concat_dim())",
        "Either axis or concat_dim should be specified; not both.",
        12,
    )
    axis = ctx.axis(p.concat_dim if p.HasField("concat_dim") else p.axis)
    first = ctx.bottoms[0]
    for shape in ctx.bottoms:
        axes = "All inputs must have the same #axes."
        check_equal("num_axes", len(first), "bottom[i]->num_axes()", len(shape), axes, "concat_layer.cpp", 38)
        for j, (want, have) in enumerate(zip(first, shape, strict=True)):
            if j != axis:
                message = "All inputs must have the same shape, except at concat_axis."
                check_equal(
                    "top_shape[j]", want, "bottom[i]->shape(j)", have, message, "concat_layer.cpp", 42
                )
    total = sum(shape[axis] for shape in ctx.bottoms)
    return [(*first[:axis], total, *first[axis + 1 :])], lambda *xs: torch.cat(xs, axis)


@layer("Slice", tops=(1, None))
def slice_(ctx: Context) -> Built:
    p, shape = ctx.spec.slice_param, ctx.bottoms[0]
    both = p.HasField("axis") and p.HasField("slice_dim")
    ctx.check(
        not both,
        "!(slice_param.has_axis() && slice_param.has_slice_dim())",
        "Either axis or slice_dim should be specified; not both.",
        13,
    )
    axis = ctx.axis(p.slice_dim if p.HasField("slice_dim") else p.axis)
    size = shape[axis]
    if p.slice_point:
        check_equal(
            "slice_point_.size()",
            len(p.slice_point),
            "top.size() - 1",
            ctx.tops - 1,
            "",
            "slice_layer.cpp",
            43,
        )
        for before, point in pairwise([0, *p.slice_point]):
            ctx.check(point > before, f"slice_point_[i] > prev ({point} vs. {before})", "", 50)
        sizes = [b - a for a, b in pairwise([0, *p.slice_point, size])]
        ctx.check_output((*shape[:axis], sizes[-1], *shape[axis + 1 :]))
    else:
        message = f"Number of top blobs ({ctx.tops}) should evenly divide input slice axis ({size})"
        ctx.check(
            size % ctx.tops == 0,
            f"bottom_slice_axis % top.size() == 0 ({size % ctx.tops} vs. 0)",
            message,
            61,
        )
        sizes = [size // ctx.tops] * ctx.tops
    return [(*shape[:axis], n, *shape[axis + 1 :]) for n in sizes], lambda x: x.split(sizes, axis)
