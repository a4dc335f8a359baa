"""How a net is put together: blobs by name, layers by type, parameters, and who needs a gradient.

The log lines are Caffe's, in its order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

from barista_engine.built import BuiltLayer
from barista_engine.errors import CheckFailed, check_blob, check_equal
from barista_engine.gradient_paths import find_written_over, stop_gradients
from barista_engine.interfaces import DataSourceFactory, Log, Shape
from barista_engine.layers import LayerType, check_counts, layer_type, shape_string
from barista_engine.layers.registry import Context, Forward, Result
from barista_engine.params import Param
from barista_engine.rng import Stream
from barista_server.caffe.schema import LayerParameter, NetParameter, ParamSpec

_BYTES = 4


class Wiring:
    """Builds the layers of a net that is filtered and has its splits; the result is in the attributes."""

    def __init__(
        self,
        net: NetParameter,
        device: torch.device,
        stream: Stream,
        log: Log,
        sources: DataSourceFactory,
        blobs: Mapping[str, torch.Tensor],
    ) -> None:
        """`blobs`: where the net will keep the tensors of a pass, read in its backward pass."""
        self.layers: list[BuiltLayer] = []
        self.shapes: dict[str, Shape] = {}
        self.learnable: list[Param] = []
        self.output_weights: dict[str, float] = {}
        self._device, self._stream, self._log, self._sources = device, stream, log, sources
        self._device_generator = torch.Generator(device)
        self._device_generator.manual_seed(stream.seed)
        self._memory = 0
        self._available: set[str] = set()
        self._blob_needs: dict[str, bool] = {}
        self._weights: dict[str, float] = {}
        self._owners: dict[str, Param] = {}
        self._rate_given: set[int] = set()
        self._decay_given: set[int] = set()
        for original in net.layer:
            spec = LayerParameter()
            spec.CopyFrom(original)
            if not spec.HasField("phase"):
                spec.phase = net.state.phase
            self._add(spec)
        self._find_backward()
        if net.force_backward:
            self._force_backward()
        find_written_over(self.layers, blobs)
        stop_gradients(self.layers)
        self.outputs = sorted(self._available)
        for name in self.outputs:
            log.info("net.cpp:244", f"This network produces output {name}")
            self.output_weights[name] = self._weights.get(name, 0.0)

    def _add(self, spec: LayerParameter) -> None:
        """Create, connect and set up one layer."""
        if spec.propagate_down:
            message = "propagate_down param must be specified either 0 or bottom_size times "
            sizes = len(spec.propagate_down), len(spec.bottom)
            names = "layer_param.propagate_down_size()", "layer_param.bottom_size()"
            check_equal(names[0], sizes[0], names[1], sizes[1], message, "net.cpp", 79)
        log, name = self._log, spec.name
        log.info("layer_factory.hpp:77", f"Creating layer {name}")
        kind = layer_type(spec.type)
        source = None
        if spec.type == "Data":  # Caffe opens the database while it creates the layer
            source = self._sources(spec, spec.phase, len(spec.top))
        log.info("net.cpp:86", f"Creating Layer {name}")
        for index, bottom in enumerate(spec.bottom):
            self._connect_bottom(spec, index, bottom)
        tops = self._connect_tops(spec, kind)
        check_counts(kind, len(spec.bottom), len(tops))
        if kind.loss and not spec.loss_weight:
            spec.loss_weight.append(1.0)
        context = Context(
            spec=spec,
            bottoms=[self.shapes[bottom] for bottom in spec.bottom],
            tops=len(tops),
            device=self._device,
            stream=self._stream,
            device_generator=self._device_generator,
            log=log,
            sources=self._sources,
            source=source,
        )
        given = len(spec.param)
        shapes, forward = kind.build(context)
        for shape in shapes:
            check_blob(shape)
        built = BuiltLayer(
            spec, list(spec.bottom), tops, shapes, context.params, forward, _loss_weights(spec, len(tops))
        )
        self.layers.append(built)
        self._report(built)
        self._add_params(built, given)
        self._mark_needs(built, given)

    def _connect_bottom(self, spec: LayerParameter, index: int, bottom: str) -> None:
        if bottom not in self._available:
            message = f"Unknown bottom blob '{bottom}' (layer '{spec.name}', bottom index {index})"
            raise CheckFailed(message, "net.cpp", 404)
        self._log.info("net.cpp:408", f"{spec.name} <- {bottom}")
        self._available.discard(bottom)

    def _connect_tops(self, spec: LayerParameter, kind: LayerType) -> list[str]:
        """The layer's tops; a loss without a top gets one that nobody can use."""
        for index, top in enumerate(spec.top):
            if index < len(spec.bottom) and top == spec.bottom[index]:
                self._log.info("net.cpp:369", f"{spec.name} -> {top} (in-place)")
            elif top in self._blob_needs:
                raise CheckFailed(f"Top blob '{top}' produced by multiple sources.", "net.cpp", 377)
            else:
                self._log.info("net.cpp:382", f"{spec.name} -> {top}")
                self._blob_needs[top] = False
            self._available.add(top)
        tops = list(spec.top)
        if kind.loss and not tops:
            self._log.info("net.cpp:382", f"{spec.name} -> (automatic)")
            tops.append("(automatic)")
        return tops

    def _report(self, built: BuiltLayer) -> None:
        log = self._log
        log.info("net.cpp:124", f"Setting up {built.name}")
        for index, (top, shape) in enumerate(zip(built.tops, built.shapes, strict=True)):
            self.shapes[top] = shape
            weight = built.loss_weights.get(index, 0.0)
            self._weights[top] = weight
            log.info("net.cpp:131", f"Top shape: {shape_string(shape)}")
            if weight:
                log.info("net.cpp:134", f"    with loss weight {weight:g}")
            self._memory += math.prod(shape)
        log.info("net.cpp:139", f"Memory required for data: {self._memory * _BYTES}")

    def _add_params(self, built: BuiltLayer, given: int) -> None:
        """`given`: for how many blobs the prototxt has settings; a layer may have added its own."""
        specs = list(built.spec.param)
        count = len(built.params)
        if len(specs) > count:
            message = f"Too many params specified for layer {built.name}"
            raise CheckFailed(
                f"Check failed: param_size <= num_param_blobs ({len(specs)} vs. {count}) {message}",
                "net.cpp",
                143,
            )
        specs += [ParamSpec()] * (count - len(specs))
        for param, spec in zip(built.params, specs, strict=True):
            if spec.lr_mult == 0:
                param.value.requires_grad_(False)
                param.propagates = param.index >= given
            param.name = spec.name
            owner = self._owners.get(spec.name) if spec.name else None
            if owner is None:
                self._own(param, spec)
            else:
                self._share(param, owner, spec)

    def _own(self, param: Param, spec: ParamSpec) -> None:
        param.lr_mult, param.decay_mult = spec.lr_mult, spec.decay_mult
        self.learnable.append(param)
        if spec.name:
            self._owners[spec.name] = param
        if spec.HasField("lr_mult"):
            self._rate_given.add(id(param))
        if spec.HasField("decay_mult"):
            self._decay_given.add(id(param))

    def _share(self, param: Param, owner: Param, spec: ParamSpec) -> None:
        whose = f"'{spec.name}' owned by layer '{owner.layer}'"
        self._log.info("net.cpp:467", f"Sharing parameters {whose}, param index {owner.index}")
        shapes = shape_string(owner.shape), shape_string(param.shape)
        if spec.share_mode == ParamSpec.PERMISSIVE:
            counts = math.prod(param.shape), math.prod(owner.shape)
            message = (
                f"Cannot share param {whose} with layer '{param.layer}'; count mismatch.  Owner layer param "
                f"shape is {shapes[0]}; sharing layer shape is {shapes[1]}"
            )
            check_equal(
                "this_blob->count()", counts[0], "owner_blob->count()", counts[1], message, "net.cpp", 478
            )
        elif param.shape != owner.shape:
            raise CheckFailed(
                f"Check failed: this_blob->shape() == owner_blob->shape() Cannot share param {whose} with "
                f"layer '{param.layer}'; shape mismatch.  Owner layer param shape is {shapes[0]}; sharing "
                f"layer expects shape {shapes[1]}",
                "net.cpp",
                486,
            )
        needs = param.value.requires_grad or owner.value.requires_grad
        owner.value.requires_grad_(needs)
        param.owner = owner
        self._agree(spec, owner)

    def _agree(self, spec: ParamSpec, owner: Param) -> None:
        """Multipliers given by several sharers must be the same; the first given ones count."""
        if spec.HasField("lr_mult"):
            if id(owner) in self._rate_given:
                message = f"Shared param '{spec.name}' has mismatched lr_mult."
                names = "param_spec->lr_mult()", "params_lr_[learnable_param_id]"
                check_equal(names[0], spec.lr_mult, names[1], owner.lr_mult, message, "net.cpp", 497)
            owner.lr_mult = spec.lr_mult
            self._rate_given.add(id(owner))
        if spec.HasField("decay_mult"):
            if id(owner) in self._decay_given:
                message = f"Shared param '{spec.name}' has mismatched decay_mult."
                names = "param_spec->decay_mult()", "params_weight_decay_[learnable_param_id]"
                check_equal(names[0], spec.decay_mult, names[1], owner.decay_mult, message, "net.cpp", 506)
            owner.decay_mult = spec.decay_mult
            self._decay_given.add(id(owner))

    def _mark_needs(self, built: BuiltLayer, given: int) -> None:
        """A layer is on a gradient's way when a bottom is, or when it learns something itself.

        For how many blobs the prototxt has settings is `given`: others count, even statistics.
        """
        below = [self._blob_needs[bottom] for bottom in built.bottoms]
        built.bottom_needs_backward = list(built.spec.propagate_down) or below
        built.needs_backward = any(below) or any(
            index >= given or built.spec.param[index].lr_mult != 0 for index in range(len(built.params))
        )
        if built.needs_backward:
            for top in built.tops:
                self._blob_needs[top] = True

    def _find_backward(self) -> None:
        """From the losses down: which layers contribute to one, and where propagate_down cuts the way."""
        under_loss: set[str] = set()
        skipped: set[str] = set()
        for built in reversed(self.layers):
            contributes = bool(built.loss_weights) or any(top in under_loss for top in built.tops)
            if all(top in skipped for top in built.tops) and built.needs_backward:
                built.needs_backward = False
                built.bottom_needs_backward = [False] * len(built.bottoms)
            if not contributes:
                built.needs_backward = False
                built.bottom_needs_backward = [False] * len(built.bottoms)
            if built.needs_backward:
                self._log.info("net.cpp:200", f"{built.name} needs backward computation.")
            else:
                self._log.info("net.cpp:202", f"{built.name} does not need backward computation.")
            for bottom, needs in zip(built.bottoms, built.bottom_needs_backward, strict=True):
                if contributes:
                    under_loss.add(bottom)
                if not needs:
                    skipped.add(bottom)

    def _force_backward(self) -> None:
        """Let gradients through everywhere but to labels, and to every parameter."""
        for built in self.layers:
            built.needs_backward = True
            if not built.bottoms:
                built.forward = _with_gradients(built.forward)
            labels = layer_type(built.type).labels
            built.bottom_needs_backward = [
                needs or i not in labels for i, needs in enumerate(built.bottom_needs_backward)
            ]
            for param in built.params:
                param.propagates = True
                if built.type != "BatchNorm":
                    param.value.requires_grad_()


def _with_gradients(forward: Forward) -> Forward:
    """What comes from outside, ready to be told its gradient."""

    def run() -> Result:
        result = forward()
        if not torch.is_grad_enabled():
            return result
        tops = (result,) if isinstance(result, torch.Tensor) else result
        return tuple(top if top.requires_grad else top.detach().requires_grad_() for top in tops)

    return run


def _loss_weights(spec: LayerParameter, tops: int) -> dict[int, float]:
    if spec.loss_weight:
        message = "loss_weight must be unspecified or specified once per top blob."
        check_equal("top.size()", tops, "num_loss_weights", len(spec.loss_weight), message, "layer.hpp", 392)
    return {i: weight for i, weight in enumerate(spec.loss_weight) if weight}
