"""What tells two sessions' settings apart, as lines with two columns. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from barista_server.api.messages import FieldChange, LayerChange, NetChanges, SettingsDiff
from barista_server.api.text import clean_name
from barista_tui.format import plural

SIGNS = {"added": "+", "removed": "-", "renamed": "=", "changed": "~", "moved": ">"}
NOT_SET = "not set"


class Line(NamedTuple):
    """``part`` heads solver or net; ``layer`` a layer, ``note`` its words; a ``field`` has values."""

    kind: Literal["part", "layer", "field", "note"]
    sign: str
    name: str
    old: str = ""
    new: str = ""
    note: str = ""


def lines(diff: SettingsDiff) -> list[Line]:
    """Solver, then nets; empty if they are the same."""
    found = [Line("part", "", "solver"), *map(_field, diff.solver)] if diff.solver else []
    for net in diff.nets:
        found += _net(net)
    return found


def counted(diff: SettingsDiff) -> str:
    """``2 fields of the solver, 3 layers``; that they are the same, if they are."""
    layers = sum(len(net.layers) for net in diff.nets)
    fields = sum(len(net.fields) for net in diff.nets)
    counts = [(len(diff.solver), "field", " of the solver"), (fields, "field", " of the net")]
    words = [f"{plural(count, one)}{of}" for count, one, of in [*counts, (layers, "layer", "")] if count]
    return ", ".join(words) or "Caffe would do the same with both."


def _net(net: NetChanges) -> Iterator[Line]:
    if not (net.fields or net.layers or net.notes):
        return
    yield Line("part", "", clean_name(net.title), note="; ".join(map(clean_name, net.notes)))
    yield from map(_field, net.fields)
    for layer in net.layers:
        yield Line("layer", SIGNS[layer.kind], clean_name(layer.name), note=_about(layer))
        alone = layer.kind in ("added", "removed")
        yield from (_field(change, alone) for change in layer.fields)


def _about(layer: LayerChange) -> str:
    """``Convolution, TEST, renamed to first, moved from 3 to 5``."""
    words = [clean_name(layer.type), layer.phase]
    if layer.kind in ("added", "removed"):
        words.append(layer.kind)
    if layer.new_name:
        words.append(f"renamed to {clean_name(layer.new_name)}")
    if layer.moved:
        words.append(f"moved from {layer.old_place} to {layer.new_place}")
    return ", ".join(filter(None, words))


def _field(change: FieldChange, alone: bool = False) -> Line:
    """``alone``: of a layer that only one net has."""
    nothing = "" if alone else NOT_SET
    old, new = (
        clean_name(text) if text is not None else f"{default} (default)" if default else nothing
        for text, default in ((change.old, change.old_default), (change.new, change.new_default))
    )
    sign = "+" if change.old is None else "-" if change.new is None else "~"
    return Line("field", sign, clean_name(change.field), old, new)
