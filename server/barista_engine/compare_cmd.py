"""`barista-caffe compare`: whether a net made for use computes what the trained one does, on one sample."""

from __future__ import annotations

import json
import math
import sys

import torch

from barista_engine import snapshot
from barista_engine.data import DataSources
from barista_engine.errors import CheckFailed
from barista_engine.flags import Value
from barista_engine.glog import Glog
from barista_engine.interfaces import NullLog
from barista_engine.net import Net
from barista_engine.readers import read_net
from barista_engine.rng import Stream, open_stream
from barista_server.caffe.schema import TEST, LayerParameter

_ADDED = ("Softmax", "Sigmoid")
_NOT_FINITE = 3.4e38
"""JSON has no infinity: the greatest float stands for it."""


@torch.no_grad()
def compare(flags: dict[str, Value], log: Glog) -> None:
    """Run ``--model``, which has Inputs for its data, and ``--deploy``, both with ``--weights``, on what the
    layers of ``--sample`` read, or on random numbers where they cannot.

    Printed is JSON: ``sample`` (``data`` or ``random``), ``why`` not the data, and for each blob of both the
    greatest absolute ``difference`` and the ``largest`` value. Raises CheckFailed.
    """
    stream = open_stream()
    trained, used = (_open(str(flags[name]), stream, log) for name in ("model", "deploy"))
    for net in (trained, used):
        snapshot.load_weights(net, str(flags["weights"]), NullLog())
    why = ""
    sample: dict[str, torch.Tensor] = {}
    if flags["sample"]:
        try:
            sample = _sample(str(flags["sample"]), stream, log)
        except Exception as error:  # whatever keeps the data from being read: numbers do as well
            why = str(error).splitlines()[0] if str(error) else repr(error)
    fitting = {name: value for name, value in sample.items()
               if name in trained.inputs and value.shape == trained.inputs[name].shape}  # fmt: skip
    whole = len(fitting) == len(trained.inputs)
    values = fitting if whole else _random(trained)
    _feed(trained, {name: value.clone() for name, value in values.items()})
    given = {name: _given(trained, name, values) for name in used.inputs}
    for name, value in given.items():
        _need_same_shape(name, used.inputs[name], value)
    _feed(used, given)
    found = {name: _difference(trained, used, name) for name in used.blobs}
    told = {name: pair for name, pair in found.items() if pair is not None and name not in used.inputs}
    print(
        json.dumps(
            {
                "sample": "data" if whole else "random",
                "why": why,
                "blobs": {
                    name: {"difference": difference, "largest": largest}
                    for name, (difference, largest) in told.items()
                },
            }
        )
    )
    sys.stdout.flush()


def _open(path: str, stream: Stream, log: Glog) -> Net:
    param = read_net(path, TEST, 0, [], log)
    sources = DataSources(log, stream)  # never asked: all data comes by Input layers
    return Net(param, device=torch.device("cpu"), stream=stream, log=log, sources=sources)


def _sample(path: str, stream: Stream, log: Glog) -> dict[str, torch.Tensor]:
    """The first batch of each data layer by the names of its tops."""
    param = read_net(path, TEST, 0, [], log)
    sources = DataSources(log, stream)
    try:
        net = Net(param, device=torch.device("cpu"), stream=stream, log=log, sources=sources)
        net.forward()
        # They may be the source's own memory, which is closed with it.
        return {name: blob.clone() for name, blob in net.blobs.items()}
    finally:
        sources.close()


def _random(net: Net) -> dict[str, torch.Tensor]:
    """Numbers for all inputs; zeros where a layer wants an index or a mark."""
    numbers = torch.Generator().manual_seed(1)
    picky = {bottom for layer in net.layers if layer.type in ("Embed", "BatchReindex", "Filter")
             for bottom in layer.bottoms}  # fmt: skip
    return {name: torch.zeros_like(blob) if _feeds(net, name, picky)
            else torch.randn(blob.shape, generator=numbers) for name, blob in net.inputs.items()}  # fmt: skip


def _feeds(net: Net, name: str, picky: set[str]) -> bool:
    """One of these is the blob, or a Split's copy of it."""
    copies = {
        top for layer in net.layers if layer.type == "Split" and name in layer.bottoms for top in layer.tops
    }
    return bool(({name} | copies) & picky)


def _given(trained: Net, name: str, values: dict[str, torch.Tensor]) -> torch.Tensor:
    """What the other net gets: the same, or the part of it that a Slice of the trained net makes."""
    if name in values:
        return values[name]
    layer = next(layer for layer in trained.layers if layer.type == "Slice" and name in layer.tops)
    parts = layer.forward(values[layer.bottoms[0]])
    return parts[layer.tops.index(name)]


def _need_same_shape(name: str, mine: torch.Tensor, theirs: torch.Tensor) -> None:
    if mine.shape != theirs.shape:
        words = [" ".join(map(str, blob.shape)) for blob in (theirs, mine)]
        text = f"Check failed: blob '{name}' is {words[0]} in the trained net, {words[1]} in the other"
        raise CheckFailed(text, "compare_cmd.py", 0)


def _feed(net: Net, values: dict[str, torch.Tensor]) -> None:
    for name, value in values.items():
        net.set_input(name, value)
    net.forward()


def _difference(trained: Net, used: Net, name: str) -> tuple[float, float] | None:
    """Greatest difference and greatest value of a blob; None if the trained net has nothing like it."""
    mine = used.blobs[name].double()
    if name in trained.blobs:
        theirs = trained.blobs[name].double()
    else:
        layer = next(layer for layer in used.layers if name in layer.tops)
        if layer.type not in _ADDED or layer.bottoms[0] not in trained.blobs:
            return None
        theirs = _activated(layer.spec, trained.blobs[layer.bottoms[0]].double())
    _need_same_shape(name, mine, theirs)
    differs = mine != theirs
    differs &= ~(mine.isnan() & theirs.isnan())
    if not bool(differs.any()):
        return 0.0, _greatest(theirs)
    difference = _greatest((mine - theirs)[differs])
    return difference if math.isfinite(difference) else _NOT_FINITE, _greatest(theirs)


def _activated(spec: LayerParameter, values: torch.Tensor) -> torch.Tensor:
    """In double precision, apart from the engine's own layers."""
    return values.softmax(spec.softmax_param.axis) if spec.type == "Softmax" else values.sigmoid()


def _greatest(values: torch.Tensor) -> float:
    finite = values[values.isfinite()]
    if finite.numel() < values.numel():
        return _NOT_FINITE
    return float(finite.abs().max()) if finite.numel() else 0.0
