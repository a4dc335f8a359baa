"""Old forms of nets brought up to date, as Caffe does when it loads them.

V0 (2013): layers { layer { type: "conv" ... } }; V1 (2014): layers { type: CONVOLUTION blobs_lr: 1 ... };
the current form: layer { type: "Convolution" param { lr_mult: 1 } ... }.
"""

from google.protobuf.message import Message

from barista_server.caffe.errors import NetError
from barista_server.caffe.schema import LayerParameter, NetParameter, V0LayerParameter, V1LayerParameter

_V0_TYPES = {
    "accuracy": "ACCURACY",
    "bnll": "BNLL",
    "concat": "CONCAT",
    "conv": "CONVOLUTION",
    "data": "DATA",
    "dropout": "DROPOUT",
    "euclidean_loss": "EUCLIDEAN_LOSS",
    "flatten": "FLATTEN",
    "hdf5_data": "HDF5_DATA",
    "hdf5_output": "HDF5_OUTPUT",
    "im2col": "IM2COL",
    "images": "IMAGE_DATA",
    "infogain_loss": "INFOGAIN_LOSS",
    "innerproduct": "INNER_PRODUCT",
    "lrn": "LRN",
    "multinomial_logistic_loss": "MULTINOMIAL_LOGISTIC_LOSS",
    "pool": "POOLING",
    "relu": "RELU",
    "sigmoid": "SIGMOID",
    "softmax": "SOFTMAX",
    "softmax_loss": "SOFTMAX_LOSS",
    "split": "SPLIT",
    "tanh": "TANH",
    "window_data": "WINDOW_DATA",
}

_CONV, _IP, _POOL, _LRN = "convolution_param", "inner_product_param", "pooling_param", "lrn_param"
_IMAGES, _WINDOWS = "image_data_param", "window_data_param"
_SOURCES = {
    "data": "data_param",
    "hdf5_data": "hdf5_data_param",
    "images": _IMAGES,
    "window_data": _WINDOWS,
}
# flat V0 field -> its new name, and the block it belongs in by V0 layer type ("" for any type)
_V0_FIELDS: dict[str, tuple[str, dict[str, str]]] = {
    "num_output": ("num_output", {"conv": _CONV, "innerproduct": _IP}),
    "biasterm": ("bias_term", {"conv": _CONV, "innerproduct": _IP}),
    "weight_filler": ("weight_filler", {"conv": _CONV, "innerproduct": _IP}),
    "bias_filler": ("bias_filler", {"conv": _CONV, "innerproduct": _IP}),
    "pad": ("pad", {"conv": _CONV, "pool": _POOL}),
    "kernelsize": ("kernel_size", {"conv": _CONV, "pool": _POOL}),
    "group": ("group", {"conv": _CONV}),
    "stride": ("stride", {"conv": _CONV, "pool": _POOL}),
    "pool": ("pool", {"pool": _POOL}),
    "dropout_ratio": ("dropout_ratio", {"dropout": "dropout_param"}),
    "local_size": ("local_size", {"lrn": _LRN}),
    "alpha": ("alpha", {"lrn": _LRN}),
    "beta": ("beta", {"lrn": _LRN}),
    "k": ("k", {"lrn": _LRN}),
    "source": ("source", {**_SOURCES, "infogain_loss": "infogain_loss_param"}),
    "scale": ("scale", {"": "transform_param"}),
    "meanfile": ("mean_file", {"": "transform_param"}),
    "batchsize": ("batch_size", _SOURCES),
    "cropsize": ("crop_size", {"": "transform_param"}),
    "mirror": ("mirror", {"": "transform_param"}),
    "rand_skip": ("rand_skip", {"data": "data_param", "images": _IMAGES}),
    "shuffle_images": ("shuffle", {"images": _IMAGES}),
    "new_height": ("new_height", {"images": _IMAGES}),
    "new_width": ("new_width", {"images": _IMAGES}),
    "concat_dim": ("concat_dim", {"concat": "concat_param"}),
    "det_fg_threshold": ("fg_threshold", {"window_data": _WINDOWS}),
    "det_bg_threshold": ("bg_threshold", {"window_data": _WINDOWS}),
    "det_fg_fraction": ("fg_fraction", {"window_data": _WINDOWS}),
    "det_context_pad": ("context_pad", {"window_data": _WINDOWS}),
    "det_crop_mode": ("crop_mode", {"window_data": _WINDOWS}),
}

# V1 types whose current name is not simply theirs in camel case
_V1_IRREGULAR = {
    "NONE": "",
    "ABSVAL": "AbsVal",
    "ARGMAX": "ArgMax",
    "BNLL": "BNLL",
    "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output",
    "LRN": "LRN",
    "MVN": "MVN",
    "RELU": "ReLU",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "TANH": "TanH",
}
_TRANSFORMED = {"DATA": "data_param", "IMAGE_DATA": _IMAGES, "WINDOW_DATA": _WINDOWS}
_TRANSFORM_FIELDS = ("scale", "mean_file", "crop_size", "mirror")


