"""Layers that change each number by itself."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F

from barista_engine.errors import CheckFailed
from barista_engine.layers.registry import NOT_IMPLEMENTED, Built, Context, layer
from barista_engine.layers.taught import Taught
from barista_server.caffe.schema import FillerParameter


@layer("ReLU")
def relu(ctx: Context) -> Built:
    slope = ctx.spec.relu_param.negative_slope
    return ctx.like_bottom, Taught(
        (lambda x: F.leaky_relu(x, slope)) if slope else torch.relu,
        lambda g, x, _: torch.where(x > 0, g, g * slope),
        reads="x",
        in_place=slope >= 0,
    )


@layer("Sigmoid")
def sigmoid(ctx: Context) -> Built:
    return ctx.like_bottom, Taught(torch.sigmoid, lambda g, _, y: g * y * (1 - y), reads="y")


@layer("TanH")
def tanh(ctx: Context) -> Built:
    return ctx.like_bottom, Taught(torch.tanh, lambda g, _, y: g * (1 - y * y), reads="y")


@layer("AbsVal")
def absval(ctx: Context) -> Built:
    ctx.forbid_in_place(12)
    return ctx.like_bottom, torch.abs


@layer("BNLL")
def bnll(ctx: Context) -> Built:
    return ctx.like_bottom, Taught(F.softplus, lambda g, x, _: g * torch.sigmoid(x), reads="x")


@layer("ELU")
def elu(ctx: Context) -> Built:
    alpha = ctx.spec.elu_param.alpha
    return ctx.like_bottom, Taught(
        lambda x: F.elu(x, alpha),
        lambda g, x, y: torch.where(x > 0, g, g * (alpha + y)),
        reads="xy",
        in_place=alpha >= 0,
    )


@layer("Clip")
def clip(ctx: Context) -> Built:
    """The nearest number in [min, max]; min for nan, and wherever max is less than it."""
    low, high = ctx.spec.clip_param.min, ctx.spec.clip_param.max
    return ctx.like_bottom, Taught(
        lambda x: torch.where(x > low, x.clamp(max=max(low, high)), low),
        lambda g, x, _: g * ((x >= low) & (x <= high)),
        reads="x",
        always=True,
    )


@layer("Swish")
def swish(ctx: Context) -> Built:
    beta = ctx.spec.swish_param.beta

    def gradient(g: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return g * (beta * y + torch.sigmoid(beta * x) * (1 - beta * y))

    return ctx.like_bottom, Taught(lambda x: x * torch.sigmoid(beta * x), gradient, reads="y")


@layer("Threshold", undifferentiable={0: NOT_IMPLEMENTED})
def threshold(ctx: Context) -> Built:
    limit = ctx.spec.threshold_param.threshold
    return ctx.like_bottom, lambda x: (x > limit).to(x.dtype)


@layer("Power")
def power(ctx: Context) -> Built:
    """(shift + scale * x) ^ power"""
    p = ctx.spec.power_param
    if p.power * p.scale == 0:
        value = torch.tensor(p.shift).pow(p.power).item() if p.power else 1.0
        constant = Taught(
            lambda x: torch.full_like(x, value), lambda g, *_: torch.zeros_like(g), reads="", always=True
        )
        return ctx.like_bottom, constant
    line = _line(p.scale, p.shift)
    if p.power == 1:
        return ctx.like_bottom, _with_slope(ctx, line, lambda x, _: torch.full_like(x, p.scale), exact=True)
    return ctx.like_bottom, _with_slope(
        ctx, lambda x: torch.pow(line(x), p.power), _power_slope(p.power, p.scale, p.shift), exact=False
    )


def _line(scale: float, shift: float) -> Callable[[torch.Tensor], torch.Tensor]:
    """x -> scale * x + shift, where 1 and 0 do nothing at all (the sign of 0 stays)."""
    if shift == 0:
        return lambda x: x * scale if scale != 1 else x * 1
    return lambda x: x * scale + shift


def _with_slope(
    ctx: Context,
    compute: Callable[[torch.Tensor], torch.Tensor],
    slope: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    *,
    exact: bool,
) -> Taught:
    """A layer with the slope that Caffe computes from bottom and top; `exact`: autograd's is the same.

    Caffe writes the slope down where the gradient goes, before it multiplies: when that is the place of the
    top's gradient, in an in-place layer, the slope gets multiplied with itself.
    """
    if ctx.in_place:
        return Taught(compute, lambda g, x, y: slope(x, y).square(), reads="xy", always=True)
    return Taught(compute, lambda g, x, y: g * slope(x, y), reads="xy", always=not exact)


def _power_slope(
    power: float, scale: float, shift: float
) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """By a division, as Caffe does: of 0 to a power there is none (nan)."""
    factor = power * scale
    if power == 2:
        return lambda x, _: factor * scale * x + factor * shift
    if shift == 0:
        return lambda x, y: y / x * power
    return lambda x, y: y / (scale * x + shift) * factor


@layer("Exp")
def exp(ctx: Context) -> Built:
    """base ^ (shift + scale * x), base -1 meaning e"""
    p = ctx.spec.exp_param
    inner = (1.0 if p.base == -1 else _log_of_base(ctx, p.base)) * p.scale
    outer = torch.tensor(p.shift).exp() if p.base == -1 else torch.tensor(p.base).pow(p.shift)
    factor = outer.item()
    return ctx.like_bottom, Taught(
        lambda x: torch.exp(inner * x) * factor, lambda g, _, y: g * y * inner, reads="y"
    )


@layer("Log")
def log(ctx: Context) -> Built:
    """log_base(shift + scale * x), base -1 meaning e"""
    p = ctx.spec.log_param
    log_base = 1.0 if p.base == -1 else _log_of_base(ctx, p.base)
    ctx.check(log_base != 0, "!isinf(base_scale_)", f"Inf result: 1/log(base) = 1/log({p.base:g}) = inf", 26)
    line = _line(p.scale, p.shift)
    return ctx.like_bottom, _with_slope(
        ctx, lambda x: torch.log(line(x)) / log_base, lambda x, _: p.scale / log_base / line(x), exact=True
    )


def _log_of_base(ctx: Context, base: float) -> float:
    ctx.check(base > 0, f"base > 0 ({base:g} vs. 0)", "base must be strictly positive.", 14)
    return math.log(base)


@layer("PReLU")
def prelu(ctx: Context) -> Built:
    """max(x, 0) + slope * min(x, 0), one learned slope a channel or one for all"""
    p, axes = ctx.spec.prelu_param, len(ctx.bottoms[0])
    few = "Number of axes of bottom blob must be >=2."
    ctx.check(axes >= 2, f"bottom[0]->num_axes() >= 2 ({axes} vs. 2)", few, 14)
    channels = ctx.legacy_dims()[1]
    filler = p.filler if p.HasField("filler") else FillerParameter(value=0.25)
    slope = ctx.param(() if p.channel_shared else (channels,), filler)
    return ctx.like_bottom, lambda x: F.prelu(x, slope().reshape(-1))


@layer("Dropout")
def dropout(ctx: Context) -> Built:
    """In training keep a number with 1 - ratio and scale it by 1 / (1 - ratio); in testing nothing."""
    ratio = ctx.spec.dropout_param.dropout_ratio
    if not ctx.training:
        return ctx.like_bottom, lambda x: x
    keep, stream, generator = 1.0 - ratio, ctx.stream, ctx.device_generator
    if not 0 <= keep <= 1:
        bound = f">= 0 ({keep:g} vs. 0)" if keep < 0 else f"<= 1 ({keep:g} vs. 1)"
        raise CheckFailed(f"Check failed: p {bound} ", "math_functions.cpp", 303)

    def forward(x: torch.Tensor) -> torch.Tensor:
        if x.device.type == "cpu":
            kept = torch.from_numpy(stream.bernoulli(x.numel(), keep)).view(x.shape).to(x.dtype)
        else:
            kept = torch.empty_like(x).bernoulli_(keep, generator=generator)
        return x * kept.div_(keep)

    return ctx.like_bottom, forward
