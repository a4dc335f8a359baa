"""What tells two solvers or two nets apart, as Caffe understands them: not their text. Pure.

Layers are found again by name, and by their rules where a name is used in both phases.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from google.protobuf.message import Message

from barista_server.caffe.errors import NetError
from barista_server.caffe.fieldwise import Change, changes, leaves
from barista_server.caffe.layer_types import LAYER_TYPES, Computed
from barista_server.caffe.schema import TRAIN, LayerParameter, NetParameter, SolverParameter
from barista_server.caffe.solver import TYPE_NAMES
from barista_server.caffe.tokens import tokens
from barista_server.caffe.tolerant import UnknownField, parse_tolerant
from barista_server.caffe.upgrade import upgrade_net

_NETS = ("net_param", "train_net_param", "test_net_param")
_NOT_NET = ("layer", "layers", "input", "input_dim", "input_shape")
_NO_LAYER = ("name", "blobs")
"""Told by themselves, or weights."""

Kind = Literal["added", "removed", "renamed", "changed", "moved"]


@dataclass(frozen=True, slots=True)
class LayerDiff:
    """A layer that is not the same, or not at the same place. Places count from 1; None: not there.

    phase: ``TRAIN`` or ``TEST`` where its rules leave it one; moved: it stands elsewhere among the layers
    that both nets have.
    """

    kind: Kind
    name: str
    type: str
    new_name: str = ""
    phase: str = ""
    moved: bool = False
    old_place: int | None = None
    new_place: int | None = None
    fields: list[Change] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class NetDiff:
    """title: which net it is; fields: of the net as a whole; notes: what was understood for the person."""

    title: str
    fields: list[Change] = field(default_factory=list)
    layers: list[LayerDiff] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def same(self) -> bool:
        """Caffe would build the same."""
        return not (self.fields or self.layers)


@dataclass(frozen=True, slots=True)
class Diff:
    """What a solver with its net differs in from another."""

    solver: list[Change]
    nets: list[NetDiff]

    @property
    def same(self) -> bool:
        """Caffe would do the same."""
        return not self.solver and all(net.same for net in self.nets)


@dataclass(frozen=True, slots=True)
class Pair:
    """A solver and its net as texts; names: what errors call them."""

    solver: str
    net: str
    names: tuple[str, str] = ("solver.prototxt", "net.prototxt")


def diff(old: Pair, new: Pair) -> Diff:
    """Raises PrototxtError for a text that does not parse, NetError for a net that Caffe refuses."""
    one, other = (parse_tolerant(each.solver, SolverParameter, each.names[0]) for each in (old, new))
    solvers = (_solver(one[0]), _solver(other[0]))
    found = changes(*solvers, skip=_NETS) + _foreign(_unknown(one[1], ""), _unknown(other[1], ""))
    nets = [net_diff(_read(old), _read(new), "net.prototxt")]
    nets += [net for net in _inline(*solvers) if not net.same]
    return Diff(found, nets)


def _solver(solver: SolverParameter) -> SolverParameter:
    """With its type as today's files have it."""
    if solver.HasField("solver_type") and not solver.HasField("type"):
        solver.type = TYPE_NAMES[solver.solver_type]
        solver.ClearField("solver_type")
    return solver


def _inline(old: SolverParameter, new: SolverParameter) -> Iterator[NetDiff]:
    """Nets that are written in the solvers."""
    for name in _NETS:
        ones, others = _nets(old, name), _nets(new, name)
        for index in range(max(len(ones), len(others))):
            one, other = (each[index] if index < len(each) else NetParameter() for each in (ones, others))
            title = f"{name}[{index}]" if len(ones) > 1 or len(others) > 1 else name
            yield net_diff(_Net(one), _Net(other), title)


def _nets(solver: SolverParameter, field: str) -> list[NetParameter]:
    value = getattr(solver, field)
    return list(value) if field == "test_net_param" else [value]


class _Net:
    """A net brought up to date, and by layer what Caffe does not know."""

    def __init__(self, net: NetParameter, unknown: Sequence[UnknownField] = (), path: str = "") -> None:
        names = _names(net)
        self.net = net
        try:
            self.notes = upgrade_net(net, path)
        except NetError as error:
            error.path = path
            raise
        self.layers = [_plain(layer) for layer in net.layer]
        self.whole = _unknown(unknown, "")
        self._foreign: dict[tuple[str, int], dict[str, str]] = {}
        for index, name in enumerate(names["layer"]):
            self._take(name, unknown, f"layer[{index}]", names["layer"][:index])
        for index, name in enumerate(names["layers"]):
            self._take(name, unknown, f"layers[{index}]", names["layers"][:index])

    def _take(self, name: str, unknown: Sequence[UnknownField], path: str, before: Sequence[str]) -> None:
        if found := _unknown(unknown, f"{path}."):
            self._foreign[name, before.count(name)] = found

    def foreign(self, index: int) -> dict[str, str]:
        """Fields of a layer that Caffe lacks, by path."""
        name = self.layers[index].name
        place = sum(layer.name == name for layer in self.layers[:index])
        return self._foreign.get((name, place), {})


