"""Shapes and memory without running: equal to what real runs logged and saved."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from barista_server.caffe import prototxt
from barista_server.caffe.layer_types import LAYER_TYPES
from barista_server.caffe.memory import net_memory
from barista_server.caffe.net import load_net, net_state, upgrade_net
from barista_server.caffe.schema import TEST, TRAIN, LayerParameter, NetParameter, Phase
from barista_server.caffe.shapes import NetShapes, Shape, net_shapes, shape_text
from barista_server.caffe.weights import read_weights
from barista_server.caffe.window_rules import pooled_size

FIXTURES = Path(__file__).parent.parent / "fixtures"
SOLVERS = FIXTURES / "golden/solvers"
OURS = sorted([*SOLVERS.glob("*.log"), *(FIXTURES / "logs").glob("*.log")])
OTHERS = Path(__file__).parents[3] / "shared/logs"
WHOLE = (
    "bvlc2015-lsuv-rmsprop",
    "bvlc2016-testonly-maxiter0",
    "bvlc2017-cpu-cut",
    "bvlc2017-spp-vector-outputs",
    "bvlc2018-kaggle-small",
    "bvlc2018-tortugas",
    "caffetest2017-dsd-alexnet",
    "digits2018-healthcare",
    "glogfile2015-regression-gpu",
)


def net_of(text: str) -> NetParameter:
    net = prototxt.parse(text, NetParameter)
    upgrade_net(net)
    return net


def built(text: str, phase: Phase.ValueType = TRAIN) -> NetShapes:
    return net_shapes(net_of(text), net_state(phase))


def logged_nets(text: str) -> Iterator[tuple[NetParameter, list[tuple[str, str]], list[int]]]:
    """Each net of a log: its dump, (layer, shape) of every top and the growing memory, all as logged."""
    for part in re.split(r"Initializing net from parameters: *\n", text)[1:]:
        start = re.search(r"^[IWEF]\d{4,8} \d\d:", part, re.M)
        if start is None:
            continue
        tops: list[tuple[str, str]] = []
        memory: list[int] = []
        layer = ""
        for line in part[start.start() :].partition("Network initialization done")[0].split("\n"):
            if found := re.search(r"\] Creating Layer (.*?)\s*$", line):
                layer = found[1]
            elif found := re.search(r"\] Top shape: (.*?)\s*$", line):
                tops.append((layer, found[1]))
            elif found := re.search(r"\] Memory required for data: (\d+)", line):
                memory.append(int(found[1]))
        yield net_of(part[: start.start()]), tops, memory


def check_log(path: Path) -> int:
    """Compare every net of a log that was built; returns how many there were."""
    nets = 0
    for net, tops, memory in logged_nets(path.read_text("utf-8", "replace")):
        if not tops:
            continue
        held: dict[str, list[Shape]] = {}
        for name, text in tops:
            held.setdefault(name, []).append(tuple(int(dim) for dim in text.split("(")[0].split()))

        def stored(layer: LayerParameter, held: dict[str, list[Shape]] = held) -> Sequence[Shape]:
            shapes = held[layer.name]
            return shapes if layer.type == "HDF5Data" else [shapes[0][1:]]

        shapes = net_shapes(net, stored=stored)
        ours = [
            (layer.name, shape_text(top)) for layer in shapes.layers for top in layer.tops if top is not None
        ]
        assert ours == tops and shapes.problems == []
        totals = np.cumsum([layer.data_bytes for layer in shapes.layers]).tolist()
        if memory:
            assert totals == memory and shapes.data_bytes == memory[-1]
        nets += 1
    return nets


@pytest.mark.parametrize("log", OURS, ids=lambda path: path.stem)
def test_shapes_and_memory_are_those_of_our_logs(log: Path) -> None:
    assert check_log(log) == log.read_text().count("Network initialization done")


@pytest.mark.skipif(not OTHERS.is_dir(), reason="needs the logs of other people")
@pytest.mark.parametrize("name", WHOLE)
def test_shapes_and_memory_are_those_of_other_logs(name: str) -> None:
    assert check_log(OTHERS / f"{name}.log") > 0


@pytest.mark.parametrize("path", sorted(SOLVERS.glob("*.caffemodel*")), ids=lambda path: path.name)
def test_parameters_are_those_of_real_weights(path: Path) -> None:
    def stored(layer: LayerParameter) -> Sequence[Shape]:
        return [(100, 1, 8, 8), (100,)]

    net = load_net(SOLVERS / "net.prototxt")
    shapes = net_shapes(net, net_state(TRAIN), stored)
    saved = {
        name: [blob.shape for blob in blobs] for name, blobs in read_weights(path).layers.items() if blobs
    }
    assert {layer.name: [*layer.params] for layer in shapes.layers if layer.params} == saved
    count = sum(int(np.prod(shape)) for blobs in saved.values() for shape in blobs)
    assert shapes.param_bytes == 4 * count


@pytest.mark.parametrize(
    "path", sorted((FIXTURES / "golden/layers").glob("*.npz")), ids=lambda path: path.stem
)
def test_every_golden_layer_has_the_shapes_it_had(path: Path) -> None:
    golden = np.load(path)
    net = net_of(str(golden["prototxt"]))
    shapes = net_shapes(net, net_state(Phase.Value(str(golden["phase"]))))
    assert shapes.problems == []
    layer = next(layer for layer in shapes.layers if layer.name == "L")
    names = next(item.top for item in net.layer if item.name == "L")
    params = [golden[f"param_{index}"].shape for index in range(8) if f"param_{index}" in golden.files]
    assert list(layer.params) == params
    for name, shape in zip(names, layer.tops, strict=False):
        # Filter sets its shape anew with each batch
        if f"out_{name}" in golden.files and path.stem != "filter":
            assert shape == golden[f"out_{name}"].shape


def test_the_table_is_that_of_caffe() -> None:
    known = """AbsVal Accuracy ArgMax BNLL BatchNorm BatchReindex Bias Clip Concat ContrastiveLoss Convolution
        Crop Data Deconvolution Dropout DummyData ELU Eltwise Embed EuclideanLoss Exp Filter Flatten HDF5Data
        HDF5Output HingeLoss Im2col ImageData InfogainLoss InnerProduct Input LRN LSTM LSTMUnit Log MVN
        MemoryData MultinomialLogisticLoss PReLU Parameter Pooling Power RNN ReLU Reduction Reshape SPP Scale
        Sigmoid SigmoidCrossEntropyLoss Silence Slice Softmax SoftmaxWithLoss Split Swish TanH Threshold Tile
        WindowData"""
    assert set(LAYER_TYPES) == set(known.split())


def one_layer(dims: Sequence[int], layer: str) -> NetShapes:
    shape = " ".join(f"dim: {dim}" for dim in dims)
    source = f'layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ {shape} }} }} }}'
    return built(f'{source} layer {{ name: "L" bottom: "x" top: "y" {layer} }}')


sizes = st.integers(1, 12)


@given(sizes, sizes, st.integers(1, 5), st.integers(0, 4), st.booleans())
def test_pooling_has_a_window_at_every_start(
    dim: int, kernel: int, stride: int, pad: int, ceil: bool
) -> None:
    """A window may hang over the end when rounding up, but starts before the padding behind the input."""
    if pad >= kernel:
        return
    room = dim + 2 * pad
    starts = [
        start
        for start in range(0, room + stride, stride)
        if (start + kernel < room + stride if ceil else start + kernel <= room)
    ]
    if pad:
        starts = [start for start in starts if start < dim + pad]
    param = f"kernel_size: {kernel} stride: {stride} pad: {pad} round_mode: {'CEIL' if ceil else 'FLOOR'}"
    shapes = one_layer((2, 3, dim, dim), f'type: "Pooling" pooling_param {{ {param} }}')
    if starts:
        assert shapes.layers[1].tops == ((2, 3, len(starts), len(starts)),)
        assert pooled_size(dim, kernel, stride, pad, pad > 0, ceil) == len(starts)
    else:
        assert "does not fit its input" in shapes.problems[0].message


@given(
    st.lists(sizes, min_size=1, max_size=3), sizes, st.integers(1, 4), st.integers(0, 3), st.integers(1, 3)
)
def test_convolution_has_a_window_at_every_start(
    dims: list[int], kernel: int, stride: int, pad: int, dilation: int
) -> None:
    reach = dilation * (kernel - 1)
    counts = [
        sum(start % stride == 0 and start + reach < dim + 2 * pad for start in range(dim + 2 * pad))
        or int(reach + 1 < dim + 2 * pad + stride)  # caffe lets one window hang over the end
        for dim in dims
    ]
    param = f"num_output: 6 group: 2 kernel_size: {kernel} stride: {stride} pad: {pad} dilation: {dilation}"
    shapes = one_layer((2, 4, *dims), f'type: "Convolution" convolution_param {{ {param} }}')
    if all(counts):
        layer = shapes.layers[1]
        assert layer.tops == ((2, 6, *counts),)
        assert layer.params == ((6, 2, *[kernel] * len(dims)), (6,))
        back = one_layer((2, 6, *counts), f'type: "Deconvolution" convolution_param {{ {param} }}').layers[1]
        if back.tops[0] is not None:  # the transpose covers what the windows covered
            covered = [(count - 1) * stride + reach + 1 - 2 * pad for count in counts]
            assert back.tops == ((2, 6, *covered),) and back.params[0] == (6, 3, *[kernel] * len(dims))
    else:
        assert "is larger than its input" in shapes.problems[0].message


@pytest.mark.parametrize(
    ("dims", "layer", "tops"),
    [
        ((2, 6, 4, 4), 'type: "Reshape" reshape_param { shape { dim: 0 dim: -1 dim: 8 } }', (2, 12, 8)),
        ((2, 6), 'type: "Reshape" reshape_param { shape { dim: 3 dim: 2 } axis: 1 num_axes: 1 }', (2, 3, 2)),
        ((2, 6), 'type: "Reshape" reshape_param { shape { dim: 1 } axis: -1 num_axes: 0 }', (2, 6, 1)),
        ((2, 3, 4), 'type: "Tile" tile_param { axis: -1 tiles: 3 }', (2, 3, 12)),
        ((2, 3, 7, 5), 'type: "SPP" spp_param { pyramid_height: 2 }', (2, 15)),
        ((2, 3, 7, 5), 'type: "SPP" spp_param { pyramid_height: 1 }', (2, 3, 1, 1)),
        ((2, 3, 7, 5), 'type: "Pooling" pooling_param { global_pooling: true }', (2, 3, 1, 1)),
        ((2, 3, 2, 2), 'type: "Pooling" pooling_param { kernel_size: 3 stride: 2 }', (2, 3, 1, 1)),
        ((2, 9), 'type: "ArgMax" argmax_param { top_k: 4 out_max_val: true }', (2, 2, 4)),
        ((2, 9, 1, 1), 'type: "ArgMax"', (2, 1, 1, 1)),
        ((2, 3), 'type: "MVN"', (2, 3, 1, 1)),
        ((4, 5), 'type: "Embed" embed_param { num_output: 7 input_dim: 9 }', (4, 5, 7)),
        ((4, 5, 6), 'type: "Reduction" reduction_param { axis: 1 }', (4,)),
        ((4, 5, 6), 'type: "Flatten" flatten_param { axis: 0 end_axis: 1 }', (20, 6)),
    ],
)
def test_shapes_of_single_layers(dims: Sequence[int], layer: str, tops: Shape) -> None:
    shapes = one_layer(dims, layer)
    assert shapes.problems == [] and shapes.layers[1].tops == (tops,)


@pytest.mark.parametrize(
    ("dims", "layer", "field", "message"),
    [
        ((1, 3, 4, 4), 'type: "Convolution" convolution_param { num_output: 2 kernel_size: 7 }',
         "convolution_param.kernel_size", "the kernel (7) is larger than its input (4)"),
        ((1, 3, 4, 4), 'type: "Convolution" convolution_param { num_output: 2 }',
         "convolution_param.kernel_size", "kernel_size must be specified once"),
        ((1, 3, 4), 'type: "Convolution" convolution_param { num_output: 2 kernel_h: 1 kernel_w: 2 }',
         "convolution_param.kernel_h", "kernel_h & kernel_w can only be used for 2D convolution."),
        ((1, 3, 4, 4), 'type: "Convolution" convolution_param { num_output: 4 kernel_size: 1 group: 2 }',
         "convolution_param.group", "3 channels do not divide into 2 groups"),
        ((1, 3, 4), 'type: "Pooling" pooling_param { kernel_size: 2 }', "bottom", "Input must have 4 axes"),
        ((1, 3, 4, 4), 'type: "Pooling" pooling_param { kernel_size: 2 pad: 2 }',
         "pooling_param.pad", "pad (2) must be smaller than the kernel (2)"),
        ((1, 3, 5, 4), 'type: "SPP" spp_param { pyramid_height: 2 pool: STOCHASTIC }', "spp_param.pool",
         "Padding implemented only for average and max pooling."),
        ((1, 3, 4, 4), 'type: "Pooling"', "pooling_param.kernel_size", "Filter size is kernel_size OR"),
        ((2, 3), 'type: "InnerProduct"', "inner_product_param.num_output", "num_output must be positive"),
        ((2, 3), 'type: "Slice" slice_param { slice_point: 1 }', "slice_param.slice_point", "1 tops need 0"),
        ((2, 3), 'type: "Reshape" reshape_param { shape { dim: 4 dim: -1 } }',
         "reshape_param.shape.dim", "bottom count (6) must be divisible by the product"),
        ((2, 3), 'type: "Eltwise"', "bottom", "Eltwise Layer takes at least 2 bottom blob(s)"),
        ((2, 3), 'type: "ReLU" bottom: "x"', "bottom", "takes 1 bottom blob(s) as input. (it has 2)"),
        ((2, 3), 'type: "Convolution" top: "z"', "top", "one top blob as output for each bottom blob input."),
        ((2, 3), 'type: "Pooling" top: "z" pooling_param { pool: AVE }', "top", "Pooling Layer produces 1"),
        ((2, 3), 'type: "Tile" param { } tile_param { tiles: 2 }', "param", "Too many params specified"),
        ((2, 3), 'type: "Softmax" softmax_param { axis: 2 }', "softmax_param.axis",
         "axis 2 out of range for 2-D Blob with shape 2 3 (6)"),
        ((2, 3), 'type: "Tile" tile_param { tiles: 2000000000 }', "tile_param", "blob size exceeds INT_MAX"),
    ],
)  # fmt: skip
def test_reasons_why_a_layer_cannot_be_built(
    dims: Sequence[int], layer: str, field: str, message: str
) -> None:
    shapes = one_layer(dims, layer)
    assert len(shapes.problems) == 1 and not shapes.complete
    problem = shapes.problems[0]
    assert (problem.index, problem.layer, problem.field) == (1, "L", field)
    assert problem.message.startswith("layer 'L': ") and message in problem.message
    assert shapes.layers[-1].tops[0] is None


DATA = """layer { name: "d" type: "DummyData" top: "x" top: "t"
  dummy_data_param { shape { dim: 8 dim: 3 } shape { dim: 8 } } }