def upgrade_net(net: NetParameter, path: str = "") -> list[str]:
    """Bring old forms up to date in place; returns Caffe's log messages about it, which name the path.

    The transform fields of data_param (scale, mirror, ...) stay as they are in current layers: Caffe
    moves them for V0 and V1 layers only. Raises NetError for what Caffe refuses.
    """
    notes: list[str] = []
    if any(layer.HasField("layer") for layer in net.layers):
        notes += _upgrade_v0(net, path)
    if any(_old_transform(layer) for layer in net.layers):
        notes += _told("transformation parameters", "data transformation parameters", path)
        for layer in net.layers:
            _move_transform(layer)
        notes.append("Note that future Caffe releases will only support transform_param messages for "
                     "transformation fields.")  # fmt: skip
    if net.layers:
        notes += _told("V1LayerParameter", "V1LayerParameter", path)
        _upgrade_v1(net)
    if net.input:
        notes += _told("input fields", "input fields", path)
        notes[-1] += "."
        notes.append("Note that future Caffe releases will only support input layers and not input fields.")
        _upgrade_input(net)
    old_norms = [layer for layer in net.layer if layer.type == "BatchNorm" and len(layer.param) == 3]
    if old_norms:
        notes.append(f"Attempting to upgrade batch norm layers using deprecated params: {path}")
        notes.append("Successfully upgraded batch norm layers using deprecated params.")
    for norm in old_norms:
        for spec in norm.param:
            spec.lr_mult = spec.decay_mult = 0
    return notes


def _told(what: str, done: str, path: str) -> list[str]:
    full_stop = "." if what != done else ""
    return [
        f"Attempting to upgrade input file specified using deprecated {what}: {path}",
        f"Successfully upgraded file specified using deprecated {done}{full_stop}",
    ]


def _upgrade_v0(net: NetParameter, path: str) -> list[str]:
    """V0 layers become V1 layers; state, debug_info and input_shape go, as in Caffe."""
    notes = _told("V0LayerParameter", "V0LayerParameter", path)
    faults: list[str] = []
    layers = [_v0_layer(layer, faults) for layer in _without_padding(net)]
    kept = NetParameter(input=net.input, input_dim=net.input_dim, layers=layers, layer=net.layer)
    if net.HasField("name"):
        kept.name = net.name
    if net.HasField("force_backward"):
        kept.force_backward = net.force_backward
    net.CopyFrom(kept)
    if faults:
        notes[1:] = [
            *faults,
            "Warning: had one or more problems upgrading V0NetParameter to NetParameter (see above); "
            "continuing anyway.",
        ]
    notes.append(
        "Note that future Caffe releases will not support V0NetParameter; use "
        "./build/tools/upgrade_net_proto_text for prototxt and ./build/tools/upgrade_net_proto_binary "
        "for model weights upgrade this and any other net protos to the new format."
    )
    return notes


def _without_padding(net: NetParameter) -> list[V1LayerParameter]:
    """The layers less those of type padding, whose pad goes to the layers that read them."""
    sources: dict[str, V1LayerParameter | None] = dict.fromkeys(net.input)
    kept = []
    for original in net.layers:
        layer = V1LayerParameter()
        layer.CopyFrom(original)
        for position, blob in enumerate(original.bottom):
            if blob not in sources:
                raise NetError(f"Unknown blob input {blob} to layer {position}", original.layer.name)
            source = sources[blob]
            if source is not None and source.layer.type == "padding":
                _check_padding(original, source)
                layer.layer.pad = source.layer.pad
                layer.bottom[position] = source.bottom[0]
        sources.update(dict.fromkeys(original.top, original))
        if original.layer.type != "padding":
            kept.append(layer)
    return kept


def _check_padding(layer: V1LayerParameter, padding: V1LayerParameter) -> None:
    name, kind = layer.layer.name, layer.layer.type
    if kind not in ("conv", "pool"):
        message = f"Padding layer input to non-convolutional / non-pooling layer type {kind}"
        raise NetError(message, name)
    if len(layer.bottom) != 1:
        raise NetError("Conv Layer takes a single blob as input.", name)
    if len(padding.bottom) != 1:
        raise NetError("Padding Layer takes a single blob as input.", padding.layer.name)
    if len(padding.top) != 1:
        raise NetError("Padding Layer produces a single blob as output.", padding.layer.name)


