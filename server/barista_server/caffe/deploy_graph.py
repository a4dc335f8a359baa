"""Which layers of a net lead to what it predicts: the way from data to losses, without the losses. Pure."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from barista_server.caffe.errors import NetError
from barista_server.caffe.layer_types import LAYER_TYPES, Computed
from barista_server.caffe.schema import LayerParameter

Top = tuple[int, int]
"""Number of a layer, position of its top: one version of a blob that layers in place write again."""

_LEARNS = ("BatchNorm", "Convolution", "Deconvolution", "Embed", "InnerProduct", "LSTM", "PReLU", "Parameter")
_LEARNS_ALONE = ("Bias", "Scale")
"""With one bottom; with two the second is what they use."""
_DATA_AND_LABEL = ("Data", "ImageData", "MemoryData", "WindowData")
_WATCHERS = ("Accuracy", "HDF5Output", "Silence")
_ACTIVATIONS = {"SoftmaxWithLoss": "Softmax", "InfogainLoss": "Softmax", "SigmoidCrossEntropyLoss": "Sigmoid"}
_LABEL_BOTTOM = {"ContrastiveLoss": 2}


def is_source(layer: LayerParameter) -> bool:
    """It brings data in."""
    return not layer.bottom and layer.type != "Parameter"


def is_loss(layer: LayerParameter) -> bool:
    """It adds to what is minimised, or may do so in a fork."""
    kind = LAYER_TYPES.get(layer.type)
    if kind is None:
        return any(layer.loss_weight) or layer.type.endswith("Loss")
    return (isinstance(kind, Computed) and kind.auto) or any(layer.loss_weight)


def is_end(layer: LayerParameter) -> bool:
    """Nothing but training and testing needs it."""
    return bool(layer.bottom) and (is_loss(layer) or layer.type in _WATCHERS)


def learns(layer: LayerParameter) -> bool:
    """It has parameters; types that Caffe does not know may have some."""
    if layer.type in _LEARNS_ALONE:
        return len(layer.bottom) == 1
    return (
        layer.type in _LEARNS or layer.type == "RNN" or (layer.type not in LAYER_TYPES and bool(layer.bottom))
    )


def weight_of(layer: LayerParameter) -> float:
    """What a loss counts."""
    return max(layer.loss_weight, default=1.0)


class Graph:
    """Layers in order, and which top each of their bottoms reads. Raises NetError for an unknown bottom."""

    def __init__(self, layers: Sequence[LayerParameter]) -> None:
        self.layers = layers
        self.reads: list[list[Top]] = []
        self.readers: dict[Top, list[int]] = {}
        self.latest: dict[str, Top] = {}
        for number, layer in enumerate(layers):
            for blob in layer.bottom:
                if blob not in self.latest:
                    raise NetError(f"Unknown bottom blob '{blob}' (layer '{layer.name}')", layer=layer.name)
            self.reads.append([self.latest[blob] for blob in layer.bottom])
            for top in self.reads[-1]:
                self.readers.setdefault(top, []).append(number)
            self.latest.update((blob, (number, position)) for position, blob in enumerate(layer.top))
        self._labels = self._find_labels()

    def name(self, top: Top) -> str:
        """Of the blob."""
        return self.layers[top[0]].top[top[1]]

    def above(self, tops: Iterable[Top]) -> set[int]:
        """Numbers of the layers that are needed for these tops."""
        found: set[int] = set()
        todo = [top[0] for top in tops]
        while todo:
            number = todo.pop()
            if number not in found:
                found.add(number)
                todo += [top[0] for top in self.reads[number]]
        return found

    def below(self, numbers: Collection[int]) -> set[int]:
        """Numbers of all layers that read, also by way of others, what these make."""
        found: set[int] = set()
        for number, reads in enumerate(self.reads):
            if any(top[0] in numbers or top[0] in found for top in reads):
                found.add(number)
        return found

    def trained(self, top: Top) -> bool:
        """Something learned has a part in it."""
        return any(learns(self.layers[number]) for number in self.above([top]))

    def labelled(self, top: Top) -> bool:
        """It cannot be had without a label."""
        if top in self._labels:
            return True
        return any(read in self._labels for number in self.above([top]) for read in self.reads[number])

    def predictions(self, top: Top) -> list[Top]:
        """What the net itself has to say in a blob that a loss reads: the blob, or what it was made of with a
        label.
        """
        if not self.labelled(top):
            return [top] if self.trained(top) else []
        return [one for read in self.reads[top[0]] for one in self.predictions(read)]

    def _find_labels(self) -> set[Top]:
        found: set[Top] = set()
        for number, layer in enumerate(self.layers):
            if is_source(layer) and layer.type in _DATA_AND_LABEL and len(layer.top) > 1:
                found.add((number, 1))
        for number, layer in enumerate(self.layers):
            if is_end(layer):
                found.update(self._label_of(number))
        return found

    def _label_of(self, number: int) -> list[Top]:
        """The source's top that a loss or accuracy compares with, as far as its type tells."""
        layer, reads = self.layers[number], self.reads[number]
        if layer.type in ("HDF5Output", "Silence", "EuclideanLoss"):
            # Of a pair that is compared any may be the target: by name.
            return [top for top in reads if is_source(self.layers[top[0]]) and "label" in self.name(top)]
        place = _LABEL_BOTTOM.get(layer.type, 1)
        return [top for top in reads[place:] if is_source(self.layers[top[0]])]

    def label_of(self, number: int) -> Top | None:
        """What an end compares with, where that comes straight from the data."""
        return next(iter(self._label_of(number)), None)


