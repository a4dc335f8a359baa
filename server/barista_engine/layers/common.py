"""Layers that combine blobs: products, sums, scales."""

from __future__ import annotations

import math
from functools import reduce
from typing import Any

import torch
import torch.nn.functional as F

from barista_engine.errors import CheckFailed
from barista_engine.interfaces import Shape
from barista_engine.layers.registry import Built, Context, Forward, layer, shape_string
from barista_engine.layers.taught import graft
from barista_engine.params import Param
from barista_server.caffe.schema import FillerParameter


@layer("InnerProduct")
def inner_product(ctx: Context) -> Built:
    """Weight (outputs, inputs), or (inputs, outputs) with `transpose`; all axes from `axis` on are inputs."""
    p = ctx.spec.inner_product_param
    axis = ctx.axis(p.axis)
    lead, inputs = ctx.bottoms[0][:axis], math.prod(ctx.bottoms[0][axis:])
    ctx.check_output((*lead, p.num_output))
    weight = ctx.param((inputs, p.num_output) if p.transpose else (p.num_output, inputs), p.weight_filler)
    bias = ctx.param((p.num_output,), p.bias_filler) if p.bias_term else None

    def forward(x: torch.Tensor) -> torch.Tensor:
        w = weight().t() if p.transpose else weight()
        y = F.linear(x.reshape(-1, inputs), w, None if bias is None else bias())
        return y if axis == 1 else y.view(*lead, -1)

    return [(*lead, p.num_output)], forward


@layer("Eltwise", bottoms=(2, None))
def eltwise(ctx: Context) -> Built:
    """SUM with coefficients, PROD or MAX of blobs of one shape; of two equal ones the later wins."""
    p = ctx.spec.eltwise_param
    for i, shape in enumerate(ctx.bottoms):
        shapes = f"bottom[0]: {shape_string(ctx.bottoms[0])}, bottom[{i}]: {shape_string(shape)}"
        ctx.check(shape == ctx.bottoms[0], "bottom[0]->shape() == bottom[i]->shape()", shapes, 34)
    coeff = list(p.coeff)
    sizes = "this->layer_param().eltwise_param().coeff_size()"
    takes_one = "Eltwise Layer takes one coefficient per bottom blob."
    ctx.check(len(coeff) in (0, len(ctx.bottoms)), f"{sizes} == 0 || {sizes} == bottom.size()", takes_one, 12)
    if ctx.in_place and p.operation != p.PROD:
        return ctx.like_bottom, _over_first(p.operation == p.SUM, coeff or [1.0] * len(ctx.bottoms))
    if p.operation == p.SUM:
        if not coeff:
            return ctx.like_bottom, lambda *xs: reduce(torch.add, xs)
        return ctx.like_bottom, lambda *xs: reduce(torch.add, map(_times, coeff, xs))
    if p.operation == p.PROD:
        ctx.check(not coeff, "!coeff_size()", "Eltwise layer only takes coefficients for summation.", 15)
        return ctx.like_bottom, _product if p.stable_prod_grad else _UnstableProduct.apply
    return ctx.like_bottom, _eltwise_max


def _times(coeff: float, x: torch.Tensor) -> torch.Tensor:
    """coeff * x; with 0 even of nan there remains 0."""
    return coeff * x if coeff else x.masked_fill(~x.isfinite(), 0) * 0


def _over_first(add: bool, coeff: list[float]) -> Forward:
    """SUM or MAX in place: Caffe clears the top, which is the first blob, before it reads that.

    The first gradient is written over the top's, and the others come from what is there then: of a sum the
    top's times the first coefficient, of a maximum nothing.
    """

    def forward(first: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
        if add:
            rest = reduce(torch.add, map(_times, coeff[1:], others))
            return graft(rest.detach(), coeff[0] * (first + rest))
        largest = _eltwise_max(torch.full_like(first, -torch.finfo(first.dtype).max), *others)
        return graft(largest.detach(), reduce(torch.add, others, first) * 0)

    return forward


def _product(*xs: torch.Tensor) -> torch.Tensor:
    return reduce(torch.mul, xs)


class _UnstableProduct(torch.autograd.Function):
    """A product whose gradient is product / factor, for stable_prod_grad: false; nan where a factor is 0."""

    @staticmethod
    def forward(ctx: Any, *xs: torch.Tensor) -> torch.Tensor:
        y = _product(*xs)
        ctx.save_for_backward(y, *xs)
        return y

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, ...]:
        y, *xs = ctx.saved_tensors
        return tuple(y / x * grads[0] for x in xs)


def _eltwise_max(a: torch.Tensor, b: torch.Tensor, *rest: torch.Tensor) -> torch.Tensor:
    """Gradient goes to one blob only, so torch.maximum, which shares it at ties, will not do."""
    largest = torch.where(a > b, a, b)
    for x in rest:
        largest = torch.where(x > largest, x, largest)
    return largest


