"""What is wrong with a session's files, found before a training starts and without an engine."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from barista_server.caffe.check_data import data_faults, ignored_fields
from barista_server.caffe.forks import judge
from barista_server.caffe.layer_types import may_have_loss
from barista_server.caffe.net import NetError, layer_is_in
from barista_server.caffe.prototxt import PrototxtError
from barista_server.caffe.schema import TRAIN, LayerParameter, NetParameter, Phase, SolverParameter
from barista_server.caffe.shapes import ShapeProblem, net_shapes
from barista_server.caffe.solver import (
    NetSource,
    SolverError,
    check_solver,
    test_nets,
    train_net,
    upgrade_solver,
)
from barista_server.caffe.source_rules import Stored
from barista_server.caffe.stored_shapes import stored_in
from barista_server.caffe.tokens import LayerPlace, field_lines, layer_places
from barista_server.caffe.tolerant import UnknownField, parse_tolerant, read_tolerant

_SOLVER_TYPES = ("SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam")
_WITHOUT_MOMENTUM = ("AdaGrad", "RMSProp")
_LR_FIELDS: dict[str, tuple[str, ...]] = {
    "fixed": (),
    "step": ("gamma", "stepsize"),
    "exp": ("gamma",),
    "inv": ("gamma", "power"),
    "multistep": ("gamma", "stepvalue"),
    "poly": ("power",),
    "sigmoid": ("gamma", "stepsize"),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something Caffe would stop at (error) or that is hardly meant so (warning).

    file: as the session names it; line: 1-based, None if it concerns the file as a whole;
    hint: what to do, may be empty.
    """

    file: str
    line: int | None
    message: str
    hint: str = ""
    severity: Literal["error", "warning"] = "error"


def check_session(folder: Path, solver_name: str = "solver.prototxt") -> list[Problem]:
    """Check solver, nets and data of a session whose training runs in `folder`; no problems: an empty list.

    Fields and layer types that Caffe 1.0 lacks are warnings, as a fork may have them; what looks like a slip
    of the keyboard is an error. Never raises for what the files hold.
    """
    try:
        text = (folder / solver_name).read_bytes()
        solver, unknown = parse_tolerant(text, SolverParameter, solver_name)
    except (OSError, PrototxtError) as error:
        return [_reading_problem(error, solver_name)]
    lines = field_lines(text.decode("utf-8", "replace"))
    problems: dict[Problem, None] = {}  # an ordered set: train and test net often share a file
    problems.update(dict.fromkeys(_fork_problems(solver_name, unknown)))
    try:
        upgrade_solver(solver, solver_name, folder)
        check_solver(solver)
    except SolverError as error:
        line = lines.get(error.field, [None])[0]
        problems[Problem(solver_name, line, str(error), error.hint)] = None
    for field, problem in _solver_problems(solver, folder):
        line = lines.get(field, [None])[0]
        problems[Problem(solver_name, line, problem.message, problem.hint, problem.severity)] = None
    foreign: dict[str, list[UnknownField]] = {}

    def read_net(path: str | Path, cls: type[NetParameter], notes: list[str]) -> NetParameter:
        net, foreign[_within(folder, str(path))] = read_tolerant(path, cls)
        return net

    readers: tuple[Callable[[], list[NetSource]], ...] = (
        lambda: [train_net(solver, folder, read_net)],
        lambda: test_nets(solver, folder, read_net),
    )
    for read_nets in readers:
        for problem in _net_problems(read_nets, folder, solver_name, lines, foreign):
            problems[problem] = None
    return list(problems)


def _fork_problems(file: str, unknown: list[UnknownField]) -> list[Problem]:
    """What fields that Caffe 1.0 lacks are; only the typing errors if there are any."""
    verdicts = [(field.line, judge(field)) for field in unknown]
    problems = [Problem(file, line, one.message, one.hint, one.severity) for line, one in verdicts]
    return [problem for problem in problems if problem.severity == "error"] or problems


def _reading_problem(error: OSError | PrototxtError, file: str, line: int | None = None) -> Problem:
    if isinstance(error, PrototxtError):
        return Problem(file, error.line, error.message, error.hint)
    reason = error.strerror or str(error)
    return Problem(file, line, f"cannot be read: {reason}")


