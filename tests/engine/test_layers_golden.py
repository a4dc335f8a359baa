"""Every layer against what a real Caffe computed: forward, gradients, blobs it keeps itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from google.protobuf import text_format
from numpy.typing import NDArray

from barista_engine.layers import LAYERS
from barista_engine.net import Net
from barista_engine.rng import Stream
from barista_server.caffe.schema import TEST, TRAIN, NetParameter

GOLDEN = Path(__file__).parent.parent / "fixtures" / "golden" / "layers"
FILES = sorted(GOLDEN.glob("*.npz"))
TOLERANCE = 1e-4

REQUIRED = {
    *("Data", "HDF5Data", "Input", "DummyData", "Convolution", "Pooling", "InnerProduct", "ReLU", "LRN"),
    *("Dropout", "Softmax", "SoftmaxWithLoss", "Accuracy", "EuclideanLoss", "Sigmoid", "TanH", "Eltwise"),
    *("Concat", "Flatten", "Split", "Scale", "BatchNorm"),
}


def no_sources(*args: object) -> None:
    raise AssertionError("these nets read no data")


def description(golden: dict[str, NDArray[np.float32]]) -> NetParameter:
    net = text_format.Parse(str(golden["prototxt"]), NetParameter())
    net.state.phase = TRAIN if str(golden["phase"]) == "TRAIN" else TEST
    return net


def layer_of(file: Path) -> str:
    with np.load(file) as golden:
        return next(layer.type for layer in description(golden).layer if layer.name == "L")


def test_all_required_types_are_there() -> None:
    assert set(LAYERS) >= REQUIRED


def test_no_recorded_type_is_forgotten() -> None:
    assert {layer_of(file) for file in FILES} <= set(LAYERS)


def close(name: str, got: torch.Tensor, want: NDArray[np.float32]) -> None:
    """Equal to the tolerance; nan and infinities in the same places."""
    assert tuple(got.shape) == want.shape, name
    have, finite = got.detach().numpy(), np.isfinite(want)
    np.testing.assert_array_equal(np.where(finite, 0, have), np.where(finite, 0, want), err_msg=name)
    scale = max(float(np.abs(want[finite]).max(initial=0.0)), 1e-6)
    error = float(np.abs(have[finite] - want[finite]).max(initial=0.0))
    assert error <= TOLERANCE * scale, f"{name}: off by {error:g} of {scale:g}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_layer_agrees_with_caffe(file: Path) -> None:
    with np.load(file) as archive:
        golden = dict(archive)
    net = Net(
        description(golden),
        device=torch.device("cpu"),
        stream=Stream(1),
        sources=no_sources,  # type: ignore[arg-type]
    )
    layer = next(layer for layer in net.layers if layer.name == "L")
    for index, param in enumerate(layer.params):
        assert param.shape == golden[f"param_{index}"].shape
        param.value.data.copy_(torch.from_numpy(golden[f"param_{index}"]))
    for name, value in golden.items():
        if name.startswith("in_"):
            net.set_input(name[3:], torch.from_numpy(value))

    loss = net.forward()
    for name, value in golden.items():
        if name.startswith("out_"):
            close(name, net.blobs[name[4:]], value)
            if layer.type != "Filter":  # its batch depends on the numbers
                assert net.shapes[name[4:]] == value.shape
        if name.startswith("paramafter_"):
            close(name, layer.params[int(name[11:])].value, value)

    backward(net, loss, golden)
    for name, value in golden.items():
        if name.startswith("botdiff_"):
            gradient = net.inputs[name[8:]].grad
            close(name, torch.zeros(value.shape) if gradient is None else gradient, value)
        if name.startswith("paramdiff_"):
            gradient = layer.params[int(name[10:])].value.grad
            assert gradient is not None, name
            close(name, gradient, value)


def backward(net: Net, loss: torch.Tensor, golden: dict[str, NDArray[np.float32]]) -> None:
    """From the recorded gradients of the tops, or from the loss where Caffe put its weight there itself."""
    tops = [name[8:] for name in golden if name.startswith("topdiff_")]
    if tops:
        seeds = [torch.from_numpy(golden[f"topdiff_{top}"]) for top in tops]
        torch.autograd.backward([net.blobs[top] for top in tops], seeds)
    elif loss.requires_grad:
        net.backward()