@layer("Scale", bottoms=(1, 2))
def scale(ctx: Context) -> Built:
    """x * scale (+ bias); scale is learned (filled with 1) or the second bottom, laid on x from `axis` on."""
    p = ctx.spec.scale_param
    if len(ctx.bottoms) == 1:
        shape = _learned_shape(ctx, "scale", p.axis, p.num_axes)
        factor = ctx.param(shape, p.filler if p.HasField("filler") else FillerParameter(value=1.0))
    else:
        shape, factor = _bottom_shape(ctx, "scale", p.axis), None
    bias = ctx.param(shape, p.bias_filler) if p.bias_term else None
    if bias is not None:  # Caffe makes a Bias layer of the same name
        ctx.log.info("layer_factory.hpp:77", f"Creating layer {ctx.spec.name}")
    laid = _laid(ctx, shape, p.axis)

    def forward(x: torch.Tensor, other: torch.Tensor | None = None) -> torch.Tensor:
        s = (_of(factor) if other is None else other).reshape(laid)
        return x * s if bias is None else torch.addcmul(bias().view(laid), x, s)

    return [ctx.bottoms[0]], forward


@layer("Bias", bottoms=(1, 2))
def bias(ctx: Context) -> Built:
    """x + bias; bias learned or the second bottom, as for Scale."""
    p = ctx.spec.bias_param
    shape = _learned_shape(ctx, "bias", p.axis, p.num_axes) if len(ctx.bottoms) == 1 else ctx.bottoms[1]
    learned = ctx.param(shape, p.filler) if len(ctx.bottoms) == 1 else None
    if learned is None:
        _bottom_shape(ctx, "bias", p.axis)
    laid = _laid(ctx, shape, p.axis)
    return [
        ctx.bottoms[0]
    ], lambda x, other=None: x + (_of(learned) if other is None else other).reshape(laid)


_AXIS = {"scale": "axis_", "bias": "axis"}


def _of(param: Param | None) -> torch.Tensor:
    assert param is not None, "a layer of one bottom has learned its blob"
    return param()


def _learned_shape(ctx: Context, what: str, axis: int, num_axes: int) -> Shape:
    start, bottom = ctx.axis(axis), ctx.bottoms[0]
    too_few = "num_axes must be non-negative, or -1 to extend to the end of bottom[0]"
    ctx.check(num_axes >= -1, f"num_axes >= -1 ({num_axes} vs. -1)", too_few, 21)
    end = len(bottom) if num_axes == -1 else start + num_axes
    _check_end(ctx, what, start, end)
    return bottom[start:end]


def _bottom_shape(ctx: Context, what: str, axis: int) -> Shape:
    """The second bottom's shape, checked to fit the first one's from `axis` on (0 for a scalar)."""
    shape = ctx.bottoms[1]
    start = ctx.axis(axis) if shape else 0
    _check_end(ctx, what, start, start + len(shape))
    for i, size in enumerate(shape):
        have = ctx.bottoms[0][start + i]
        relation = f"bottom[0]->shape({_AXIS[what]} + i) == {what}->shape(i) ({have} vs. {size})"
        message = f"dimension mismatch between bottom[0]->shape({start + i}) and {what}->shape({i})"
        ctx.check(have == size, relation, message, 92 if what == "scale" else 54)
    return shape


def _check_end(ctx: Context, what: str, start: int, end: int) -> None:
    axes = len(ctx.bottoms[0])
    past = f"{what} blob's shape extends past bottom[0]'s shape"
    message = f"{past} when applied starting with bottom[0] axis = {start}"
    relation = f"bottom[0]->num_axes() >= {_AXIS[what]} + num_axes ({axes} vs. {end})"
    ctx.check(end <= axes, relation, message, 24 if what == "scale" else 22)


def _laid(ctx: Context, shape: Shape, axis: int) -> Shape:
    """`shape` with ones behind it so that it broadcasts over the first bottom from `axis` on."""
    start = ctx.axis(axis) if shape else 0
    return (*shape, *[1] * (len(ctx.bottoms[0]) - start - len(shape)))


@layer(
    "Embed",
    undifferentiable={0: "Check failed: !propagate_down[0] Can't backpropagate to EmbedLayer input."},
)
def embed(ctx: Context) -> Built:
    """Row x of the weight (input_dim, num_output) for every index x."""
    p = ctx.spec.embed_param
    ctx.check(p.num_output > 0, "N_ > 0 (0 vs. 0)", "EmbedLayer num_output must be positive.", 13)
    ctx.check(p.input_dim > 0, "K_ > 0 (0 vs. 0)", "EmbedLayer input_dim must be positive.", 15)
    weight = ctx.param((p.input_dim, p.num_output), p.weight_filler)
    offset = ctx.param((p.num_output,), p.bias_filler) if p.bias_term else None

    def forward(x: torch.Tensor) -> torch.Tensor:
        try:
            rows = F.embedding(x.long(), weight())
        except IndexError as e:
            raise CheckFailed(
                f"Check failed: index < K_ in layer '{ctx.spec.name}': {e}", "embed_layer.cpp", 66
            ) from e
        return rows if offset is None else rows + offset()

    return [(*ctx.bottoms[0], p.num_output)], forward
