"""Nets as Caffe understands them: old forms brought up to date, layers chosen by state, Splits put in."""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from barista_server.caffe import prototxt
from barista_server.caffe.errors import NetError
from barista_server.caffe.schema import LayerParameter, NetParameter, NetState, NetStateRule, Phase
from barista_server.caffe.upgrade import upgrade_net

__all__ = [
    "NetError",
    "NetReader",
    "filter_net",
    "insert_splits",
    "layer_is_in",
    "load_net",
    "net_state",
    "read_plain",
    "state_meets_rule",
    "upgrade_net",
]

_Top = tuple[int, int]


NetReader = Callable[[str | Path, type[NetParameter], list[str]], NetParameter]
"""Reads a net file, perhaps of a fork; may append to the notes. Raises OSError, PrototxtError."""


def read_plain(path: str | Path, cls: type[NetParameter], notes: list[str]) -> NetParameter:
    """A NetReader of Caffe's own files."""
    return prototxt.read(path, cls)


def load_net(path: str | Path, notes: list[str] | None = None, read: NetReader = read_plain) -> NetParameter:
    """Read a net file and bring old forms up to date; appends Caffe's messages about that to notes.

    Raises OSError, PrototxtError, NetError.
    """
    said: list[str] = [] if notes is None else notes
    net = read(path, NetParameter, said)
    try:
        said += upgrade_net(net, str(path))
    except NetError as error:
        error.path = str(path)
        raise
    return net


def net_state(
    phase: Phase.ValueType, *states: NetState, level: int | None = None, stages: Iterable[str] = ()
) -> NetState:
    """The state of a net: phase, the states merged over it (later wins, stages append), level, stages."""
    state = NetState(phase=phase)
    for other in states:
        state.MergeFrom(other)
    if level is not None:
        state.level = level
    state.stage.extend(stages)
    return state


def state_meets_rule(state: NetState, rule: NetStateRule, layer_name: str) -> str | None:
    """None when the state meets the rule, otherwise the reason in the words of Caffe's log."""
    where = f"specified by a rule in layer {layer_name}"
    if rule.HasField("phase") and rule.phase != state.phase:
        return f"The NetState phase ({state.phase}) differed from the phase ({rule.phase}) {where}"
    if rule.HasField("min_level") and state.level < rule.min_level:
        # "above" is what Caffe prints here too
        return f"The NetState level ({state.level}) is above the min_level ({rule.min_level}) {where}"
    if rule.HasField("max_level") and state.level > rule.max_level:
        return f"The NetState level ({state.level}) is above the max_level ({rule.max_level}) {where}"
    for stage in rule.stage:
        if stage not in state.stage:
            return f"The NetState did not contain stage '{stage}' {where}"
    for stage in rule.not_stage:
        if stage in state.stage:
            return f"The NetState contained a not_stage '{stage}' {where}"
    return None


def filter_net(net: NetParameter, state: NetState) -> tuple[NetParameter, list[str]]:
    """The net with only the layers of this state, and Caffe's log messages about unmet rules in order.

    Raises NetError for a layer with both include and exclude rules.
    """
    messages: list[str] = []
    filtered = _without_layers(net)
    filtered.state.CopyFrom(state)
    filtered.layer.extend(layer for layer in net.layer if layer_is_in(layer, state, messages))
    return filtered, messages


def layer_is_in(layer: LayerParameter, state: NetState, messages: list[str]) -> bool:
    """Whether the layer is in a net of this state; appends Caffe's message for every rule tried and not met.

    Raises NetError for a layer with both include and exclude rules.
    """
    if layer.include and layer.exclude:
        raise NetError(
            "Specify either include rules or exclude rules; not both.", layer=layer.name, hint="keep one kind"
        )
    for rule in layer.include or layer.exclude:
        reason = state_meets_rule(state, rule, layer.name)
        if reason is None:
            return bool(layer.include)
        messages.append(reason)
    return not layer.include


def insert_splits(net: NetParameter) -> NetParameter:
    """The net with a Split layer behind every top that is used more than once; a loss weight counts as a use.

    An in-place layer makes a new version of its blob, with uses of its own. Raises NetError for an
    unknown bottom.
    """
    sources, uses, weights = _uses(net)
    split = _without_layers(net)
    taken: Counter[_Top] = Counter()
    for index, original in enumerate(net.layer):
        layer = split.layer.add()
        layer.CopyFrom(original)
        for position, blob in enumerate(original.bottom):
            top = sources[index, position]
            if uses[top] > 1:
                layer.bottom[position] = _split_top(net.layer[top[0]].name, blob, top[1], taken[top])
                taken[top] += 1
        for position, blob in enumerate(original.top):
            top = (index, position)
            if uses[top] < 2:
                continue
            weight = weights.get(top, 0.0)
            split.layer.append(_split_layer(original.name, blob, position, uses[top], weight))
            if weight:
                layer.ClearField("loss_weight")
                taken[top] += 1  # the first top of the Split carries the loss
    return split


def _uses(net: NetParameter) -> tuple[dict[_Top, _Top], Counter[_Top], dict[_Top, float]]:
    """Which top each (layer, bottom position) reads, how often each top is used, loss weights of tops."""
    latest: dict[str, _Top] = {}
    sources: dict[_Top, _Top] = {}
    uses: Counter[_Top] = Counter()
    weights: dict[_Top, float] = {}
    for index, layer in enumerate(net.layer):
        for position, blob in enumerate(layer.bottom):
            if blob not in latest:
                raise NetError(
                    f"Unknown bottom blob '{blob}' (layer '{layer.name}', bottom index {position})",
                    layer=layer.name,
                )
            sources[index, position] = latest[blob]
            uses[latest[blob]] += 1
        for position, blob in enumerate(layer.top):
            latest[blob] = (index, position)
        for blob, weight in zip(layer.top, layer.loss_weight, strict=False):
            weights[latest[blob]] = weight
            uses[latest[blob]] += weight != 0
    return sources, uses, weights


def _split_top(layer_name: str, blob: str, position: int, use: int) -> str:
    return f"{blob}_{layer_name}_{position}_split_{use}"


def _split_layer(layer_name: str, blob: str, position: int, uses: int, weight: float) -> LayerParameter:
    split = LayerParameter(name=f"{blob}_{layer_name}_{position}_split", type="Split", bottom=[blob])
    split.top.extend(_split_top(layer_name, blob, position, use) for use in range(uses))
    if weight:
        split.loss_weight.extend([weight] + [0.0] * (uses - 1))
    return split


def _without_layers(net: NetParameter) -> NetParameter:
    """A copy of everything but the layers."""
    bare = NetParameter()
    for field, value in net.ListFields():
        if field.name == "layer":
            continue
        if field.is_repeated:
            getattr(bare, field.name).extend(value)
        elif field.message_type is not None:
            getattr(bare, field.name).CopyFrom(value)
        else:
            setattr(bare, field.name, value)
    return bare
