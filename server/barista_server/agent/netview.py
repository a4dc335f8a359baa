"""What the nets of a session, or of a file, look like once built; what training them takes. Blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from barista_server.agent.errors import CallError
from barista_server.agent.freemem import free_memory
from barista_server.api import messages as m
from barista_server.caffe import check, check_net
from barista_server.caffe.errors import NetError
from barista_server.caffe.layer_types import may_have_loss
from barista_server.caffe.memory import Device, LayerMemory, net_memory
from barista_server.caffe.net import NetReader, load_net, net_state
from barista_server.caffe.preflight import preflight
from barista_server.caffe.prototxt import PrototxtError
from barista_server.caffe.schema import (
    TEST,
    TRAIN,
    LayerParameter,
    NetParameter,
    Phase,
    SolverParameter,
)
from barista_server.caffe.shapes import LayerShapes, NetShapes, Shape, net_shapes
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
from barista_server.caffe.tokens import field_lines
from barista_server.caffe.tolerant import UnknownField, read_tolerant

_NET_FIELDS = ("layer", "layers", "input", "input_dim", "input_shape")
"""At the top of a file they make it a net's."""
_RECORDS = ("Data", "ImageData", "WindowData")


@dataclass
class _Found:
    """The nets to describe; folder: where relative paths start; main: the file they were read from."""

    folder: Path
    main: str
    sources: list[NetSource]
    solver: SolverParameter | None
    problems: list[check.Problem]
    """Of the solver's file."""
    foreign: dict[str, list[UnknownField]] = field(default_factory=dict)
    """Fields that Caffe lacks, by absolute path of the net's file."""

    def unknown(self, source: NetSource) -> list[UnknownField]:
        """Those of a net's file."""
        return self.foreign.get(str(self.folder / (source.path or "")), [])


def describe(call: m.DescribeNet, folder: Path | None) -> m.NetReport:
    """Answer the call; folder: of its session, None if it names a file. Raises CallError, OSError."""
    if folder is not None:
        found = _of_solver(folder, folder / "solver.prototxt", "solver.prototxt", call)
    else:
        found = _of_file(call)
    stored = _stored(found.folder, call.records)
    problems: dict[check.Problem, None] = dict.fromkeys(found.problems)
    views, tests = [], 0
    for source in found.sources:
        if source.state.phase == TEST:
            title, tests = f"test net #{tests}" if found.solver else "test net", tests + 1
        else:
            title = "train net"
        if call.phase and call.phase != Phase.Name(source.state.phase).lower():
            continue
        problems.update(
            dict.fromkeys(
                check_net.net_problems(source, found.folder, found.main, found.unknown(source), stored)
            )
        )
        views.append(_view(source, title, found, stored))
    told = [_problem(problem) for problem in problems if problem.severity == "error"]
    warned = [_problem(problem) for problem in problems if problem.severity != "error"]
    return m.NetReport(
        file=found.main, nets=views, needs=_needs(found, stored), problems=told, warnings=warned
    )


def _problem(problem: check.Problem) -> m.Problem:
    return m.Problem(text=problem.message, file=problem.file, line=problem.line, hint=problem.hint or None)


def _stored(folder: Path, records: Sequence[int]) -> Stored:
    """What data layers read; the records told by the caller where that cannot be looked into."""
    if records and (len(records) != 3 or min(records) < 1):
        raise CallError("invalid", f"records are channels, height and width, not {list(records)}")
    look = stored_in(folder)

    def stored(layer: LayerParameter) -> Sequence[Shape] | None:
        held = look(layer)
        return [tuple(records)] if held is None and records and layer.type in _RECORDS else held

    return stored


# ----------------------------------------------------------------------------------------------- finding nets


def _of_file(call: m.DescribeNet) -> _Found:
    path = Path(call.path)
    if not path.is_absolute():
        raise CallError("invalid", "neither a session nor an absolute path was named")
    try:
        text = path.read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        hint = "A file of another machine needs --host; else look at its name."
        raise CallError("not-found", f"there is no file {path}", hint) from None
    except IsADirectoryError:
        raise CallError("not-found", f"{path} is a folder", "Name a .prototxt file in it.") from None
    base = Path(call.base or path.parent)
    if not any(field in _NET_FIELDS for field in field_lines(text)):
        return _of_solver(base, path, str(path), call)
    foreign: dict[str, list[UnknownField]] = {}
    try:
        net = load_net(path, read=_reader(foreign))
    except (NetError, PrototxtError) as error:
        raise _unreadable(call, error, str(path)) from None
    folder = _holder(_sources(net), [base, *path.parents]) or base
    sources = []
    for phase in _phases(net, call):
        copy = NetParameter()
        copy.CopyFrom(net)
        state = net_state(phase, net.state, level=call.level, stages=call.stages)
        copy.state.CopyFrom(state)
        sources.append(NetSource(copy, f"net file: {path}", state, ""))
    return _Found(folder, str(path), sources, None, [], foreign)


def _reader(foreign: dict[str, list[UnknownField]]) -> NetReader:
    """Reads nets of forks too; notes the fields that Caffe lacks by path."""

    def read(path: str | Path, cls: type[NetParameter], notes: list[str]) -> NetParameter:
        net, foreign[str(path)] = read_tolerant(path, cls)
        return net

    return read