def _names(net: NetParameter) -> dict[str, list[str]]:
    old = [each.layer.name if each.HasField("layer") else each.name for each in net.layers]
    return {"layer": [each.name for each in net.layer], "layers": old}


def _read(pair: Pair) -> _Net:
    net, unknown = parse_tolerant(pair.net, NetParameter, pair.names[1])
    return _Net(net, unknown, pair.names[1])


def net_diff(old: _Net, new: _Net, title: str) -> NetDiff:
    """Two nets, layer by layer; raises nothing."""
    fields = changes(old.net, new.net, skip=_NOT_NET) + _foreign(old.whole, new.whole)
    pairs = _matched(old.layers, new.layers)
    renamed = _renamed(old, new, pairs)
    pairs |= renamed
    moved = _moved(pairs)
    found: list[tuple[tuple[int, int], LayerDiff]] = []
    last = -1
    for index, layer in enumerate(old.layers):
        if index not in pairs:
            told = _alone("removed", layer, old.foreign(index), index)
            found.append(((last, index + 1), told))
            continue
        last = at = pairs[index]
        one = _compared(old, new, (index, at), index in renamed, index in moved)
        if one is not None:
            found.append(((at, 0), one))
    alone = sorted(set(range(len(new.layers))) - set(pairs.values()))
    found += [((at, 0), _alone("added", new.layers[at], new.foreign(at), at)) for at in alone]
    notes = [f"{which}: {note}" for which, net in (("old", old), ("new", new)) for note in net.notes[:1]]
    return NetDiff(title, fields, [each for _, each in sorted(found, key=lambda pair: pair[0])], notes)


def _compared(old: _Net, new: _Net, at: tuple[int, int], renamed: bool, moved: bool) -> LayerDiff | None:
    one, other = old.layers[at[0]], new.layers[at[1]]
    fields = changes(one, other, skip=_NO_LAYER) + _foreign(old.foreign(at[0]), new.foreign(at[1]))
    if not (fields or moved or renamed):
        return None
    return LayerDiff(
        "renamed" if renamed else "changed" if fields else "moved",
        one.name,
        other.type,
        other.name if renamed else "",
        _phase(other),
        moved,
        at[0] + 1,
        at[1] + 1,
        fields,
    )


def _alone(
    kind: Literal["added", "removed"], layer: LayerParameter, foreign: dict[str, str], at: int
) -> LayerDiff:
    """A layer that only one of them has, with all that is set in it."""
    texts = [*leaves(layer, "", skip=("name", "type", "blobs")), *foreign.items()]
    added = kind == "added"
    fields = [Change(path, None if added else text, text if added else None) for path, text in texts if path]
    told = LayerDiff(kind, layer.name, layer.type, phase=_phase(layer), fields=fields)
    return replace(told, new_place=at + 1) if added else replace(told, old_place=at + 1)


def _phase(layer: LayerParameter) -> str:
    """The one phase its rules leave it, if they speak of phases alone."""
    rules = layer.include or layer.exclude
    if len(rules) != 1 or not rules[0].HasField("phase"):
        return ""
    trains = (rules[0].phase == TRAIN) == bool(layer.include)
    return "TRAIN" if trains else "TEST"


# --------------------------------------------------------------------------------------------------- matching


def _matched(old: Sequence[LayerParameter], new: Sequence[LayerParameter]) -> dict[int, int]:
    """Index in the new net of layers of the old one: same name and rules, else same name, in order."""
    pairs: dict[int, int] = {}
    for exact in (True, False):
        waiting: dict[tuple[str, bytes], list[int]] = defaultdict(list)
        for index, layer in enumerate(new):
            if index not in pairs.values():
                waiting[_key(layer, exact)].append(index)
        for index, layer in enumerate(old):
            if index not in pairs and (there := waiting[_key(layer, exact)]):
                pairs[index] = there.pop(0)
    return pairs


def _key(layer: LayerParameter, exact: bool) -> tuple[str, bytes]:
    if not exact:
        return layer.name, b""
    rules = LayerParameter(include=layer.include, exclude=layer.exclude)
    return layer.name, rules.SerializeToString(deterministic=True)


