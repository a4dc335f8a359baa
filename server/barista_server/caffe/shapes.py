"""What a net will look like once built: shapes of tops and parameters, memory, and why it cannot be built.

Nothing is run or read: what data layers hold is asked of a function given by the caller.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Literal

from barista_server.caffe.blobshape import Shape, ShapeError, check_blob, need, shape_text
from barista_server.caffe.filler_rules import check_fillers
from barista_server.caffe.forks import forks_with_layer, type_meant
from barista_server.caffe.layer_types import LAYER_TYPES, Computed, Source, check_counts
from barista_server.caffe.net import filter_net, insert_splits, layer_is_in
from barista_server.caffe.prototxt import nearest
from barista_server.caffe.schema import LayerParameter, NetParameter, NetState, ParamSpec, Phase
from barista_server.caffe.source_rules import Stored, unknown

__all__ = ["LayerShapes", "NetShapes", "Shape", "ShapeProblem", "net_shapes", "shape_text"]

_BYTES = 4  # of a float32 value


@dataclass(frozen=True, slots=True)
class LayerShapes:
    """One layer as built. index: its number in the net given, None for a Split that Caffe puts in.

    bottoms, names: blobs it reads and makes, as Caffe names them behind Splits; tops: a shape per name, None
    where it is not known; params: shapes of the parameter blobs, empty where not known; owned: those of them
    that are not shared with an earlier layer.
    """

    index: int | None
    name: str
    type: str
    bottoms: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    tops: tuple[Shape | None, ...] = ()
    params: tuple[Shape, ...] = ()
    owned: tuple[Shape, ...] = ()

    @property
    def data_bytes(self) -> int:
        """Bytes of the values of all known tops."""
        return _BYTES * sum(prod(top) for top in self.tops if top is not None)

    @property
    def param_bytes(self) -> int:
        """Bytes of the parameters this layer owns."""
        return _BYTES * sum(map(prod, self.owned))


@dataclass(frozen=True, slots=True)
class ShapeProblem:
    """Why Caffe would not build a layer (error), or may not (warning, of types that only forks have).

    index: the layer's number in the net given; field, position: the setting at fault, as in "bottom", 1.
    """

    index: int
    layer: str
    message: str
    field: str = "type"
    position: int = 0
    hint: str = ""
    severity: Literal["error", "warning"] = "error"


@dataclass(slots=True)
class NetShapes:
    """A net as built in one state. layers: in order, with Splits unless a bottom is unknown."""

    layers: list[LayerShapes] = field(default_factory=list)
    problems: list[ShapeProblem] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether every shape is known."""
        return not self.problems and all(top is not None for layer in self.layers for top in layer.tops)

    @property
    def data_bytes(self) -> int:
        """Caffe's "Memory required for data": values of all tops, in-place ones and Splits too."""
        return sum(layer.data_bytes for layer in self.layers)

    @property
    def param_bytes(self) -> int:
        """Bytes of all parameters, shared ones counted once."""
        return sum(layer.param_bytes for layer in self.layers)


def net_shapes(
    net: NetParameter,
    state: NetState | None = None,
    stored: Stored = unknown,
    opaque: Collection[int] = (),
) -> NetShapes:
    """Shapes of an upgraded net in a state (phase, level, stages; that of the net if None).

    stored tells what data layers read; opaque: numbers of layers with settings that only a fork understands,
    so that nothing is known of their shapes. What Caffe would refuse is in the result's problems, except for
    rules that contradict themselves: these raise NetError.
    """
    state = net.state if state is None else state
    chosen = [index for index, layer in enumerate(net.layer) if layer_is_in(layer, state, [])]
    builder = _Builder(net, state, stored, opaque)
    for index in chosen:
        builder.add(index)
    if builder.whole:
        builder.put_splits_in()
    return NetShapes(builder.layers, sorted(builder.problems, key=lambda problem: problem.index))


def _check_per_blob(layer: LayerParameter, kind: Computed | Source) -> None:
    """Lists that hold a value per blob or nothing; a loss has one weight by itself. Raises ShapeError."""
    is_loss = isinstance(kind, Computed) and kind.auto
    weights = len(layer.loss_weight) or int(is_loss)
    tops = max(len(layer.top), 1) if is_loss else len(layer.top)
    need(
        weights in (0, tops),
        "loss_weight must be unspecified or specified once per top blob.",
        "loss_weight",
        hint=f"{tops} loss_weight",
    )
    need(
        len(layer.propagate_down) in (0, len(layer.bottom)),
        "propagate_down param must be specified either 0 or bottom_size times",
        "propagate_down",
        hint=f"{len(layer.bottom)} propagate_down",
    )