def _solver_problems(solver: SolverParameter, folder: Path) -> Iterator[tuple[str, Problem]]:
    """(solver field, problem) of what check_solver leaves to later."""

    def problem(field: str, message: str, hint: str = "", warning: bool = False) -> tuple[str, Problem]:
        return field, Problem("", None, message, hint, "warning" if warning else "error")

    yield from (problem(*fault) for fault in _rate_faults(solver))
    if solver.type not in _SOLVER_TYPES:
        yield problem("type", f"Unknown solver type: {solver.type}", "one of " + ", ".join(_SOLVER_TYPES))
    if solver.type in _WITHOUT_MOMENTUM and solver.momentum:
        yield problem("momentum", f"Momentum cannot be used with {solver.type}.", "take momentum out")
    directory = Path(folder, solver.snapshot_prefix).parent
    if not directory.is_dir():
        yield problem(
            "snapshot_prefix",
            f"directory of snapshot_prefix '{solver.snapshot_prefix}' does not exist",
            f"create {directory}",
        )
    elif not os.access(directory, os.W_OK):
        yield problem("snapshot_prefix", f"directory {directory} cannot be written", "choose another one")
    for names in solver.weights:
        for name in names.split(","):
            if not Path(folder, name.strip()).is_file():
                yield problem("weights", f"weights file '{name.strip()}' does not exist")
    if solver.max_iter <= 0:
        yield problem("max_iter", f"max_iter is {solver.max_iter}: nothing will be trained", "", True)
    if solver.test_interval > 0 and not solver.test_iter:
        yield problem(
            "test_interval", "test_interval without test_iter: nothing will be tested", "add test_iter", True
        )


def _rate_faults(solver: SolverParameter) -> Iterator[tuple[str, str, str, bool]]:
    """(solver field, message, hint, whether Caffe would go on all the same) about the learning rate."""
    if not solver.HasField("base_lr"):
        yield "base_lr", "base_lr is not set: the learning rate would be 0", "add base_lr: 0.01", True
    fields = _LR_FIELDS.get(solver.lr_policy)
    if fields is None:
        message = f"Unknown learning rate policy: {solver.lr_policy}"
        yield "lr_policy", message, "one of " + ", ".join(_LR_FIELDS), False
        return
    given = {field.name for field, _ in solver.ListFields()}
    for name in fields:
        if name not in given:
            stops = (solver.lr_policy, name) == ("step", "stepsize")
            yield "lr_policy", f"lr_policy '{solver.lr_policy}' needs {name}", f"add {name}", not stops
    if solver.lr_policy == "step" and solver.HasField("stepsize") and solver.stepsize <= 0:
        yield "stepsize", f"Check failed: stepsize > 0 ({solver.stepsize} vs. 0)", "", False


def _net_problems(
    read_nets: Callable[[], list[NetSource]],
    folder: Path,
    solver_name: str,
    lines: dict[str, list[int]],
    foreign: dict[str, list[UnknownField]],
) -> Iterator[Problem]:
    """Problems of the train net, or of the test nets. foreign: unknown fields of files read so far."""
    try:
        sources = read_nets()
    except SolverError:
        return  # told with the solver
    except PrototxtError as error:
        yield _reading_problem(error, _within(folder, error.path or solver_name))
        return
    except NetError as error:
        file = _within(folder, error.path or solver_name)
        yield from _fork_problems(file, foreign.get(file, []))
        yield Problem(file, None, str(error), error.hint)
        return
    except OSError as error:
        name = _within(folder, str(error.filename))
        asked = [line for field in ("net", "train_net", "test_net") for line in lines.get(field, [])]
        message = f"net file '{name}' cannot be read: {error.strerror}"
        yield Problem(solver_name, asked[0] if asked else None, message)
        return
    for source in sources:
        unknown = foreign.get(_within(folder, str(Path(folder, source.path or ""))), [])
        yield from net_problems(source, folder, solver_name, unknown, stored_in(folder))


def _within(folder: Path, path: str) -> str:
    """The path as the session names it: relative where it is inside the folder."""
    return str(Path(path).relative_to(folder)) if Path(path).is_relative_to(folder) else path


