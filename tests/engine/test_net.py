"""Nets: what they log, how parameters are shared and weights come in, what Caffe refuses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from google.protobuf import text_format

from barista_engine.data import DataSources
from barista_engine.errors import CheckFailed
from barista_engine.glog import Glog
from barista_engine.net import Net
from barista_engine.rng import Stream
from barista_server.caffe.net import load_net
from barista_server.caffe.schema import TEST, TRAIN, Datum, NetParameter
from barista_server.caffe.weights import read_weights
from barista_server.data.lmdb_io import key_of, write_datums

SOLVERS = Path(__file__).parent.parent / "fixtures" / "golden" / "solvers"
PREFIX = re.compile(r"^[IWEF]\d{8} [\d:.]+ +\d+ ", re.MULTILINE)


class Lines:
    """A log kept as ``file.cpp:line] message``."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, source: str, message: str) -> None:
        self.lines += f"{source}] {message}".rstrip("\n").split("\n")

    warning = error = info


def build(
    text: str | NetParameter, log: Lines | None = None, *, phase: int = TRAIN, root: Net | None = None
) -> Net:
    param = text_format.Parse(text, NetParameter()) if isinstance(text, str) else text
    param.state.phase = phase  # type: ignore[assignment]
    return Net(
        param,
        device=torch.device("cpu"),
        stream=Stream(1),
        sources=DataSources(Glog(), Stream(1)),
        log=log,
        root=root,
    )


def blob(name: str, *dims: int) -> str:
    sizes = " ".join(f"dim: {d}" for d in dims)
    return f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ {sizes} }} }} }}\n'


def ip(name: str, bottom: str, outputs: int, more: str = "") -> str:
    return (
        f'layer {{ name: "{name}" type: "InnerProduct" bottom: "{bottom}" top: "{name}" {more} '
        f'inner_product_param {{ num_output: {outputs} weight_filler {{ type: "xavier" }} }} }}\n'
    )


def euclidean(a: str, b: str, more: str = "") -> str:
    return f'layer {{ name: "loss" type: "EuclideanLoss" bottom: "{a}" bottom: "{b}" top: "loss" {more} }}\n'


def golden_lines(name: str) -> list[list[str]]:
    """The set-up lines of each net in a log of a real Caffe, from the rules to the end."""
    text = PREFIX.sub("", (SOLVERS / name).read_text())
    nets = re.findall(r"(?:net\.cpp:296\] .*\n)*net\.cpp:53\] (?:.*\n)*?net\.cpp:257\] .*", text)
    return [net.split("\n") for net in nets]


def test_setting_up_logs_what_caffe_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(SOLVERS)
    log = Lines()
    sources = DataSources(log, Stream(1))
    expected = golden_lines("sgd_fixed.log")
    assert len(expected) == 2
    for phase, want in zip((TRAIN, TEST), expected, strict=True):
        param = load_net("net.prototxt")
        param.state.phase = phase
        if phase == TRAIN:
            param.state.level = 0
            param.state.stage.append("")
        log.lines = []
        device, stream = torch.device("cpu"), Stream(1)
        net = Net(param, device=device, stream=stream, sources=sources, log=log)
        assert without_state(log.lines) == without_state(want)
        assert net.outputs == (["loss"] if phase == TRAIN else ["accuracy", "loss"])


def without_state(lines: list[str]) -> list[str]:
    """Levels and stages are the solver's business; it alone knows what it merged."""
    start = next((i for i, line in enumerate(lines) if line == "state {"), None)
    return lines if start is None else lines[:start] + lines[lines.index("}", start) + 1 :]


def test_a_snapshot_describes_the_net_as_caffe_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(SOLVERS)
    net = build(load_net("net.prototxt"))
    caffe = NetParameter.FromString((SOLVERS / "sgd_fixed_iter_25.caffemodel").read_bytes())
    for layer in caffe.layer:
        layer.ClearField("blobs")
    assert net.to_proto() == caffe


def test_loaded_weights_come_out_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(SOLVERS)
    log = Lines()
    net = build(load_net("net.prototxt"), log, phase=TEST)
    weights = read_weights("init.caffemodel")
    net.load_weights(weights)
    ours = net.weights()
    for name, blobs in weights.layers.items():
        for index, values in enumerate(blobs):
            np.testing.assert_array_equal(ours[name][index], values)
    assert {len(blobs) for blobs in ours.values()} == {2}