def _v0_layer(connection: V1LayerParameter, faults: list[str]) -> V1LayerParameter:
    """The V1 layer of a V0 one; fields that do not belong to its type are told in faults and left out."""
    old: V0LayerParameter = connection.layer
    layer = V1LayerParameter(
        bottom=connection.bottom,
        top=connection.top,
        blobs=old.blobs,
        blobs_lr=old.blobs_lr,
        weight_decay=old.weight_decay,
    )
    if old.HasField("name"):
        layer.name = old.name
    if old.HasField("type"):
        if old.type not in _V0_TYPES:
            raise NetError(f"Unknown layer name: {old.type}", old.name)
        layer.type = V1LayerParameter.LayerType.Value(_V0_TYPES[old.type])
    for name, (new_name, blocks) in _V0_FIELDS.items():
        if not old.HasField(name):  # type: ignore[arg-type]
            continue
        block = blocks.get(old.type) or blocks.get("")
        if block is None:
            faults.append(f"Unknown parameter {'shuffle' if name == 'shuffle_images' else name} "
                          f"for layer type {old.type}")  # fmt: skip
        else:
            _put(getattr(layer, block), new_name, getattr(old, name))
    if old.HasField("hdf5_output_param"):
        if old.type == "hdf5_output":
            layer.hdf5_output_param.CopyFrom(old.hdf5_output_param)
        else:
            faults.append(f"Unknown parameter hdf5_output_param for layer type {old.type}")
    return layer


def _put(block: Message, name: str, value: object) -> None:
    """Set the field, whether it is a message, a list (one value then) or a plain one."""
    if isinstance(value, Message):
        getattr(block, name).CopyFrom(value)
    elif block.DESCRIPTOR.fields_by_name[name].is_repeated:
        getattr(block, name).append(value)
    else:
        setattr(block, name, value)


def _old_transform(layer: V1LayerParameter) -> bool:
    block = _TRANSFORMED.get(V1LayerParameter.LayerType.Name(layer.type))
    return block is not None and any(getattr(layer, block).HasField(name) for name in _TRANSFORM_FIELDS)


def _move_transform(layer: V1LayerParameter) -> None:
    name = _TRANSFORMED.get(V1LayerParameter.LayerType.Name(layer.type))
    if name is None:
        return
    block = getattr(layer, name)
    block.SetInParent()
    layer.transform_param.SetInParent()
    for field in _TRANSFORM_FIELDS:
        if block.HasField(field):
            setattr(layer.transform_param, field, getattr(block, field))
            block.ClearField(field)


def _upgrade_v1(net: NetParameter) -> None:
    if net.layer:
        raise NetError(
            "Refusing to upgrade inconsistent NetParameter input; the definition includes both 'layer' and "
            "'layers' fields. The current format defines 'layer' fields with string type like "
            "layer { type: 'Layer' ... } and not layers { type: LAYER ... }. "
            "Manually switch the definition to 'layer' format to continue.",
            layer=net.layers[0].name,
            hint="write every layer in one form",
        )
    net.layer.extend(_v1_layer(layer) for layer in net.layers)
    net.ClearField("layers")


def _v1_layer(old: V1LayerParameter) -> LayerParameter:
    layer = LayerParameter()
    while len(layer.param) < max(
        len(old.param), len(old.blob_share_mode), len(old.blobs_lr), len(old.weight_decay)
    ):
        layer.param.add()
    for field, value in old.ListFields():
        if field.name == "type":
            layer.type = v1_type(V1LayerParameter.LayerType.Name(value))
        elif field.name == "param":
            for spec, name in zip(layer.param, value, strict=False):
                spec.name = name
        elif field.name == "blob_share_mode":
            for spec, mode in zip(layer.param, value, strict=False):
                spec.share_mode = mode
        elif field.name == "blobs_lr":
            for spec, rate in zip(layer.param, value, strict=False):
                spec.lr_mult = rate
        elif field.name == "weight_decay":
            for spec, decay in zip(layer.param, value, strict=False):
                spec.decay_mult = decay
        elif field.is_repeated:
            getattr(layer, field.name).extend(value)
        elif field.message_type is not None:
            getattr(layer, field.name).CopyFrom(value)
        else:
            setattr(layer, field.name, value)
    return layer


def v1_type(name: str) -> str:
    """The current name of a V1 type: CONTRASTIVE_LOSS -> ContrastiveLoss."""
    if name in _V1_IRREGULAR:
        return _V1_IRREGULAR[name]
    return "".join(word.capitalize() for word in name.split("_"))


def _upgrade_input(net: NetParameter) -> None:
    """input with input_shape or input_dim becomes the first layer; a bare input (old weights) is dropped."""
    if net.input_shape or net.input_dim:
        layer = LayerParameter(name="input", type="Input", top=net.input)
        for index in range(len(net.input)):
            shape = layer.input_param.shape.add()
            if net.input_shape:
                if index >= len(net.input_shape):
                    raise NetError(
                        f"input '{net.input[index]}' has no input_shape", hint="one input_shape per input"
                    )
                shape.CopyFrom(net.input_shape[index])
            else:
                dims = net.input_dim[4 * index : 4 * index + 4]
                if len(dims) < 4:
                    raise NetError(
                        f"input '{net.input[index]}' has no input_dim", hint="four input_dim per input"
                    )
                shape.dim.extend(dims)
        net.layer.insert(0, layer)
    for field in ("input", "input_shape", "input_dim"):
        net.ClearField(field)
