"""Shapes of layers that compare predictions with labels: losses and accuracy.

The rules are like those of shape_rules.
"""

from collections.abc import Sequence
from math import prod

from barista_server.caffe.blobshape import Shape, axis_index, legacy_dims, need, shape_text
from barista_server.caffe.schema import LayerParameter

Shapes = Sequence[Shape]
Result = tuple[list[Shape], list[Shape]]


def accuracy(layer: LayerParameter, bottoms: Shapes) -> Result:
    param, (scores, labels) = layer.accuracy_param, bottoms
    axis = axis_index(scores, param.axis, "accuracy_param.axis")
    need_labels(scores, labels, axis)
    message = f"top_k must be less than or equal to the number of classes ({scores[axis]})."
    need(param.top_k <= scores[axis], message, "accuracy_param.top_k")
    return [(), (scores[axis],)][: len(layer.top)], []


def need_labels(scores: Shape, labels: Shape, axis: int) -> None:
    """One label per prediction. Raises ShapeError."""
    wanted = prod(scores[:axis]) * prod(scores[axis + 1 :])
    message = (
        f"Number of labels must match number of predictions: {prod(labels)} labels of shape "
        f"{shape_text(labels)}, {wanted} predictions of shape {shape_text(scores)}"
    )
    need(wanted == prod(labels), message, "bottom", 1)


def loss(layer: LayerParameter, bottoms: Shapes) -> Result:
    """A scalar from bottoms with as many items; a second top takes what the loss is made from."""
    data, label = bottoms[0], bottoms[1]
    message = "The data and label should have the same first dimension."
    alike = bool(data) and bool(label) and data[0] == label[0]
    need(alike, f"{message} ({shape_text(data)} vs. {shape_text(label)})", "bottom", 1)
    return [(), data][: max(1, len(layer.top))], []


def softmax_loss(layer: LayerParameter, bottoms: Shapes) -> Result:
    axis = axis_index(bottoms[0], layer.softmax_param.axis, "softmax_param.axis")
    result = loss(layer, bottoms)
    need_labels(bottoms[0], bottoms[1], axis)
    # the softmax inside has one top, and gets all of the layer's loss weights
    message = "loss_weight must be unspecified or specified once per top blob."
    alone = len(layer.top) < 2
    need(alone, f"{message} A second top cannot be had.", "top", 1, "put a Softmax layer beside this one")
    return result


def infogain_loss(layer: LayerParameter, bottoms: Shapes) -> Result:
    param = layer.infogain_loss_param
    axis = axis_index(bottoms[0], param.axis, "infogain_loss_param.axis")
    result = loss(layer, bottoms)
    need_labels(bottoms[0], bottoms[1], axis)
    old = layer.loss_param.HasField("normalize")
    need(not old, 'normalize is deprecated. use "normalization"', "loss_param.normalize")
    given = len(bottoms) > 2 or param.HasField("source")
    need(given, "Infogain matrix source must be specified.", "infogain_loss_param.source", hint="add source")
    if len(bottoms) > 2:
        classes = bottoms[0][axis]
        message = f"the infogain matrix must be {classes} x {classes}, not {shape_text(bottoms[2])}"
        need(prod(bottoms[2]) == classes**2, message, "bottom", 2)
    return result


def multinomial_loss(layer: LayerParameter, bottoms: Shapes) -> Result:
    result = loss(layer, bottoms)
    message = f"one label per item is needed, not {shape_text(bottoms[1])}"
    need(legacy_dims(bottoms[1])[1:] == (1, 1, 1), message, "bottom", 1)
    return result


def sigmoid_loss(layer: LayerParameter, bottoms: Shapes) -> Result:
    result = loss(layer, bottoms)
    message = f"inputs must have the same count: {shape_text(bottoms[0])} vs. {shape_text(bottoms[1])}"
    need(prod(bottoms[0]) == prod(bottoms[1]), message, "bottom", 1)
    return result


def euclidean_loss(layer: LayerParameter, bottoms: Shapes) -> Result:
    result = loss(layer, bottoms)
    message = f"Inputs must have the same dimension: {shape_text(bottoms[0])} vs. {shape_text(bottoms[1])}"
    need(prod(bottoms[0][1:]) == prod(bottoms[1][1:]), message, "bottom", 1)
    return result


def contrastive_loss(layer: LayerParameter, bottoms: Shapes) -> Result:
    result = loss(layer, bottoms)
    first, second, similar = (legacy_dims(shape) for shape in bottoms)
    message = f"the pair must be vectors of one size: {shape_text(bottoms[0])} vs. {shape_text(bottoms[1])}"
    need(first[1:] == second[1:] == (first[1], 1, 1), message, "bottom", 1)
    message = f"one label per pair is needed, not {shape_text(bottoms[2])}"
    need(similar[1:] == (1, 1, 1), message, "bottom", 2)
    return result
