"""Layers where no recorded numbers reach: odd windows, extreme scores, randomness, running statistics."""

from __future__ import annotations

import math
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from barista_engine.errors import CheckFailed
from barista_engine.net import Net
from barista_server.caffe.schema import TEST, TRAIN

from .test_net import blob, build

FLT_MAX = float(np.finfo(np.float32).max)


def layer(
    kind: str, settings: str = "", bottoms: tuple[str, ...] = ("x",), tops: tuple[str, ...] = ("y",)
) -> str:
    names = " ".join([*(f'bottom: "{b}"' for b in bottoms), *(f'top: "{t}"' for t in tops)])
    return f'layer {{ name: "L" type: "{kind}" {names} {settings} }}\n'


def run(net: Net, **inputs: torch.Tensor) -> torch.Tensor:
    for name, value in inputs.items():
        net.set_input(name, value)
    return net.forward()


def pooled_by_hand(x: np.ndarray, k: int, s: int, p: int, ceil: bool, average: bool) -> np.ndarray:
    """Caffe's definition, window by window, of pooling a square image."""
    size = x.shape[0]
    count = (math.ceil if ceil else math.floor)((size + 2 * p - k) / s) + 1
    if p and (count - 1) * s >= size + p:
        count -= 1
    out = np.empty((count, count), np.float32)
    for i, j in np.ndindex(count, count):
        (top, left), (bottom, right) = (
            (i * s - p, j * s - p),
            (min(i * s - p + k, size + p), min(j * s - p + k, size + p)),
        )
        window = x[max(top, 0) : bottom, max(left, 0) : right]
        area = (bottom - top) * (right - left)
        if average:
            out[i, j] = window.sum() / area if area else np.nan
        else:
            out[i, j] = window.max(initial=-FLT_MAX)
    return out


