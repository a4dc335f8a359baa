"""The nets of the engine's benchmark, each in two forms: as prototxt, and by hand in torch.nn.functional.

By hand, weights come in a list: weight and bias of each layer that learns, in order. Images are float32,
labels int64; the result is the loss.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional

Weights = list[Tensor]

_FILLED = 'weight_filler { type: "xavier" }'
_STEADY = 'lr_policy: "fixed" momentum: 0.9'


@dataclass(frozen=True)
class Case:
    """layers: behind the data layer, whose tops are "data" and "label"; shape: of a record, before a crop."""

    name: str
    layers: str
    solver: str
    shape: tuple[int, int, int]
    batch: int
    iterations: int
    weights: tuple[tuple[int, ...], ...]
    loss: Callable[[Tensor, Tensor, Weights], Tensor]
    crop: int = 0
    """Cropped at random and mirrored; otherwise scaled by 1 / 256."""

    @property
    def transform(self) -> str:
        """transform_param of the data layer."""
        return f"crop_size: {self.crop} mirror: true mean_value: 120" if self.crop else "scale: 0.00390625"


def _layer(kind: str, name: str, bottoms: str, settings: str = "", top: str = "") -> str:
    blobs = "".join(f' bottom: "{blob}"' for blob in bottoms.split())
    return f'layer {{ name: "{name}" type: "{kind}"{blobs} top: "{top or name}" {settings} }}\n'


def _learning(shared: str) -> str:
    """Rates of weight and bias; shared: what their names begin with, if other layers use them too."""
    names = (f'name: "{shared}_w" ', f'name: "{shared}_b" ') if shared else ("", "")
    return f"param {{ {names[0]}lr_mult: 1 }} param {{ {names[1]}lr_mult: 2 }}"


def _convolution(name: str, bottom: str, outputs: int, kernel: int, more: str = "", shared: str = "") -> str:
    param = f"num_output: {outputs} kernel_size: {kernel} {more} {_FILLED}"
    return _layer("Convolution", name, bottom, f"{_learning(shared)} convolution_param {{ {param} }}")


def _pooling(name: str, bottom: str, pool: str, kernel: int) -> str:
    return _layer(
        "Pooling", name, bottom, f"pooling_param {{ pool: {pool} kernel_size: {kernel} stride: 2 }}"
    )


def _inner(name: str, bottom: str, outputs: int, shared: str = "") -> str:
    param = f"num_output: {outputs} {_FILLED}"
    return _layer("InnerProduct", name, bottom, f"{_learning(shared)} inner_product_param {{ {param} }}")


def _relu(blob: str) -> str:
    return _layer("ReLU", f"{blob}_relu", blob, top=blob)


def _normalized(name: str, bottom: str, settings: str) -> str:
    return _layer("LRN", name, bottom, f"lrn_param {{ {settings} beta: 0.75 }}")


def _classified(blob: str) -> str:
    return _layer("SoftmaxWithLoss", "loss", f"{blob} label")


# ------------------------------------------------------------------------------------------ LeNet, siamese

_LENET = ((20, 1, 5, 5), (50, 20, 5, 5), (500, 800), (10, 500))


def _lenet_layers(bottom: str = "data", end: str = "", share: bool = False) -> str:
    """end: behind the layers' names; share: name the parameters, so that twins have the same."""
    one, two, three, four = (f"{name}{end}" for name in ("conv1", "conv2", "ip1", "ip2"))
    names = ("conv1", "conv2", "ip1", "ip2") if share else ("",) * 4
    return (
        _convolution(one, bottom, 20, 5, shared=names[0])
        + _pooling(f"pool1{end}", one, "MAX", 2)
        + _convolution(two, f"pool1{end}", 50, 5, shared=names[1])
        + _pooling(f"pool2{end}", two, "MAX", 2)
        + _inner(three, f"pool2{end}", 500, names[2])
        + _relu(three)
        + _inner(four, three, 10, names[3])
    )


def _lenet(x: Tensor, w: Weights) -> Tensor:
    x = functional.max_pool2d(functional.conv2d(x, w[0], w[1]), 2)
    x = functional.max_pool2d(functional.conv2d(x, w[2], w[3]), 2)
    x = functional.relu(functional.linear(x.flatten(1), w[4], w[5]))
    return functional.linear(x, w[6], w[7])


def _lenet_loss(x: Tensor, labels: Tensor, w: Weights) -> Tensor:
    return functional.cross_entropy(_lenet(x, w), labels)


def _siamese_layers() -> str:
    text = 'layer { name: "cut" type: "Slice" bottom: "data" top: "left" top: "right" }\n'
    for side, end in (("left", ""), ("right", "_p")):
        text += _lenet_layers(side, end, share=True) + _inner(f"feat{end}", f"ip2{end}", 2, "feat")
    return text + _layer("ContrastiveLoss", "loss", "feat feat_p label", "contrastive_loss_param {}")


