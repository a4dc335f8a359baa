"""Solver files: read, brought up to date, checked as Caffe checks them, and the nets they ask for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from barista_server.caffe import prototxt
from barista_server.caffe.net import NetReader, load_net, net_state, read_plain
from barista_server.caffe.schema import TEST, TRAIN, NetParameter, NetState, SolverParameter

TYPE_NAMES = {0: "SGD", 1: "Nesterov", 2: "AdaGrad", 3: "RMSProp", 4: "AdaDelta", 5: "Adam"}
_TRAIN_FIELDS: tuple[Literal["net", "net_param", "train_net", "train_net_param"], ...] = (
    "net",
    "net_param",
    "train_net",
    "train_net_param",
)
_TRAIN_FIELD_LIST = ", ".join(_TRAIN_FIELDS)


class SolverError(ValueError):
    """A solver that Caffe would refuse, in its words; field: the one at fault; hint: what to do."""

    def __init__(self, message: str, field: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.field = field
        self.hint = hint


@dataclass(frozen=True, slots=True)
class NetSource:
    """One net of a solver.

    param: the whole net, unfiltered, its state merged in; origin: where it is from, as in
    "net file: net.prototxt"; state: what its rules are matched against;
    log_line: how Caffe announces that it creates the net; notes: what it says while it brings an old file
    up to date, for a training net behind that line, for test nets before the first of them.
    """

    param: NetParameter
    origin: str
    state: NetState
    log_line: str
    notes: tuple[str, ...] = ()

    @property
    def path(self) -> str | None:
        """The net's file as the solver names it; None for a net written inside the solver file."""
        return self.origin.partition(" file: ")[2] or None


def load_solver(path: str | Path, base_dir: str | Path = "") -> SolverParameter:
    """Read a solver file, bring it up to date and check it. Raises OSError, PrototxtError, SolverError.

    base_dir is the directory that relative paths in the file start from (Caffe: the working directory).
    """
    solver = prototxt.read(path, SolverParameter)
    upgrade_solver(solver, path, base_dir)
    check_solver(solver)
    return solver


def upgrade_solver(solver: SolverParameter, path: str | Path, base_dir: str | Path = "") -> list[str]:
    """Bring solver_type and snapshot_prefix up to date in place; returns Caffe's log messages about it.

    path is the solver file as it was named: it gives the default prefix. Raises SolverError.
    """
    messages = []
    if solver.HasField("solver_type"):
        if solver.HasField("type"):
            raise SolverError(
                "Check failed: !solver_param->has_solver_type() || !solver_param->has_type() "
                "Failed to upgrade solver: old solver_type field (enum) and new type field (string) "
                "cannot be both specified in solver proto text.",
                "solver_type",
                "keep type",
            )
        solver.type = TYPE_NAMES[solver.solver_type]
        solver.ClearField("solver_type")
        messages += [
            "Attempting to upgrade input file specified using deprecated "
            f"'solver_type' field (enum)': {path}",
            "Successfully upgraded file specified using deprecated 'solver_type' field (enum) "
            "to 'type' field (string).",
        ]
    if not solver.HasField("snapshot_prefix"):
        solver.snapshot_prefix = str(Path(path).with_suffix(""))
        messages.append(f"snapshot_prefix was not specified and is set to {solver.snapshot_prefix}")
    elif solver.snapshot_prefix and Path(base_dir, solver.snapshot_prefix).is_dir():
        solver.snapshot_prefix = str(Path(solver.snapshot_prefix, Path(path).stem))
        messages.append(f"snapshot_prefix was a directory and is replaced to {solver.snapshot_prefix}")
    return messages


def check_solver(solver: SolverParameter) -> None:
    """What Caffe checks when it builds a solver, in its order. Raises SolverError with Caffe's text."""
    check_average_loss(solver)
    _check_train_net(solver)
    _check_test_nets(solver)


def check_average_loss(solver: SolverParameter) -> None:
    """The one check before any net is built. Raises SolverError."""
    if solver.average_loss < 1:
        raise SolverError(
            f"Check failed: param_.average_loss() >= 1 ({solver.average_loss} vs. 1) "
            "average_loss should be non-negative.",
            "average_loss",
            "1 shows each iteration's own loss",
        )