@dataclass(frozen=True)
class Head:
    """Something a net has to say. ``activation``: Softmax or Sigmoid that its loss applies by itself, then
    ``loss`` is that layer's number; empty: the top is it.
    """

    top: Top
    activation: str = ""
    loss: int = -1


@dataclass(frozen=True)
class Heads:
    """``helpers``: losses that only help training, by number. ``twins``: tops that are not computed because
    the same weights make another one.
    """

    heads: list[Head]
    helpers: list[int]
    twins: list[tuple[Top, Top]]


def find_heads(graph: Graph, helpers_too: bool = False) -> Heads:
    """What is left of a net without labels."""
    ends = [number for number, layer in enumerate(graph.layers) if is_end(layer)]
    losses = [number for number in ends if is_loss(graph.layers[number])]
    helpers = [] if helpers_too else _helpers(graph, losses)
    twins: list[tuple[Top, Top]] = []
    heads: list[Head] = []
    for number in losses:
        if number not in helpers:
            heads += _of_loss(graph, number, ends, twins)
    spared = [head.top for number in helpers for head in _of_loss(graph, number, ends, [])]
    for number in ends:
        if graph.layers[number].type == "Accuracy":
            tops = graph.predictions(graph.reads[number][0])
            heads += [Head(top) for top in tops if top not in spared]
    heads += [Head(top) for top in _loose(graph, ends, spared, [head.top for head in heads])]
    if not heads:
        # All that it computes is written to a file, or swallowed.
        heads = [
            Head(top) for number in ends for read in graph.reads[number] for top in graph.predictions(read)
        ]
    return Heads(_last(graph, heads), helpers, twins)


def _last(graph: Graph, heads: Sequence[Head]) -> list[Head]:
    """Each once, without those that another one goes on from, and without data itself."""
    once = dict.fromkeys(head for head in heads if not is_source(graph.layers[head.top[0]]))
    first = {(head.top, head.activation): head for head in reversed(once)}
    inner = {head.top for head in once if head.activation}
    for head in once:
        inner.update((number, position) for number in graph.above([head.top]) - {head.top[0]}
                     for position in range(len(graph.layers[number].top)))  # fmt: skip
    return [head for head in once if first[head.top, head.activation] == head
            and (head.activation or head.top not in inner)]  # fmt: skip


