"""Solvers and nets that logs echo: where they stand, and that they are what caffe was given."""

from __future__ import annotations

from pathlib import Path

import pytest

from barista_server.caffe.log import LogParser, find_text
from barista_server.caffe.log.echoed import echoed_net, echoed_solver
from barista_server.caffe.prototxt import PrototxtError

from .log_results import FIXTURES, OWN, PUBLIC, glog, parse

SOLVER = (
    'test_iter: 3\nbase_lr: 0.01\nmax_iter: 100\nsnapshot_prefix: "a: b {"\ntrain_state {\n  level: 0\n}\n'
)
NET = 'name: "n"\nstate {\n  phase: TEST\n}\nlayer {\n  name: "a"\n  type: "Input"\n  top: "a"\n}\n'


def texts(log: str) -> list[str]:
    data = log.encode()
    return [find_text(data, dump) for dump in parse(data).dumps]


def test_where_they_stand() -> None:
    log = glog("Use CPU.") + glog("Initializing solver from parameters: ") + SOLVER
    log += (
        glog("Creating training net from net file: n.prototxt")
        + glog("Initializing net from parameters: ")
        + NET
    )
    log += glog("Creating Layer a") + glog("Creating test net (#1) specified by net file: n.prototxt")
    log += glog("Initializing net from parameters: ") + NET + glog("Creating Layer a")
    parser = parse(log.encode())
    assert [(dump.kind, dump.net, dump.first_line, dump.stop_line) for dump in parser.dumps] == [
        ("solver", None, 2, 9),
        ("net", -1, 11, 20),
        ("net", 1, 23, 32),
    ]
    assert texts(log) == [SOLVER, NET, NET]
    data = log.encode()
    span = parser.index.span(23, 32)
    assert find_text(data[span.start : span.stop], parser.dumps[2], span.first) == NET


def test_others_in_between() -> None:
    torn = SOLVER.replace("  level: 0\n", "  level: 0\nUserWarning: a print of Python\n")
    log = (
        glog("Initializing solver from parameters: ")
        + torn
        + "[libprotobuf WARNING a.cc:1] large\n"
        + glog("x")
    )
    assert texts(log) == [SOLVER]
    run = parse(log.encode()).runs[0]
    assert run.max_iter == 100
    assert run.solver["snapshot_prefix"] == ["a: b {"]


def test_behind_the_marks_of_launchers() -> None:
    log = glog("Initializing solver from parameters: ") + SOLVER + glog("Creating training net")
    for mark in ("2026-11-25T02:52:39.123456789Z stderr F ", "[3] ", " 0: ", "> ", "[1,2]<stderr>:"):
        marked = "".join(mark + line for line in log.splitlines(keepends=True))
        assert texts(marked) == [SOLVER]
        assert parse(marked.encode()).runs[0].max_iter == 100


def test_processes_that_print_at_once() -> None:
    mine = [
        glog("Initializing solver from parameters: "),
        *SOLVER.splitlines(keepends=True),
        glog("Use CPU."),
    ]
    log = "".join(f"[0] {line}[1] {line}" for line in mine)
    assert texts(log) == [SOLVER, SOLVER]
    [run] = parse(log.encode()).runs
    assert (run.rank, run.max_iter, run.test_iter) == (0, 100, [3])


def test_without_any_prefix() -> None:
    log = f"Initializing solver from parameters: \n{SOLVER}Creating training net from net file: n\n"
    log += f"Initializing net from parameters: \n{NET}Top shape: 64 1 28 28 (50176)\nIteration 0, loss = 3\n"
    assert texts(log) == [SOLVER, NET]
    parser = parse(log.encode())
    assert (parser.iteration, parser.runs[0].max_iter) == (0, 100)


def test_one_that_still_grows() -> None:
    log = (glog("Initializing net from parameters: ") + NET).encode()
    parser = LogParser()
    parser.feed(log)
    assert parser.dumps[0].stop_line is None
    assert find_text(log, parser.dumps[0]) == NET
    parser.feed(glog("Creating Layer a").encode())
    assert parser.dumps[0].stop_line == 10


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.stem)
def test_own_logs(path: Path) -> None:
    data = path.read_bytes()
    parser = parse(data)
    assert len(parser.dumps) == data.count(b" from parameters: \n")
    for dump in parser.dumps:
        if dump.kind == "solver":
            echo = echoed_solver(data, dump)
            assert not echo.unknown and not echo.cut
            solver = echo.message
            run = parser.runs[0]
            assert (solver.max_iter, solver.display or None) == (run.max_iter, run.display)
            assert solver.lr_policy == run.solver["lr_policy"][0]
        else:
            net = echoed_net(data, dump).message
            assert len(net.layer) >= 7
            if dump.net is not None:
                assert net.state.phase == (0 if dump.net < 0 else 1)


OTHERS = sorted(path for path in PUBLIC.glob("*.log") if path.name not in {own.name for own in OWN})


@pytest.mark.parametrize("path", OTHERS or [FIXTURES / "absent"], ids=lambda path: path.stem)
def test_logs_of_others(path: Path) -> None:
    if not path.exists():
        pytest.skip("other people's logs are not here")
    data = path.read_bytes()
    parser = parse(data)
    assert len(parser.dumps) == len(
        [line for line in data.split(b"\n") if b"] Initializing " in line and b" from parameters" in line]
    )
    for dump in parser.dumps:
        try:
            if dump.kind == "solver":
                assert echoed_solver(data, dump).message.base_lr > 0
            else:
                net = echoed_net(data, dump)
                assert net.message.layer or net.message.layers or net.message.name
                # Some of them lost the margin of their lines.
                assert not net.cut or len(find_text(data, dump)) > 24_000
        except PrototxtError as error:
            assert path.stem in MIXED, error


MIXED: set[str] = set()
"""Logs in which something else stands within a dump."""
