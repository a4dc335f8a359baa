"""Python layers: classes of the person's own, written for pycaffe.

They run code that lies beside the prototxt, so they need consent: the environment variable
BARISTA_PYTHON_LAYERS=1.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from barista_engine.interfaces import Shape
from barista_engine.layers.registry import Built, Context, layer
from barista_engine.params import Param
from barista_server.caffe.schema import TEST, TRAIN, FillerParameter

CONSENT = "BARISTA_PYTHON_LAYERS"


class Blob:
    """A blob as pycaffe shows it: numbers and their gradient as arrays to write into."""

    def __init__(self, shape: Shape = ()) -> None:
        self.reshape(*shape)

    def reshape(self, *shape: int) -> None:
        """Change the shape; numbers are zeros anew where it differs from before."""
        if "data" in self.__dict__ and self.data.shape == shape:
            return
        self.data: NDArray[np.float32] = np.zeros(shape, np.float32)
        self.diff: NDArray[np.float32] = np.zeros(shape, np.float32)

    def take(self, tensor: torch.Tensor) -> None:
        """The numbers of a tensor, in its shape; the gradient is zero."""
        self.reshape(*tensor.shape)
        self.data[...] = tensor.detach().cpu().numpy()
        self.diff[...] = 0

    @property
    def shape(self) -> Shape:
        return self.data.shape

    @property
    def count(self) -> int:
        return self.data.size

    @property
    def num(self) -> int:
        return self._axis(0)

    @property
    def channels(self) -> int:
        return self._axis(1)

    @property
    def height(self) -> int:
        return self._axis(2)

    @property
    def width(self) -> int:
        return self._axis(3)

    def _axis(self, index: int) -> int:
        return self.shape[index] if index < len(self.shape) else 1


class Blobs(list[Blob]):
    """The parameter blobs of a layer."""

    def add_blob(self, *shape: int) -> Blob:
        """Declare one more, of zeros."""
        self.append(Blob(shape))
        return self[-1]


class Layer:
    """``caffe.Layer``: `param_str`, `phase`, `blobs`, and four methods to override."""

    param_str: str
    phase: int
    blobs: Blobs

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        """Called once, before all others."""

    def reshape(self, bottom: list[Blob], top: list[Blob]) -> None:
        """Give the tops their shapes; called before every forward pass."""

    def forward(self, bottom: list[Blob], top: list[Blob]) -> None:
        """Compute the data of the tops."""

    def backward(self, top: list[Blob], propagate_down: list[bool], bottom: list[Blob]) -> None:
        """Compute the diffs of those bottoms that `propagate_down` asks for, and add to those of `blobs`."""


@layer("Python", bottoms=None, tops=None)
def python(ctx: Context) -> Built:
    """The class `layer` of `module`, with its parameter blobs and whatever shapes it gives its tops."""
    p = ctx.spec.python_param
    if os.environ.get(CONSENT) != "1":
        message = (
            f"Layer '{ctx.spec.name}' runs Python code, {p.module}.{p.layer}: set {CONSENT}=1 to allow it"
        )
        raise ctx.failed(message, 1)
    made = _load(ctx, p.module, p.layer)()
    made.param_str, made.phase, made.blobs = p.param_str, int(ctx.spec.phase), Blobs()
    bottoms = [Blob(shape) for shape in ctx.bottoms]
    # an in-place top is its bottom, memory and all
    names = dict(zip(ctx.spec.bottom, bottoms, strict=True))
    tops = [names.get(name) or Blob() for name in ctx.spec.top]
    made.setup(bottoms, tops)
    made.reshape(bottoms, tops)
    params = [_declare(ctx, blob) for blob in made.blobs]
    call = _Call(made, bottoms, tops, ctx.device)

    def forward(*inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        values = [param() for param in params]
        result: tuple[torch.Tensor, ...] = _Bridge.apply(call, *inputs, *values)  # type: ignore[no-untyped-call]
        return result

    return [blob.shape for blob in tops], forward


def _declare(ctx: Context, blob: Blob) -> Param:
    """A parameter that begins with what `setup` wrote into the blob."""
    param = ctx.param(blob.shape, FillerParameter())
    with torch.no_grad():
        param.value.copy_(torch.from_numpy(blob.data))
    return param


def _load(ctx: Context, module: str, name: str) -> Any:
    """The class, from a module in PYTHONPATH or in the working directory, which may import `caffe`."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    caffe = ModuleType("caffe")
    vars(caffe).update(
        Layer=Layer,
        TRAIN=int(TRAIN),
        TEST=int(TEST),
        __version__="1.0.0",
        # which of the processes that train together, for layers that deal their data
        solver_rank=lambda: int(os.environ.get("RANK") or 0),
        solver_count=lambda: int(os.environ.get("WORLD_SIZE") or 1),
    )
    sys.modules["caffe"] = caffe
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ctx.failed(f"Layer '{ctx.spec.name}': {module}.{name} cannot be had: {error}", 1) from error


class _Call:
    """A made layer with its blobs."""

    def __init__(self, made: Any, bottoms: list[Blob], tops: list[Blob], device: torch.device) -> None:
        self.made, self.bottoms, self.tops, self.device = made, bottoms, tops, device

    def forward(self, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        """`inputs`: the bottoms, then the parameters."""
        for blob, tensor in zip([*self.bottoms, *self.made.blobs], inputs, strict=True):
            blob.take(tensor)
        self.made.reshape(self.bottoms, self.tops)
        self.made.forward(self.bottoms, self.tops)
        return tuple(torch.tensor(blob.data, device=self.device) for blob in self.tops)

    def backward(self, grads: tuple[torch.Tensor, ...], needs: list[bool]) -> list[torch.Tensor]:
        """Gradients of the inputs."""
        blobs = [*self.bottoms, *self.made.blobs]
        for blob in blobs:
            blob.diff[...] = 0
        for blob, grad in zip(self.tops, grads, strict=True):
            blob.diff[...] = grad.cpu().numpy()
        self.made.backward(self.tops, needs[: len(self.bottoms)], self.bottoms)
        return [torch.tensor(blob.diff, device=self.device) for blob in blobs]


class _Bridge(torch.autograd.Function):
    """One pass through a Python layer as autograd sees it."""

    @staticmethod
    def forward(ctx: Any, call: _Call, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        ctx.call = call
        return call.forward(inputs)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        needs = list(ctx.needs_input_grad[1:])
        given = ctx.call.backward(grads, needs)
        return (None, *[grad if need else None for grad, need in zip(given, needs, strict=True)])