def _names(tops: Sequence[str], count: int) -> tuple[str, ...]:
    """Names of so many tops; one that a loss makes by itself has none of its own."""
    return (*tops, *["(automatic)"] * (count - len(tops)))


class _Builder:
    """Goes through the layers of a net in order and remembers the shape of each blob."""

    def __init__(self, net: NetParameter, state: NetState, stored: Stored, opaque: Collection[int]) -> None:
        self.layers: list[LayerShapes] = []
        self.problems: list[ShapeProblem] = []
        self.whole = True  # whether every bottom was found
        self._net = net
        self._state = state
        self._stored = stored
        self._opaque = opaque
        self._blobs: dict[str, Shape | None] = {}
        self._shared: dict[str, tuple[str, Shape]] = {}
        self._mults: dict[tuple[str, str], float] = {}  # (name of a parameter, lr_mult or decay_mult)

    def add(self, index: int) -> None:
        """Work out the next layer; its tops are unknown where it cannot be built."""
        layer = self._net.layer[index]
        missing = [position for position, blob in enumerate(layer.bottom) if blob not in self._blobs]
        tops: list[Shape | None] = [None] * len(layer.top)
        params: list[Shape] = []
        owned: list[Shape] = []
        try:
            found = None if missing or index in self._opaque else self._shapes(layer)
            if found is not None:
                params = found[1]
                owned = self._own(layer, params)
                tops = [*found[0]]
        except ShapeError as error:
            self._tell(index, error)
        for position in missing:
            self.whole = False
            message = f"Unknown bottom blob '{layer.bottom[position]}' (layer '{layer.name}', bottom index "
            hint = self._where(layer.bottom[position])
            self._add_problem(index, f"{message}{position})", "bottom", position, hint)
        self._blobs.update(zip(layer.top, tops, strict=False))
        names = _names(layer.top, len(tops))
        self.layers.append(
            LayerShapes(
                index,
                layer.name,
                layer.type,
                tuple(layer.bottom),
                names,
                tuple(tops),
                tuple(params),
                tuple(owned),
            )
        )
        unnamed = not layer.type and index in self._opaque
        if layer.type not in LAYER_TYPES and layer.type != "Python" and not unnamed:
            message = f"Unknown layer type: {layer.type}" if layer.type else "type is not set"
            forks = forks_with_layer(layer.type)
            slip = "" if forks else type_meant(layer.type, LAYER_TYPES)
            hint = f"it is of {forks}" if forks else slip or nearest(layer.type, list(LAYER_TYPES))
            problem = ShapeProblem(index, layer.name, f"layer '{layer.name}': {message}", "type", 0, hint,
                                   "warning" if layer.type and not slip else "error")  # fmt: skip
            self.problems.append(problem)

    def _shapes(self, layer: LayerParameter) -> tuple[Sequence[Shape | None], list[Shape]] | None:
        """Shapes of tops and parameters; None if they are not known. Raises ShapeError."""
        kind = LAYER_TYPES.get(layer.type)
        if kind is None:
            return None
        check_counts(layer, kind)
        _check_per_blob(layer, kind)
        bottoms = [self._blobs[blob] for blob in layer.bottom]
        known = [shape for shape in bottoms if shape is not None]
        if len(known) < len(bottoms):
            return None
        if isinstance(kind, Computed):
            tops, params = kind.shapes(layer, known)
        else:
            sourced = kind.shapes(layer, self._stored)
            if sourced is None:
                return None
            tops, params = sourced, sourced if layer.type == "Parameter" else []
        for shape in (*tops, *params):
            check_blob(shape, f"{layer.type.lower()}_param")
        check_fillers(layer, tops, params)
        return tops, params

    def _own(self, layer: LayerParameter, params: list[Shape]) -> list[Shape]:
        """Shapes of the parameters not shared with an earlier layer. Raises ShapeError."""
        if len(layer.param) > len(params):
            message = (
                f"Too many params specified for layer {layer.name} ({len(layer.param)} for {len(params)})"
            )
            raise ShapeError(message, "param", len(params), "take the last ones out")
        owned = []
        for position, shape in enumerate(params):
            spec = layer.param[position] if position < len(layer.param) else ParamSpec()
            self._agree(spec, position)
            if not spec.name or spec.name not in self._shared:
                owned.append(shape)
                if spec.name:
                    self._shared[spec.name] = (layer.name, shape)
                continue
            owner, theirs = self._shared[spec.name]
            loose = spec.share_mode == ParamSpec.PERMISSIVE
            if (prod(shape) != prod(theirs)) if loose else (shape != theirs):
                message = (
                    f"Cannot share param '{spec.name}' owned by layer '{owner}' with layer '{layer.name}'; "
                    f"{'count' if loose else 'shape'} mismatch.  Owner layer param shape is "
                    f"{shape_text(theirs)}; sharing layer expects shape {shape_text(shape)}"
                )
                raise ShapeError(message, "param.name", position)
        return owned

    def _agree(self, spec: ParamSpec, position: int) -> None:
        """Layers that share a parameter give it the same factors, or none. Raises ShapeError."""
        for name in ("lr_mult", "decay_mult") if spec.name else ():
            if not spec.HasField(name):
                continue
            mine = getattr(spec, name)
            theirs = self._mults.setdefault((spec.name, name), mine)
            if mine != theirs:
                message = f"Shared param '{spec.name}' has mismatched {name}. ({mine:g} vs. {theirs:g})"
                raise ShapeError(message, f"param.{name}", position)

    def _where(self, blob: str) -> str:
        """Why a blob is not there, or which one may be meant."""
        for layer in self._net.layer:
            if blob in layer.top:
                if layer_is_in(layer, self._state, []):
                    return f"layer '{layer.name}' makes it further below"
                phase = Phase.Name(self._state.phase)
                return f"layer '{layer.name}' makes it, but its rules keep it out of the {phase} net"
        return nearest(blob, sorted(self._blobs))

    def put_splits_in(self) -> None:
        """Put Caffe's Splits behind blobs with several readers; find tops that two layers write."""
        net = filter_net(self._net, self._state)[0]
        own = iter(self.layers)
        built: list[LayerShapes] = []
        written: set[str] = set()
        upcoming = next(own, None)
        for layer in insert_splits(net).layer:
            if upcoming is not None and (layer.name, layer.type) == (upcoming.name, upcoming.type):
                names = _names(layer.top, len(upcoming.tops))
                current = replace(upcoming, bottoms=tuple(layer.bottom), names=names)
                built.append(current)
                upcoming = next(own, None)
            else:
                made = dict(zip(self._net.layer[current.index or 0].top, current.tops, strict=False))
                tops = (made[layer.bottom[0]],) * len(layer.top)
                built.append(
                    LayerShapes(None, layer.name, layer.type, tuple(layer.bottom), tuple(layer.top), tops)
                )
            for position in self._written_twice(layer, written):
                self._tell_twice(current, layer, position)
            written.update(layer.top)
        self.layers = built

    @staticmethod
    def _written_twice(layer: LayerParameter, written: set[str]) -> Iterator[int]:
        seen = set(written)
        for position, blob in enumerate(layer.top):
            in_place = position < len(layer.bottom) and layer.bottom[position] == blob
            if blob in seen and not in_place:
                yield position
            seen.add(blob)

    def _tell_twice(self, built: LayerShapes, layer: LayerParameter, position: int) -> None:
        index, blob = built.index or 0, layer.top[position]
        message = f"layer '{built.name}': Top blob '{blob}' produced by multiple sources."
        if blob in self._net.layer[index].bottom:
            hint = (
                "other layers read the bottom too, so it cannot be written in place: give the top a new name"
            )
        else:
            hint = "give the top a name of its own"
        self._add_problem(index, message, "top", position, hint)

    def _tell(self, index: int, error: ShapeError) -> None:
        message = f"layer '{self._net.layer[index].name}': {error}"
        self._add_problem(index, message, error.field, error.index, error.hint)

    def _add_problem(self, index: int, message: str, name: str, position: int, hint: str) -> None:
        self.problems.append(ShapeProblem(index, self._net.layer[index].name, message, name, position, hint))