def test_loading_ignores_other_layers_and_takes_old_shapes() -> None:
    log = Lines()
    net = build(blob("x", 1, 3) + ip("ip", "x", 2), log)
    values = np.arange(6, dtype=np.float32)
    net.load_weights(
        {"gone": [values], "ip": [values.reshape(1, 1, 2, 3), np.ones((1, 1, 1, 2), np.float32)]}
    )
    assert log.lines[-1] == "net.cpp:746] Ignoring source layer gone"
    np.testing.assert_array_equal(net.weights()["ip"][0], values.reshape(2, 3))


@pytest.mark.parametrize(
    ("blobs", "message"),
    [
        (
            [(500, 800), (400,)],
            "Cannot copy param 0 weights from layer 'ip1'; shape mismatch.  Source param shape is 500 800 "
            "(400000); target param shape is 400 800 (320000). To learn this layer's parameters from scratch "
            "rather than copying from a saved net, rename the layer.",
        ),
        (
            [(400, 800)],
            "Check failed: target_blobs.size() == source_layer.blobs_size() (2 vs. 1) "
            "Incompatible number of blobs for layer ip1",
        ),
    ],
)
def test_weights_that_do_not_fit(blobs: list[tuple[int, ...]], message: str) -> None:
    net = build(blob("x", 1, 800) + ip("ip1", "x", 400))
    with pytest.raises(CheckFailed) as caught:
        net.load_weights({"ip1": [np.zeros(shape, np.float32) for shape in blobs]})
    assert caught.value.message == message
    assert caught.value.source == "net.cpp"


SHARED = (
    blob("x", 4, 3)
    + blob("y", 4, 3)
    + blob("z", 4, 2)
    + ip("left", "x", 2, 'param { name: "w" lr_mult: 2 } param { name: "b" }')
    + ip("right", "y", 2, 'param { name: "w" } param { name: "b" decay_mult: 0 }')
    + 'layer { name: "sum" type: "Eltwise" bottom: "left" bottom: "right" top: "sum" }\n'
    + euclidean("sum", "z")
)


def test_shared_parameters_are_one_and_collect_both_gradients() -> None:
    log = Lines()
    net = build(SHARED, log)
    assert "net.cpp:467] Sharing parameters 'w' owned by layer 'left', param index 0" in log.lines
    assert [(p.layer, p.index, p.lr_mult, p.decay_mult) for p in net.learnable] == [
        ("left", 0, 2.0, 1.0),
        ("left", 1, 1.0, 0.0),
    ]
    x, y, z = torch.randn(4, 3), torch.randn(4, 3), torch.randn(4, 2)
    for name, value in (("x", x), ("y", y), ("z", z)):
        net.set_input(name, value)
    net.forward()
    net.backward()
    weight, bias = (p.value for p in net.learnable)
    error = (x + y) @ weight.detach().T + 2 * bias.detach() - z
    torch.testing.assert_close(weight.grad, error.T @ (x + y) / 4)
    torch.testing.assert_close(bias.grad, 2 * error.sum(0) / 4)


def test_shared_parameters_must_agree() -> None:
    with pytest.raises(CheckFailed, match="Shared param 'w' has mismatched lr_mult"):
        build(SHARED.replace('param { name: "w" }', 'param { name: "w" lr_mult: 3 }'))
    with pytest.raises(CheckFailed, match="Cannot share param 'w' owned by layer 'left' with layer 'right'"):
        build(SHARED.replace('bottom: "y"', 'bottom: "z"'))


def test_permissive_sharing_needs_only_the_count() -> None:
    transposed = 'param { name: "w" share_mode: PERMISSIVE }'
    text = (
        blob("x", 4, 3)
        + ip("a", "x", 2, 'param { name: "w" }')
        + blob("y", 4, 2)
        + ip("b", "y", 3, transposed)
    )
    net = build(text)
    assert net.layers[-1].params[0]().shape == (3, 2)
    assert [(p.layer, p.index) for p in net.learnable] == [("a", 0), ("a", 1), ("b", 1)]


def test_frozen_front_layers_cost_no_backward_pass() -> None:
    log = Lines()
    frozen = "param { lr_mult: 0 } param { lr_mult: 0 }"
    net = build(
        blob("x", 2, 3) + ip("a", "x", 2, frozen) + ip("b", "a", 2) + blob("y", 2, 2) + euclidean("b", "y"),
        log,
    )
    assert "net.cpp:202] a does not need backward computation." in log.lines
    assert "net.cpp:200] b needs backward computation." in log.lines
    net.set_input("x", torch.ones(2, 3))
    net.forward()
    net.backward()
    assert not net.blobs["a"].requires_grad
    assert [p.value.grad is None for p in net.learnable] == [True, True, False, False]


