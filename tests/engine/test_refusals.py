"""What Caffe stops at, layer by layer, the engine and the shape rules stop at too, with Caffe's words."""

from __future__ import annotations

import pytest
from google.protobuf import text_format

from barista_engine.errors import CheckFailed
from barista_server.caffe.schema import TRAIN, NetParameter
from barista_server.caffe.shapes import net_shapes

from .test_layers import layer
from .test_net import blob, build

FLAT, IMAGE, FIVE = blob("x", 4), blob("x", 2, 3, 4, 4), blob("x", 2, 3, 1, 1, 2)
LABEL = blob("t", 2)
PAIR = ("x", "t")
ROWS = blob("x", 2, 3)
IN_PLACE = "does not allow in-place computation."
LEGACY = "Cannot use legacy accessors on Blobs with > 4 axes."
MATRIX = 'infogain_loss_param { source: "h" } '
PRODUCT = "eltwise_param { operation: PROD coeff: 1 coeff: 2 }"
THREE = "inner_product_param { num_output: 3 }"

REFUSED = {
    "absval in place": (ROWS + layer("AbsVal", tops=("x",)), IN_PLACE),
    "flatten in place": (ROWS + layer("Flatten", tops=("x",)), IN_PLACE),
    "reshape in place": (ROWS + layer("Reshape", tops=("x",)), IN_PLACE),
    "split in place": (ROWS + layer("Split", tops=("x",)), IN_PLACE),
    "exp of base 0": (ROWS + layer("Exp", "exp_param { base: 0 }"), "base must be strictly positive"),
    "log of base -2": (ROWS + layer("Log", "log_param { base: -2 }"), "base must be strictly positive"),
    "log of base 1": (ROWS + layer("Log", "log_param { base: 1 }"), "1/log(base) = 1/log(1) = inf"),
    "prelu of a row": (FLAT + layer("PReLU"), "Number of axes of bottom blob must be >=2."),
    "prelu of five axes": (FIVE + layer("PReLU"), LEGACY),
    "mvn of five axes": (FIVE + layer("MVN"), LEGACY),
    "flatten backwards": (
        IMAGE + layer("Flatten", "flatten_param { axis: 3 end_axis: 1 }"),
        "end_axis",
    ),
    "no embed size": (ROWS + layer("Embed", "embed_param { input_dim: 3 }"), "num_output must be positive."),
    "no embed range": (ROWS + layer("Embed", "embed_param { num_output: 3 }"), "input_dim must be positive."),
    "group 0": (
        IMAGE + layer("Convolution", "convolution_param { num_output: 2 kernel_size: 2 group: 0 }"),
        "group",
    ),
    "nothing to slide over": (
        IMAGE + layer("Im2col", "convolution_param { kernel_size: 5 dilation: 2 }"),
        "",
    ),
    "one more crop axis": (
        IMAGE + blob("t", 2, 3, 4) + layer("Crop", bottoms=PAIR),
        "",
    ),
    "loss of scalars": (
        blob("x") + blob("t") + layer("EuclideanLoss", bottoms=PAIR),
        "",
    ),
    "label of no axes": (
        blob("x", 3) + blob("t") + layer("SoftmaxWithLoss", "softmax_param { axis: 0 }", PAIR),
        "",
    ),
    "wide labels": (
        ROWS + blob("t", 2, 2) + layer("MultinomialLogisticLoss", bottoms=PAIR),
        "",
    ),
    "pairs of images": (
        IMAGE + blob("b", 2, 3, 4, 4) + LABEL + layer("ContrastiveLoss", bottoms=("x", "b", "t")),
        "",
    ),
    "two index axes": (ROWS + blob("t", 2, 1) + layer("BatchReindex", bottoms=PAIR), ""),
    "batch norm of a row": (FLAT + layer("BatchNorm"), ""),
    "two tops of a softmax loss": (
        ROWS + LABEL + layer("SoftmaxWithLoss", "loss_weight: 1 loss_weight: 0", PAIR, ("y", "p")),
        "loss_weight must be unspecified or specified once per top blob.",
    ),
    "old normalize": (
        ROWS + LABEL + layer("InfogainLoss", MATRIX + "loss_param { normalize: true }", PAIR),
        'normalize is deprecated. use "normalization"',
    ),
    "coefficients of a product": (
        ROWS + blob("t", 2, 3) + layer("Eltwise", PRODUCT, PAIR),
        "only takes coefficients for summation",
    ),
    "more numbers than an int counts": (blob("x", 60_000, 60_000), "blob size exceeds INT_MAX"),
    "a weight of more": (
        blob("x", 2, 50_000) + layer("InnerProduct", "inner_product_param { num_output: 50000 }"),
        "blob size exceeds INT_MAX",
    ),
    "a top of more": (
        blob("x", 2, 30_000) + layer("Tile", "tile_param { tiles: 100000 }"),
        "blob size exceeds INT_MAX",
    ),
    "33 axes": (blob("x", *[1] * 33), ""),
    "a negative size": (blob("x", 3, -2), ""),
    "no output": (ROWS + layer("InnerProduct"), ""),
    "factors that differ": (
        ROWS
        + layer("InnerProduct", 'param { name: "w" lr_mult: 2 }' + THREE)
        + layer("InnerProduct", 'param { name: "w" lr_mult: 0 }' + THREE, ("y",), ("z",)),
        "Shared param 'w' has mismatched lr_mult.",
    ),
    "static input without values": (
        blob("x", 2, 3, 4) + blob("c", 2, 3) + blob("t", 3)
        + layer("RNN", "recurrent_param { num_output: 2 }", ("x", "c", "t")),
        "",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "words"), REFUSED.values(), ids=REFUSED)