def _siamese_loss(x: Tensor, labels: Tensor, w: Weights) -> Tensor:
    left, right = (functional.linear(_lenet(side, w), w[8], w[9]) for side in x.split(1, 1))
    distance = (left - right).square().sum(1)
    apart = (1 - distance.sqrt()).clamp_min(0).square()
    return torch.where(labels != 0, distance, apart).sum() / (2 * len(x))


# ------------------------------------------------------------------------------------------------- cifar10

_CIFAR = ((32, 3, 5, 5), (32, 32, 5, 5), (64, 32, 5, 5))


def _quick_layers() -> str:
    return (
        _convolution("conv1", "data", 32, 5, "pad: 2")
        + _pooling("pool1", "conv1", "MAX", 3)
        + _relu("pool1")
        + _convolution("conv2", "pool1", 32, 5, "pad: 2")
        + _relu("conv2")
        + _pooling("pool2", "conv2", "AVE", 3)
        + _convolution("conv3", "pool2", 64, 5, "pad: 2")
        + _relu("conv3")
        + _pooling("pool3", "conv3", "AVE", 3)
        + _inner("ip1", "pool3", 64)
        + _inner("ip2", "ip1", 10)
        + _classified("ip2")
    )


def _quick_loss(x: Tensor, labels: Tensor, w: Weights) -> Tensor:
    x = functional.max_pool2d(functional.conv2d(x, w[0], w[1], padding=2), 3, 2, ceil_mode=True)
    x = functional.relu(functional.conv2d(functional.relu(x), w[2], w[3], padding=2))
    x = functional.avg_pool2d(x, 3, 2, ceil_mode=True)
    x = functional.relu(functional.conv2d(x, w[4], w[5], padding=2))
    x = functional.avg_pool2d(x, 3, 2, ceil_mode=True)
    x = functional.linear(functional.linear(x.flatten(1), w[6], w[7]), w[8], w[9])
    return functional.cross_entropy(x, labels)


_WITHIN = "norm_region: WITHIN_CHANNEL local_size: 3 alpha: 0.00005"


def _full_layers() -> str:
    return (
        _convolution("conv1", "data", 32, 5, "pad: 2")
        + _pooling("pool1", "conv1", "MAX", 3)
        + _relu("pool1")
        + _normalized("norm1", "pool1", _WITHIN)
        + _convolution("conv2", "norm1", 32, 5, "pad: 2")
        + _relu("conv2")
        + _pooling("pool2", "conv2", "AVE", 3)
        + _normalized("norm2", "pool2", _WITHIN)
        + _convolution("conv3", "norm2", 64, 5, "pad: 2")
        + _relu("conv3")
        + _pooling("pool3", "conv3", "AVE", 3)
        + _inner("ip1", "pool3", 10)
        + _classified("ip1")
    )


def _within(x: Tensor) -> Tensor:
    return x * (1 + 0.00005 * functional.avg_pool2d(x.square(), 3, 1, 1)).pow(-0.75)


def _full_loss(x: Tensor, labels: Tensor, w: Weights) -> Tensor:
    x = functional.max_pool2d(functional.conv2d(x, w[0], w[1], padding=2), 3, 2, ceil_mode=True)
    x = functional.relu(functional.conv2d(_within(functional.relu(x)), w[2], w[3], padding=2))
    x = _within(functional.avg_pool2d(x, 3, 2, ceil_mode=True))
    x = functional.relu(functional.conv2d(x, w[4], w[5], padding=2))
    x = functional.avg_pool2d(x, 3, 2, ceil_mode=True)
    return functional.cross_entropy(functional.linear(x.flatten(1), w[6], w[7]), labels)


# --------------------------------------------------------------------------------------------- autoencoder

_SIZES = (784, 1000, 500, 250, 30, 250, 500, 1000, 784)


def _autoencoder_layers() -> str:
    text = _layer("Flatten", "flat", "data") + 'layer { name: "still" type: "Silence" bottom: "label" }\n'
    blob = "flat"
    for number, size in enumerate(_SIZES[1:], 1):
        text += _inner(f"ip{number}", blob, size)
        blob = f"ip{number}"
        if number not in (4, 8):
            text += _layer("Sigmoid", f"{blob}_on", blob)
            blob = f"{blob}_on"
    text += _layer("SigmoidCrossEntropyLoss", "entropy", f"{blob} flat", "loss_weight: 1")
    text += _layer("Sigmoid", "made", blob)
    return text + _layer("EuclideanLoss", "error", "made flat", "loss_weight: 0")


