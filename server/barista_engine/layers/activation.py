"""Layers that change each number by itself."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from barista_engine.layers.registry import Built, Context, layer
from barista_server.caffe.schema import FillerParameter


@layer("ReLU")
def relu(ctx: Context) -> Built:
    slope = ctx.spec.relu_param.negative_slope
    return ctx.like_bottom, (lambda x: F.leaky_relu(x, slope)) if slope else torch.relu


@layer("Sigmoid")
def sigmoid(ctx: Context) -> Built:
    return ctx.like_bottom, torch.sigmoid


@layer("TanH")
def tanh(ctx: Context) -> Built:
    return ctx.like_bottom, torch.tanh


@layer("AbsVal")
def absval(ctx: Context) -> Built:
    return ctx.like_bottom, torch.abs


@layer("BNLL")
def bnll(ctx: Context) -> Built:
    return ctx.like_bottom, F.softplus


@layer("ELU")
def elu(ctx: Context) -> Built:
    alpha = ctx.spec.elu_param.alpha
    return ctx.like_bottom, lambda x: F.elu(x, alpha)


@layer("Clip")
def clip(ctx: Context) -> Built:
    p = ctx.spec.clip_param
    return ctx.like_bottom, lambda x: x.clamp(p.min, p.max)


@layer("Swish")
def swish(ctx: Context) -> Built:
    beta = ctx.spec.swish_param.beta
    return ctx.like_bottom, lambda x: x * torch.sigmoid(beta * x)


@layer("Threshold")
def threshold(ctx: Context) -> Built:
    limit = ctx.spec.threshold_param.threshold
    return ctx.like_bottom, lambda x: (x > limit).to(x.dtype)


@layer("Power")
def power(ctx: Context) -> Built:
    """(shift + scale * x) ^ power"""
    p = ctx.spec.power_param
    if p.power == 1:
        return ctx.like_bottom, lambda x: p.shift + p.scale * x
    return ctx.like_bottom, lambda x: torch.pow(p.shift + p.scale * x, p.power)


@layer("Exp")
def exp(ctx: Context) -> Built:
    """base ^ (shift + scale * x), base -1 meaning e"""
    p = ctx.spec.exp_param
    log_base = 1.0 if p.base == -1 else _log_of_base(ctx, p.base)
    return ctx.like_bottom, lambda x: torch.exp(log_base * (p.shift + p.scale * x))


@layer("Log")
def log(ctx: Context) -> Built:
    """log_base(shift + scale * x), base -1 meaning e"""
    p = ctx.spec.log_param
    log_base = 1.0 if p.base == -1 else _log_of_base(ctx, p.base)
    return ctx.like_bottom, lambda x: torch.log(p.shift + p.scale * x) / log_base


def _log_of_base(ctx: Context, base: float) -> float:
    ctx.check(base > 0, "base > 0", "base must be strictly positive.")
    return math.log(base)


@layer("PReLU")
def prelu(ctx: Context) -> Built:
    """max(x, 0) + slope * min(x, 0), one learned slope a channel or one for all"""
    p = ctx.spec.prelu_param
    filler = p.filler if p.HasField("filler") else FillerParameter(value=0.25)
    slope = ctx.param(() if p.channel_shared else (ctx.bottoms[0][1],), filler)
    return ctx.like_bottom, lambda x: F.prelu(x, slope().reshape(-1))


@layer("Dropout")
def dropout(ctx: Context) -> Built:
    """In training keep a number with 1 - ratio and scale it by 1 / (1 - ratio); in testing nothing."""
    ratio = ctx.spec.dropout_param.dropout_ratio
    if not ctx.training:
        return ctx.like_bottom, lambda x: x
    keep, stream, generator = 1.0 - ratio, ctx.stream, ctx.device_generator

    def forward(x: torch.Tensor) -> torch.Tensor:
        if x.device.type == "cpu":
            kept = torch.from_numpy(stream.bernoulli(x.numel(), keep)).view(x.shape).to(x.dtype)
        else:
            kept = torch.empty_like(x).bernoulli_(keep, generator=generator)
        return x * kept.div_(keep)

    return ctx.like_bottom, forward
