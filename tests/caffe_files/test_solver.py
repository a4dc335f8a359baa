"""Solver files: brought up to date, checked as Caffe checks them, and the nets they ask for."""

from pathlib import Path

import pytest

from barista_server.caffe import solver as solvers
from barista_server.caffe.prototxt import PrototxtError
from barista_server.caffe.schema import TEST, TRAIN
from barista_server.caffe.solver import SolverError, load_solver

GOLDEN = Path(__file__).parent.parent / "fixtures/golden/solvers"


def solver_file(folder: Path, text: str) -> Path:
    path = folder / "s.prototxt"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("name", "kind"),
    [("sgd_oldenum", "Nesterov"), ("adam", "Adam"), ("sgd_inv", "SGD"), ("adadelta", "AdaDelta")],
)
def test_types_of_old_and_new_solvers(name: str, kind: str) -> None:
    solver = load_solver(GOLDEN / f"{name}_solver.prototxt")
    assert solver.type == kind
    assert not solver.HasField("solver_type")


def test_all_golden_solvers_load() -> None:
    paths = list(GOLDEN.glob("*_solver.prototxt"))
    assert len(paths) > 10
    assert {load_solver(path).max_iter for path in paths} == {25}


@pytest.mark.parametrize(
    ("text", "message", "field"),
    [
        ("", "num_train_nets >= 1 (0 vs. 1) SolverParameter must specify a train net using one of these", ""),
        (
            "net: 'a' train_net: 'b'",
            "num_train_nets <= 1 (2 vs. 1) SolverParameter must not contain",
            "train_net",
        ),
        (
            "net: 'a' solver_type: ADAM type: 'Adam'",
            "cannot be both specified in solver proto text",
            "solver_type",
        ),
        ("net: 'a' average_loss: 0", "average_loss() >= 1 (0 vs. 1)", "average_loss"),
        ("net: 'a' test_iter: 1", "test_interval() > 0 (0 vs. 0)", "test_interval"),
        (
            "net: 'a' test_net: 'b' test_interval: 1",
            "test_iter_size() >= num_test_nets (0 vs. 1)",
            "test_iter",
        ),
        ("train_net: 'a' test_iter: 1", "test_iter_size() == num_test_nets (1 vs. 0)", "test_iter"),
        (
            "net: 'a' test_iter: 1 test_interval: 1 test_state { } test_state { }",
            "test_state must be unspecified or specified once per test net",
            "test_state",
        ),
    ],
)
def test_what_caffe_refuses_is_refused(tmp_path: Path, text: str, message: str, field: str) -> None:
    with pytest.raises(SolverError) as caught:
        load_solver(solver_file(tmp_path, text))
    assert message in str(caught.value)
    assert caught.value.field == field
    assert caught.value.hint


def test_a_broken_file_gives_its_place(tmp_path: Path) -> None:
    with pytest.raises(PrototxtError, match=r"s\.prototxt:2:1: .*max_iterr.*did you mean"):
        load_solver(solver_file(tmp_path, "net: 'a'\nmax_iterr: 3"))


def test_snapshot_prefix_defaults_to_the_solver_and_may_be_a_directory(tmp_path: Path) -> None:
    path = solver_file(tmp_path, "net: 'a'")
    assert load_solver(path).snapshot_prefix == str(tmp_path / "s")
    (tmp_path / "snaps").mkdir()
    path = solver_file(tmp_path, "net: 'a' snapshot_prefix: 'snaps'")
    assert load_solver(path, tmp_path).snapshot_prefix == "snaps/s"
    assert load_solver(path, tmp_path / "elsewhere").snapshot_prefix == "snaps"


def test_notes_of_an_upgrade_are_caffes_log_lines() -> None:
    from barista_server.caffe import prototxt
    from barista_server.caffe.schema import SolverParameter

    solver = prototxt.parse("net: 'n' solver_type: RMSPROP", SolverParameter)
    notes = solvers.upgrade_solver(solver, "models/s.prototxt")
    assert solver.type == "RMSProp"
    assert notes[0].startswith(
        "Attempting to upgrade input file specified using deprecated 'solver_type' field"
    )
    assert notes[-1] == "snapshot_prefix was not specified and is set to models/s"


def test_nets_of_net_come_with_their_states(tmp_path: Path) -> None:
    (tmp_path / "n.prototxt").write_text("name: 'n' state { stage: 'file' }")
    path = solver_file(
        tmp_path,
        """net: 'n.prototxt' test_iter: 3 test_iter: 4 test_interval: 5
        train_state { level: 2 } test_state { stage: 'a' } test_state { stage: 'b' }""",
    )
    solver = load_solver(path, tmp_path)
    train = solvers.train_net(solver, tmp_path)
    assert train.log_line == "Creating training net from net file: n.prototxt"
    assert (train.origin, train.path) == ("net file: n.prototxt", "n.prototxt")
    assert (train.state.phase, train.state.level, list(train.state.stage)) == (TRAIN, 2, ["file"])
    tests = solvers.test_nets(solver, tmp_path)
    assert [net.log_line for net in tests] == [
        "Creating test net (#0) specified by net file: n.prototxt",
        "Creating test net (#1) specified by net file: n.prototxt",
    ]
    assert [(net.state.phase, list(net.state.stage)) for net in tests] == [
        (TEST, ["file", "a"]),
        (TEST, ["file", "b"]),
    ]
    assert all(net.param.state == net.state for net in [train, *tests])


def test_test_nets_come_in_caffes_order(tmp_path: Path) -> None:
    (tmp_path / "f.prototxt").write_text("name: 'file'")
    path = solver_file(
        tmp_path,
        """net_param { name: 'own' } test_net: 'f.prototxt' test_net_param { name: 'param' }
        test_iter: 1 test_iter: 1 test_iter: 1 test_iter: 1 test_interval: 1""",
    )
    solver = load_solver(path, tmp_path)
    nets = solvers.test_nets(solver, tmp_path)
    assert [net.param.name for net in nets] == ["param", "file", "own", "own"]
    assert [net.origin for net in nets] == [
        "test_net_param",
        "test_net file: f.prototxt",
        "net_param",
        "net_param",
    ]
    train = solvers.train_net(solver, tmp_path)
    assert (train.log_line, train.path) == ("Creating training net specified in net_param.", None)


def test_a_missing_net_is_an_os_error(tmp_path: Path) -> None:
    solver = load_solver(solver_file(tmp_path, "train_net: 'gone.prototxt'"))
    with pytest.raises(FileNotFoundError, match=r"gone\.prototxt"):
        solvers.train_net(solver, tmp_path)
