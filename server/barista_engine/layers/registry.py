"""How a layer is made: one short function a type.

A layer function is called once, when the net is built. It reads its settings from the context, declares its
parameter blobs, and returns the shapes of its tops and the function that computes them::

    @layer("Threshold")
    def threshold(ctx: Context) -> Built:
        limit = ctx.spec.threshold_param.threshold
        return ctx.like_bottom, lambda x: (x > limit).to(x.dtype)

The computing function takes the bottoms and returns a tensor, or a tuple of them for several tops; autograd
does the backward pass, but where Caffe has another gradient (module `taught`). It must not change its
bottoms: a split hands the same tensor to several layers, and an in-place layer of the prototxt only replaces
the name's tensor.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from barista_engine.errors import CheckFailed, check_blob
from barista_engine.fillers import fill
from barista_engine.interfaces import BatchSource, DataSourceFactory, Log, Shape
from barista_engine.params import Param
from barista_engine.rng import Stream
from barista_server.caffe.schema import TRAIN, FillerParameter, LayerParameter

Result = torch.Tensor | tuple[torch.Tensor, ...]
Forward = Callable[..., Result]
Built = tuple[Sequence[Shape], Forward]
Builder = Callable[["Context"], Built]
Count = int | tuple[int, int | None] | None
"""How many blobs a layer takes: exactly n, (least, most), or any number."""


@dataclass(frozen=True, slots=True)
class LayerType:
    """A registered layer: how it is built and what Caffe checks before."""

    name: str
    build: Builder
    bottoms: Count
    tops: Count
    one_top_a_bottom: bool
    loss: bool
    """Its first top has loss weight 1 unless the prototxt says otherwise."""
    labels: tuple[int, ...]
    """Bottoms that never get a gradient, whatever force_backward says."""
    undifferentiable: Mapping[int, str]
    """Bottom (-1: the last) -> how Caffe ends in the backward pass when it is to have a gradient."""
    heedless: bool
    """Whether bottoms get their gradient even where propagate_down says no."""


LAYERS: dict[str, LayerType] = {}

NOT_IMPLEMENTED = "Not Implemented Yet"


def layer(
    *names: str,
    bottoms: Count = 1,
    tops: Count = 1,
    one_top_a_bottom: bool = False,
    loss: bool = False,
    labels: tuple[int, ...] = (),
    undifferentiable: Mapping[int, str] | None = None,
    heedless: bool = False,
) -> Callable[[Builder], Builder]:
    """Register a layer function under its type name(s)."""

    def register(build: Builder) -> Builder:
        for name in names:
            LAYERS[name] = LayerType(
                name, build, bottoms, tops, one_top_a_bottom, loss, labels, undifferentiable or {}, heedless
            )
        return build

    return register


def layer_type(name: str) -> LayerType:
    """The registered layer of that type name; raises CheckFailed as Caffe does for an unknown one."""
    found = LAYERS.get(name)
    if found is None:
        known = f"(known types: {', '.join(sorted(LAYERS))})"
        raise CheckFailed(
            f"Check failed: registry.count(type) == 1 (0 vs. 1) Unknown layer type: {name} {known}",
            "layer_factory.hpp",
            81,
        )
    return found


@dataclass(slots=True)
class Context:
    """What a layer function sees while it builds its layer."""

    spec: LayerParameter
    bottoms: list[Shape]
    tops: int
    device: torch.device
    stream: Stream
    """Caffe's random numbers: for fillers and, on the CPU, the forward pass."""
    device_generator: torch.Generator
    """For random numbers of the forward pass that Caffe has on GPUs only, on `device`."""
    log: Log
    sources: DataSourceFactory
    source: BatchSource | None = None
    """Already opened for a Data layer."""
    params: list[Param] = field(default_factory=list)
    given: list[Param] | None = None
    """The parameters of the layer as it was built first, where it is built anew for another shape."""

    @property
    def training(self) -> bool:
        return self.spec.phase == TRAIN

    @property
    def in_place(self) -> bool:
        """Whether the first top is written over the first bottom."""
        return bool(self.spec.top) and self.spec.top[:1] == self.spec.bottom[:1]

    @property
    def like_bottom(self) -> list[Shape]:
        """Every top as the first bottom."""
        return [self.bottoms[0]] * self.tops

    def param(
        self,
        shape: Shape,
        filler: FillerParameter,
        memory_format: torch.memory_format = torch.contiguous_format,
    ) -> Param:
        """Declare the next parameter blob. Its tensor is learned unless the net finds lr_mult 0.

        Raises CheckFailed for a shape that no blob can have and a filler that does not fit.
        """
        if self.given is not None:
            return self._again(shape)
        check_blob(shape)
        value = fill(filler, shape, self.stream).to(self.device)
        value = value.to(memory_format=memory_format).requires_grad_()
        self.params.append(Param(value, self.spec.name, len(self.params)))
        return self.params[-1]

    def statistic(self, shape: Shape) -> Param:
        """Declare a parameter blob of zeros that the forward pass itself keeps: no gradient, lr_mult 0."""
        if self.given is not None:
            return self._again(shape)
        if len(self.spec.param) <= len(self.params):
            self.spec.param.add(lr_mult=0.0)
        elif self.spec.param[len(self.params)].lr_mult != 0:
            rate = self.spec.param[len(self.params)].lr_mult
            raise self.failed(
                f"Check failed: this->layer_param_.param(i).lr_mult() == 0.f ({rate:g} vs. 0) "
                "Cannot configure batch normalization statistics as layer parameters.",
                44,
            )
        self.params.append(Param(torch.zeros(shape, device=self.device), self.spec.name, len(self.params)))
        return self.params[-1]

    def _again(self, shape: Shape) -> Param:
        """The parameter declared here when the layer was built first. CheckFailed for another shape."""
        assert self.given is not None
        param = self.given[len(self.params)]
        if param.shape != tuple(shape):
            sizes = f"{shape_string(shape)} instead of {shape_string(param.shape)}"
            raise CheckFailed(
                f"Check failed: a batch of another shape asks layer '{self.spec.name}' for parameters of "
                f"another: {sizes}",
                source_file(self.spec.type),
                0,
                "crop or resize the images",
            )
        self.params.append(param)
        return param

    def axis(self, index: int, bottom: int = 0) -> int:
        """`index` counted from the front; raises CheckFailed outside the bottom's axes."""
        shape = self.bottoms[bottom]
        if not -len(shape) <= index < len(shape):
            bound = f"axis_index >= -num_axes() ({index} vs. {-len(shape)})"
            if index >= 0:
                bound = f"axis_index < num_axes() ({index} vs. {len(shape)})"
            raise CheckFailed(
                f"Check failed: {bound} axis {index} out of range for {len(shape)}-D Blob with shape "
                f"{shape_string(shape)}",
                "blob.hpp",
                122 if index >= 0 else 119,
            )
        return index % len(shape)

    def legacy_dims(self, bottom: int = 0) -> tuple[int, int, int, int]:
        """num, channels, height and width of a bottom, 1 where absent; raises CheckFailed for five axes."""
        shape = self.bottoms[bottom]
        if len(shape) > 4:
            raise CheckFailed(
                f"Check failed: num_axes() <= 4 ({len(shape)} vs. 4) Cannot use legacy accessors on Blobs "
                "with > 4 axes.",
                "blob.hpp",
                140,
            )
        num, channels, height, width = (*shape, 1, 1, 1, 1)[:4]
        return num, channels, height, width

    def check_output(self, shape: Sequence[int]) -> None:
        """Raise CheckFailed for a top of negative size, or of none: Caffe fails as soon as it reads that."""
        would_be = f"layer '{self.spec.name}': the output would be {shape_string(shape)}"
        if min(shape, default=0) < 0:
            message = f"Check failed: shape[i] >= 0 ({next(n for n in shape if n < 0)} vs. 0) "
            raise CheckFailed(message, "blob.cpp", 32, would_be)
        if 0 in shape:
            raise CheckFailed("Check failed: data_ ", "blob.cpp", 133, would_be)

    def forbid_in_place(self, line: int = 0) -> None:
        """Raise CheckFailed when a top has the first bottom's name: layers that cannot write over it."""
        message = f"{self.spec.type} Layer does not allow in-place computation."
        self.check(self.spec.bottom[0] not in self.spec.top, "top[0] != bottom[0]", message, line)

    def check(self, holds: bool, condition: str, message: str = "", line: int = 0) -> None:
        """Raise CheckFailed, worded as Caffe's CHECK(condition), unless `holds`."""
        if not holds:
            raise self.failed(f"Check failed: {condition} {message}", line)

    def failed(self, message: str, line: int = 0) -> CheckFailed:
        """The exception of a check that failed in this layer's source file."""
        return CheckFailed(message, source_file(self.spec.type), line)