def test_propagate_down_stops_the_gradient() -> None:
    log = Lines()
    stop = "propagate_down: false"
    net = build(
        blob("x", 2, 3) + ip("a", "x", 2) + ip("b", "a", 2, stop) + blob("y", 2, 2) + euclidean("b", "y"), log
    )
    assert "net.cpp:202] a does not need backward computation." in log.lines
    net.set_input("x", torch.ones(2, 3))
    net.forward()
    net.backward()
    assert [p.value.grad is None for p in net.learnable] == [True, True, False, False]


def test_loss_weights_add_up_over_all_numbers_of_a_blob() -> None:
    text = (
        blob("x", 2, 3)
        + blob("y", 2, 3)
        + euclidean("x", "y", "loss_weight: 0.5")
        + 'layer { name: "n" type: "Power" bottom: "x" top: "n" loss_weight: 2 power_param { scale: 1 } }'
    )
    log = Lines()
    net = build(text, log)
    assert "net.cpp:134]     with loss weight 0.5" in log.lines
    net.set_input("x", torch.full((2, 3), 2.0))
    assert net.forward().item() == pytest.approx(0.5 * (6 * 4 / 4) + 2 * 12)
    values = [(name, flat.tolist(), weight) for name, flat, weight in net.output_values()]
    assert values == [("loss", [6.0], 0.5), ("n", [2.0] * 6, 2.0)]


def test_a_blob_with_weight_and_consumer_counts_once() -> None:
    weighted = 'layer { name: "p" type: "Power" bottom: "x" top: "p" loss_weight: 3 }\n'
    net = build(blob("x", 1, 2) + weighted + 'layer { name: "s" type: "Silence" bottom: "p" }')
    net.set_input("x", torch.ones(1, 2))
    assert net.forward().item() == pytest.approx(6.0)
    assert net.loss_weights == {"p_p_0_split_0": 3.0}


def test_a_loss_without_a_top_still_counts() -> None:
    loss = euclidean("x", "y").replace('top: "loss"', "")
    net = build(blob("x", 1, 2) + blob("y", 1, 2) + loss)
    net.set_input("x", torch.ones(1, 2))
    assert net.forward().item() == pytest.approx(1.0)
    assert net.outputs == []


def test_a_test_net_uses_the_train_nets_weights() -> None:
    train = build(blob("x", 1, 3) + ip("ip", "x", 2) + blob("y", 1, 2) + euclidean("ip", "y"))
    log = Lines()
    test = build(blob("x", 1, 3) + ip("ip", "x", 2), log, phase=TEST)
    test.share_weights(train)
    assert log.lines[-2:] == [
        "net.cpp:678] Ignoring source layer y",
        "net.cpp:678] Ignoring source layer loss",
    ]
    with torch.no_grad():
        train.learnable[0].value.fill_(7.0)
    assert test.weights()["ip"][0].tolist() == [[7.0] * 3] * 2
    assert not test.forward().requires_grad
    rooted = build(blob("x", 1, 3) + ip("ip", "x", 2), phase=TEST, root=train)
    np.testing.assert_array_equal(rooted.weights()["ip"][0], train.weights()["ip"][0])


CONV = 'layer { name: "L" type: "Convolution" bottom: "x" top: "L" convolution_param { num_output: 4 %s } }'


