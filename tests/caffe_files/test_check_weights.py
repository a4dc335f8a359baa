"""Weights that a solver starts from, and parameters that its nets share: misfits are found before."""

from __future__ import annotations

from pathlib import Path

import pytest

from barista_server.caffe.check import Problem, check_session

from .small_project import change, write_model, write_project


@pytest.fixture
def session(tmp_path: Path) -> Path:
    return write_project(tmp_path)


def only(session: Path) -> Problem:
    problems = check_session(session)
    assert len(problems) == 1, problems
    return problems[0]


@pytest.mark.parametrize(
    ("layers", "message", "severity"),
    [
        ({"ip": [(3, 4), (3,)]}, "blob 0 of layer 'ip' is 3 4 (12) there, 3 36 (108) in the net", "error"),
        ({"ip": [(3, 36)]}, "layer 'ip' has 1 blobs there, 2 in the net", "error"),
        ({"acc": [(3, 36)], "ip": [(3, 36), (3,)]}, "layer 'acc' has 1 blobs there, 0 in the net", "error"),
        ({"fc": [(3, 36), (3,)]}, "no layer of 'w.caffemodel' has the name of a layer with", "warning"),
    ],
)  # fmt: skip
def test_weights_that_do_not_fit(
    session: Path, layers: dict[str, list[tuple[int, ...]]], message: str, severity: str
) -> None:
    write_model(session / "w.caffemodel", **layers)
    change(session / "solver.prototxt", "display", 'weights: "w.caffemodel"\ndisplay')
    problem = only(session)
    assert (problem.file, problem.line, problem.severity) == ("solver.prototxt", 7, severity)
    assert message in problem.message


def test_weights_that_fit(session: Path) -> None:
    write_model(session / "w.caffemodel", ip=[(3, 36), (3,)], loss=[], other=[(9,)])
    write_model(session / "old.caffemodel", ip=[(1, 1, 3, 36), (1, 1, 1, 3)])
    change(session / "solver.prototxt", "display", 'weights: "w.caffemodel, old.caffemodel"\ndisplay')
    assert check_session(session) == []


def test_weights_that_cannot_be_read(session: Path) -> None:
    change(session / "solver.prototxt", "display", 'weights: "a"\nweights: "w"\ndisplay')
    write_model(session / "a", ip=[(3, 36), (3,)])
    assert (only(session).line, only(session).message) == (8, "weights file 'w' does not exist")
    (session / "w").write_bytes((session / "a").read_bytes()[:100])
    assert only(session).message.startswith("weights file 'w' is damaged or no .caffemodel: ")
    (session / "w").write_bytes(b"")
    assert (only(session).severity, only(session).message) == (
        "warning",
        "weights file 'w' is empty: nothing is taken over",
    )


def test_nets_that_cannot_share_parameters(session: Path) -> None:
    change(session / "net.prototxt", "transform_param { scale: 0.01 }", "transform_param { crop_size: 6 }")
    problem = only(session)
    assert (problem.line, problem.severity) == (23, "error")
    assert problem.message == (
        "layer 'ip': cannot share its parameters with the TRAIN net, where they are 3 16 (48) and 3 (3); "
        "here: 3 36 (108) and 3 (3)"
    )
