"""Memory that a training will take, beside what BVLC Caffe 1.0 took, and the largest batch that has room."""

import re
from collections.abc import Callable

import pytest

from barista_server.caffe import prototxt
from barista_server.caffe.memory import net_memory, solver_bytes
from barista_server.caffe.net import net_state, upgrade_net
from barista_server.caffe.preflight import batch_of, preflight, with_batch
from barista_server.caffe.schema import TEST, TRAIN, LayerParameter, NetParameter, Phase, SolverParameter
from barista_server.caffe.shapes import net_shapes

from . import zoo


def net_of(text: str, phase: Phase.ValueType = TRAIN) -> NetParameter:
    net = prototxt.parse(text, NetParameter)
    upgrade_net(net)
    net.state.CopyFrom(net_state(phase))
    return net


SGD = SolverParameter(type="SGD", momentum=0.9)
ADAM = SolverParameter(type="Adam", momentum=0.9)


def within_channels() -> str:
    return re.sub("alpha: 0.0001", "alpha: 0.0001 norm_region: WITHIN_CHANNEL", zoo.alexnet(16))


@pytest.mark.parametrize(
    ("make", "solver", "tested", "megabytes"),
    [
        (lambda: zoo.alexnet(16), SGD, False, 928),
        (lambda: zoo.alexnet(16), ADAM, False, 1393),
        (lambda: zoo.alexnet(16), SGD, True, 1068),
        (within_channels, SGD, False, 1131),
        (lambda: zoo.googlenet(8), SGD, False, 811),
        (lambda: zoo.resnet50(4), SGD, False, 1705),
        (lambda: zoo.vgg16(2), SGD, False, 2145),
        (lambda: zoo.fcn(8), SGD, False, 5297),
        (zoo.captioner, SGD, False, 755),
        (zoo.spp, SGD, False, 546),
        (zoo.c3d, SGD, False, 1689),
    ],
)
def test_the_estimate_is_close_to_what_caffe_took(
    make: Callable[[], str], solver: SolverParameter, tested: bool, megabytes: int
) -> None:
    """megabytes (2^20): peak of `caffe train` on a CPU over two iterations, less that of a tiny net."""
    text = make()
    estimate = preflight(net_of(text), [net_of(text, TEST)] if tested else [], solver)
    assert estimate is not None
    assert estimate.total / 2**20 == pytest.approx(megabytes, rel=0.04)


TINY = """layer { name: "d" type: "DummyData" top: "x" top: "t"
  dummy_data_param { shape { dim: 8 dim: 3 } shape { dim: 8 } } }
layer { name: "i" type: "InnerProduct" bottom: "x" top: "i" %s inner_product_param { num_output: 4 } }
layer { name: "r" type: "ReLU" bottom: "i" top: "i" }
layer { name: "f" type: "Flatten" bottom: "i" top: "f" }
layer { name: "j" type: "InnerProduct" bottom: "f" top: "j" inner_product_param { num_output: 4 } }
layer { name: "l" type: "SoftmaxWithLoss" bottom: "j" bottom: "t" top: "l" }
layer { name: "a" type: "InnerProduct" bottom: "f" top: "a" inner_product_param { num_output: 2 } }
"""


def memory(text: str, train: bool = True) -> dict[str, tuple[int, int, int]]:
    net = net_of(text)
    shapes = net_shapes(net)
    layers = net_memory(net, shapes, train)
    return {
        built.name: (one.values, one.gradients, one.workspace)
        for built, one in zip(shapes.layers, layers, strict=True)
    }


def test_storage_that_layers_share_is_counted_once_and_gradients_only_where_they_are_needed() -> None:
    values = 4 * 8 * 4
    assert memory(TINY % "") == {
        "d": (4 * (8 * 3 + 8), 0, 0),
        "i": (values, values, 0),
        "r": (0, 0, 0),
        "f": (0, 0, 0),  # the values and the gradient of i
        "f_f_0_split": (0, 2 * values, 0),
        "j": (values, values, 0),
        "l": (4, 4, values),
        "a": (4 * 8 * 2, 0, 0),  # leads to no loss
    }
    frozen = memory(TINY % "param { lr_mult: 0 } param { lr_mult: 0 }")
    assert (frozen["i"], frozen["f_f_0_split"], frozen["j"]) == (
        (values, 0, 0), (0, 0, 0), (values, values, 0),
    )  # fmt: skip
    assert sum(one[1] for one in memory(TINY % "", train=False).values()) == 0


