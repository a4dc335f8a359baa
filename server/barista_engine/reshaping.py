"""Nets whose data changes its shape from batch to batch: layers for each shape, with the same parameters."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace

import torch

from barista_engine.built import BuiltLayer
from barista_engine.errors import CheckFailed, check_blob
from barista_engine.gradient_paths import find_written_over, stop_gradients
from barista_engine.interfaces import BatchSource, NullLog, Shape
from barista_engine.layers import layer_type
from barista_engine.layers.registry import Context
from barista_engine.rng import Stream
from barista_server.caffe.schema import LayerParameter

SOURCES = frozenset({"Data", "HDF5Data", "ImageData", "WindowData"})
"""Types whose batches may differ in shape."""
_FIXED = frozenset({"Python", "HDF5Output"})
"""Types that do something outside of the net when they are built, which must not be done again."""
_MOST = 64
"""Shapes for which layers are kept; building them anew takes milliseconds."""


class Shapes:
    """The layers of one net for every shape of its data seen lately."""

    def __init__(
        self,
        layers: list[BuiltLayer],
        device: torch.device,
        stream: Stream,
        blobs: Mapping[str, torch.Tensor],
    ) -> None:
        """`blobs`: where the net keeps the tensors of a pass, as for its wiring."""
        self._first = layers
        self._device, self._stream, self._blobs = device, stream, blobs
        self._known: OrderedDict[tuple[Shape, ...], list[BuiltLayer]] = OrderedDict()
        self._known[self._signature({})] = self._first

    def layers_for(self, fetched: Mapping[str, tuple[torch.Tensor, ...]]) -> list[BuiltLayer]:
        """The layers for batches (first top's name -> all tops). Raises CheckFailed where they do not fit."""
        signature = self._signature(fetched)
        layers = self._known.get(signature)
        if layers is None:
            layers = self._known[signature] = self._built(fetched)
            if len(self._known) > _MOST:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(signature)
        return layers

    def _signature(self, fetched: Mapping[str, tuple[torch.Tensor, ...]]) -> tuple[Shape, ...]:
        return tuple(
            shape for layer in self._first if layer.type in SOURCES for shape in _shapes(layer, fetched)
        )

    def _built(self, fetched: Mapping[str, tuple[torch.Tensor, ...]]) -> list[BuiltLayer]:
        shapes: dict[str, Shape] = {}
        layers = []
        for layer in self._first:
            if layer.bottoms:
                layer = self._rebuilt(layer, [shapes[bottom] for bottom in layer.bottoms])
            elif layer.type in SOURCES:
                layer = replace(layer, shapes=_shapes(layer, fetched))
            shapes.update(zip(layer.tops, layer.shapes, strict=True))
            layers.append(layer)
        find_written_over(layers, self._blobs)
        # A layer without bottoms keeps the forward pass it has; the others have new ones.
        stop_gradients(layers)
        return layers

    def _rebuilt(self, layer: BuiltLayer, bottoms: list[Shape]) -> BuiltLayer:
        if layer.type in _FIXED:
            message = f"Batches whose shape changes are not supported by layers of type {layer.type}"
            raise CheckFailed(message, "net.cpp", 0, f"layer {layer.name}: crop or resize the images")
        context = Context(
            spec=layer.spec,
            bottoms=bottoms,
            tops=len(layer.tops),
            device=self._device,
            stream=self._stream,
            device_generator=torch.Generator(self._device),
            log=NullLog(),
            sources=_no_sources,
            given=list(layer.params),
        )
        shapes, forward = layer_type(layer.type).build(context)
        for shape in shapes:
            check_blob(shape)
        return replace(layer, shapes=shapes, forward=forward)


def _shapes(layer: BuiltLayer, fetched: Mapping[str, tuple[torch.Tensor, ...]]) -> list[Shape]:
    if not layer.tops or layer.tops[0] not in fetched:
        return [tuple(shape) for shape in layer.shapes]
    return [tuple(top.shape) for top in fetched[layer.tops[0]]]


def _no_sources(layer: LayerParameter, phase: int, tops: int) -> BatchSource:
    raise AssertionError("only layers with bottoms are built anew")
