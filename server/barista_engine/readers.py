"""Caffe's text files read as `caffe` reads them: what goes wrong is a failed check in its words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from barista_engine.errors import CheckFailed
from barista_engine.glog import Glog
from barista_engine.interfaces import Log
from barista_server.caffe.forks import read_for_engine
from barista_server.caffe.net import NetError, load_net
from barista_server.caffe.prototxt import PrototxtError
from barista_server.caffe.schema import NetParameter, Phase, SolverParameter
from barista_server.caffe.solver import NetSource, SolverError, test_nets, train_net, upgrade_solver

T = TypeVar("T")
_SOLVER_LINES = [
    ("Attempting to upgrade", 1084),
    ("Successfully upgraded", 1091),
    ("was not specified", 1108),
    ("was a directory", 1113),
]
_TRAIN_NET_LINES = [("train_net_param", 88), ("train_net", 92), ("net_param", 97), ("net", 102)]
_UPGRADE_LINES = [  # those of what is begun, then those of what is done
    ("Attempting to upgrade input file specified using deprecated V0", 28),
    ("deprecated V0LayerParameter", 37),
    ("Attempting to upgrade input file specified using deprecated transformation", 46),
    ("deprecated data transformation", 49),
    ("Attempting to upgrade input file specified using deprecated V1", 55),
    ("deprecated V1LayerParameter", 63),
    ("Attempting to upgrade input file specified using deprecated input", 69),
    ("deprecated input fields.", 72),
    ("Attempting to upgrade batch norm", 79),
    ("batch norm layers", 82),
]


def read_solver(path: str, log: Glog) -> SolverParameter:
    """A solver file, old forms brought up to date. Raises CheckFailed."""

    def read() -> SolverParameter:
        notes: list[str] = []
        solver = read_for_engine(path, SolverParameter, notes)
        log_upgrade(notes, log)
        for message in upgrade_solver(solver, path):
            log.info(f"upgrade_proto.cpp:{_line(_SOLVER_LINES, message)}", message)
            if "solver_type" in message and message.startswith("Successfully"):
                note = "Note that future Caffe releases will only support "
                note += "'type' field (string) for a solver's type."
                log.warning("upgrade_proto.cpp:1093", note)
        return solver

    return _checked(read, "SolverParameter", log)


def read_net(path: str, phase: Phase.ValueType, level: int, stages: list[str], log: Glog) -> NetParameter:
    """A net file with the state given on the command line merged in. Raises CheckFailed."""

    def read() -> NetParameter:
        notes: list[str] = []
        net = load_net(path, notes, read_for_engine)
        log_upgrade(notes, log)
        net.state.phase = phase
        net.state.level = level
        net.state.stage.extend(stages)
        return net

    return _checked(read, "NetParameter", log)


def solver_train_net(solver: SolverParameter, log: Glog) -> NetSource:
    """The training net of a solver. Raises CheckFailed."""

    def read() -> NetSource:
        try:
            return train_net(solver, read=read_for_engine)
        except (OSError, PrototxtError, NetError):
            kind, path = ("net", solver.net) if solver.net else ("train_net", solver.train_net)
            log.info(train_net_place(f"{kind} file: "), f"Creating training net from {kind} file: {path}")
            raise

    return _checked(read, "NetParameter", log)


def train_net_place(origin: str) -> str:
    """Where Caffe announces the training net of such an origin."""
    return f"solver.cpp:{_line(_TRAIN_NET_LINES, origin)}"


def solver_test_nets(solver: SolverParameter, log: Glog) -> list[NetSource]:
    """The test nets of a solver. Raises CheckFailed."""
    return _checked(lambda: test_nets(solver, read=read_for_engine), "NetParameter", log)


def log_upgrade(notes: Iterable[str], log: Log) -> None:
    """What Caffe says while it brings old forms up to date, and which fields of forks are left out."""
    for note in notes:
        if note.startswith(("Note that", "Ignoring")):
            log.warning("upgrade_proto.cpp:51", note)
        elif note.startswith(("Attempting", "Successfully")):
            log.info(f"upgrade_proto.cpp:{_line(_UPGRADE_LINES, note)}", note)
        else:
            log.error("upgrade_proto.cpp:33", note)


def _checked(read: Callable[[], T], kind: str, log: Glog) -> T:
    try:
        return read()
    except OSError as error:
        path = error.filename or ""
        message = f"Check failed: fd != -1 (-1 vs. -1) File not found: {path}"
        raise CheckFailed(message, "io.cpp", 36, error.strerror or "") from None
    except PrototxtError as error:
        hint = f" ({error.hint})" if error.hint else ""
        log.raw(
            f"[libprotobuf ERROR google/protobuf/text_format.cc:337] Error parsing text-format caffe.{kind}: "
            f"{error.line}:{error.column}: {error.message}.{hint}\n"
        )
        message = f"Failed to parse {kind} file: {error.path}"
        line = 90 if kind == "NetParameter" else 1131
        raise CheckFailed(
            f"Check failed: ReadProtoFromTextFile(param_file, param) {message}", "upgrade_proto.cpp", line
        ) from None
    except NetError as error:
        where = f"layer {error.layer}" if error.layer and error.layer not in str(error) else ""
        detail = ", ".join(filter(None, (where, error.hint)))
        old = str(error).startswith("Refusing to upgrade")
        place = ("upgrade_proto.cpp", 671) if old else ("net.cpp", 60)
        raise CheckFailed(str(error), *place, detail) from None
    except SolverError as error:
        old = error.field == "solver_type"
        raise CheckFailed(str(error), *(("upgrade_proto.cpp", 1043) if old else ("solver.cpp", 80))) from None


def _line(lines: Sequence[tuple[str, int]], text: str) -> int:
    """The line of Caffe's source behind a text that has such a part; the last one's for any other."""
    return next((line for part, line in lines if part in text), lines[-1][1])