def test_data_layers_hold_the_batches_they_have_read_ahead() -> None:
    text = 'layer { name: "d" type: "Data" top: "x" top: "t" data_param { batch_size: 5 %s } }'

    def stored(layer: LayerParameter) -> list[tuple[int, ...]]:
        return [(9, 2)] if layer.type == "HDF5Data" else [(3, 6, 7)]

    def held(text: str) -> tuple[int, int]:
        net = net_of(text)
        one = net_memory(net, net_shapes(net, stored=stored), stored=stored)[0]
        return one.values, one.workspace

    batch = 4 * (5 * 3 * 6 * 7 + 5)
    assert held(text % "") == (4 * batch, 0)
    assert held(text % "prefetch: 10") == (10 * batch, 0)
    rows = 'layer { name: "h" type: "HDF5Data" top: "x" hdf5_data_param { source: "h" batch_size: 5 } }'
    assert held(rows) == (4 * 5 * 2, 4 * 9 * 2)  # the file is in memory as a whole


@pytest.mark.parametrize(
    ("layer", "floats"),
    [
        ('type: "Convolution" convolution_param { num_output: 6 kernel_size: 3 group: 2 }', 4 * 9 * 16),
        ('type: "Convolution" convolution_param { num_output: 6 kernel_size: 1 }', 0),
        ('type: "Convolution" convolution_param { num_output: 6 kernel_size: 1 stride: 2 }', 4 * 9),
        ('type: "Deconvolution" convolution_param { num_output: 5 kernel_size: 3 }', 5 * 9 * 36),
        ('type: "Pooling" pooling_param { kernel_size: 2 stride: 2 }', 2 * 4 * 9),
        ('type: "Pooling" pooling_param { pool: AVE kernel_size: 2 stride: 2 }', 0),
        ('type: "LRN"', 2 * 4 * 36),
        ('type: "Dropout"', 2 * 4 * 36),
        ('type: "BatchNorm"', 2 * 2 * 4 * 36),
    ],
)
def test_what_layers_keep_for_themselves(layer: str, floats: int) -> None:
    source = 'layer { name: "d" type: "DummyData" top: "x" dummy_data_param { shape { dim: 2 dim: 4 %s } } }'
    text = f'{source % "dim: 6 dim: 6"} layer {{ name: "L" bottom: "x" top: "y" {layer} }}'
    assert memory(text)["L"][2] == 4 * floats


def test_what_solvers_keep() -> None:
    kept = {
        kind: (solver_bytes(kind, 10, False, "cpu"), solver_bytes(kind, 10, False, "gpu"))
        for kind in ("SGD", "Nesterov", "AdaDelta", "Adam")
    }
    assert kept == {"SGD": (10, 10), "Nesterov": (20, 10), "AdaDelta": (40, 20), "Adam": (30, 20)}
    assert solver_bytes("SGD", 10, True, "cpu") == 20
    assert solver_bytes("Adam", 10, True, "cpu") == 30


def test_the_largest_batch_has_room_and_one_more_has_not() -> None:
    train, tests = net_of(zoo.googlenet(32)), [net_of(zoo.googlenet(32), TEST)]
    free = 8 << 30
    for device in ("cpu", "gpu"):
        found = preflight(train, tests, SGD, free, device)
        assert found is not None and found.batch == 32 and found.largest

        def total(batch: int, extra: int = found.snapshot if device == "cpu" else 0) -> int:
            estimate = preflight(with_batch(train, batch), tests, SGD)
            assert estimate is not None
            return estimate.total + extra

        assert total(found.largest) <= free < total(found.largest + 1)
    none = preflight(train, tests, SGD, 1 << 20)
    assert none is not None and none.largest == 0


def test_batches_that_a_net_does_not_stand_are_not_offered() -> None:
    text = TINY % "" + 'layer { name: "s" type: "Reshape" bottom: "a" top: "s" '
    text += "reshape_param { shape { dim: 8 dim: 2 } } }"
    found = preflight(net_of(text), [], SGD, 1 << 30)
    assert found is not None and (found.batch, found.largest) == (8, None)


def test_data_layers_keep_their_proportions() -> None:
    text = """layer { name: "a" type: "Data" top: "a" data_param { batch_size: 6 } }
        layer { name: "b" type: "HDF5Data" top: "b" hdf5_data_param { batch_size: 2 } }
        layer { name: "c" type: "Input" top: "c" input_param { shape { dim: 12 dim: 3 } } }
        layer { name: "d" type: "DummyData" top: "d"
          dummy_data_param { num: 1 channels: 2 height: 1 width: 1 } }
        layer { name: "t" type: "Data" top: "t" data_param { batch_size: 9 } include { phase: TEST } }"""
    net = net_of(text)
    assert batch_of(net) == 6
    a, b, c, d, t = with_batch(net, 18).layer
    assert (a.data_param.batch_size, b.hdf5_data_param.batch_size, t.data_param.batch_size) == (18, 6, 9)
    assert list(c.input_param.shape[0].dim) == [36, 3] and list(d.dummy_data_param.num) == [3]
    assert preflight(net, [], SGD) is None  # nobody knows what the records are
    assert batch_of(net_of('layer { name: "p" type: "Parameter" top: "p" }')) is None