"""


def test_inputs_that_do_not_fit_are_told_with_both_shapes() -> None:
    shapes = built(DATA + 'layer { name: "e" type: "Eltwise" bottom: "x" bottom: "t" top: "y" }')
    assert shapes.problems[0].message.endswith("bottom[0]: 8 3 (24), bottom[1]: 8 (8)")
    assert (shapes.problems[0].field, shapes.problems[0].position) == ("bottom", 1)
    shapes = built(DATA + 'layer { name: "l" type: "SoftmaxWithLoss" bottom: "x" bottom: "x" }')
    assert "24 labels of shape 8 3 (24), 8 predictions" in shapes.problems[0].message


def test_one_fault_does_not_pull_others_behind_it() -> None:
    text = (
        DATA
        + """layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" }
        layer { name: "b" type: "InnerProduct" bottom: "a" top: "b" inner_product_param { num_output: 2 } }
        layer { name: "l" type: "SoftmaxWithLoss" bottom: "b" bottom: "t" }"""
    )
    assert [problem.layer for problem in built(text).problems] == ["a"]


def test_unknown_blobs_are_looked_for() -> None:
    text = """layer { name: "a" type: "ReLU" bottom: "x" top: "a" }
        layer { name: "d" type: "DummyData" top: "x" include { phase: TEST }
          dummy_data_param { shape { dim: 8 } } }
        layer { name: "e" type: "DummyData" top: "y" include { phase: TRAIN }
          dummy_data_param { shape { dim: 8 } } }
        layer { name: "b" type: "ReLU" bottom: "yy" top: "b" }"""
    first, second = built(text).problems
    assert first.message == "Unknown bottom blob 'x' (layer 'a', bottom index 0)"
    assert first.hint == "layer 'd' makes it, but its rules keep it out of the TRAIN net"
    assert second.hint == 'did you mean "y"?'
    assert built(text, TEST).problems[0].hint == "layer 'd' makes it further below"


def test_two_layers_cannot_write_one_blob() -> None:
    text = (
        DATA
        + """layer { name: "r" type: "ReLU" bottom: "x" top: "x" }
        layer { name: "s" type: "Sigmoid" bottom: "x" top: "t" }"""
    )
    problem = built(text).problems[0]
    assert problem.message == "layer 's': Top blob 't' produced by multiple sources."
    text = (
        DATA
        + """layer { name: "a" type: "TanH" bottom: "x" top: "a" }
        layer { name: "r" type: "ReLU" bottom: "x" top: "x" }
        layer { name: "b" type: "TanH" bottom: "x" top: "b" }"""
    )
    problem = built(text).problems[0]
    assert (problem.layer, problem.field) == ("r", "top")
    assert problem.hint.startswith("other layers read the bottom too, so it cannot be written in place")
    text = DATA + 'layer { name: "f" type: "Flatten" bottom: "x" top: "x" }'
    assert "Flatten Layer does not allow in-place computation." in built(text).problems[0].message


def test_shared_parameters_count_once_and_must_agree() -> None:
    def twins(second: str, mode: str = "") -> NetShapes:
        return built(
            DATA
            + """layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" param { name: "w" }
                inner_product_param { num_output: 3 } }"""
            + f"""layer {{ name: "b" type: "InnerProduct" bottom: "x" top: "b" param {{ name: "w" {mode} }}
                inner_product_param {{ {second} }} }}"""
        )

    shapes = twins("num_output: 3")
    assert shapes.param_bytes == 4 * (9 + 3 + 3) and shapes.problems == []
    problem = twins("num_output: 4").problems[0]
    assert "Cannot share param 'w' owned by layer 'a' with layer 'b'; shape mismatch." in problem.message
    assert "is 3 3 (9); sharing layer expects shape 4 3 (12)" in problem.message
    assert twins("num_output: 3 transpose: true", "share_mode: PERMISSIVE").problems == []


def test_types_of_forks_are_warned_about_and_leave_shapes_open() -> None:
    text = (
        DATA
        + """layer { name: "n" type: "Normalise" bottom: "x" top: "n" }
        layer { name: "p" type: "Python" bottom: "n" top: "p" }
        layer { name: "c" type: "convolution" bottom: "p" top: "c" }"""
    )
    shapes = built(text)
    assert [(problem.severity, problem.layer) for problem in shapes.problems] == [
        ("warning", "n"),
        ("error", "c"),
    ]
    assert shapes.problems[1].message == "layer 'c': Unknown layer type: convolution"
    assert shapes.problems[1].hint == 'did you mean "Convolution"?'
    assert shapes.layers[-1].tops == (None,) and not shapes.complete
    assert shapes.data_bytes == 4 * (24 + 8)


def test_a_loss_with_two_tops_needs_two_weights() -> None:
    layer = (
        'layer { name: "l" type: "InfogainLoss" bottom: "x" bottom: "t" top: "l" top: "p" '
        'infogain_loss_param { source: "h" } %s }'
    )
    problem = built(DATA + layer % "").problems[0]
    assert problem.field == "loss_weight" and "once per top blob" in problem.message
    shapes = built(DATA + layer % "loss_weight: 1 loss_weight: 0")
    assert shapes.problems == [] and shapes.layers[-1].tops == ((), (8, 3))


def test_softmax_loss_never_has_a_second_top() -> None:
    layer = 'layer { name: "l" type: "SoftmaxWithLoss" bottom: "x" bottom: "t" top: "l" top: "p" %s }'
    for weights in ("", "loss_weight: 1 loss_weight: 0"):
        assert "once per top blob" in built(DATA + layer % weights).problems[0].message


def test_propagate_down_is_given_for_each_bottom() -> None:
    layer = 'layer { name: "r" type: "ReLU" bottom: "x" top: "r" propagate_down: true propagate_down: true }'
    assert built(DATA + layer).problems[0].field == "propagate_down"


def test_a_loss_left_without_top_still_has_one() -> None:
    text = DATA + 'layer { name: "l" type: "HingeLoss" bottom: "x" bottom: "t" }'
    assert built(text).layers[-1].tops == ((),)


numbers = st.sampled_from([0, 1, 2, 3, 5, 2**31 - 1, -1, -2])
any_shape = st.lists(st.sampled_from([1, 2, 3, 4, 6, 0, 2**31 - 1, -1]), max_size=6)


def scatter(message: Message, data: st.DataObject, depth: int = 0) -> None:
    """Set some of the fields of a settings block to any numbers, sensible or not."""
    fields = [field for field in message.DESCRIPTOR.fields if "filler" not in field.name]
    for field in data.draw(st.lists(st.sampled_from(fields), max_size=4, unique_by=lambda item: item.name)):
        if field.message_type is not None:
            if not field.is_repeated and depth < 2:
                scatter(getattr(message, field.name), data, depth + 1)
            continue
        if field.type in (field.TYPE_STRING, field.TYPE_ENUM):
            continue
        count = data.draw(st.integers(1, 3)) if field.is_repeated else 1
        for value in data.draw(st.lists(numbers, min_size=count, max_size=count)):
            if value < 0 and field.type == field.TYPE_UINT32:
                continue
            if field.is_repeated:
                getattr(message, field.name).append(value)
            else:
                setattr(message, field.name, bool(value) if field.type == field.TYPE_BOOL else value)


@given(st.sampled_from(sorted(LAYER_TYPES)), st.lists(any_shape, max_size=3), st.integers(0, 3), st.data())
def test_no_settings_make_it_fail(kind: str, shapes: list[list[int]], tops: int, data: st.DataObject) -> None:
    net = NetParameter()
    for index, dims in enumerate(shapes):
        source = net.layer.add(name=f"in{index}", type="Input", top=[f"x{index}"])
        source.input_param.shape.add(dim=dims)
    layer = net.layer.add(name="L", type=kind, top=[f"y{index}" for index in range(tops)])
    layer.bottom.extend(f"x{index}" for index in range(len(shapes)))
    near = {"Deconvolution": "convolution_param", "Im2col": "convolution_param", "LSTM": "recurrent_param",
            "RNN": "recurrent_param"}  # fmt: skip
    own = kind.lower().replace("data", "_data").replace("inner", "inner_").replace("norm", "_norm") + "_param"
    name = near.get(kind, own)
    if name in LayerParameter.DESCRIPTOR.fields_by_name:
        scatter(getattr(layer, name), data)
    built_net = net_shapes(net, net_state(TRAIN))
    for problem in built_net.problems:
        assert problem.message.strip() and problem.index < len(net.layer)
    assert all(one.total >= 0 for one in net_memory(net, built_net))
    last = built_net.layers[-1]
    if not built_net.problems and last.name == "L" and None not in last.tops:
        assert all(min(top, default=0) >= 0 for top in last.tops if top is not None)
        assert built_net.data_bytes >= 0
