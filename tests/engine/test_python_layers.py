"""Python layers written for pycaffe run here, with the person's consent."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from barista_engine.errors import CheckFailed

from .test_layers import layer
from .test_net import blob, build, ip

CODE = '''
import caffe
import numpy as np

class Distance(caffe.Layer):
    """Half the mean squared distance."""
    def setup(self, bottom, top):
        if len(bottom) != 2:
            raise Exception("two bottoms")
    def reshape(self, bottom, top):
        self.diff = np.zeros_like(bottom[0].data, dtype=np.float32)
        top[0].reshape(1)
    def forward(self, bottom, top):
        self.diff[...] = bottom[0].data - bottom[1].data
        top[0].data[...] = np.sum(self.diff ** 2) / bottom[0].num / 2.
    def backward(self, top, propagate_down, bottom):
        for i, sign in ((0, 1), (1, -1)):
            if propagate_down[i]:
                bottom[i].diff[...] = sign * top[0].diff * self.diff / bottom[i].num

class Gain(caffe.Layer):
    def setup(self, bottom, top):
        assert self.phase in (caffe.TRAIN, caffe.TEST)
        self.blobs.add_blob(1)
        self.blobs[0].data[...] = float(self.param_str)
    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].shape)
    def forward(self, bottom, top):
        top[0].data[...] = self.blobs[0].data * bottom[0].data
    def backward(self, top, propagate_down, bottom):
        self.blobs[0].diff[...] += (top[0].diff * bottom[0].data).sum()
        bottom[0].diff[...] = self.blobs[0].data * top[0].diff
'''


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "mine.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("BARISTA_PYTHON_LAYERS", "1")
    yield
    for name in ("mine", "caffe"):
        sys.modules.pop(name, None)


def python(name: str, more: str = "", param: str = "") -> str:
    return f"python_param {{ module: 'mine' layer: '{name}' {param} }} {more}"


def test_a_python_loss_is_the_built_in_one(module: None) -> None:
    begin = blob("x", 4, 3) + blob("t", 4, 2) + ip("p", "x", 2)
    ours = build(begin + layer("Python", python("Distance", "loss_weight: 3"), ("p", "t")))
    theirs = build(begin + layer("EuclideanLoss", "loss_weight: 3", ("p", "t")))
    theirs.share_weights(ours)
    x, t = torch.randn(4, 3), torch.randn(4, 2)
    for net in (ours, theirs):
        net.set_input("x", x)
        net.set_input("t", t)
        net.forward()
        net.backward()
    torch.testing.assert_close(ours.forward(), theirs.forward())
    for mine, other in zip(ours.learnable, theirs.learnable, strict=True):
        torch.testing.assert_close(mine.value.grad, other.value.grad)


def test_its_blobs_are_learned(module: None) -> None:
    net = build(
        "force_backward: true "
        + blob("x", 5)
        + layer("Python", python("Gain", param="param_str: '2.5'"))
        + 'layer { name: "s" type: "Reduction" bottom: "y" top: "s" loss_weight: 1 }'
    )
    x = torch.arange(5.0)
    net.set_input("x", x)
    assert net.forward().item() == 25
    net.backward()
    (gain,) = net.learnable
    assert gain.value.tolist() == [2.5]
    assert gain.value.grad is not None
    assert gain.value.grad.tolist() == [10]
    assert net.inputs["x"].grad is not None
    assert net.inputs["x"].grad.tolist() == [2.5] * 5


def test_in_place_its_top_is_its_bottom(module: None) -> None:
    """So in its backward pass it reads what it wrote, as under pycaffe."""
    gain = layer("Python", "python_param { module: 'mine' layer: 'Gain' param_str: '3' }", ("x",), ("x",))
    net = build("force_backward: true " + blob("x", 1, 2) + gain)
    net.set_input("x", torch.tensor([[1.0, 2.0]]))
    net.forward()
    net.blobs["x"].backward(torch.tensor([[1.0, 10.0]]))  # type: ignore[no-untyped-call]
    (weight,) = net.learnable
    torch.testing.assert_close(weight.value.grad, torch.tensor([3.0 + 60.0]))
    torch.testing.assert_close(net.inputs["x"].grad, torch.tensor([[3.0, 30.0]]))


def test_nothing_runs_without_consent(module: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BARISTA_PYTHON_LAYERS")
    with pytest.raises(CheckFailed, match=r"'L' runs Python code, mine.Gain: set BARISTA_PYTHON_LAYERS=1"):
        build(blob("x", 5) + layer("Python", python("Gain")))
    assert "mine" not in sys.modules


def test_a_missing_class_is_said(module: None) -> None:
    with pytest.raises(CheckFailed, match=r"'L': mine.Nobody cannot be had"):
        build(blob("x", 5) + layer("Python", python("Nobody")))
