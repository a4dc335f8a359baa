"""The layer types of the engine, by Caffe's names. Importing this package registers them all."""

from barista_engine.layers import (
    activation,
    common,
    data,
    loss,
    normalization,
    python,
    recurrent,
    selection,
    shape,
    vision,
)
from barista_engine.layers.registry import (
    LAYERS,
    Built,
    Context,
    Forward,
    LayerType,
    Result,
    check_counts,
    layer,
    layer_type,
    shape_string,
)

__all__ = [
    "LAYERS",
    "Built",
    "Context",
    "Forward",
    "LayerType",
    "Result",
    "activation",
    "check_counts",
    "common",
    "data",
    "layer",
    "layer_type",
    "loss",
    "normalization",
    "python",
    "recurrent",
    "selection",
    "shape",
    "shape_string",
    "vision",
]
