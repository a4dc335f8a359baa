"""A net: layers built from their description, run forwards and backwards, with Caffe's words in the log.

Autograd does the backward pass, so a blob is a torch tensor that lives from one forward pass to the next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from barista_engine.built import BuiltLayer
from barista_engine.debug import Watch
from barista_engine.errors import CheckFailed, check_equal
from barista_engine.gradient_paths import refusal
from barista_engine.interfaces import DataSourceFactory, Log, NullLog, Shape
from barista_engine.layers import Result, shape_string
from barista_engine.params import Param
from barista_engine.reshaping import SOURCES, Shapes
from barista_engine.rng import Stream
from barista_engine.wiring import Wiring
from barista_server.caffe.net import NetError, filter_net, insert_splits
from barista_server.caffe.prototxt import to_text
from barista_server.caffe.schema import TRAIN, NetParameter
from barista_server.caffe.weights import Weights

_RULE_LINES = (  # a part of what is said about a rule, and where Caffe says it
    ("NetState phase", 296),
    ("min_level", 306),
    ("max_level", 316),
    ("did not contain stage", 332),
    ("not_stage", 347),
)


class Net:
    """A net in one phase on one device.

    name, phase     as in the description; phase is TRAIN or TEST
    layers          all layers in order, those of automatic splits included
    blobs           name -> tensor of the last forward pass (of an in-place chain, its end)
    shapes          name -> shape, known from the start
    learnable       the parameter blobs a solver updates, each once, in Caffe's order; `value.grad` is None
                    for one that needs no gradient (lr_mult 0) or leads to no loss
    outputs         names of the blobs nobody consumes, sorted
    loss_weights    name -> weight in the loss, of outputs (0 for those that do not count)
    inputs          name -> tensor of each Input layer's blob; see `set_input`
    grads           whether forward passes prepare a backward pass: in phase TRAIN or with force_backward
    debug_info      whether the next passes log every blob
    """

    def __init__(
        self,
        param: NetParameter,
        *,
        device: torch.device,
        stream: Stream,
        sources: DataSourceFactory,
        log: Log | None = None,
        root: Net | None = None,
    ) -> None:
        """Build the net that `param.state` selects.

        `stream` serves fillers, dummy data and dropout. A net with a `root` uses its weights.
        Raises CheckFailed for everything Caffe refuses.
        """
        self._log: Log = log or NullLog()
        self.phase = param.state.phase
        filtered = self._filtered(param)
        try:
            whole = insert_splits(filtered)
        except NetError as e:
            raise CheckFailed(str(e), "insert_splits.cpp", 29) from e
        self.name = whole.name
        self.blobs: dict[str, torch.Tensor] = {}
        wiring = Wiring(whole, device, stream, self._log, sources, self.blobs)
        self.layers: list[BuiltLayer] = wiring.layers
        self.shapes: dict[str, Shape] = wiring.shapes
        self.learnable: list[Param] = wiring.learnable
        self.outputs: list[str] = wiring.outputs
        self.loss_weights: dict[str, float] = wiring.output_weights
        self.inputs: dict[str, torch.Tensor] = {}
        self.grads = self.phase == TRAIN or whole.force_backward
        self._force_backward = whole.force_backward
        self._no_loss = torch.zeros((), device=device)
        self._loss = self._no_loss
        self.debug_info = whole.debug_info
        self._watch: Watch | None = None
        self._device = device
        self._refusal = refusal(self.layers)
        self._by_shape = Shapes(self.layers, device, stream, self.blobs)
        self._fetching = [layer for layer in self.layers if layer.type in SOURCES]
        self._open_inputs()
        if root is not None:
            self._share(root, log_ignored=False)
        self._log.info("net.cpp:257", "Network initialization done.")

    def _filtered(self, param: NetParameter) -> NetParameter:
        try:
            filtered, messages = filter_net(param, param.state)
        except NetError as e:
            failed = "Check failed: layer_param.include_size() == 0 || layer_param.exclude_size() == 0 "
            raise CheckFailed(failed + str(e), "net.cpp", 269) from e
        for message in messages:
            line = next(line for part, line in _RULE_LINES if part in message)
            self._log.info(f"net.cpp:{line}", message)
        self._log.info("net.cpp:53", f"Initializing net from parameters: \n{to_text(filtered)}")
        return filtered

    def _open_inputs(self) -> None:
        """Let Input layers hand out what `set_input` was given, zeros at first."""
        for layer in self.layers:
            if layer.type != "Input":
                continue
            for top in layer.tops:
                self.set_input(top, torch.zeros(self.shapes_of(layer)[top], device=self._device))
            tops = layer.tops
            layer.forward = lambda tops=tops: tuple(self.inputs[top] for top in tops)

    @staticmethod
    def shapes_of(layer: BuiltLayer) -> dict[str, Shape]:
        """Top name -> shape of one layer."""
        return dict(zip(layer.tops, layer.shapes, strict=True))

    def set_input(self, name: str, value: torch.Tensor) -> None:
        """Give the blob `name` of an Input layer its numbers for the next passes."""
        tensor = value.to(self._device).detach()
        self.inputs[name] = tensor.requires_grad_() if self._force_backward else tensor

    def forward(self) -> torch.Tensor:
        """Run all layers on the next batch; the weighted sum of all losses as a 0-dim tensor.

        Raises CheckFailed for a label outside the classes and when a source fails.
        """
        if not self.layers:
            raise CheckFailed(
                "Check failed: end < layers_.size() (-1 vs. 0) ", "net.cpp", 520, "an empty net"
            )
        blobs = self.blobs
        blobs.clear()  # memory of the last pass is free again, and warm in the caches
        self._loss = self._no_loss
        total: torch.Tensor | None = None
        watch = self._watch = Watch(self._log) if self.debug_info else None
        with torch.set_grad_enabled(self.grads and torch.is_grad_enabled()):
            fetched = self._fetch()
            for layer in self.layers:
                bottoms = [blobs[name] for name in layer.bottoms]
                if watch:
                    bottoms = watch.before(layer, bottoms)
                try:
                    if layer.type in SOURCES:
                        result: Result = fetched[layer.tops[0]]
                    else:
                        result = layer.forward(*bottoms)
                except CheckFailed:
                    raise
                except Exception as error:
                    error.add_note(f"layer {layer.name}")
                    raise
                if isinstance(result, torch.Tensor):
                    blobs[layer.tops[0]] = result
                else:
                    blobs.update(zip(layer.tops, result, strict=True))
                if watch:
                    watch.after(layer, result)
                if layer.loss_weights:
                    loss = layer.weighted_loss(result)
                    total = loss if total is None else total + loss
        self._loss = self._no_loss if total is None else total
        return self._loss

    def _fetch(self) -> dict[str, tuple[torch.Tensor, ...]]:
        """The next batch of each source; when one has another shape, the layers become those for it."""
        fetched: dict[str, tuple[torch.Tensor, ...]] = {}
        for layer in self._fetching:
            result = layer.forward()
            fetched[layer.tops[0]] = result if isinstance(result, tuple) else (result,)
        same = all(
            top.shape == shape
            for layer in self._fetching
            for top, shape in zip(fetched[layer.tops[0]], layer.shapes, strict=True)
        )
        if not same:
            self.layers = self._by_shape.layers_for(fetched)
            self._fetching = [layer for layer in self.layers if layer.type in SOURCES]
            for layer in self.layers:
                self.shapes.update(self.shapes_of(layer))
        return fetched

    def backward(self) -> None:
        """Add the gradients of the last forward pass's loss to those of the parameters.

        Raises CheckFailed where a bottom is to have a gradient that Caffe has none for.
        """
        if self._refusal:
            raise self._refusal
        before = {}
        if self._watch:
            before = {id(p): _gradient(p) for p in self.learnable}
        if self._loss.requires_grad:
            self._loss.backward()  # type: ignore[no-untyped-call]
        if self._watch:
            self._watch.backward_done(self.learnable, before)
            self._watch = None

    def output_values(self) -> list[tuple[str, torch.Tensor, float]]:
        """(name, flat tensor, loss weight) of each output of the last forward pass, in Caffe's order."""
        return [(name, self._value(name).reshape(-1), self.loss_weights[name]) for name in self.outputs]

    def _value(self, name: str) -> torch.Tensor:
        """What a blob holds: zeros before the first forward pass."""
        blob = self.blobs.get(name)
        return torch.zeros(self.shapes[name], device=self._device) if blob is None else blob.detach()

    def held(self) -> dict[str, list[NDArray[np.float32]]]:
        """Layer name -> its parameter blobs, of every layer that has some; on a CPU no copies of them."""
        return {
            layer.name: [np.asarray(param().detach().cpu().numpy(), order="C") for param in layer.params]
            for layer in reversed(self.layers)
            if layer.params
        }

    def weights(self) -> dict[str, list[NDArray[np.float32]]]:
        """Layer name -> copies of its parameter blobs, for every layer that has some."""
        return {name: [np.array(blob) for blob in blobs] for name, blobs in self.held().items()}

    def shared(self) -> set[tuple[str, int]]:
        """(layer name, index) of each parameter blob that belongs to another layer."""
        return {
            (layer.name, index)
            for layer in self.layers
            for index, param in enumerate(layer.params)
            if param.owner is not None
        }

    def to_proto(self) -> NetParameter:
        """The net as a snapshot describes it: filtered, with splits, phases and loss weights; no blobs."""
        net = NetParameter(name=self.name)
        net.layer.extend(layer.spec for layer in self.layers)
        for layer in net.layer:
            layer.ClearField("blobs")
        return net

    def load_weights(
        self, weights: Weights | Mapping[str, Sequence[NDArray[np.float32] | None]], *, hdf5: bool = False
    ) -> None:
        """Take over the blobs (layer name -> blobs) of the layers that the net has, and say which it ignores.

        A parameter shared with an earlier layer may be missing, or None. Blobs are asked for one by one.
        Raises CheckFailed if number or shape differ, in the words Caffe has for the kind of the file.
        """
        layers: Mapping[str, Sequence[NDArray[np.float32] | None]] = (
            weights.layers if isinstance(weights, Weights) else weights
        )
        for name, blobs in layers.items():
            layer = self._layer_or_say_ignored(name, "net.cpp:746")
            if layer is None:
                continue
            found, wanted = len(blobs), len(layer.params)
            missing = any(param.owner is None for param in layer.params[found:])
            message = f"Incompatible number of blobs for layer {name}"
            if hdf5 and found > wanted:
                condition = f"num_source_params <= target_blobs.size() ({found} vs. {wanted})"
                raise CheckFailed(f"Check failed: {condition} {message}", "net.cpp", 814)
            if not hdf5 and (found > wanted or missing):
                _check_number_of_blobs(name, wanted, found, 752)
            for index, param in enumerate(layer.params):
                blob = blobs[index] if index < found else None
                if blob is not None:
                    self._load(param, index, name, blob, hdf5)
                elif param.owner is None:
                    raise CheckFailed(message, "net.cpp", 827)

    def _load(self, param: Param, index: int, layer: str, blob: NDArray[np.float32], hdf5: bool) -> None:
        shapes = shape_string(blob.shape), shape_string(param.shape)
        if hdf5 and blob.shape != param.shape:
            message = "Check failed: blob_dims == blob->shape() Cannot load blob from hdf5; shape mismatch. "
            message = f"{message}Source shape is {shapes[0]} target shape is {shapes[1]}"
            raise CheckFailed(message, "hdf5.cpp", 80, f"param {index} of layer {layer}")
        if not _shape_fits(blob.shape, param.shape):
            raise CheckFailed(
                f"Cannot copy param {index} weights from layer '{layer}'; shape mismatch.  Source param "
                f"shape is {shapes[0]}; target param shape is {shapes[1]}. "
                "To learn this layer's parameters from scratch rather than copying from a saved net, rename "
                "the layer.",
                "net.cpp",
                759,
            )
        with torch.no_grad():
            param().copy_(torch.from_numpy(np.require(blob, np.float32, ["C", "W"]).reshape(param.shape)))

    def share_weights(self, source: Net) -> None:
        """Use the memory of `source`'s parameters in layers of the same names; say which have none here."""
        self._share(source, log_ignored=True)

    def _share(self, source: Net, *, log_ignored: bool) -> None:
        for other in source.layers:
            if log_ignored:
                layer = self._layer_or_say_ignored(other.name, "net.cpp:678")
            else:
                layer = self._layer(other.name)
            if layer is None:
                continue
            _check_number_of_blobs(other.name, len(layer.params), len(other.params), 684)
            for index, (mine, theirs) in enumerate(zip(layer.params, other.params, strict=True)):
                if mine.shape != theirs.shape:
                    raise CheckFailed(
                        "Check failed: target_blobs[j]->shape() == source_blob->shape() Cannot share param "
                        f"{index} weights from layer '{other.name}'; shape mismatch.  Source param shape is "
                        f"{shape_string(theirs.shape)}; target param shape is {shape_string(mine.shape)}",
                        "net.cpp",
                        688,
                    )
                if mine.owner is None:
                    mine.share_data(theirs)

    def _layer(self, name: str) -> BuiltLayer | None:
        return next((layer for layer in self.layers if layer.name == name), None)

    def _layer_or_say_ignored(self, name: str, place: str) -> BuiltLayer | None:
        layer = self._layer(name)
        if layer is None:
            self._log.info(place, f"Ignoring source layer {name}")
        return layer


def _gradient(param: Param) -> torch.Tensor:
    """A copy of the gradient gathered so far."""
    grad = param.value.grad
    return torch.zeros_like(param.value) if grad is None else grad.clone()


def _check_number_of_blobs(layer: str, mine: int, theirs: int, line: int) -> None:
    message = f"Incompatible number of blobs for layer {layer}"
    check_equal("target_blobs.size()", mine, "source_layer.blobs_size()", theirs, message, "net.cpp", line)


def _shape_fits(source: Sequence[int], target: Shape) -> bool:
    """Equal, or the old form of four axes with ones in front: (1, 1, 500, 800) is (500, 800)."""
    if tuple(source) == target:
        return True
    return len(source) == 4 and len(target) < 4 and tuple(source) == (1,) * (4 - len(target)) + target
