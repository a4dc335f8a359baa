"""What is wrong with one net of a solver: its layers, their data, their shapes, the rules of its phase."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from barista_server.caffe.blobshape import Shape
from barista_server.caffe.check_data import data_faults, ignored_fields
from barista_server.caffe.faults import Fault, Problem
from barista_server.caffe.forks import judge
from barista_server.caffe.layer_types import LAYER_TYPES, may_have_loss
from barista_server.caffe.net import NetError, layer_is_in
from barista_server.caffe.schema import TRAIN, LayerParameter, Phase
from barista_server.caffe.shapes import LayerShapes, NetShapes, net_shapes
from barista_server.caffe.solver import NetSource
from barista_server.caffe.source_rules import Stored
from barista_server.caffe.tokens import LayerPlace, layer_places
from barista_server.caffe.tolerant import UnknownField

MOST_UNKNOWN = 500
"""Fields that Caffe lacks, looked at in one file: the nets of forks have a few of them per layer."""
_SOURCES = {
    "Data": "data_param",
    "HDF5Data": "hdf5_data_param",
    "ImageData": "image_data_param",
    "WindowData": "window_data_param",
}


class Reading(NamedTuple):
    """What a layer of a net reads. kind: layer type, "LevelDB" for such a database; path: of the source."""

    kind: str
    path: Path
    layer: str
    line: int | None


@dataclass(slots=True)
class CheckedNet:
    """problems: in the order of the layers; params: shapes of parameters by layer name, where known.

    lines: of the layers, by name.
    """

    file: str
    phase: str
    problems: list[Problem] = field(default_factory=list)
    params: dict[str, Sequence[Shape]] = field(default_factory=dict)
    lines: dict[str, int | None] = field(default_factory=dict)
    reads: list[Reading] = field(default_factory=list)


def unknown_problems(file: str, unknown: Sequence[UnknownField]) -> list[Problem]:
    """What fields that Caffe 1.0 lacks are; only the slips if there are any."""
    verdicts = [(one.line, judge(one)) for one in unknown[:MOST_UNKNOWN]]
    problems = [Problem(file, line, one.message, one.hint, one.severity) for line, one in verdicts]
    if len(unknown) > MOST_UNKNOWN:
        message = f"{len(unknown) - MOST_UNKNOWN} more fields that Caffe 1.0 lacks were not looked at"
        problems.append(Problem(file, unknown[MOST_UNKNOWN].line, message, severity="warning"))
    return [problem for problem in problems if problem.severity == "error"] or problems


def net_problems(
    source: NetSource, folder: Path, solver_name: str, unknown: Sequence[UnknownField], stored: Stored
) -> list[Problem]:
    """What is wrong with a net: fields of its file that Caffe lacks, then its layers, then all of it.

    solver_name: the file of a net without one of its own; unknown: those fields; stored: what data layers
    read.
    """
    file = source.path or solver_name
    problems = unknown_problems(file, unknown)
    if any(problem.severity == "error" for problem in problems):
        return problems  # what follows from a slip is no news
    return problems + check_net(source, folder, file, unknown, stored).problems


def places_in(
    source: NetSource, folder: Path, read: Callable[[Path], bytes] = Path.read_bytes
) -> list[LayerPlace | None]:
    """Where each layer of the net stands in its file; None where it does not. Raises OSError."""
    count = len(source.param.layer)
    if not source.path:
        return [None] * count
    places = layer_places(read(Path(folder, source.path)).decode("utf-8", "replace"))
    ahead = count - len(places)  # an Input layer made from input fields stands in front
    return [*[None] * ahead, *places] if ahead >= 0 else [None] * count


def opaque_layers(places: Sequence[LayerPlace | None], unknown: Sequence[UnknownField]) -> list[int]:
    """Numbers of the layers with settings that only a fork understands."""
    altered = {field.path.partition(".")[0] for field in unknown}
    return [index for index, place in enumerate(places) if place is not None and place.path in altered]


def check_net(
    source: NetSource,
    folder: Path,
    file: str,
    unknown: Sequence[UnknownField],
    stored: Stored,
    read: Callable[[Path], bytes] = Path.read_bytes,
) -> CheckedNet:
    """Check the layers that are in the net. file: how problems name it; unknown: fields of forks in it."""
    checked = CheckedNet(file, Phase.Name(source.state.phase))
    places = places_in(source, folder, read)
    opaque = opaque_layers(places, unknown)
    shapes = _shapes(source, stored, opaque)
    params = {layer.index: layer.params for layer in shapes.layers if _is_known(layer)}
    names: set[str] = set()
    for index, (layer, place) in enumerate(zip(source.param.layer, places, strict=True)):
        try:
            if not layer_is_in(layer, source.state, []):
                continue
        except NetError as error:
            line = place.line if place else None
            checked.problems.append(Problem(file, line, f"layer '{layer.name}': {error}", error.hint))
            continue
        found = [*_faults(layer, names, folder, stored, source.state.phase), *_shape_faults(shapes, index)]
        for fault in found:
            line = place.line_of(fault.field, fault.position) if place else None
            message = (
                fault.message if fault.message.startswith("Unknown bottom") else _of(layer, fault.message)
            )
            checked.problems.append(Problem(file, line, message, fault.hint, fault.severity))
        if index in params:
            checked.params.setdefault(layer.name, params[index])
        checked.lines.setdefault(layer.name, place.line if place else None)
        checked.reads += _reading(layer, place, folder)
        names.add(layer.name)
    checked.problems += _phase_problems(source, file)
    return checked


def _of(layer: LayerParameter, message: str) -> str:
    start = f"layer '{layer.name}': "
    return message if message.startswith(start) else start + message


def _is_known(layer: LayerShapes) -> bool:
    """Whether the shapes of its parameters are known, none of them too."""
    return layer.type in LAYER_TYPES and all(top is not None for top in layer.tops)


def _shapes(source: NetSource, stored: Stored, opaque: Sequence[int]) -> NetShapes:
    try:
        return net_shapes(source.param, source.state, stored, opaque)
    except NetError:
        return NetShapes()  # told with the layer


def _shape_faults(shapes: NetShapes, index: int) -> Iterator[Fault]:
    """What keeps Caffe from building the layer."""
    for one in shapes.problems:
        if one.index == index:
            yield Fault(one.field, one.message, one.hint, one.severity, one.position)


def _faults(
    layer: LayerParameter, names: set[str], folder: Path, stored: Stored, phase: Phase.ValueType
) -> Iterator[Fault]:
    """What is wrong with the layer itself."""
    if layer.name in names:
        message = f"there are two layers '{layer.name}' in one net"
        yield Fault("name", message, "rename one: weights go by layer name", "warning")
    yield from data_faults(layer, folder, stored)
    if layer.type == "Dropout" and phase == TRAIN:
        yield from _dropout_faults(layer.dropout_param.dropout_ratio)
    for name in ignored_fields(layer):
        yield Fault(name, f"{name} is ignored", "move it to transform_param", "warning")


def _dropout_faults(ratio: float) -> Iterator[Fault]:
    field = "dropout_param.dropout_ratio"
    if ratio == 1:
        yield Fault(field, "dropout_ratio is 1: all is dropped", "a ratio below 1", "warning")
    elif not 0 <= ratio < 1:
        yield Fault(field, f"dropout_ratio is {ratio:g}: not within 0 .. 1", "a ratio below 1")


def _reading(layer: LayerParameter, place: LayerPlace | None, folder: Path) -> Iterator[Reading]:
    block = _SOURCES.get(layer.type)
    if block is None:
        return
    param = layer.data_param
    path = Path(folder, getattr(layer, block).source)
    kind = layer.type
    try:
        path = path.resolve()
        if kind == "Data" and param.backend == param.LEVELDB and (path / "CURRENT").exists():
            kind = "LevelDB"
    except (OSError, RuntimeError, ValueError):
        pass  # told with the layer
    yield Reading(kind, path, layer.name, place.line_of(f"{block}.source") if place else None)


def _phase_problems(source: NetSource, file: str) -> Iterator[Problem]:
    """Nets that the rules leave without layers or, in training, without a loss."""
    phase = Phase.Name(source.state.phase)
    try:
        chosen = [layer for layer in source.param.layer if layer_is_in(layer, source.state, [])]
    except NetError:
        return  # told with the layer
    if not chosen:
        hint = "include rules keep every layer out" if source.param.layer else "add layers"
        if source.param.layers:
            hint = (
                "old layers inside a solver are not brought up to date: write layer, or put the net in a file"
            )
        yield Problem(file, None, f"no layer is in the {phase} net", hint)
    elif source.state.phase == TRAIN and not any(may_have_loss(layer) for layer in chosen):
        losses = [layer.name for layer in source.param.layer if may_have_loss(layer)]
        hint = f"the rules of layer '{losses[0]}' keep it out" if losses else "add a loss layer"
        yield Problem(file, None, "the TRAIN net has no loss: nothing will be learned", hint, "warning")