@settings(max_examples=60, deadline=None)
@given(
    size=st.integers(1, 9),
    k=st.integers(1, 5),
    s=st.integers(1, 4),
    p=st.integers(0, 4),
    ceil=st.booleans(),
    average=st.booleans(),
)
def test_pooling_of_any_shape(size: int, k: int, s: int, p: int, ceil: bool, average: bool) -> None:
    assume(p < k and size + 2 * p >= k)
    mode, rounding = "AVE" if average else "MAX", "CEIL" if ceil else "FLOOR"
    settings = (
        f"pooling_param {{ pool: {mode} kernel_size: {k} stride: {s} pad: {p} round_mode: {rounding} }}"
    )
    net = build(blob("x", 1, 1, size, size) + layer("Pooling", settings))
    x = torch.from_numpy(np.random.default_rng(1).normal(size=(size, size)).astype(np.float32))
    run(net, x=x.view(1, 1, size, size))
    expected = pooled_by_hand(x.numpy(), k, s, p, ceil, average)
    assert net.shapes["y"] == (1, 1, *expected.shape)
    np.testing.assert_allclose(net.blobs["y"][0, 0], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("pad", [0, 2])
def test_a_pooling_mask_tells_where_the_largest_number_was(pad: int) -> None:
    settings = f"pooling_param {{ pool: MAX kernel_size: 3 stride: 2 pad: {pad} }}"
    net = build(blob("x", 1, 2, 6, 5) + layer("Pooling", settings, tops=("y", "mask")))
    x = torch.randn(1, 2, 6, 5)
    run(net, x=x)
    index = net.blobs["mask"].long().flatten(2)
    torch.testing.assert_close(x.flatten(2).gather(2, index), net.blobs["y"].flatten(2))


def test_global_pooling_covers_the_image() -> None:
    net = build(blob("x", 2, 3, 4, 5) + layer("Pooling", "pooling_param { pool: AVE global_pooling: true }"))
    x = torch.randn(2, 3, 4, 5)
    run(net, x=x)
    torch.testing.assert_close(net.blobs["y"], x.mean((2, 3), keepdim=True))


def test_convolution_over_a_later_axis() -> None:
    settings = 'convolution_param { num_output: 3 kernel_size: 2 axis: 2 weight_filler { type: "xavier" } }'
    net = build(blob("x", 2, 3, 4, 5, 6) + layer("Convolution", settings))
    x = torch.randn(2, 3, 4, 5, 6)
    run(net, x=x)
    assert net.blobs["y"].shape == net.shapes["y"] == (2, 3, 3, 4, 5)
    weight, bias = (p.value for p in net.layers[-1].params)
    torch.testing.assert_close(net.blobs["y"][1, 2], torch.conv2d(x[1, 2:3], weight, bias)[0])


LOSS = blob("x", 2, 3) + blob("l", 2) + layer("SoftmaxWithLoss", bottoms=("x", "l"))


def test_a_probability_of_zero_costs_873365() -> None:
    net = build("force_backward: true " + LOSS)
    loss = run(net, x=torch.tensor([[200.0, 0, 0], [0, 0, 0]]), l=torch.tensor([1.0, 0]))
    assert loss.item() == pytest.approx((87.33655 + math.log(3)) / 2, rel=1e-6)
    net.backward()
    expected = torch.tensor([[1.0, -1, 0], [1 / 3 - 1, 1 / 3, 1 / 3]]) / 2
    torch.testing.assert_close(net.inputs["x"].grad, expected)


def test_nan_scores_make_the_loss_nan_and_count_as_right() -> None:
    accuracy = 'layer { name: "a" type: "Accuracy" bottom: "x" bottom: "l" top: "a" }'
    net = build(LOSS + accuracy)
    loss = run(net, x=torch.full((2, 3), math.nan), l=torch.tensor([1.0, 0]))
    assert math.isnan(loss.item())
    assert net.blobs["a"].item() == 1


def test_ties_count_as_wrong() -> None:
    net = build(blob("x", 2, 3) + blob("l", 2) + layer("Accuracy", bottoms=("x", "l")))
    run(net, x=torch.tensor([[1.0, 1, 0], [0, 2, 1]]), l=torch.tensor([0.0, 1]))
    assert net.blobs["y"].item() == 0.5


@pytest.mark.parametrize("label", [3.0, -1.0])
@pytest.mark.parametrize("kind", ["SoftmaxWithLoss", "Accuracy"])
def test_labels_outside_the_classes_end_clearly(kind: str, label: float) -> None:
    net = build(blob("x", 2, 3) + blob("l", 2) + layer(kind, bottoms=("x", "l")))
    with pytest.raises(CheckFailed, match=r"layer 'L': a label is outside the 3 classes of bottom 'x'"):
        run(net, x=torch.zeros(2, 3), l=torch.tensor([0.0, label]))


def test_an_ignored_label_may_lie_outside() -> None:
    net = build(LOSS.replace('top: "y"', 'top: "y" loss_param { ignore_label: 255 }'))
    loss = run(net, x=torch.zeros(2, 3), l=torch.tensor([255.0, 1]))
    assert loss.item() == pytest.approx(math.log(3))
    assert run(net, l=torch.tensor([255.0, 255])).item() == 0


@pytest.mark.parametrize(("ratio", "says"), [(1.5, "p >= 0 (-0.5 vs. 0)"), (-0.25, "p <= 1 (1.25 vs. 1)")])
def test_a_dropout_ratio_that_is_none_is_refused_in_training_only(ratio: float, says: str) -> None:
    text = blob("x", 2, 2) + layer("Dropout", f"dropout_param {{ dropout_ratio: {ratio} }}")
    with pytest.raises(CheckFailed) as caught:
        build(text)
    assert says in caught.value.message
    build(text, phase=TEST)


def test_dropout_keeps_the_mean_in_training_and_everything_in_testing() -> None:
    text = blob("x", 100, 100) + layer("Dropout", "dropout_param { dropout_ratio: 0.75 }")
    x = torch.ones(100, 100)
    net = build(text)
    run(net, x=x)
    first = net.blobs["y"]
    assert set(first.unique().tolist()) == {0.0, 4.0}
    assert first.mean().item() == pytest.approx(1, abs=0.1)
    run(net, x=x)
    assert not torch.equal(first, net.blobs["y"])
    again = build(text)
    run(again, x=x)
    assert torch.equal(first, again.blobs["y"])
    test = build(text, phase=TEST)
    run(test, x=x)
    assert torch.equal(test.blobs["y"], x)


def test_dummy_data_refills_what_is_random() -> None:
    fill = 'dummy_data_param { shape { dim: 5 } data_filler { type: "gaussian" } data_filler { value: 3 } }'
    net = build(layer("DummyData", fill, bottoms=(), tops=("a", "b")))
    net.forward()
    first = net.blobs["a"]
    net.forward()
    assert not torch.equal(first, net.blobs["a"])
    assert net.blobs["b"].tolist() == [3] * 5
    old = build(layer("DummyData", "dummy_data_param { num: 2 channels: 3 height: 4 width: 5 }", bottoms=()))
    assert old.shapes["y"] == (2, 3, 4, 5)


def test_batch_statistics_gather_over_passes_and_serve_a_test_net() -> None:
    text = blob("x", 4, 2) + layer("BatchNorm", "batch_norm_param { moving_average_fraction: 0.5 }")
    train = build(text)
    batches = list(torch.randn(3, 4, 2, generator=torch.Generator().manual_seed(1)))
    mean, variance, weight = torch.zeros(2), torch.zeros(2), 0.0
    for batch in batches:
        run(train, x=batch)
        mean, variance, weight = mean / 2 + batch.mean(0), variance / 2 + batch.var(0), weight / 2 + 1
        torch.testing.assert_close(train.blobs["y"].var(0, correction=0), torch.ones(2), atol=1e-3, rtol=0)
    assert [p.lr_mult for p in train.learnable] == [0, 0, 0]
    assert [spec.lr_mult for spec in train.to_proto().layer[-1].param] == [0, 0, 0]
    test = build(text, phase=TEST, root=train)
    run(test, x=batches[0])
    expected = (batches[0] - mean / weight) / (variance / weight + 1e-5).sqrt()
    torch.testing.assert_close(test.blobs["y"], expected)


def test_batch_statistics_are_not_for_learning() -> None:
    with pytest.raises(
        CheckFailed, match="Cannot configure batch normalization statistics as layer parameters"
    ):
        build(blob("x", 4, 2) + layer("BatchNorm", "param { lr_mult: 1 }"))


def test_an_in_place_layer_spares_what_a_split_hands_to_others() -> None:
    text = (
        blob("x", 1, 2)
        + layer("ReLU", tops=("r",))
        + 'layer { name: "p" type: "Power" bottom: "x" top: "p" }'
    )
    net = build(text + 'layer { name: "i" type: "ReLU" bottom: "p" top: "p" }', phase=TRAIN)
    run(net, x=torch.tensor([[-1.0, 2]]))
    assert net.blobs["x"].tolist() == [[-1, 2]]
    assert net.blobs["p"].tolist() == net.blobs["r"].tolist() == [[0, 2]]


def test_crop_takes_a_window_at_its_offsets() -> None:
    settings = "crop_param { axis: 2 offset: 1 offset: 2 }"
    net = build(
        blob("x", 1, 2, 5, 6) + blob("like", 1, 2, 3, 4) + layer("Crop", settings, bottoms=("x", "like"))
    )
    x = torch.randn(1, 2, 5, 6)
    run(net, x=x)
    assert torch.equal(net.blobs["y"], x[:, :, 1:4, 2:6])
    with pytest.raises(
        CheckFailed, match="the crop for dimension 3 is out-of-bounds with size 4 and offset 3"
    ):
        build(
            blob("x", 1, 2, 5, 6)
            + blob("like", 1, 2, 3, 4)
            + layer("Crop", "crop_param { offset: 1 offset: 3 }", bottoms=("x", "like"))
        )


def test_tile_repeats_along_its_axis() -> None:
    net = build(blob("x", 1, 2) + layer("Tile", "tile_param { tiles: 3 }"))
    run(net, x=torch.tensor([[1.0, 2]]))
    assert net.blobs["y"].tolist() == [[1, 2, 1, 2, 1, 2]]


def test_argmax_names_the_later_of_equal_numbers() -> None:
    net = build(blob("x", 1, 4) + layer("ArgMax"))
    run(net, x=torch.tensor([[1.0, 3, 3, 2]]))
    assert net.blobs["y"].flatten().tolist() == [2]


def test_a_parameter_layer_is_learned() -> None:
    top = layer("Parameter", "parameter_param { shape { dim: 1 dim: 2 } }", bottoms=())
    loss = 'layer { name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "x" top: "loss" }'
    net = build(top + blob("x", 1, 2) + loss)
    run(net, x=torch.tensor([[1.0, 2]]))
    net.backward()
    assert net.learnable[0].value.grad is not None
    assert net.learnable[0].value.grad.tolist() == [[-1, -2]]


@pytest.mark.parametrize("size", [4, 5])
def test_stochastic_pooling_draws_by_size(size: int) -> None:
    settings = "pooling_param { pool: STOCHASTIC kernel_size: 2 stride: 2 }"
    image = torch.rand(1, 1, size, size)
    image[0, 0, 0, 0] = 0.0
    train, test = (
        build(blob("x", 4000, 1, size, size) + layer("Pooling", settings), phase=phase)
        for phase in (TRAIN, TEST)
    )
    for net in (train, test):
        run(net, x=image.expand(4000, 1, size, size))
    drawn, mean = train.blobs["y"], test.blobs["y"]
    assert drawn.shape[-1] == math.ceil(size / 2)
    window = image[0, 0, :2, :2].flatten()
    assert set(drawn[:, 0, 0, 0].tolist()) == {v for v in window.tolist() if v}
    torch.testing.assert_close(mean[0, 0, 0, 0], (window**2).sum() / window.sum())
    torch.testing.assert_close(drawn.mean(0), mean[0], atol=0.03, rtol=0)


def test_hdf5_output_keeps_one_batch(tmp_path: Path) -> None:
    settings = f'hdf5_output_param {{ file_name: "{tmp_path / "out.h5"}" }}'
    net = build(blob("x", 3, 2) + blob("l", 3) + layer("HDF5Output", settings, ("x", "l"), ()))
    x = torch.randn(3, 2)
    run(net, x=x)
    with h5py.File(tmp_path / "out.h5") as file:
        np.testing.assert_array_equal(file["data"][:, :, 0, 0], x)
        assert file["label"].shape == (3, 1, 1, 1)
    with pytest.raises(CheckFailed, match="Failed to make float dataset data"):
        net.forward()


def test_memory_data_waits_for_a_program() -> None:
    settings = "memory_data_param { batch_size: 2 channels: 1 height: 3 width: 3 }"
    net = build(layer("MemoryData", settings, (), ("x", "y")))
    assert net.shapes == {"x": (2, 1, 3, 3), "y": (2,)}
    with pytest.raises(CheckFailed, match="needs to be initialized by calling Reset"):
        net.forward()
