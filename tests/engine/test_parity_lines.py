"""LeNet on LMDBs is built with the lines a real Caffe printed, in the same order."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from barista_engine import flags
from barista_engine.glog import Glog
from barista_engine.train_cmd import train
from barista_server.caffe.prototxt import parse, to_text
from barista_server.caffe.schema import NetParameter, SolverParameter

from .golden_logs import FIXTURES, Line, read_lines, training_here, write_digits

LOG = (FIXTURES / "logs" / "bvlc1.0-sigint.log").read_bytes()


def dumps(title: bytes) -> list[bytes]:
    """The prototxt texts that follow the lines ending in `title`."""
    return re.findall(rb"\] " + title + rb" \n((?:(?![IWEF]\d{8} ).*\n)+)", LOG)


def project() -> SolverParameter:
    """Nets, databases and solver of the recorded run, in the working directory, for one iteration."""
    train_net, test_net = (parse(text, NetParameter) for text in dumps(b"Initializing net from parameters:"))
    whole = NetParameter(name=train_net.name, layer=[train_net.layer[0], *test_net.layer])
    Path("lenet_train_test.prototxt").write_text(to_text(whole))
    write_digits(Path("train_lmdb"), 70, size=28)
    write_digits(Path("test_lmdb"), 30, size=28)
    solver = parse(dumps(b"Initializing solver from parameters:")[0], SolverParameter)
    solver.ClearField("train_state")  # the command line puts it there
    return solver


def head(lines: list[Line]) -> list[Line]:
    """Up to the end of construction, without the values that the run was shortened in."""
    texts = [line.text for line in lines]
    return [line for line in lines[: texts.index("Starting Optimization")] if "max_iter" not in line.text]


def test_construction_is_told_as_caffe_told_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    solver = project()
    solver.max_iter = 0
    Path("solver.prototxt").write_text(to_text(solver))
    fd = os.open("ours.log", os.O_RDWR | os.O_CREAT)
    with training_here():
        train(flags.parse(["--solver=solver.prototxt"])[0], Glog(fd=fd))
    os.close(fd)
    assert head(read_lines(Path("ours.log").read_bytes())) == head(read_lines(LOG))