def _phases(net: NetParameter, call: m.DescribeNet) -> Iterator[Phase.ValueType]:
    """The phase asked for; else TRAIN, or TEST where nothing could be learned, or both if rules differ."""
    if call.phase:
        yield Phase.Value(call.phase.upper())
        return
    if not any(may_have_loss(layer) for layer in net.layer):
        yield TEST
        return
    yield TRAIN
    if any(rule.HasField("phase") for layer in net.layer for rule in [*layer.include, *layer.exclude]):
        yield TEST


def _sources(net: NetParameter) -> list[str]:
    """Relative paths of data that the net reads."""
    layers = [(layer.data_param, layer.hdf5_data_param, layer.image_data_param) for layer in net.layer]
    named = [param.source for params in layers for param in params if param.source]
    return [source for source in named if not source.startswith("/")]


def _holder(names: Sequence[str], places: Sequence[Path]) -> Path | None:
    """The first of the folders in which one of the names is: relative paths are those of a source tree."""
    return next((place for place in places if any((place / name).exists() for name in names)), None)


def _of_solver(base: Path, path: Path, name: str, call: m.DescribeNet) -> _Found:
    """The nets of a solver's file; name: how its problems call it."""
    try:
        solver = read_tolerant(path, SolverParameter)[0]
    except PrototxtError as error:
        raise _unreadable(call, error, name) from None
    named = [file for file in (solver.net, solver.train_net, *solver.test_net) if file]
    folder = _holder(named, [base, *path.parents]) or base
    problems = check.check_session(folder, name)
    foreign: dict[str, list[UnknownField]] = {}
    read = _reader(foreign)
    try:
        upgrade_solver(solver, name, folder)
        check_solver(solver)
        sources = [_staged(train_net(solver, folder, read), call), *test_nets(solver, folder, read)]
    except (NetError, PrototxtError, SolverError, OSError) as error:
        told = [_problem(problem) for problem in problems if problem.severity == "error"]
        raise _unreadable(call, error, name, told) from None
    own = [one for one in problems if one.file == name]
    return _Found(folder, name, sources, solver, own, foreign)


def _staged(source: NetSource, call: m.DescribeNet) -> NetSource:
    """The train net with the stages and the level of the command line."""
    state = net_state(TRAIN, source.state, level=call.level, stages=call.stages)
    source.param.state.CopyFrom(state)
    return replace(source, state=state)


def _unreadable(
    call: m.DescribeNet, error: Exception, name: str, told: Sequence[m.Problem] = ()
) -> CallError:
    """Why there is nothing to describe: what was told, or else the error itself."""
    if isinstance(error, PrototxtError):
        one = m.Problem(text=error.message, file=name, line=error.line, hint=error.hint or None)
    elif isinstance(error, OSError):
        one = m.Problem(text=f"{error.filename} cannot be read: {error.strerror}", file=name)
    else:
        one = m.Problem(text=str(error), file=name, hint=getattr(error, "hint", "") or None)
    what = "" if call.session else f"{name} "
    return CallError("invalid", f"{what}has no net that can be shown:", None, list(told) or [one])


# ------------------------------------------------------------------------------------------------- describing


def _view(source: NetSource, title: str, found: _Found, stored: Stored) -> m.NetView:
    state = source.state
    places = check_net.places_in(source, found.folder)
    lines = [place.line if place else None for place in places]
    opaque = check_net.opaque_layers(places, found.unknown(source))
    train = state.phase == TRAIN
    try:
        shapes = net_shapes(source.param, state, stored, opaque)
        memory = net_memory(source.param, shapes, train, stored)
    except NetError:  # rules that contradict themselves: told with the layer
        shapes, memory = NetShapes(), []
    return m.NetView(
        title=title,
        phase="train" if train else "test",
        name=source.param.name,
        file=source.path,
        stages=list(state.stage),
        level=state.level,
        layers=[_layer(built, one, lines) for built, one in zip(shapes.layers, memory, strict=True)],
        complete=bool(shapes.layers) and shapes.complete,
        parameters=shapes.param_bytes // 4,
        data_size=shapes.data_bytes,
        memory=sum(one.total for one in memory),
    )


def _layer(built: LayerShapes, memory: LayerMemory, lines: list[int | None]) -> m.NetLayer:
    return m.NetLayer(
        name=built.name,
        type=built.type,
        index=built.index,
        line=lines[built.index] if built.index is not None else None,
        bottoms=list(built.bottoms),
        tops=[
            m.NetBlob(name=name, shape=None if shape is None else list(shape))
            for name, shape in zip(built.names, built.tops, strict=True)
        ],
        params=[list(shape) for shape in built.params],
        parameters=built.param_bytes // 4,
        data_size=built.data_bytes,
        memory=memory.total,
    )


def _needs(found: _Found, stored: Stored) -> list[m.TrainingNeed]:
    """What the training takes on the CPU and on each GPU there is."""
    if found.solver is None:
        return []
    train, *tests = (source.param for source in found.sources)
    needs = []
    for name, free in free_memory().items():
        device: Device = "cpu" if name == "cpu" else "gpu"
        try:
            estimate = preflight(train, tests, found.solver, free, device, stored)
        except NetError:
            estimate = None
        if estimate is None:
            return []
        needs.append(
            m.TrainingNeed(
                device=name,
                solver_type=found.solver.type,
                weights=estimate.parameters,
                gradients=estimate.parameters,
                history=estimate.solver,
                train=estimate.train,
                tests=estimate.tests,
                total=estimate.total,
                snapshot=estimate.snapshot,
                batch=estimate.batch,
                free=free,
                largest=estimate.largest,
            )
        )
    return needs