def _helpers(graph: Graph, losses: Sequence[int]) -> list[int]:
    """Losses that count less than another one of their kind on the same labels: they help training."""
    groups: dict[tuple[str, Top], list[int]] = {}
    for number in losses:
        if (label := graph.label_of(number)) is not None:
            groups.setdefault((graph.layers[number].type, label), []).append(number)
    found = []
    for group in groups.values():
        most = max(weight_of(graph.layers[number]) for number in group)
        found += [number for number in group if weight_of(graph.layers[number]) < most]
    return sorted(found)


def _of_loss(graph: Graph, number: int, ends: Sequence[int], twins: list[tuple[Top, Top]]) -> list[Head]:
    layer, reads = graph.layers[number], graph.reads[number]
    activation = _ACTIVATIONS.get(layer.type, "")
    tops = list(dict.fromkeys(one for read in reads for one in graph.predictions(read)))
    if not activation:
        return [Head(top) for top in _without_twins(graph, tops or reads[:1], twins)]
    first = graph.predictions(reads[0]) or reads[:1]
    if first != reads[:1]:
        return [Head(top) for top in first]
    for reader in graph.readers.get(first[0], []):
        other = graph.layers[reader]
        if reader not in ends and other.type == activation and _axis(other) == _axis(layer):
            return [Head((reader, 0))]
    return [Head(first[0], activation, number)]


def _axis(layer: LayerParameter) -> int:
    return layer.infogain_loss_param.axis if layer.type == "InfogainLoss" else layer.softmax_param.axis


def _without_twins(graph: Graph, tops: Sequence[Top], twins: list[tuple[Top, Top]]) -> list[Top]:
    """One of those that the same weights compute in the same way, as the branches of a siamese net."""
    if len(tops) < 2:
        return list(tops)
    marks = _marks(graph, tops)
    first = {marks[top]: top for top in reversed(tops)}
    twins.extend((top, first[marks[top]]) for top in tops if first[marks[top]] != top)
    return [top for top in tops if first[marks[top]] == top]


def _marks(graph: Graph, tops: Iterable[Top]) -> dict[Top, int]:
    """A number for each blob above: the same for those that are made in the same way by the same weights."""
    numbers: dict[object, int] = {}
    marks: dict[Top, int] = {}
    for number in sorted(graph.above(tops)):
        layer = graph.layers[number]
        names = tuple(spec.name for spec in layer.param)
        for position in range(len(layer.top)):
            mark: object
            if is_source(layer):
                mark = "source"
            elif learns(layer) and (not names or not all(names)):
                mark = (number, position)
            else:
                # Which part of a slice it is makes no difference to what is done to it.
                place = 0 if layer.type == "Slice" else position
                mark = (_settings(layer), names, place, tuple(marks[read] for read in graph.reads[number]))
            marks[number, position] = numbers.setdefault(mark, len(numbers))
    return marks


def _settings(layer: LayerParameter) -> bytes:
    """All but its names."""
    bare = LayerParameter()
    bare.CopyFrom(layer)
    for name in ("name", "bottom", "top", "param", "include", "exclude"):
        bare.ClearField(name)
    return bare.SerializeToString(deterministic=True)


def _loose(graph: Graph, ends: Sequence[int], spared: Sequence[Top], heads: Sequence[Top]) -> Iterator[Top]:
    """Outputs that no loss is behind."""
    dropped = set(ends) | graph.below(ends) | graph.below([top[0] for top in spared])
    needed = graph.above(heads)
    for number, layer in enumerate(graph.layers):
        if number in dropped or number in needed or is_source(layer):
            continue
        for top in ((number, position) for position in range(len(layer.top))):
            if top not in graph.readers and not graph.labelled(top) and (graph.trained(top) or not heads):
                yield top
