"""How much memory Caffe takes for a net that is trained or tested: an estimate from its shapes alone.

Counted are the values and gradients of blobs as far as BVLC Caffe 1.0 touches them (storage that layers share
counted once), what layers keep for themselves, parameters, and what the solver keeps of each. Not counted are
the program with its libraries, cuDNN's workspaces, and what lasts for a moment within one layer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Literal

from barista_server.caffe.blobshape import Shape
from barista_server.caffe.layer_types import may_have_loss
from barista_server.caffe.schema import LayerParameter, LRNParameter, NetParameter, PoolingParameter
from barista_server.caffe.shapes import LayerShapes, NetShapes
from barista_server.caffe.source_rules import Stored, unknown

Device = Literal["cpu", "gpu"]

BYTES = 4  # of a float32 value

_PREFETCHED = ("Data", "ImageData", "WindowData")
_RENAMED = ("Split", "Flatten", "Reshape")  # their first top has the values of the bottom
_KEPT = {"SGD": 1, "Nesterov": 1, "AdaGrad": 1, "RMSProp": 1, "AdaDelta": 2, "Adam": 2}
_SCRATCH = {"Nesterov": 1, "AdaGrad": 1, "RMSProp": 1, "AdaDelta": 2, "Adam": 1}  # on a CPU only
_OWN_SCRATCH = ("AdaDelta", "Adam")  # have a second one at hand for the sign of L1


@dataclass(frozen=True, slots=True)
class LayerMemory:
    """Bytes that one layer adds: values and gradients of its tops, and what it keeps beside them."""

    values: int = 0
    gradients: int = 0
    workspace: int = 0

    @property
    def total(self) -> int:
        return self.values + self.gradients + self.workspace


def net_memory(
    net: NetParameter, shapes: NetShapes, train: bool = True, stored: Stored = unknown
) -> list[LayerMemory]:
    """Memory of each layer of shapes, which are those of the net; of unknown tops nothing is counted.

    train: whether it goes backward; stored: what data layers read, as for net_shapes.
    """
    walk = _Walk(net, shapes, train, stored)
    return [walk.layer(position) for position in range(len(shapes.layers))]


def solver_bytes(kind: str, param_bytes: int, l1: bool, device: Device) -> int:
    """What a solver of a type keeps of parameters of so many bytes, beside themselves and their gradients."""
    copies = _KEPT.get(kind, 1)
    if device == "cpu":
        copies += _SCRATCH.get(kind, 0)
    if l1 and not (device == "cpu" and kind in _OWN_SCRATCH):
        copies += 1
    return copies * param_bytes


def _size(*shapes: Shape | None) -> int:
    return BYTES * sum(prod(shape) for shape in shapes if shape is not None)


class _Walk:
    """Goes through the layers in order and remembers where the values and gradients of each blob lie."""

    def __init__(self, net: NetParameter, shapes: NetShapes, train: bool, stored: Stored) -> None:
        self._net = net
        self._layers = shapes.layers
        self._train = train
        self._stored = stored
        self._shapes: dict[str, Shape | None] = {}
        self._learning = _learning(net, shapes.layers) if train else [False] * len(shapes.layers)
        self._has_gradient: set[str] = set()

    def layer(self, position: int) -> LayerMemory:
        """Memory of the next layer."""
        built = self._layers[position]
        bottoms = [self._shapes.get(blob) for blob in built.bottoms]
        fresh = [top for blob, top in zip(built.names, built.tops, strict=True) if blob not in built.bottoms]
        alone = len(built.names) == len(built.bottoms) == 1
        renamed = bool(built.bottoms) and (
            built.type in _RENAMED or (alone and built.type in ("Concat", "Slice"))
        )
        values = 0 if renamed else _size(*fresh)
        # Flatten and Reshape have the gradient of their bottom too, if there is one
        own = not renamed or built.type == "Split" or built.bottoms[0] not in self._has_gradient
        gradients = _size(*fresh) if self._learning[position] and own else 0
        if self._learning[position]:
            self._has_gradient.update(built.names)
        self._shapes.update(zip(built.names, built.tops, strict=True))
        workspace = 0
        if built.index is not None and built.tops and None not in (*bottoms, *built.tops):
            known = [shape for shape in bottoms if shape is not None]
            layer = self._net.layer[built.index]
            if built.type in _PREFETCHED:
                values *= max(1, layer.data_param.prefetch)
            workspace = self._workspace(layer, built, known, self._learning[position])
        return LayerMemory(values, gradients, workspace)

    def _workspace(
        self, layer: LayerParameter, built: LayerShapes, bottoms: Sequence[Shape], learning: bool
    ) -> int:
        """What the layer keeps beside its tops."""
        if layer.type == "HDF5Data":
            return _size(*(self._stored(layer) or []))  # the whole of a file
        if not bottoms:
            return 0
        size, top = _size(bottoms[0]), built.tops[0] if built.tops else None
        in_place = built.names[:1] == built.bottoms[:1]
        match layer.type:
            case "Convolution" | "Deconvolution":
                return _columns(built, bottoms[0])
            case "Pooling":
                single = layer.pooling_param.pool != PoolingParameter.AVE and len(built.tops) == 1
                return _size(top) if single else 0
            case "LRN":
                within = layer.lrn_param.norm_region == LRNParameter.WITHIN_CHANNEL
                return (8 if learning else 3) * size if within else size
            case "Dropout":
                return size if self._train else 0
            case "BatchNorm":
                return (3 if learning and in_place else 2) * size
            case "Scale" | "PReLU":
                return size if in_place else 0
            case "SPP":
                inner = 2 * _size(top) + layer.spp_param.pyramid_height * size
                return inner if learning else _size(top)
            case "LSTM" | "RNN":
                return _unrolled(layer, bottoms, learning)
            case "MVN" | "SoftmaxWithLoss" | "InfogainLoss" | "SigmoidCrossEntropyLoss" | "EuclideanLoss":
                return size
            case "ContrastiveLoss":
                return 2 * size
            case "HingeLoss":
                return 0 if learning else size
            case _:
                return 0


def _columns(built: LayerShapes, bottom: Shape) -> int:
    """The unfolded input of one image (of a Deconvolution: its output), which a matrix product needs."""
    top = built.tops[0]
    if not built.params or top is None:
        return 0
    weight = built.params[0]
    kernel = weight[2:]
    spatial = bottom[-len(kernel) :] if kernel else ()
    folded = top[-len(kernel) :] if kernel else ()
    if built.type == "Deconvolution":
        spatial, folded = folded, spatial
    plain = all(size == 1 for size in kernel) and spatial == folded
    channels = top[-len(kernel) - 1] if built.type == "Deconvolution" else bottom[-len(kernel) - 1]
    return 0 if plain else _size((channels, *kernel, *folded))


def _unrolled(layer: LayerParameter, bottoms: Sequence[Shape], learning: bool) -> int:
    """Blobs of the net that a recurrent layer makes of itself: one step behind the other.

    What they share with the layer's own bottoms and tops is left out.
    """
    steps, streams = bottoms[0][:2]
    exposed = (2 if layer.type == "LSTM" else 1) if layer.recurrent_param.expose_hidden else 0
    state = streams * layer.recurrent_param.num_output
    gates = 4 * state if layer.type == "LSTM" else state
    values = 2 * steps * gates + steps * streams
    if layer.type == "LSTM":
        values += 2 * state + steps * (3 * state + 3 * gates)
        copies = 2 * steps * streams + 2 * (steps - 1) * state + state
    else:
        values += state + steps * 6 * state
        copies = 2 * (steps - 1) * state
    if len(bottoms) > 2 + exposed:
        values += gates
        copies += (steps + 1) * gates
    return BYTES * (2 * values + copies if learning else values)


def _learning(net: NetParameter, layers: Sequence[LayerShapes]) -> list[bool]:
    """Which layers go backward: those between a parameter that learns and a loss."""
    reached: set[str] = set()
    forward = []
    for built in layers:
        layer = net.layer[built.index] if built.index is not None else None
        learns = any(blob in reached for blob in built.bottoms)
        if layer is not None and built.type != "BatchNorm":
            specs = [*layer.param[: len(built.params)]]
            learns |= len(specs) < len(built.params) or any(spec.lr_mult for spec in specs)
        if learns:
            reached.update(built.names)
        forward.append(learns)
    useful: set[str] = set()
    result = []
    for built, learns in zip(reversed(layers), reversed(forward), strict=True):
        layer = net.layer[built.index] if built.index is not None else None
        loss = layer is not None and may_have_loss(layer)
        learns &= loss or any(name in useful for name in built.names)
        if learns:
            useful.update(built.bottoms)
        result.append(learns)
    return result[::-1]
