"""Caffe's fillers: how a parameter blob gets its first numbers."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch

from barista_engine.errors import CheckFailed
from barista_engine.interfaces import Shape
from barista_engine.rng import Floats, Stream
from barista_server.caffe.schema import FillerParameter

_Filler = Callable[[FillerParameter, torch.Tensor, Stream], object]


def fill(filler: FillerParameter, shape: Shape, stream: Stream) -> torch.Tensor:
    """A new float32 CPU tensor of `shape`, filled as `filler` says with the next numbers of the stream.

    Raises CheckFailed for an unknown filler or one that does not fit the shape.
    """
    check_filler(filler)
    if filler.sparse != -1 and filler.type != "gaussian":
        raise CheckFailed(
            f"Check failed: this->filler_param_.sparse() == -1 ({filler.sparse} vs. -1) "
            "Sparsity not supported by this Filler.",
            "filler.hpp",
            43,
        )
    blob = torch.empty(shape)
    _FILLERS[filler.type](filler, blob, stream)
    return blob


def check_filler(filler: FillerParameter) -> None:
    """Raise CheckFailed for a filler that Caffe does not know."""
    if filler.type not in _FILLERS:
        raise CheckFailed(f"Check failed: false Unknown filler name: {filler.type}", "filler.hpp", 294)


def _constant(filler: FillerParameter, blob: torch.Tensor, stream: Stream) -> None:
    blob.fill_(filler.value)


def _uniform(filler: FillerParameter, blob: torch.Tensor, stream: Stream) -> None:
    low, high = filler.min, filler.max
    if low > high:
        raise CheckFailed(f"Check failed: a <= b ({low:g} vs. {high:g}) ", "math_functions.cpp", 259)
    _put(blob, stream.uniform(blob.numel(), low, high))


def _gaussian(filler: FillerParameter, blob: torch.Tensor, stream: Stream) -> None:
    if filler.std <= 0:
        raise CheckFailed(f"Check failed: sigma > 0 ({filler.std:g} vs. 0) ", "math_functions.cpp", 281)
    _put(blob, stream.gaussian(blob.numel(), filler.mean, filler.std))
    if filler.sparse >= 0:
        if blob.dim() < 1:
            raise CheckFailed("Check failed: blob->num_axes() >= 1 (0 vs. 1) ", "filler.hpp", 81)
        keep = filler.sparse / blob.shape[0]
        if keep > 1:
            raise CheckFailed(f"Check failed: p <= 1 ({keep:g} vs. 1) ", "math_functions.cpp", 303)
        blob.mul_(torch.from_numpy(stream.bernoulli_single(blob.numel(), keep)).view(blob.shape))


def _positive_unitball(filler: FillerParameter, blob: torch.Tensor, stream: Stream) -> None:
    _put(blob, stream.uniform(blob.numel(), 0, 1))
    rows = blob.view(_rows(blob), -1)
    rows.div_(rows.sum(dim=1, keepdim=True))


def _xavier(filler: FillerParameter, blob: torch.Tensor, stream: Stream) -> None:
    scale = float(np.sqrt(np.float32(3) / _fan(filler, blob)))
    _put(blob, stream.uniform(blob.numel(), -scale, scale))


def _msra(filler: FillerParameter, blob: torch.Tensor, stream: Stream) -> None:
    std = float(np.sqrt(np.float32(2) / _fan(filler, blob)))
    _put(blob, stream.gaussian(blob.numel(), 0, std))


def _put(blob: torch.Tensor, numbers: Floats) -> None:
    blob.copy_(torch.from_numpy(numbers).view(blob.shape))


def _rows(blob: torch.Tensor) -> int:
    """The size of the first axis; raises CheckFailed for a scalar."""
    if not blob.dim():
        outside = "axis_index < num_axes() (0 vs. 0) axis 0 out of range for 0-D Blob with shape (1)"
        raise CheckFailed(f"Check failed: {outside}", "blob.hpp", 122)
    return blob.shape[0]


def _fan(filler: FillerParameter, blob: torch.Tensor) -> np.float32:
    """The count that xavier and msra divide by: inputs of an output, outputs of an input, or their mean."""
    fan_in = blob.numel() // _rows(blob)
    fan_out = blob.numel() // (blob.shape[1] if blob.dim() > 1 else 1)
    if filler.variance_norm == FillerParameter.FAN_OUT:
        return np.float32(fan_out)
    if filler.variance_norm == FillerParameter.AVERAGE:
        return np.float32(fan_in + fan_out) / np.float32(2)
    return np.float32(fan_in)


def _bilinear(filler: FillerParameter, blob: torch.Tensor, stream: Stream) -> None:
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
