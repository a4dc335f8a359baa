"""Which fillers Caffe takes for which blobs."""

from collections.abc import Iterator, Sequence

from barista_server.caffe.blobshape import Shape, need, shape_text
from barista_server.caffe.prototxt import nearest
from barista_server.caffe.schema import FillerParameter, LayerParameter

FILLERS = ("constant", "uniform", "gaussian", "positive_unitball", "xavier", "msra", "bilinear")

_BY_ROWS = ("positive_unitball", "xavier", "msra")

_WEIGHTED = {
    "Convolution": "convolution_param",
    "Deconvolution": "convolution_param",
    "Embed": "embed_param",
    "InnerProduct": "inner_product_param",
}


def check_fillers(layer: LayerParameter, tops: Sequence[Shape | None], params: Sequence[Shape]) -> None:
    """Whether each filler that is used exists and fits its blob. Raises ShapeError."""
    for field, index, filler, shape in _used(layer, tops, params):
        known = filler.type in FILLERS
        hint = nearest(filler.type, list(FILLERS))
        need(known, f"Unknown filler name: {filler.type}", f"{field}.type", index, hint)
        sparse = filler.sparse == -1 or filler.type == "gaussian"
        need(sparse, "Sparsity not supported by this Filler.", f"{field}.sparse", index)
        ordered = filler.type != "uniform" or filler.min <= filler.max
        need(ordered, f"min {filler.min:g} is above max {filler.max:g}", f"{field}.min", index)
        if filler.type == "gaussian":
            need(filler.std > 0, f"sigma must be above 0, not {filler.std:g}", f"{field}.std", index)
        if filler.sparse >= 0 or filler.type in _BY_ROWS:
            need(bool(shape), f"{filler.type} fills blobs of at least one axis", f"{field}.type", index)
        few = filler.sparse <= 0 or filler.sparse <= shape[0]
        need(few, f"sparse {filler.sparse} is above the number of outputs", f"{field}.sparse", index)
        if filler.type == "bilinear":
            square = len(shape) == 4 and shape[2] == shape[3]
            message = f"bilinear fills blobs of 4 axes with a square filter, not {shape_text(shape)}"
            need(square, message, f"{field}.type", index)


def _used(
    layer: LayerParameter, tops: Sequence[Shape | None], params: Sequence[Shape]
) -> Iterator[tuple[str, int, FillerParameter, Shape]]:
    """(field, its position, filler, shape of the blob) of every filler that Caffe would apply."""
    if layer.type in _WEIGHTED:
        block = _WEIGHTED[layer.type]
        for name, shape in zip(("weight_filler", "bias_filler"), params, strict=False):
            yield f"{block}.{name}", 0, getattr(getattr(layer, block), name), shape
    elif layer.type in ("RNN", "LSTM"):
        for shape in params:
            name = "weight_filler" if len(shape) == 2 else "bias_filler"
            yield f"recurrent_param.{name}", 0, getattr(layer.recurrent_param, name), shape
    elif layer.type == "Scale":
        if len(layer.bottom) == 1:
            yield "scale_param.filler", 0, layer.scale_param.filler, params[0]
        if layer.scale_param.bias_term:
            yield "scale_param.bias_filler", 0, layer.scale_param.bias_filler, params[-1]
    elif layer.type == "Bias" and params:
        yield "bias_param.filler", 0, layer.bias_param.filler, params[0]
    elif layer.type == "PReLU":
        yield "prelu_param.filler", 0, layer.prelu_param.filler, params[0]
    elif layer.type == "DummyData":
        for index, filler in enumerate(layer.dummy_data_param.data_filler):
            yield "dummy_data_param.data_filler", index, filler, tops[index] or ()
