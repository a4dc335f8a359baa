"""Layers that normalise: LRN, batch normalisation, MVN."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from barista_engine.errors import check_equal
from barista_engine.layers.registry import Built, Context, layer
from barista_engine.layers.taught import Taught


@layer("LRN", heedless=True)
def lrn(ctx: Context) -> Built:
    """x / (k + alpha / n * sum of squares) ^ beta over n channels, or (k 1, n * n) over an n x n window."""
    p = ctx.spec.lrn_param
    n, alpha, beta, k = p.local_size, p.alpha, p.beta, p.k
    odd = "LRN only supports odd values for local_size"
    check_equal("size_ % 2", n % 2, "1", 1, odd, "lrn_layer.cpp", 12)
    axes = "Input must have 4 axes, corresponding to (num, channels, height, width)"
    check_equal("4", 4, "bottom[0]->num_axes()", len(ctx.bottoms[0]), axes, "lrn_layer.cpp", 71)
    if p.norm_region == p.WITHIN_CHANNEL:
        return (
            ctx.like_bottom,
            lambda x: (
                x
                * _inverse_power(1 + alpha * F.avg_pool2d(x * x, n, 1, n // 2, count_include_pad=True), beta)
            ),
        )

    def across(x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = _AcrossChannels.apply(x, n, alpha / n, beta, k)  # type: ignore[no-untyped-call]
        return y

    def gradient(g: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        scale = _channel_sum(x * x, n) * (alpha / n) + k
        return g * scale**-beta - 2 * alpha * beta / n * x * _channel_sum(g * y / scale, n)

    return ctx.like_bottom, Taught(across, gradient, reads="y")


def _inverse_power(scale: torch.Tensor, beta: float) -> torch.Tensor:
    """scale ^ -beta; the usual 0.75 by square roots, several times faster than a power."""
    if beta == 0.75:
        root = torch.rsqrt(scale)
        return root * torch.sqrt(root)
    return torch.pow(scale, -beta)


def _channel_sum(x: torch.Tensor, n: int) -> torch.Tensor:
    """Sums over the n channels around each, zeros beyond the ends."""
    total = x.clone()
    for d in range(1, min(n // 2, x.shape[1] - 1) + 1):
        total[:, d:] += x[:, :-d]
        total[:, :-d] += x[:, d:]
    return total


class _AcrossChannels(torch.autograd.Function):
    """Two window sums and one power in all; composed operators cost twice that and keep more in memory."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, n: int, alpha: float, beta: float, k: float) -> torch.Tensor:
        scale = _channel_sum(x * x, n).mul_(alpha).add_(k)
        power = _inverse_power(scale, beta)
        ctx.save_for_backward(x, scale, power)
        ctx.n, ctx.factor = n, 2 * alpha * beta
        return x * power

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, scale, power = ctx.saved_tensors
        direct = gradients[0] * power
        around = _channel_sum((direct * x).div_(scale), ctx.n)
        return direct.addcmul_(x, around, value=-ctx.factor), None, None, None, None


@layer("BatchNorm", heedless=True)
def batch_norm(ctx: Context) -> Built:
    """Normalise channels by the batch or by what was collected: sums of means and variances, a weight."""
    p, shape = ctx.spec.batch_norm_param, ctx.bottoms[0]
    channels = shape[ctx.axis(1)]
    eps, keep = p.eps, p.moving_average_fraction
    collected = p.use_global_stats if p.HasField("use_global_stats") else not ctx.training
    mean_sum, variance_sum, weight = (
        ctx.statistic((channels,)),
        ctx.statistic((channels,)),
        ctx.statistic((1,)),
    )

    def by_collected(x: torch.Tensor) -> torch.Tensor:
        total = weight()
        factor = torch.where(total == 0, 0.0, 1.0 / total)
        mean, variance = mean_sum() * factor, variance_sum() * factor
        return F.batch_norm(x, mean, variance, eps=eps)

    def by_batch(x: torch.Tensor) -> torch.Tensor:
        # zeros: torch multiplies what was there by 0, and in memory nobody has set there may be a nan
        mean, variance = torch.zeros_like(mean_sum()), torch.zeros_like(mean_sum())
        if x.numel() == channels:  # of one sample torch says variance nan, Caffe 0
            mean, y = x.detach().reshape(channels), x - x
        else:
            y = torch.batch_norm(x, None, None, mean, variance, True, 1.0, eps, False)
        with torch.no_grad():
            mean_sum().mul_(keep).add_(mean)
            variance_sum().mul_(keep).add_(variance)
            weight().mul_(keep).add_(1)
        return y

    return ctx.like_bottom, by_collected if collected else by_batch


@layer("MVN", heedless=True)
def mvn(ctx: Context) -> Built:
    """Zero mean and unit deviation per image plane, or per image; eps is added to the deviation.

    The top has four axes. The gradient is that of eps 0, divided by the deviation with eps.
    """
    p = ctx.spec.mvn_param
    top = ctx.legacy_dims()
    rows = (top[0] if p.across_channels else top[0] * top[1], -1)

    def centred(x: torch.Tensor) -> torch.Tensor:
        lines = x.reshape(rows)
        return lines - lines.mean(-1, keepdim=True)

    if not p.normalize_variance:
        return [top], lambda x: centred(x).reshape(top)

    def divisor(x: torch.Tensor) -> torch.Tensor:
        return x.square().mean(-1, keepdim=True).sqrt() + p.eps

    def forward(x: torch.Tensor) -> torch.Tensor:
        lines = centred(x)
        return (lines / divisor(lines)).reshape(top)

    def gradient(g: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        g, y = g.reshape(rows), y.reshape(rows)
        straight = g - g.mean(-1, keepdim=True) - y * (g * y).mean(-1, keepdim=True)
        return (straight / divisor(centred(x))).reshape(x.shape)

    return [top], Taught(forward, gradient, reads="y", always=True)
