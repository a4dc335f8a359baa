"""Every layer type of Caffe 1.0: how its shapes come about and how many blobs it takes and makes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from barista_server.caffe import loss_rules as losses
from barista_server.caffe import shape_rules as rules
from barista_server.caffe import source_rules as sources
from barista_server.caffe import window_rules as windows
from barista_server.caffe.blobshape import Shape, need
from barista_server.caffe.schema import LayerParameter, PoolingParameter
from barista_server.caffe.source_rules import Stored

_Result = tuple[list[Shape], list[Shape]]
_ANY = 1_000_000


@dataclass(frozen=True, slots=True)
class Computed:
    """A layer whose shapes follow from its bottoms.

    shapes: (layer, bottom shapes) -> (top shapes, parameter shapes), raising ShapeError; bottoms, tops: least
    and greatest number; auto: the top may be left out, Caffe makes one; as_many: a top for each bottom.
    """

    shapes: Callable[[LayerParameter, Sequence[Shape]], _Result]
    bottoms: tuple[int, int] = (1, 1)
    tops: tuple[int, int] = (1, 1)
    auto: bool = False
    as_many: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """A layer without bottoms; shapes gives those of its tops, None if unknown, or raises ShapeError."""

    shapes: Callable[[LayerParameter, Stored], list[Shape] | None]
    tops: tuple[int, int]


_SAME = Computed(rules.same)
_PAIR, _MANY = (2, 2), (1, _ANY)


def _loss(shapes: Callable[[LayerParameter, Sequence[Shape]], _Result], most_tops: int = 1) -> Computed:
    return Computed(shapes, _PAIR, (1, most_tops), auto=True)


LAYER_TYPES: dict[str, Computed | Source] = {
    "AbsVal": Computed(rules.same_elsewhere),
    "Accuracy": Computed(losses.accuracy, _PAIR, (1, 2)),
    "ArgMax": Computed(rules.argmax),
    "BNLL": _SAME,
    "BatchNorm": Computed(rules.batch_norm),
    "BatchReindex": Computed(rules.batch_reindex, _PAIR),
    "Bias": Computed(rules.bias, (1, 2)),
    "Clip": _SAME,
    "Concat": Computed(rules.concat, _MANY),
    "ContrastiveLoss": Computed(losses.contrastive_loss, (3, 3), auto=True),
    "Convolution": Computed(windows.convolution, _MANY, _MANY, as_many=True),
    "Crop": Computed(rules.crop, _PAIR),
    "Data": Source(sources.database, (1, 2)),
    "Deconvolution": Computed(windows.deconvolution, _MANY, _MANY, as_many=True),
    "Dropout": _SAME,
    "DummyData": Source(sources.dummy, _MANY),
    "ELU": _SAME,
    "Eltwise": Computed(rules.eltwise, (2, _ANY)),
    "Embed": Computed(rules.embed),
    "EuclideanLoss": _loss(losses.euclidean_loss),
    "Exp": Computed(rules.exponential),
    "Filter": Computed(rules.filters, (2, _ANY), _MANY),
    "Flatten": Computed(rules.flatten),
    "HDF5Data": Source(sources.hdf5, _MANY),
    "HDF5Output": Computed(rules.nothing, _PAIR, (0, 0)),
    "HingeLoss": _loss(losses.loss),
    "Im2col": Computed(windows.im2col),
    "ImageData": Source(sources.images, _PAIR),
    "InfogainLoss": Computed(losses.infogain_loss, (2, 3), (1, 2), auto=True),
    "InnerProduct": Computed(rules.inner_product),
    "Input": Source(sources.given, _MANY),
    "LRN": Computed(rules.lrn),
    "LSTM": Computed(rules.lstm, (2, 5), (1, 3)),
    "LSTMUnit": Computed(rules.lstm_unit, (3, 3), _PAIR),
    "Log": Computed(rules.logarithm),
    "MVN": Computed(rules.mvn),
    "MemoryData": Source(sources.memory, _PAIR),
    "MultinomialLogisticLoss": _loss(losses.multinomial_loss),
    "PReLU": Computed(rules.prelu),
    "Parameter": Source(sources.parameter, (1, 1)),
    "Pooling": Computed(windows.pooling, tops=(1, 2)),
    "Power": _SAME,
    "RNN": Computed(rules.rnn, (2, 4), (1, 2)),
    "ReLU": _SAME,
    "Reduction": Computed(rules.reduction),
    "Reshape": Computed(rules.reshape),
    "SPP": Computed(windows.spatial_pyramid),
    "Scale": Computed(rules.scale, (1, 2)),
    "Sigmoid": _SAME,
    "SigmoidCrossEntropyLoss": _loss(losses.sigmoid_loss),
    "Silence": Computed(rules.nothing, _MANY, (0, 0)),
    "Slice": Computed(rules.slices, tops=_MANY),
    "Softmax": Computed(rules.softmax),
    "SoftmaxWithLoss": _loss(losses.softmax_loss, 2),
    "Split": Computed(rules.same_elsewhere, tops=_MANY),
    "Swish": _SAME,
    "TanH": _SAME,
    "Threshold": _SAME,
    "Tile": Computed(rules.tile),
    "WindowData": Source(sources.windows, _PAIR),
}


def check_counts(layer: LayerParameter, kind: Computed | Source) -> None:
    """Whether the layer has as many bottoms and tops as its type asks for. Raises ShapeError."""
    bottoms = kind.bottoms if isinstance(kind, Computed) else (0, 0)
    tops = kind.tops
    if layer.type == "Pooling" and layer.pooling_param.pool != PoolingParameter.MAX:
        tops = (1, 1)
    _check_count(layer.type, "takes", len(layer.bottom), bottoms, "bottom blob(s) as input.", "bottom")
    left_out = isinstance(kind, Computed) and kind.auto and not layer.top
    if not left_out:
        _check_count(layer.type, "produces", len(layer.top), tops, "top blob(s) as output.", "top")
    if isinstance(kind, Computed) and kind.as_many:
        message = f"{layer.type} Layer produces one top blob as output for each bottom blob input."
        need(len(layer.top) == len(layer.bottom), message, "top")


def _check_count(kind: str, verb: str, count: int, limits: tuple[int, int], what: str, field: str) -> None:
    least, most = limits
    amount = f"{least}" if least == most else f"at least {least}" if count < least else f"at most {most}"
    need(least <= count <= most, f"{kind} Layer {verb} {amount} {what} (it has {count})", field)


def may_have_loss(layer: LayerParameter) -> bool:
    """Whether the layer adds to the loss; types that Caffe does not know may do so."""
    if layer.loss_weight:
        return any(layer.loss_weight)
    kind = LAYER_TYPES.get(layer.type)
    return (kind is None and layer.type != "Python") or (isinstance(kind, Computed) and kind.auto)
