"""Losses, softmax and accuracy."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from barista_engine.errors import CheckFailed, check_equal
from barista_engine.layers.registry import NOT_IMPLEMENTED, Built, Context, layer
from barista_engine.layers.taught import Taught, graft
from barista_server.caffe.errors import WeightsError
from barista_server.caffe.model_file import read_blob_file
from barista_server.caffe.schema import LossParameter

_WORST = -math.log(torch.finfo(torch.float32).tiny)
"""87.3365: the loss of a probability of 0, which counts as the smallest normal float."""

_NOT_TO_LABELS = {1: "{type} Layer cannot backpropagate to label inputs."}


@layer("Softmax", heedless=True)
def softmax(ctx: Context) -> Built:
    axis = ctx.axis(ctx.spec.softmax_param.axis)

    def gradient(g: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return (g - (g * y).sum(axis, keepdim=True)) * y

    return ctx.like_bottom, Taught(lambda x: torch.softmax(x, axis), gradient, reads="y")


@layer("SoftmaxWithLoss", bottoms=2, tops=(1, 2), loss=True, labels=(1,), undifferentiable=_NOT_TO_LABELS)
def softmax_with_loss(ctx: Context) -> Built:
    """-log of the true class's softmax, summed and normalised. A second top is refused, as Caffe does."""
    _check_same_batch(ctx)
    axis = ctx.axis(ctx.spec.softmax_param.axis)
    outer, inner, classes = _labelled(ctx, axis, "softmax")
    p = ctx.spec.loss_param
    ignore = p.ignore_label if p.HasField("ignore_label") else None
    mode = _normalization(p)
    # The inner "Softmax" layer of the same name, which Caffe creates and logs.
    ctx.log.info("layer_factory.hpp:77", f"Creating layer {ctx.spec.name}")
    # It gets all of the layer's loss weights, and has one top.
    message = "loss_weight must be unspecified or specified once per top blob."
    hint = f"{message} A second top cannot be had: put a Softmax layer beside {ctx.spec.name}."
    weights = len(ctx.spec.loss_weight)
    check_equal("top.size()", 1, "num_loss_weights", max(weights, ctx.tops), hint, "layer.hpp", 392)

    def forward(x: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        scores = F.log_softmax(x, axis)
        target = label.reshape(outer, inner).long()
        valid = None if ignore is None else target != ignore
        _check_labels(ctx, target if valid is None else target[valid], classes)
        safe = target if valid is None else target.masked_fill(~valid, 0)
        nll = -scores.reshape(outer, classes, inner).gather(1, safe.unsqueeze(1)).squeeze(1)
        # The value stops at the smallest float's loss; the gradient stays that of the softmax.
        nll = graft(nll.detach().clamp(max=_WORST), nll)
        total = (nll if valid is None else nll.masked_fill(~valid, 0)).sum()
        return total / _normalizer(mode, outer, outer * inner, valid)

    return [()], forward


@layer("Accuracy", bottoms=2, tops=(1, 2), undifferentiable={0: NOT_IMPLEMENTED, 1: NOT_IMPLEMENTED})
def accuracy(ctx: Context) -> Built:
    """Part of labels with a score among the top_k; per class as second top. A tie is wrong, nan right."""
    p = ctx.spec.accuracy_param
    counts = [math.prod(shape) for shape in ctx.bottoms]
    classes = counts[0] // max(counts[1], 1)
    ctx.check(
        p.top_k <= classes,
        f"top_k_ <= bottom[0]->count() / bottom[1]->count() ({p.top_k} vs. {classes})",
        "top_k must be less than or equal to the number of classes.",
        25,
    )
    axis = ctx.axis(p.axis)
    outer, inner, classes = _labelled(ctx, axis, "label")
    ignore = p.ignore_label if p.HasField("ignore_label") else None

    def forward(x: torch.Tensor, label: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        scores = x.reshape(outer, classes, inner)
        target = label.reshape(outer, inner).long()
        valid = torch.ones_like(target, dtype=torch.bool) if ignore is None else target != ignore
        _check_labels(ctx, target[valid], classes)
        safe = target.masked_fill(~valid, 0).unsqueeze(1)
        better = (scores >= scores.gather(1, safe)).sum(1) - 1
        right = ((better < p.top_k) & valid).to(x.dtype)
        mean = right.sum() / valid.sum().clamp(min=1)
        if ctx.tops == 1:
            return mean
        hits, seen = (
            torch.zeros(classes, device=x.device).scatter_add_(0, safe.flatten(), of.to(x.dtype).flatten())
            for of in (right, valid)
        )
        return mean, hits / seen.clamp(min=1)

    return [(), (classes,)][: ctx.tops], forward


@layer("EuclideanLoss", bottoms=2, loss=True)
def euclidean_loss(ctx: Context) -> Built:
    """Sum of squared differences / (2 N)."""
    _check_same_batch(ctx)
    a, b = (math.prod(shape[1:]) for shape in ctx.bottoms)
    message = "Inputs must have the same dimension."
    check_equal("bottom[0]->count(1)", a, "bottom[1]->count(1)", b, message, "euclidean_loss_layer.cpp", 12)
    batch, *_ = ctx.legacy_dims()
    ctx.legacy_dims(1)
    return [()], lambda x, y: (x - y.reshape(x.shape)).square().sum() / (2 * batch)


@layer("SigmoidCrossEntropyLoss", bottoms=2, loss=True, labels=(1,), undifferentiable=_NOT_TO_LABELS)
def sigmoid_cross_entropy_loss(ctx: Context) -> Built:
    """Cross entropy of independent targets in [0, 1]; divided by the batch size unless told otherwise."""
    _check_same_batch(ctx)
    counts = [math.prod(shape) for shape in ctx.bottoms]
    message = "SIGMOID_CROSS_ENTROPY_LOSS layer inputs must have the same count."
    check_equal(
        "bottom[0]->count()",
        counts[0],
        "bottom[1]->count()",
        counts[1],
        message,
        "sigmoid_cross_entropy_loss_layer.cpp",
        41,
    )
    p = ctx.spec.loss_param
    ignore = p.ignore_label if p.HasField("ignore_label") else None
    given = p.HasField("normalization") or p.HasField("normalize")
    mode = _normalization(p) if given else LossParameter.BATCH_SIZE
    batch = ctx.bottoms[0][0]

    def forward(x: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        target = target.reshape(x.shape)
        losses = F.binary_cross_entropy_with_logits(x, target, reduction="none")
        valid = None if ignore is None else target.long() != ignore
        if valid is not None:
            losses = losses.masked_fill(~valid, 0)
        return losses.sum() / _normalizer(mode, batch, counts[0], valid)

    return [()], forward


@layer("HingeLoss", bottoms=2, loss=True, labels=(1,), undifferentiable=_NOT_TO_LABELS)
def hinge_loss(ctx: Context) -> Built:
    """One against all: sum of max(0, 1 -+ score), or of its square, / N."""
    _check_same_batch(ctx)
    batch, classes = ctx.legacy_dims()[0], math.prod(ctx.bottoms[0][1:])
    labels = math.prod(ctx.bottoms[1])
    ctx.check(
        labels >= batch, f"bottom[1]->count() >= num ({labels} vs. {batch})", "An item lacks its label."
    )
    squared = ctx.spec.hinge_loss_param.norm == ctx.spec.hinge_loss_param.L2

    def forward(x: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        target = label.flatten()[:batch].long()
        _check_labels(ctx, target, classes)
        sign = 1 - 2 * F.one_hot(target, classes).to(x.dtype)
        margins = torch.relu(1 + sign * x.reshape(batch, classes))
        return (margins.square() if squared else margins).sum() / batch

    return [()], forward


@layer("MultinomialLogisticLoss", bottoms=2, loss=True, labels=(1,), undifferentiable=_NOT_TO_LABELS)
def multinomial_logistic_loss(ctx: Context) -> Built:
    """-log of the true class's given probability (at least 1e-20), / N."""
    _check_same_batch(ctx)
    batch, classes = ctx.legacy_dims()[0], math.prod(ctx.bottoms[0][1:])
    for name, size in zip(("channels", "height", "width"), ctx.legacy_dims(1)[1:], strict=True):
        left = f"bottom[1]->{name}()"
        check_equal(left, size, "1", 1, "", "multinomial_logistic_loss_layer.cpp", 13)

    def forward(x: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        target = label.reshape(batch).long()
        _check_labels(ctx, target, classes)
        given = x.reshape(batch, classes).gather(1, target[:, None])
        return -graft(given.detach().clamp(min=1e-20), given).log().sum() / batch

    return [()], forward


@layer("ContrastiveLoss", bottoms=3, loss=True, labels=(2,))
def contrastive_loss(ctx: Context) -> Built:
    """Pulls similar pairs together, pushes others at least `margin` apart: mean / 2 of squared distances."""
    _check_same_batch(ctx)
    _check_pairs(ctx)
    p, batch = ctx.spec.contrastive_loss_param, ctx.bottoms[0][0]

    def forward(a: torch.Tensor, b: torch.Tensor, similar: torch.Tensor) -> torch.Tensor:
        squared = (a - b.reshape(a.shape)).reshape(batch, -1).square().sum(1)
        if p.legacy_version:
            apart = torch.relu(p.margin - squared)
        else:
            distance = squared.detach().sqrt()
            missing = (p.margin - distance).clamp(min=0)
            # Caffe adds 1e-4 to the distance in the gradient only, so that equal pairs divide by no 0.
            slope = squared * (-missing / (distance + 1e-4))
            apart = missing.square() + (slope - slope.detach())
        return torch.where(similar.flatten()[:batch].long() != 0, squared, apart).sum() / (2 * batch)

    return [()], forward


def _check_pairs(ctx: Context) -> None:
    """Raise CheckFailed unless the bottoms are two blobs of vectors and a number for each pair."""
    (_, channels, *area), (_, others, *areas), (_, *single) = (ctx.legacy_dims(i) for i in range(3))
    file = "contrastive_loss_layer.cpp"
    check_equal("bottom[0]->channels()", channels, "bottom[1]->channels()", others, "", file, 13)
    for name, size in zip(
        ("[0]->height", "[0]->width", "[1]->height", "[1]->width"), area + areas, strict=True
    ):
        check_equal(f"bottom{name}()", size, "1", 1, "", file, 15)
    for name, size in zip(("channels", "height", "width"), single, strict=True):
        check_equal(f"bottom[2]->{name}()", size, "1", 1, "", file, 19)
    batch, labels = ctx.bottoms[0][0], math.prod(ctx.bottoms[2])
    ctx.check(labels >= batch, f"bottom[2]->count() >= num ({labels} vs. {batch})", "A pair lacks its label.")


@layer(
    "InfogainLoss",
    bottoms=(2, 3),
    tops=(1, 2),
    loss=True,
    labels=(1,),
    undifferentiable={**_NOT_TO_LABELS, 2: "{type} Layer cannot backpropagate to infogain inputs."},
)
def infogain_loss(ctx: Context) -> Built:
    """Softmax loss in which row `label` of a matrix H weighs the log probability of every class."""
    _check_same_batch(ctx)
    axis = ctx.axis(ctx.spec.infogain_loss_param.axis)
    outer, inner, classes = _labelled(ctx, axis, "infogain")
    said = 'normalize is deprecated. use "normalization"'
    old = ctx.spec.loss_param.HasField("normalize")
    ctx.check(not old, "!this->layer_param_.loss_param().has_normalize()", said, 36)
    fixed = None if len(ctx.bottoms) == 3 else _matrix(ctx)
    cells = math.prod(ctx.bottoms[2]) if fixed is None else fixed.numel()
    check_equal(
        "infogain->count()", cells, "num_labels_*num_labels_", classes**2, "", "infogain_loss_layer.cpp", 72
    )
    ignore = ctx.spec.loss_param.ignore_label if ctx.spec.loss_param.HasField("ignore_label") else None
    mode = _normalization(ctx.spec.loss_param)
    ctx.log.info("layer_factory.hpp:77", f"Creating layer {ctx.spec.name}")

    def forward(
        x: torch.Tensor, label: torch.Tensor, given: torch.Tensor | None = None
    ) -> torch.Tensor | tuple[torch.Tensor, ...]:
        weights = (fixed if given is None else given).reshape(classes, classes)  # type: ignore[union-attr]
        probabilities = torch.softmax(x, axis)
        target = label.reshape(-1).long()
        valid = None if ignore is None else target != ignore
        _check_labels(ctx, target if valid is None else target[valid], classes)
        rows = weights[target if valid is None else target.masked_fill(~valid, 0)].view(outer, inner, classes)
        logs = torch.log_softmax(x, axis).reshape(outer, classes, inner).transpose(1, 2)
        logs = graft(logs.detach().clamp(min=math.log(1e-20)), logs)
        losses = -(rows * logs).sum(-1).flatten()
        total = (losses if valid is None else losses.masked_fill(~valid, 0)).sum()
        loss = total / _normalizer(mode, outer, outer * inner, valid)
        return loss if ctx.tops == 1 else (loss, probabilities.detach())

    return [(), ctx.bottoms[0]][: ctx.tops], forward


def _matrix(ctx: Context) -> torch.Tensor:
    """The matrix of the `source` file, a BlobProto."""
    source = ctx.spec.infogain_loss_param.source
    ctx.check(
        bool(source),
        "this->layer_param_.infogain_loss_param().has_source()",
        "Infogain matrix source must be specified.",
        41,
    )
    try:
        values = read_blob_file(source)
    except OSError:
        raise CheckFailed(
            f"Check failed: fd != -1 (-1 vs. -1) File not found: {source}", "io.cpp", 52
        ) from None
    except WeightsError as error:
        message = f"Check failed: ReadProtoFromBinaryFile(filename, proto) {source}: {error}"
        raise CheckFailed(message, "io.cpp", 57) from None
    return torch.from_numpy(values).to(ctx.device)


def _check_same_batch(ctx: Context) -> None:
    a, b = (shape[ctx.axis(0, bottom=i)] for i, shape in enumerate(ctx.bottoms[:2]))
    message = "The data and label should have the same first dimension."
    check_equal("bottom[0]->shape(0)", a, "bottom[1]->shape(0)", b, message, "loss_layer.cpp", 19)


def _labelled(ctx: Context, axis: int, what: str) -> tuple[int, int, int]:
    """(outer, inner, classes) about the class axis. Raises CheckFailed unless each prediction has a label."""
    shape = ctx.bottoms[0]
    outer, inner = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
    labels = math.prod(ctx.bottoms[1])
    if outer * inner != labels:
        raise ctx.failed(
            f"Check failed: outer_num_ * inner_num_ == bottom[1]->count() ({outer * inner} vs. {labels}) "
            f"Number of labels must match number of predictions; e.g., if {what} axis == 1 and prediction "
            "shape is (N, C, H, W), label count (number of labels) must be N*H*W, with integer values in "
            "{0, 1, ..., C-1}.",
            {"SoftmaxWithLoss": 47, "Accuracy": 31}.get(ctx.spec.type, 60),
        )
    return outer, inner, shape[axis]


def _check_labels(ctx: Context, labels: torch.Tensor, classes: int) -> None:
    """Caffe's release builds read beyond the scores here; a clear end is the kinder answer."""
    if labels.numel() == 0:
        return
    low, high = (int(v) for v in torch.aminmax(labels))
    if low < 0 or high >= classes:
        bad = low if low < 0 else high
        relation = (
            f"label_value >= 0 ({bad} vs. 0)"
            if bad < 0
            else f"label_value < num_labels ({bad} vs. {classes})"
        )
        raise CheckFailed(
            f"Check failed: {relation} layer '{ctx.spec.name}': a label is outside the {classes} classes of "
            f"bottom '{ctx.spec.bottom[0]}'.",
            "softmax_loss_layer.cpp"
            if ctx.spec.type == "SoftmaxWithLoss"
            else f"{ctx.spec.type.lower()}_layer.cpp",
            105,
        )


def _normalization(p: LossParameter) -> int:
    """The mode asked for; the old `normalize` counts only without the new field."""
    if not p.HasField("normalization") and p.HasField("normalize"):
        return LossParameter.VALID if p.normalize else LossParameter.BATCH_SIZE
    return p.normalization


def _normalizer(mode: int, batch: int, count: int, valid: torch.Tensor | None) -> float | torch.Tensor:
    """What a summed loss is divided by, at least 1."""
    if mode == LossParameter.VALID and valid is not None:
        return valid.sum().clamp(min=1)
    if mode == LossParameter.NONE:
        return 1.0
    return float(max(1, batch if mode == LossParameter.BATCH_SIZE else count))
