"""What people who fill in Caffe's text files need to know of each field, and which fields a form shows."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from barista_server.caffe.layer_types import LAYER_TYPES
from barista_server.caffe.prototxt import scalar_text

_TABLE = Path(__file__).with_name("fields.tsv")

SOLVER_GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Net", ("net", "train_net", "test_net", "weights")),
    ("Length", ("max_iter", "iter_size", "random_seed")),
    ("Learning rate", ("base_lr", "lr_policy", "gamma", "power", "stepsize", "stepvalue")),
    (
        "Optimisation",
        ("type", "momentum", "momentum2", "rms_decay", "delta", "clip_gradients", "solver_type"),
    ),
    ("Regularisation", ("weight_decay", "regularization_type")),
    ("Test", ("test_iter", "test_interval", "test_initialization", "test_compute_loss")),
    (
        "Snapshot",
        ("snapshot", "snapshot_prefix", "snapshot_format", "snapshot_after_train", "snapshot_diff"),
    ),
    ("Display", ("display", "average_loss", "debug_info")),
    ("Device", ("solver_mode", "device_id", "layer_wise_reduce")),
)
"""All fields of a solver that are no blocks."""

ONLY_TELLS = frozenset(
    name
    for title, names in SOLVER_GROUPS
    for name in (*names, "max_iter")
    if title in ("Test", "Snapshot", "Display", "Device") and name != "snapshot_prefix"
)
"""Fields of a solver that say how long it trains, where, and what is told and kept of it, not what is
learned; ``max_iter`` does so with the policy poly, which counts towards it.
"""

_OF_POLICY = {
    "gamma": ("step", "multistep", "exp", "inv", "sigmoid"),
    "power": ("inv", "poly"),
    "stepsize": ("step", "sigmoid"),
    "stepvalue": ("multistep",),
}
_OF_TYPE = {
    "momentum": ("SGD", "Nesterov", "AdaDelta", "Adam"),
    "momentum2": ("Adam",),
    "rms_decay": ("RMSProp",),
    "delta": ("AdaGrad", "RMSProp", "AdaDelta", "Adam"),
}
_OF_FILLER = {
    "value": ("constant",),
    "min": ("uniform",),
    "max": ("uniform",),
    "mean": ("gaussian",),
    "std": ("gaussian",),
    "sparse": ("gaussian",),
    "variance_norm": ("xavier", "msra"),
}

_IRREGULAR: dict[str, tuple[str, ...]] = {
    "Data": ("data_param", "transform_param"),
    "ImageData": ("image_data_param", "transform_param"),
    "WindowData": ("window_data_param", "transform_param"),
    "MemoryData": ("memory_data_param", "transform_param"),
    "Deconvolution": ("convolution_param",),
    "Im2col": ("convolution_param",),
    "LSTM": ("recurrent_param",),
    "RNN": ("recurrent_param",),
    "Accuracy": ("accuracy_param",),
    "SoftmaxWithLoss": ("loss_param", "softmax_param"),
    "EuclideanLoss": ("loss_param",),
    "HingeLoss": ("hinge_loss_param", "loss_param"),
    "InfogainLoss": ("infogain_loss_param", "loss_param"),
    "MultinomialLogisticLoss": ("loss_param",),
    "SigmoidCrossEntropyLoss": ("loss_param",),
}
_BLOBS: dict[str, tuple[str, ...]] = {
    "Convolution": ("weights", "bias"),
    "Deconvolution": ("weights", "bias"),
    "InnerProduct": ("weights", "bias"),
    "Embed": ("weights", "bias"),
    "Scale": ("factors", "bias"),
    "Bias": ("bias",),
    "PReLU": ("slopes",),
    "BatchNorm": ("mean", "variance", "moving average factor"),
    "LSTM": ("weights from the input", "bias", "weights from the state"),
    "RNN": ("weights from the input", "bias", "weights from the state"),
    "Parameter": ("parameter",),
}


class FieldDoc(NamedTuple):
    """unit, default: empty where there is none; choices: usual values of a text; rare: there is a newer or
    simpler way for it.
    """

    unit: str = ""
    default: str = ""
    choices: tuple[str, ...] = ()
    about: str = ""
    rare: bool = False


@cache
def field_docs() -> dict[str, FieldDoc]:
    """By message and field: ``SolverParameter.base_lr``."""
    docs = {}
    for line in _TABLE.read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            name, unit, default, choices, about = line.split("\t")
            usual = tuple(choices.split(",")) if choices else ()
            docs[name] = FieldDoc(unit, default, usual, about.removeprefix("~ "), about.startswith("~ "))
    return docs


def full_name(field: FieldDescriptor) -> str:
    """``ConvolutionParameter.stride``."""
    holder = field.containing_type
    return f"{holder.name if holder else ''}.{field.name}"


def default_of(field: FieldDescriptor) -> str:
    """What it is when left out, as it would be written; empty where nothing stands for it."""
    told = field_docs().get(full_name(field), FieldDoc()).default
    if told or not field.has_default_value or field.is_repeated:
        return told
    if field.type == FieldDescriptor.TYPE_STRING:
        return str(field.default_value)
    return scalar_text(field, field.default_value)


def choices_of(field: FieldDescriptor) -> tuple[str, ...]:
    """The values it can have, or usually has."""
    if field.enum_type is not None:
        return tuple(field.enum_type.values_by_name)
    if field.type == FieldDescriptor.TYPE_BOOL:
        return ("true", "false")
    if full_name(field) == "LayerParameter.type":
        return tuple(sorted(LAYER_TYPES, key=str.lower))
    return field_docs().get(full_name(field), FieldDoc()).choices


def solver_uses(name: str, policy: str, kind: str) -> bool:
    """Whether a solver of this learning rate policy and type looks at the field."""
    return policy in _OF_POLICY.get(name, (policy,)) and kind in _OF_TYPE.get(name, (kind,))


def filler_uses(name: str, kind: str) -> bool:
    """Whether a filler of this type looks at the field."""
    return name == "type" or kind in _OF_FILLER.get(name, ())


def blocks_of(layer_type: str, layer: Descriptor) -> Sequence[str]:
    """Blocks of settings that a layer of the type looks at."""
    if layer_type in _IRREGULAR:
        return [name for name in _IRREGULAR[layer_type] if name in layer.fields_by_name]
    plain = layer_type.lower()
    return [
        name
        for name in layer.fields_by_name
        if name.endswith("_param") and name.removesuffix("_param").replace("_", "") == plain
    ]


def blobs_of(layer_type: str) -> Sequence[str]:
    """What the parameters of a layer of the type are called, in order."""
    return _BLOBS.get(layer_type, ())