def net_problems(
    source: NetSource, folder: Path, solver_name: str, unknown: list[UnknownField], stored: Stored
) -> Iterator[Problem]:
    """What is wrong with a net: fields of its file that Caffe lacks, then its layers, then all of it.

    solver_name: the file of a net without one of its own; unknown: those fields; stored: what data layers
    read.
    """
    found = _fork_problems(source.path or solver_name, unknown)
    yield from found
    if not any(problem.severity == "error" for problem in found):  # what follows from a slip is no news
        yield from _layer_problems(source, folder, solver_name, unknown, stored)


def places_in(source: NetSource, folder: Path) -> list[LayerPlace | None]:
    """Where each layer of the net stands in its file; None where it does not. Raises OSError."""
    count = len(source.param.layer)
    if not source.path:
        return [None] * count
    places = layer_places(Path(folder, source.path).read_text("utf-8", "replace"))
    ahead = count - len(places)  # an Input layer made from input fields stands in front
    return [*[None] * ahead, *places] if ahead >= 0 else [None] * count


def opaque_layers(places: list[LayerPlace | None], unknown: list[UnknownField]) -> list[int]:
    """Numbers of the layers with settings that only a fork understands."""
    altered = {field.path.partition(".")[0] for field in unknown}
    return [index for index, place in enumerate(places) if place is not None and place.path in altered]


def _layer_problems(
    source: NetSource, folder: Path, solver_name: str, unknown: list[UnknownField], stored: Stored
) -> Iterator[Problem]:
    """Problems of the layers that are in this net, in their order."""
    file = source.path or solver_name
    places = places_in(source, folder)
    names: set[str] = set()
    misfits = _misfits(source, stored, opaque_layers(places, unknown))
    for index, (layer, place) in enumerate(zip(source.param.layer, places, strict=True)):
        try:
            if not layer_is_in(layer, source.state, []):
                continue
        except NetError as error:
            yield Problem(file, place.line if place else None, f"layer '{layer.name}': {error}", error.hint)
            continue
        for field, position, message, hint in _faults(layer, names, folder):
            line = place.line_of(field, position) if place else None
            yield Problem(file, line, message, hint)
        for misfit in misfits.get(index, []):
            line = place.line_of(misfit.field, misfit.position) if place else None
            yield Problem(file, line, misfit.message, misfit.hint, misfit.severity)
        for field in ignored_fields(layer):
            line = place.line_of(field) if place else None
            message = f"layer '{layer.name}': {field} is ignored"
            yield Problem(file, line, message, "move it to transform_param", "warning")
        names.add(layer.name)
    yield from _phase_problems(source, file)


def _misfits(source: NetSource, stored: Stored, opaque: list[int]) -> dict[int, list[ShapeProblem]]:
    """What keeps Caffe from building the net, by number of the layer."""
    try:
        shapes = net_shapes(source.param, source.state, stored, opaque)
    except NetError:
        return {}  # told with the layer
    problems: dict[int, list[ShapeProblem]] = {}
    for problem in shapes.problems:
        problems.setdefault(problem.index, []).append(problem)
    return problems


def _faults(layer: LayerParameter, names: set[str], folder: Path) -> Iterator[tuple[str, int, str, str]]:
    """(field, index of its value, message, hint) of what is wrong with the layer itself."""
    if layer.name in names:
        yield (
            "name",
            0,
            f"there are two layers '{layer.name}' in one net",
            "rename one: weights go by layer name",
        )
    for field, message, hint in data_faults(layer, folder):
        yield field, 0, f"layer '{layer.name}': {message}", hint


def _phase_problems(source: NetSource, file: str) -> Iterator[Problem]:
    """Nets that the rules leave without layers or, in training, without a loss."""
    phase = Phase.Name(source.state.phase)
    try:
        chosen = [layer for layer in source.param.layer if layer_is_in(layer, source.state, [])]
    except NetError:
        return  # told with the layer
    if not chosen:
        hint = "include rules keep every layer out" if source.param.layer else "add layers"
        yield Problem(file, None, f"no layer is in the {phase} net", hint)
    elif source.state.phase == TRAIN and not any(may_have_loss(layer) for layer in chosen):
        losses = [layer.name for layer in source.param.layer if may_have_loss(layer)]
        hint = f"the rules of layer '{losses[0]}' keep it out" if losses else "add a loss layer"
        yield Problem(file, None, "the TRAIN net has no loss: nothing will be learned", hint, "warning")