def _check_train_net(solver: SolverParameter) -> None:
    given = [field for field in _TRAIN_FIELDS if solver.HasField(field)]
    if not given:
        raise SolverError(
            "Check failed: num_train_nets >= 1 (0 vs. 1) SolverParameter must specify a train net "
            f"using one of these fields: {_TRAIN_FIELD_LIST}",
            hint='add net: "net.prototxt"',
        )
    if len(given) > 1:
        raise SolverError(
            f"Check failed: num_train_nets <= 1 ({len(given)} vs. 1) SolverParameter must not contain "
            f"more than one of these fields specifying a train_net: {_TRAIN_FIELD_LIST}",
            given[1],
            "keep one of " + ", ".join(given),
        )


def _check_test_nets(solver: SolverParameter) -> None:
    own = len(solver.test_net_param) + len(solver.test_net)
    iters = len(solver.test_iter)
    generic = solver.HasField("net") or solver.HasField("net_param")
    if iters < own or (iters > own and not generic):
        sign = ">=" if generic else "=="
        raise SolverError(
            f"Check failed: param_.test_iter_size() {sign} num_test_nets ({iters} vs. {own}) "
            "test_iter must be specified for each test network.",
            "test_iter",
            "one test_iter per test net",
        )
    if solver.test_state and len(solver.test_state) != iters:
        raise SolverError(
            "Check failed: param_.test_state_size() == num_test_net_instances "
            f"({len(solver.test_state)} vs. {iters}) "
            "test_state must be unspecified or specified once per test net.",
            "test_state",
            "one test_state per test_iter, or none",
        )
    if iters and solver.test_interval <= 0:
        raise SolverError(
            f"Check failed: param_.test_interval() > 0 ({solver.test_interval} vs. 0) ",
            "test_interval",
            "test_iter asks for tests: say how often with test_interval",
        )


def train_net(solver: SolverParameter, base_dir: str | Path = "", read: NetReader = read_plain) -> NetSource:
    """The training net. base_dir is where relative paths start, read reads its file.

    Raises OSError, PrototxtError, NetError, SolverError.
    """
    _check_train_net(solver)
    notes: list[str] = []
    if solver.HasField("train_net_param"):
        net, origin = _copy(solver.train_net_param), "train_net_param"
    elif solver.HasField("net_param"):
        net, origin = _copy(solver.net_param), "net_param"
    elif solver.HasField("train_net"):
        net = load_net(Path(base_dir, solver.train_net), notes, read)
        origin = f"train_net file: {solver.train_net}"
    else:
        net, origin = load_net(Path(base_dir, solver.net), notes, read), f"net file: {solver.net}"
    how = f"from {origin}" if " file: " in origin else f"specified in {origin}."
    state = net_state(TRAIN, net.state, solver.train_state)
    return _with_state(net, origin, state, f"training net {how}", notes)


def test_nets(
    solver: SolverParameter, base_dir: str | Path = "", read: NetReader = read_plain
) -> list[NetSource]:
    """The test nets in Caffe's order: test_net_param, test_net, then the net for each test_iter left.

    Raises OSError, PrototxtError, NetError, SolverError.
    """
    _check_test_nets(solver)
    nets: list[tuple[NetParameter, str, list[str]]] = [
        (_copy(param), "test_net_param", []) for param in solver.test_net_param
    ]
    for path in solver.test_net:
        notes: list[str] = []
        nets.append((load_net(Path(base_dir, path), notes, read), f"test_net file: {path}", notes))
    for _ in range(len(solver.test_iter) - len(nets)):
        notes = []
        if solver.HasField("net_param"):
            nets.append((_copy(solver.net_param), "net_param", notes))
        else:
            nets.append((load_net(Path(base_dir, solver.net), notes, read), f"net file: {solver.net}", notes))
    states = list(solver.test_state) or [NetState()] * len(nets)
    return [
        _with_state(
            net,
            origin,
            net_state(TEST, net.state, state),
            f"test net (#{index}) specified by {origin}",
            notes,
        )
        for index, ((net, origin, notes), state) in enumerate(zip(nets, states, strict=True))
    ]


def _copy(net: NetParameter) -> NetParameter:
    copy = NetParameter()
    copy.CopyFrom(net)
    return copy


def _with_state(net: NetParameter, origin: str, state: NetState, title: str, notes: list[str]) -> NetSource:
    net.state.CopyFrom(state)
    return NetSource(net, origin, state, f"Creating {title}", tuple(notes))