@pytest.mark.parametrize(
    ("text", "source", "message"),
    [
        (
            ip("ip1", "poolX", 2),
            "insert_splits.cpp",
            "Unknown bottom blob 'poolX' (layer 'ip1', bottom index 0)",
        ),
        (blob("x", 1) + blob("x", 1), "net.cpp", "Top blob 'x' produced by multiple sources."),
        (
            'layer { name: "L" type: "Convolve" top: "y" }',
            "layer_factory.hpp",
            "Unknown layer type: Convolve (known types:",
        ),
        (
            blob("x", 2, 3) + 'layer { name: "L" type: "SoftmaxWithLoss" bottom: "x" top: "y" }',
            "layer.hpp",
            "Check failed: ExactNumBottomBlobs() == bottom.size() (2 vs. 1) SoftmaxWithLoss Layer takes 2",
        ),
        (
            blob("x", 2, 3) + 'layer { name: "L" type: "ReLU" bottom: "x" top: "y" top: "z" }',
            "layer.hpp",
            "Check failed: ExactNumTopBlobs() == top.size() (1 vs. 2) ReLU Layer produces 1 top",
        ),
        (
            blob("x", 2, 3)
            + blob("l", 3)
            + 'layer { name: "L" type: "SoftmaxWithLoss" bottom: "x" bottom: "l" top: "y" }',
            "loss_layer.cpp",
            "Check failed: bottom[0]->shape(0) == bottom[1]->shape(0) (2 vs. 3) The data and label should",
        ),
        (
            blob("x", 2, 3, 2)
            + blob("l", 2)
            + 'layer { name: "L" type: "Accuracy" bottom: "x" bottom: "l" top: "y" }',
            "accuracy_layer.cpp",
            "(4 vs. 2) Number of labels must match number of predictions; e.g., if label axis == 1",
        ),
        (
            blob("x", 1, 3, 9, 9) + CONV % "kernel_size: 3 group: 2",
            "base_conv_layer.cpp",
            "channels_ % group_ == 0 (1 vs. 0)",
        ),
        (blob("x", 1, 3, 9, 9) + CONV % "kernel_size: 3 kernel_h: 3", "base_conv_layer.cpp", "not both."),
        (
            blob("x", 1, 3, 9, 9) + CONV % "stride: 2",
            "base_conv_layer.cpp",
            "kernel_size must be specified once",
        ),
        (
            blob("x", 2, 3) + ip("a", "x", 2, "param {} param {} param {}"),
            "net.cpp",
            "Too many params specified for layer a",
        ),
        (
            blob("x", 2, 3) + ip("a", "x", 2, "loss_weight: 1 loss_weight: 1"),
            "layer.hpp",
            "(1 vs. 2) loss_weight must be",
        ),
        (
            blob("x", 2, 3) + ip("a", "x", 2, "include { phase: TRAIN } exclude { phase: TEST }"),
            "net.cpp",
            "Specify either include rules or exclude rules; not both.",
        ),
        (
            blob("x", 2, 3) + ip("a", "x", 2).replace("xavier", "xaviar"),
            "filler.hpp",
            "Unknown filler name: xaviar",
        ),
        (
            blob("x", 2, 3)
            + 'layer { name: "L" type: "Softmax" bottom: "x" top: "y" softmax_param { axis: 2 } }',
            "blob.hpp",
            "axis 2 out of range for 2-D Blob with shape 2 3 (6)",
        ),
    ],
)
def test_nets_that_caffe_refuses(text: str, source: str, message: str) -> None:
    with pytest.raises(CheckFailed) as caught:
        build(text)
    assert message in caught.value.message
    assert caught.value.source == source


def sizes_of(path: Path, widths: Sequence[int]) -> str:
    """A layer of batches of one record each, of these widths."""
    records = [Datum(channels=1, height=1, width=width, data=bytes([7] * width)) for width in widths]
    write_datums(path, [(key_of(i), record) for i, record in enumerate(records)])
    return (
        f'layer {{ name: "d" type: "Data" top: "d" data_param {{ source: "{path}" batch_size: 1 '
        "backend: LMDB } } "
    )


def test_batches_may_change_their_shape(tmp_path: Path) -> None:
    """Each shape has layers of its own, all with the same parameters."""
    net = build(
        sizes_of(tmp_path / "db", (2, 3, 2, 5))
        + 'layer { name: "s" type: "Scale" bottom: "d" top: "s" } '
        + 'layer { name: "p" type: "Pooling" bottom: "s" top: "p" pooling_param { pool: AVE '
        + "global_pooling: true } }"
    )
    first = net.layers
    for width in (2, 3, 2, 5, 2):
        net.forward()
        assert (net.blobs["s"].shape, net.shapes["s"]) == ((1, 1, 1, width), (1, 1, 1, width))
        assert net.blobs["p"].item() == pytest.approx(7)
        assert (net.layers is first) is (width == 2)
        assert net.layers[1].params[0] is net.learnable[0]


def test_batches_that_ask_for_other_parameters_are_refused(tmp_path: Path) -> None:
    net = build(
        sizes_of(tmp_path / "db", (2, 3))
        + 'layer { name: "ip" type: "InnerProduct" bottom: "d" top: "ip" inner_product_param '
        + "{ num_output: 4 } }"
    )
    net.forward()
    with pytest.raises(CheckFailed, match=r"asks layer 'ip' for parameters.*4 3 \(12\) instead of 4 2 \(8\)"):
        net.forward()