def check_counts(kind: LayerType, bottoms: int, tops: int) -> None:
    """Raise CheckFailed when a layer has a number of bottoms or tops that its type does not take."""
    _check_count(kind, kind.bottoms, bottoms, "Bottom", "bottom", ("takes", "as input"))
    _check_count(kind, kind.tops, tops, "Top", "top", ("produces", "as output"))
    if kind.one_top_a_bottom and bottoms != tops:
        raise CheckFailed(
            f"Check failed: bottom.size() == top.size() ({bottoms} vs. {tops}) {kind.name} Layer produces "
            "one top blob as output for each bottom blob input.",
            "layer.hpp",
            379,
        )


def _check_count(kind: LayerType, want: Count, have: int, word: str, vec: str, verb: tuple[str, str]) -> None:
    least, most = want if isinstance(want, tuple) else (want, want)
    if isinstance(want, int) and have != want:
        name, relation, bound, line = "ExactNum", "==", f"{want}", 349
    elif least is not None and have < least:
        name, relation, bound, line = "Min", "<=", f"at least {least}", 354
    elif most is not None and have > most:
        name, relation, bound, line = "Max", ">=", f"at most {most}", 359
    else:
        return
    limit = bound.rsplit(" ", 1)[-1]
    raise CheckFailed(
        f"Check failed: {name}{word}Blobs() {relation} {vec}.size() ({limit} vs. {have}) {kind.name} Layer "
        f"{verb[0]} {bound} {vec} blob(s) {verb[1]}.",
        "layer.hpp",
        line if word == "Bottom" else line + 15,
    )


def shape_string(shape: Sequence[int]) -> str:
    """A shape as Caffe prints it: ``64 1 28 28 (50176)``; a scalar is ``(1)``."""
    return "".join(f"{size} " for size in shape) + f"({math.prod(shape)})"


_FILES = {
    "AbsVal": "absval",
    "ArgMax": "argmax",
    "Convolution": "base_conv",
    "Deconvolution": "base_conv",
    "HDF5Data": "hdf5_data",
    "HDF5Output": "hdf5_output",
    "LSTMUnit": "lstm_unit",
    "PReLU": "prelu",
    "ReLU": "relu",
    "TanH": "tanh",
}


def source_file(type_name: str) -> str:
    """``SoftmaxWithLoss`` -> ``softmax_loss_layer.cpp``: the source file that Caffe has it in."""
    if type_name in _FILES:
        return f"{_FILES[type_name]}_layer.cpp"
    text = type_name.replace("WithLoss", "Loss")
    stem = "".join(
        ("_" if i and char.isupper() and text[i - 1].islower() else "") + char.lower()
        for i, char in enumerate(text)
    )
    return f"{stem}_layer.cpp"