def _renamed(old: _Net, new: _Net, pairs: dict[int, int]) -> dict[int, int]:
    """Layers without a partner that are the same but for their names, and those of the blobs they make."""
    found: dict[int, int] = {}
    blobs: dict[str, str] = {}
    """What blobs of layers before are called now."""
    added = [index for index in range(len(new.layers)) if index not in pairs.values()]
    for index, one in enumerate(old.layers):
        at = pairs.get(index)
        if at is None:
            alike = (each for each in added if old.foreign(index) == new.foreign(each))
            at = next((each for each in alike if _same_but_names(one, new.layers[each], blobs)), None)
            if at is None:
                continue
            found[index] = at
            added.remove(at)
        blobs |= dict(zip(one.top, new.layers[at].top, strict=False))
    return found


def _same_but_names(one: LayerParameter, other: LayerParameter, blobs: dict[str, str]) -> bool:
    if one.type != other.type or len(one.top) != len(other.top):
        return False
    named = LayerParameter()
    named.CopyFrom(one)
    named.bottom[:] = [blobs.get(name, name) for name in one.bottom]
    # What is changed in place keeps its name; what is made new may be called anything.
    for index, name in enumerate(one.top):
        named.top[index] = blobs.get(name, name) if name in one.bottom else other.top[index]
    return not changes(named, other, skip=_NO_LAYER)


def _moved(pairs: dict[int, int]) -> set[int]:
    """Old indices of the fewest layers that have to be moved to get from the old order to the new one."""
    ends: list[int] = []
    """New index that the longest ascending row of each length ends with, at least."""
    last: list[int] = []
    before: dict[int, int | None] = {}
    for index, at in sorted(pairs.items()):
        length = bisect_left(ends, at)
        before[index] = last[length - 1] if length else None
        ends[length : length + 1] = [at]
        last[length : length + 1] = [index]
    stays: set[int] = set()
    step = last[-1] if last else None
    while step is not None:
        stays.add(step)
        step = before[step]
    return set(pairs) - stays


# ------------------------------------------------------------------------------------------- what is the same


def _plain(layer: LayerParameter) -> LayerParameter:
    """The layer with each thing said in one way of those that Caffe takes for the same."""
    plain = LayerParameter()
    plain.CopyFrom(layer)
    if plain.HasField("convolution_param"):
        _plain_convolution(plain)
    if plain.HasField("pooling_param"):
        window: Message = plain.pooling_param
        for name, side in (("kernel_size", "kernel"), ("pad", "pad"), ("stride", "stride")):
            if not window.HasField(name) and (size := _square(window, side)) is not None:
                setattr(window, name, size)
    kind = LAYER_TYPES.get(plain.type)
    usual = [float(isinstance(kind, Computed) and kind.auto)]
    if plain.loss_weight and list(plain.loss_weight) == usual + [0.0] * (len(plain.loss_weight) - 1):
        del plain.loss_weight[:]
    return plain


def _plain_convolution(layer: LayerParameter) -> None:
    window = layer.convolution_param
    for name, side, usual in (
        ("kernel_size", "kernel", None),
        ("pad", "pad", 0),
        ("stride", "stride", 1),
        ("dilation", "", 1),
    ):
        sizes = getattr(window, name)
        if side and not sizes and (size := _square(window, side)) is not None:
            sizes.append(size)
        if len(set(sizes)) == 1:
            sizes[:] = sizes[:1]
        if list(sizes) == [usual]:
            del sizes[:]


def _square(window: Message, side: str) -> int | None:
    """The size of both sides where they are given one by one and are the same; then they are taken out."""
    names = (f"{side}_h", f"{side}_w")
    sizes = {getattr(window, name) for name in names if window.HasField(name)}
    if len(sizes) != 1 or not all(map(window.HasField, names)):
        return None
    for name in names:
        window.ClearField(name)
    return int(sizes.pop())


def _unknown(unknown: Iterable[UnknownField], within: str) -> dict[str, str]:
    """Fields that Caffe lacks below a path (empty: all but those of layers), as text without its layout."""
    found: dict[str, str] = {}
    for one in unknown:
        of_layer = one.path.startswith(("layer[", "layers["))
        if one.path.startswith(within) if within else not of_layer:
            words = [token.text for token in tokens(one.text) if token.kind != "comment"]
            found[one.path.removeprefix(within)] = " ".join(words[1:]).removeprefix(": ")
    return found


def _foreign(old: dict[str, str], new: dict[str, str]) -> list[Change]:
    names = dict.fromkeys([*old, *new])
    return [Change(name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)]
