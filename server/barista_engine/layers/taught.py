"""Layers whose gradient is the one Caffe writes down, not the one autograd derives.

The two part where Caffe divides by a number that may be 0, where it takes a tie for one side, and where it
reads a blob again in the backward pass that an in-place layer has written over since the forward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

Gradient = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""(gradient of the top, bottom, top) -> gradient of the bottom"""


@dataclass(slots=True)
class Taught:
    """The forward pass of a layer with one bottom and one top, which knows its own gradient.

    compute     bottom -> top
    gradient    what Caffe computes in the backward pass
    reads       the blobs it reads then, "x" the bottom and "y" the top; of others it gets what they were
    always      whether the gradient is used in any case: autograd's is another one or there is none
    in_place    whether autograd gives the same when the layer itself writes its top over its bottom
    """

    compute: Callable[[torch.Tensor], torch.Tensor]
    gradient: Gradient
    reads: str
    always: bool = False
    in_place: bool = False
    _now: dict[str, Callable[[], torch.Tensor]] = field(default_factory=dict)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        if self.always or self._now:
            y: torch.Tensor = _Teach.apply(x, self)  # type: ignore[no-untyped-call]
            return y
        return self.compute(x)

    def written_over(self, which: str, name: str, blobs: Mapping[str, torch.Tensor]) -> None:
        """Say that the blob "x" or "y" will be another one in the backward pass: ``blobs[name]``."""
        if which in self.reads:
            self._now[which] = lambda: blobs[name].detach()

    def backward(self, grad: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """The bottom's gradient from the top's and from the blobs of the forward pass."""
        now = self._now
        x = now["x"]().reshape(x.shape) if "x" in now else x
        y = now["y"]().reshape(y.shape) if "y" in now else y
        return self.gradient(grad, x, y)


class _Teach(torch.autograd.Function):
    """One pass as autograd sees it."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, taught: Taught) -> torch.Tensor:
        y = taught.compute(x)
        ctx.save_for_backward(x, y)
        ctx.taught = taught
        return y

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, None]:
        return ctx.taught.backward(grads[0], *ctx.saved_tensors), None


def graft(value: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
    """`value` with the gradient of `source`, of the same shape: the one of a number before it was limited."""
    y: torch.Tensor = _Graft.apply(source, value)  # type: ignore[no-untyped-call]
    return y


class _Graft(torch.autograd.Function):
    """One number to show and another to learn from."""

    @staticmethod
    def forward(ctx: Any, source: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, None]:
        return grads[0], None