def test_a_net_is_refused(text: str, words: str) -> None:
    with pytest.raises(CheckFailed) as failed:
        build(text)
    assert words in failed.value.message
    net = text_format.Parse(text, NetParameter())
    net.state.phase = TRAIN  # type: ignore[assignment]
    (problem,) = net_shapes(net).problems
    assert words in problem.message


LEARNED = 'layer { name: "s" type: "Scale" bottom: "t" top: "u" scale_param { axis: 0 num_axes: 0 } }\n'
OF_LABEL = "Layer cannot backpropagate to label inputs."

UNLEARNABLE = {
    "softmax label": (ROWS + LABEL + LEARNED + layer("SoftmaxWithLoss", "", ("x", "u")), OF_LABEL),
    "hinge label": (ROWS + LABEL + LEARNED + layer("HingeLoss", "", ("x", "u")), OF_LABEL),
    "sigmoid target": (
        ROWS + blob("t", 2, 3) + LEARNED + layer("SigmoidCrossEntropyLoss", "", ("x", "u")),
        OF_LABEL,
    ),
    "threshold": (LABEL + LEARNED + layer("Threshold", "loss_weight: 1", ("u",)), "Not Implemented Yet"),
    "arg max": (blob("t", 2, 2) + LEARNED + layer("ArgMax", "loss_weight: 1", ("u",)), "Not Implemented Yet"),
    "index": (
        ROWS + LABEL + LEARNED + layer("BatchReindex", "loss_weight: 1", ("x", "u")),
        "Cannot backprop to index.",
    ),
    "embedded": (
        LABEL + LEARNED + layer("Embed", "loss_weight: 1 embed_param { input_dim: 1 num_output: 1 }", ("u",)),
        "Can't backpropagate to EmbedLayer input.",
    ),
    "selector": (
        ROWS + LABEL + LEARNED + layer("Filter", "loss_weight: 1", ("x", "u")),
        "cannot backpropagate to filter index inputs",
    ),
    "accuracy": (
        "force_backward: true " + ROWS + LABEL + layer("Accuracy", "", PAIR),
        "Not Implemented Yet",
    ),
}


@pytest.mark.parametrize(("text", "words"), UNLEARNABLE.values(), ids=UNLEARNABLE)
def test_a_backward_pass_is_refused(text: str, words: str) -> None:
    net = build(text)
    net.forward()
    with pytest.raises(CheckFailed) as failed:
        net.backward()
    assert words in failed.value.message and "layer 'L'" in failed.value.detail


def test_propagate_down_makes_it_pass() -> None:
    more = "propagate_down: true propagate_down: false"
    net = build(ROWS + LABEL + LEARNED + layer("SoftmaxWithLoss", more, ("x", "u")))
    net.forward()
    net.backward()
