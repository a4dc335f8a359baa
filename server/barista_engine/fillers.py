"""Caffe's fillers: how a parameter blob gets its first numbers."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from barista_engine.errors import CheckFailed
from barista_engine.interfaces import Shape
from barista_server.caffe.schema import FillerParameter

_Filler = Callable[[FillerParameter, torch.Tensor, torch.Generator], object]


def fill(filler: FillerParameter, shape: Shape, generator: torch.Generator) -> torch.Tensor:
    """A new float32 CPU tensor of `shape`, filled as `filler` says with numbers from the CPU `generator`.

    Raises CheckFailed for an unknown filler or one that does not fit the shape.
    """
    function = _FILLERS.get(filler.type)
    if function is None:
        raise CheckFailed(f"Check failed: false Unknown filler name: {filler.type}", "filler.hpp", 294)
    if filler.sparse != -1 and filler.type != "gaussian":
        raise CheckFailed(
            f"Check failed: this->filler_param_.sparse() == -1 ({filler.sparse} vs. -1) "
            "Sparsity not supported by this Filler.",
            "filler.hpp",
            43,
        )
    blob = torch.empty(shape)
    function(filler, blob, generator)
    return blob


def _constant(filler: FillerParameter, blob: torch.Tensor, generator: torch.Generator) -> None:
    blob.fill_(filler.value)


def _uniform(filler: FillerParameter, blob: torch.Tensor, generator: torch.Generator) -> None:
    blob.uniform_(filler.min, filler.max, generator=generator)


def _gaussian(filler: FillerParameter, blob: torch.Tensor, generator: torch.Generator) -> None:
    blob.normal_(filler.mean, filler.std, generator=generator)
    if filler.sparse >= 0:
        if blob.dim() < 1:
            raise CheckFailed("Check failed: blob->num_axes() >= 1 (0 vs. 1) ", "filler.hpp", 81)
        keep = min(1.0, filler.sparse / blob.shape[0])
        blob.mul_(torch.empty_like(blob).bernoulli_(keep, generator=generator))


def _positive_unitball(filler: FillerParameter, blob: torch.Tensor, generator: torch.Generator) -> None:
    rows = blob.uniform_(0, 1, generator=generator).view(blob.shape[0] if blob.dim() else 1, -1)
    rows.div_(rows.sum(dim=1, keepdim=True))


def _xavier(filler: FillerParameter, blob: torch.Tensor, generator: torch.Generator) -> None:
    scale = math.sqrt(3.0 / _fan(filler, blob))
    blob.uniform_(-scale, scale, generator=generator)


def _msra(filler: FillerParameter, blob: torch.Tensor, generator: torch.Generator) -> None:
    blob.normal_(0.0, math.sqrt(2.0 / _fan(filler, blob)), generator=generator)


def _fan(filler: FillerParameter, blob: torch.Tensor) -> float:
    """The count that xavier and msra divide by: inputs of an output, outputs of an input, or their mean."""
    fan_in = blob.numel() / (blob.shape[0] if blob.dim() > 0 else 1)
    fan_out = blob.numel() / (blob.shape[1] if blob.dim() > 1 else 1)
    if filler.variance_norm == FillerParameter.FAN_OUT:
        return fan_out
    if filler.variance_norm == FillerParameter.AVERAGE:
        return (fan_in + fan_out) / 2.0
    return fan_in


def _bilinear(filler: FillerParameter, blob: torch.Tensor, generator: torch.Generator) -> None:
    if blob.dim() != 4:
        raise CheckFailed(
            f"Check failed: blob->num_axes() == 4 ({blob.dim()} vs. 4) Blob must be 4 dim.", "filler.hpp", 255
        )
    height, width = blob.shape[2:]
    if height != width:
        raise CheckFailed(
            f"Check failed: blob->width() == blob->height() ({width} vs. {height}) Filter must be square",
            "filler.hpp",
            256,
        )
    f = math.ceil(width / 2.0)
    c = (width - 1) / (2.0 * f)
    line = 1 - (torch.arange(width) / f - c).abs()
    blob.copy_(line[:, None] * line[None, :])


_FILLERS: dict[str, _Filler] = {
    "constant": _constant,
    "uniform": _uniform,
    "gaussian": _gaussian,
    "positive_unitball": _positive_unitball,
    "xavier": _xavier,
    "msra": _msra,
    "bilinear": _bilinear,
}
