"""Sliding windows over any number of axes, by index: for what torch's convolutions cannot do.

They want 1 to 3 spatial axes, a dilation above 0 and windows that fit. Caffe takes any number of axes, reads
a window of dilation 0 as one number several times, and rounds towards 0, so that a window larger than its
input by less than a stride hangs over the end, where it finds zeros.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

import torch
import torch.nn.functional as F

from barista_engine.interfaces import Shape


@dataclass(frozen=True, slots=True)
class Window:
    """Settings of a sliding window, one number a spatial axis."""

    axis: int
    """The channel axis; the spatial axes follow it."""
    kernel: Shape
    stride: Shape
    pad: Shape
    dilation: Shape

    @property
    def extent(self) -> Shape:
        """The kernel's size with dilation."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))

    def slid(self, sizes: Shape) -> Shape:
        """Output sizes of a convolution over `sizes`, rounded towards 0 (and below 1 where nothing fits)."""
        return tuple(
            int((n + 2 * p - e) / s) + 1
            for n, p, e, s in zip(sizes, self.pad, self.extent, self.stride, strict=True)
        )

    def spread(self, sizes: Shape) -> Shape:
        """Output sizes of a transposed convolution over `sizes`."""
        return tuple(
            s * (n - 1) + e - 2 * p
            for n, p, e, s in zip(sizes, self.pad, self.extent, self.stride, strict=True)
        )

    def native(self, sizes: Shape | None = None) -> bool:
        """Whether torch has this convolution, over `sizes` (None: the transposed one)."""
        fits = sizes is None or all(
            e <= n + 2 * p for n, p, e in zip(sizes, self.pad, self.extent, strict=True)
        )
        return 1 <= len(self.kernel) <= 3 and min(self.dilation) > 0 and fits

    def places(self, axis: int, count: int) -> torch.Tensor:
        """Where along a padded axis the numbers of `count` windows lie: (kernel * count,), kernel first."""
        inside = torch.arange(self.kernel[axis]) * self.dilation[axis]
        return (inside[:, None] + torch.arange(count) * self.stride[axis]).flatten()


def columns(x: torch.Tensor, w: Window, outputs: Shape) -> torch.Tensor:
    """The windows of x (batch, channels, spatial...) as (batch, channels, kernel..., outputs...)."""
    behind = (
        max(0, (o - 1) * s + e - n - p)
        for o, s, e, n, p in zip(outputs, w.stride, w.extent, x.shape[2:], w.pad, strict=True)
    )
    x = F.pad(x, list(chain(*reversed([*zip(w.pad, behind, strict=True)]))))
    for axis, count in enumerate(outputs):
        index = w.places(axis, count).to(x.device)
        x = x.index_select(2 + 2 * axis, index)
        x = x.reshape(*x.shape[: 2 + 2 * axis], w.kernel[axis], count, *x.shape[3 + 2 * axis :])
    axes = range(2, x.dim())
    return x.permute(0, 1, *axes[::2], *axes[1::2])


def folded(cols: torch.Tensor, w: Window, outputs: Shape) -> torch.Tensor:
    """The transpose of `columns`: (batch, channels, kernel..., windows...) summed into `outputs`."""
    n = len(outputs)
    x = cols.permute(0, 1, *chain(*((2 + i, 2 + n + i) for i in range(n))))
    for axis in reversed(range(n)):
        index = w.places(axis, x.shape[3 + 2 * axis]).to(x.device)
        x = x.flatten(2 + 2 * axis, 3 + 2 * axis)
        padded = list(x.shape)
        padded[2 + 2 * axis] = outputs[axis] + 2 * w.pad[axis]
        x = x.new_zeros(padded).index_add(2 + 2 * axis, index, x)
        x = x.narrow(2 + 2 * axis, w.pad[axis], outputs[axis])
    return x


def convolved(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, w: Window, group: int
) -> torch.Tensor:
    """A convolution of x (batch, channels, spatial...) by one product with its columns."""
    outputs = w.slid(tuple(x.shape[2:]))
    cols = columns(x, w, outputs).reshape(x.shape[0], group, weight[0].numel(), -1)
    y = (weight.reshape(group, -1, weight[0].numel()) @ cols).reshape(x.shape[0], len(weight), *outputs)
    return y if bias is None else y + bias.reshape(-1, *[1] * len(outputs))


def deconvolved(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, w: Window, group: int
) -> torch.Tensor:
    """The transpose of `convolved`; weight (inputs, outputs / group, kernel...)."""
    sizes = tuple(x.shape[2:])
    lines = weight.reshape(group, len(weight) // group, -1).transpose(1, 2)
    cols = lines @ x.reshape(x.shape[0], group, len(weight) // group, -1)
    y = folded(cols.reshape(x.shape[0], -1, *w.kernel, *sizes), w, w.spread(sizes))
    return y if bias is None else y + bias.reshape(-1, *[1] * len(sizes))
