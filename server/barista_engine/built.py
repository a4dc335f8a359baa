"""A layer of a net, ready to run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from barista_engine.interfaces import Shape
from barista_engine.layers.registry import Forward, Result
from barista_engine.params import Param
from barista_server.caffe.schema import LayerParameter


@dataclass(slots=True)
class BuiltLayer:
    """A layer ready to run: `forward(*bottoms)` gives its top, or a tuple of its tops."""

    spec: LayerParameter
    bottoms: list[str]
    tops: list[str]
    shapes: Sequence[Shape]
    params: list[Param]
    forward: Forward
    loss_weights: dict[int, float]
    """Position of a top -> its weight in the loss, where not 0."""
    needs_backward: bool = False
    bottom_needs_backward: list[bool] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def type(self) -> str:
        return self.spec.type

    def weighted_loss(self, result: Result) -> torch.Tensor:
        """The sum over the tops that count towards the loss, of what `forward` gave."""
        tops = (result,) if isinstance(result, torch.Tensor) else result
        parts = [_weighted(tops[i], weight) for i, weight in self.loss_weights.items()]
        return parts[0] if len(parts) == 1 else torch.stack(parts).sum()


def _weighted(top: torch.Tensor, weight: float) -> torch.Tensor:
    total = top.sum() if top.dim() else top
    return total if weight == 1 else total * weight