def _autoencoder_loss(x: Tensor, labels: Tensor, w: Weights) -> Tensor:
    wanted = x = x.flatten(1)
    for number in range(8):
        x = functional.linear(x, w[2 * number], w[2 * number + 1])
        if number not in (3, 7):
            x = torch.sigmoid(x)
    with torch.no_grad():
        functional.mse_loss(torch.sigmoid(x), wanted, reduction="sum") / (2 * len(x))
    return functional.binary_cross_entropy_with_logits(x, wanted, reduction="sum") / len(x)


# ------------------------------------------------------------------------------------------------ CaffeNet

_CAFFENET = (
    (96, 3, 11, 11), (256, 48, 5, 5), (384, 256, 3, 3), (384, 192, 3, 3), (256, 192, 3, 3),
    (4096, 9216), (4096, 4096), (1000, 4096),
)  # fmt: skip
_ACROSS = "local_size: 5 alpha: 0.0001"


def _caffenet_layers() -> str:
    text = _convolution("conv1", "data", 96, 11, "stride: 4") + _relu("conv1")
    text += _pooling("pool1", "conv1", "MAX", 3) + _normalized("norm1", "pool1", _ACROSS)
    text += _convolution("conv2", "norm1", 256, 5, "pad: 2 group: 2") + _relu("conv2")
    text += _pooling("pool2", "conv2", "MAX", 3) + _normalized("norm2", "pool2", _ACROSS)
    text += _convolution("conv3", "norm2", 384, 3, "pad: 1") + _relu("conv3")
    text += _convolution("conv4", "conv3", 384, 3, "pad: 1 group: 2") + _relu("conv4")
    text += _convolution("conv5", "conv4", 256, 3, "pad: 1 group: 2") + _relu("conv5")
    blob, text = "pool5", text + _pooling("pool5", "conv5", "MAX", 3)
    for name in ("fc6", "fc7"):
        text += _inner(name, blob, 4096) + _relu(name)
        text += _layer("Dropout", f"{name}_drop", name, top=name)
        blob = name
    return text + _inner("fc8", "fc7", 1000) + _classified("fc8")


def _caffenet_loss(x: Tensor, labels: Tensor, w: Weights) -> Tensor:
    x = functional.max_pool2d(functional.relu(functional.conv2d(x, w[0], w[1], 4)), 3, 2, ceil_mode=True)
    x = functional.local_response_norm(x, 5)
    x = functional.relu(functional.conv2d(x, w[2], w[3], padding=2, groups=2))
    x = functional.local_response_norm(functional.max_pool2d(x, 3, 2, ceil_mode=True), 5)
    for number, groups in ((2, 1), (3, 2), (4, 2)):
        bias = w[2 * number + 1]
        x = functional.relu(functional.conv2d(x, w[2 * number], bias, padding=1, groups=groups))
    x = functional.max_pool2d(x, 3, 2, ceil_mode=True).flatten(1)
    for number in (5, 6):
        x = functional.dropout(functional.relu(functional.linear(x, w[2 * number], w[2 * number + 1])))
    return functional.cross_entropy(functional.linear(x, w[14], w[15]), labels)


_INV = 'base_lr: 0.01 lr_policy: "inv" gamma: 0.0001 power: 0.75 momentum: 0.9 weight_decay: 0.0005'

CASES = (
    Case(
        "LeNet, batch 64",
        _lenet_layers() + _classified("ip2"),
        _INV,
        (1, 28, 28),
        64,
        40,
        _LENET,
        _lenet_loss,
    ),
    Case(
        "cifar10_quick, batch 100",
        _quick_layers(),
        f"base_lr: 0.001 {_STEADY} weight_decay: 0.004",
        (3, 32, 32),
        100,
        10,
        (*_CIFAR, (64, 1024), (10, 64)),
        _quick_loss,
    ),
    Case(
        "cifar10_full, batch 100",
        _full_layers(),
        f"base_lr: 0.001 {_STEADY} weight_decay: 0.004",
        (3, 32, 32),
        100,
        10,
        (*_CIFAR, (10, 1024)),
        _full_loss,
    ),
    Case(
        "siamese, batch 64",
        _siamese_layers(),
        _INV,
        (2, 28, 28),
        64,
        20,
        (*_LENET, (2, 10)),
        _siamese_loss,
    ),
    Case(
        "autoencoder, batch 100",
        _autoencoder_layers(),
        f"base_lr: 0.001 {_STEADY} weight_decay: 0.0005",
        (1, 28, 28),
        100,
        20,
        tuple((outputs, inputs) for inputs, outputs in pairwise(_SIZES)),
        _autoencoder_loss,
    ),
    Case(
        "CaffeNet, batch 16",
        _caffenet_layers(),
        f"base_lr: 0.0001 {_STEADY} weight_decay: 0.0005",
        (3, 256, 256),
        16,
        2,
        _CAFFENET,
        _caffenet_loss,
        crop=227,
    ),
)
