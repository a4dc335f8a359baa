"""What Caffe finds wrong with a layer's settings when it fills its blobs or first runs it."""

from collections.abc import Iterator, Sequence

from barista_server.caffe.blobshape import Shape, shape_text
from barista_server.caffe.faults import Fault
from barista_server.caffe.prototxt import nearest
from barista_server.caffe.schema import TRAIN, FillerParameter, LayerParameter, Phase

_FILLERS = ("constant", "gaussian", "positive_unitball", "uniform", "xavier", "msra", "bilinear")
_WEIGHT_AND_BIAS = {
    "Convolution": "convolution_param",
    "Deconvolution": "convolution_param",
    "InnerProduct": "inner_product_param",
    "Embed": "embed_param",
    "LSTM": "recurrent_param",
    "RNN": "recurrent_param",
}
_ONE_FILLER = {"Scale": "scale_param", "Bias": "bias_param", "PReLU": "prelu_param"}


def layer_faults(layer: LayerParameter, params: Sequence[Shape], phase: Phase.ValueType) -> Iterator[Fault]:
    """Faults of a layer of a net in this phase; params: shapes of its parameters, none if not known."""
    for field, position, filler, shape in _fillers(layer, params):
        yield from _filler_faults(field, position, filler, shape)
    if layer.type == "Dropout" and phase == TRAIN:
        ratio = layer.dropout_param.dropout_ratio
        if not 0 <= ratio < 1:
            message = f"dropout_ratio is {ratio:g}: " + (
                "all is dropped" if ratio == 1 else "not within 0 .. 1"
            )
            severity: Fault = Fault("dropout_param.dropout_ratio", message, "a ratio below 1")
            yield severity._replace(severity="warning") if ratio == 1 else severity


def _fillers(
    layer: LayerParameter, params: Sequence[Shape]
) -> Iterator[tuple[str, int, FillerParameter, Shape | None]]:
    """(field, index of its value, filler, shape of what it fills) of each filler that the layer uses."""
    if layer.type == "DummyData":
        for position, filler in enumerate(layer.dummy_data_param.data_filler):
            yield "dummy_data_param.data_filler", position, filler, None
        return
    if block := _WEIGHT_AND_BIAS.get(layer.type):
        param = getattr(layer, block)
        names = ["weight_filler"]
        if getattr(param, "bias_term", True):
            names.append("bias_filler")
    elif block := _ONE_FILLER.get(layer.type):
        param = getattr(layer, block)
        names = ["filler"] if len(layer.bottom) == 1 else []
        if getattr(param, "bias_term", False):
            names.append("bias_filler")
    else:
        return
    for position, name in enumerate(names):
        known = position < len(params) and block != "recurrent_param"
        yield f"{block}.{name}", 0, getattr(param, name), params[position] if known else None


def _filler_faults(
    field: str, position: int, filler: FillerParameter, shape: Shape | None
) -> Iterator[Fault]:
    def fault(setting: str, message: str, hint: str) -> Fault:
        return Fault(f"{field}.{setting}", message, hint, position=position)

    if filler.type not in _FILLERS:
        hint = nearest(filler.type, list(_FILLERS)) or "one of " + ", ".join(_FILLERS)
        yield fault("type", f"Unknown filler name: {filler.type}", hint)
    elif filler.sparse != -1 and filler.type != "gaussian":
        yield fault("sparse", f"a {filler.type} filler cannot be sparse", "only a gaussian one can")
    elif filler.type == "uniform" and filler.min > filler.max:
        yield fault("min", f"min ({filler.min:g}) is greater than max ({filler.max:g})", "swap them")
    elif filler.type == "gaussian" and filler.std <= 0:
        yield fault("std", f"std must be positive, not {filler.std:g}", "std: 0.01")
    elif filler.type == "bilinear" and shape is not None and (len(shape) != 4 or shape[2] != shape[3]):
        message = f"a bilinear filler fills square kernels, not a blob of shape {shape_text(shape)}"
        yield fault("type", message, "xavier or msra for other weights")
