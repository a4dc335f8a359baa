"""A layer of a type as it is put into a net: its name, its blobs, settings to begin with."""

from collections.abc import Collection, Sequence

from google.protobuf import text_format

from barista_server.caffe.layer_types import LAYER_TYPES, Computed, Source
from barista_server.caffe.prototxt import to_text
from barista_server.caffe.schema import LayerParameter

_COMPUTED = {name: kind for name, kind in LAYER_TYPES.items() if isinstance(kind, Computed)}
ENDS = {name for name, kind in _COMPUTED.items() if kind.auto or kind.tops[1] == 0} | {"Accuracy"}
"""Losses and others that nothing goes on from."""
_IN_PLACE = {"ReLU", "PReLU", "ELU", "Dropout", "Sigmoid", "TanH", "BatchNorm", "Scale", "Bias"}
"""Types that people write in place of what they read."""
_FORGET = _IN_PLACE - {"PReLU", "ELU", "Sigmoid", "TanH"} | {
    *("Convolution", "Deconvolution", "InnerProduct", "Embed", "Eltwise", "Concat", "Pooling")
}
"""Types whose gradient does not need what they made, so that it may be written over."""
_NAMES = {
    "Convolution": "conv",
    "Deconvolution": "deconv",
    "InnerProduct": "ip",
    "Pooling": "pool",
    "Dropout": "drop",
    "BatchNorm": "bn",
    "LRN": "norm",
    "Softmax": "prob",
}
_BEGIN = {
    "Accuracy": "include { phase: TEST }",
    "Clip": "clip_param { min: 0 max: 1 }",
    "Convolution": "convolution_param { num_output: 32 kernel_size: 3 pad: 1 }",
    "Data": "data_param { batch_size: 64 backend: LMDB }",
    "Deconvolution": "convolution_param { num_output: 32 kernel_size: 4 stride: 2 pad: 1 }",
    "Dropout": "dropout_param { dropout_ratio: 0.5 }",
    "DummyData": "dummy_data_param { shape { dim: 64 dim: 1 dim: 28 dim: 28 } }",
    "Embed": "embed_param { num_output: 32 input_dim: 1000 }",
    "HDF5Data": "hdf5_data_param { batch_size: 64 }",
    "ImageData": "image_data_param { batch_size: 64 }",
    "InnerProduct": "inner_product_param { num_output: 10 }",
    "Input": "input_param { shape { dim: 1 dim: 1 dim: 28 dim: 28 } }",
    "LRN": "lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 }",
    "LSTM": "recurrent_param { num_output: 32 }",
    "Pooling": "pooling_param { pool: MAX kernel_size: 2 stride: 2 }",
    "RNN": "recurrent_param { num_output: 32 }",
    "Reshape": "reshape_param { shape { dim: 0 dim: -1 } }",
    "Scale": "scale_param { bias_term: true }",
}
"""Settings that a type cannot do without, or that Caffe's own value is a poor start for: weights of zero."""


def phase_of(layer: LayerParameter) -> int | None:
    """The one phase that the layer is for, if there is one."""
    rules = [rule for rule in layer.include if rule.HasField("phase")]
    return rules[0].phase if len(rules) == len(layer.include) == 1 else None


def name_of(kind: str, taken: Collection[str]) -> str:
    """A name that nothing has: ``conv3``; of losses and data without a number, if they are the first."""
    stem = _NAMES.get(kind, "loss" if kind.endswith("Loss") else kind.lower())
    bare = [stem] if kind in ENDS or isinstance(LAYER_TYPES.get(kind), Source) else []
    return next(one for one in (*bare, *(f"{stem}{n}" for n in range(1, 9999))) if one not in taken)


def made(
    layers: Sequence[LayerParameter], behind: int, kind: str, name: str, inputs: Sequence[str]
) -> tuple[LayerParameter, bool]:
    """The layer, and whether those that follow shall read its top in place of its bottom."""
    layer = LayerParameter(name=name, type=kind)
    about = LAYER_TYPES.get(kind, Computed(lambda layer, shapes: ([], [])))
    text_format.Parse(_BEGIN.get(kind, ""), layer)
    for _, block in layer.ListFields():
        if hasattr(block, "weight_filler"):
            block.weight_filler.type = "xavier"
    if isinstance(about, Source):
        made_already = {top for one in layers for top in one.top}
        pair = (
            ["data", "label"]
            if about.tops[1] == 2 and "data" not in made_already
            else [name, f"{name}_label"]
        )
        layer.top[:] = pair if about.tops[1] == 2 else [name]
        return layer, False
    blob = _blob(layers, behind, inputs)
    layer.bottom[:] = [blob] if blob else []
    if about.bottoms == (2, 2) and kind in ENDS and (label := _label(layers[: behind + 1], blob)):
        layer.bottom.append(label)
    writer = next((one for one in reversed(layers[: behind + 1]) if blob in one.top), None)
    if blob and kind in _IN_PLACE and writer is not None and writer.type in _FORGET:
        layer.top.append(blob)
    else:
        layer.top[:] = [name, *(f"{name}_{at}" for at in range(2, about.tops[0] + 1))][: about.tops[0]]
    between = bool(blob) and kind not in ENDS and len(layer.top) == 1 and layer.top[0] != blob
    return layer, between


def _blob(layers: Sequence[LayerParameter], behind: int, inputs: Sequence[str]) -> str:
    """What is read by a layer that is put there; empty: nothing is made before it."""
    if behind < 0:
        return inputs[0] if inputs else ""
    before = layers[behind]
    if before.type in ENDS and before.bottom:
        return before.bottom[0]
    blobs = [*before.top, *before.bottom]
    return blobs[0] if blobs else ""


def _label(layers: Sequence[LayerParameter], blob: str) -> str:
    """What a loss compares with: the blob of that name, or the second of a data layer; empty: none."""
    tops = [top for layer in layers for top in layer.top if top != blob]
    second = [layer.top[1] for layer in layers if not layer.bottom and len(layer.top) > 1]
    return next((top for top in tops if top == "label"), second[0] if second else "")


def written(layer: LayerParameter) -> str:
    """Its block, as Caffe would write it."""
    inner = "".join(f"  {line}\n" for line in to_text(layer).splitlines())
    return f"layer {{\n{inner}}}"
