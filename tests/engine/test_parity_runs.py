"""Small trainings that a real Caffe 1.0 ran on a CPU: what it printed from start to end of optimization.

A folder of `runs` holds solver.prototxt, net.prototxt, data, expected.log, the init.caffemodel it began with
(none where the solver's random_seed made the first weights) and, where it was given some, flags.txt with more
flags; a snapshot there is one that Caffe wrote. Where resume.txt names a snapshot, expected_resume.log has
what Caffe printed when it went on from its own.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from barista_engine import flags
from barista_engine.glog import Glog
from barista_engine.train_cmd import train
from barista_server.caffe.schema import NetParameter

from .golden_logs import FIXTURES, Line, differences, read_lines, training_here

RUNS = sorted((FIXTURES / "runs").iterdir())
RESUMED = [run for run in RUNS if (run / "resume.txt").exists()]
TOLERANCE = 1e-3


def optimization(data: bytes) -> list[Line]:
    lines = read_lines(data)
    return lines[next(i for i, line in enumerate(lines) if line.text == "Starting Optimization") :]


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_trains_as_caffe_did(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("*_iter_*"))
    monkeypatch.chdir(tmp_path / "run")
    more = Path("flags.txt").read_text().split() if Path("flags.txt").exists() else []
    more += ["--weights=init.caffemodel"] if Path("init.caffemodel").exists() else []
    assert trained(more, "expected.log") == []
    for golden in run.glob("*_iter_*.caffemodel"):
        assert_same_blobs(Path(golden.name), golden)


@pytest.mark.parametrize("run", RESUMED, ids=lambda run: run.name)
def test_goes_on_as_caffe_did(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(run, tmp_path / "run")
    monkeypatch.chdir(tmp_path / "run")
    assert trained(["--weights=init.caffemodel"], "expected.log") == []
    assert trained([f"--snapshot={Path('resume.txt').read_text().strip()}"], "expected_resume.log") == []


def trained(more: list[str], expected: str) -> list[str]:
    """How the lines of a training in this folder differ from those of `expected`."""
    fd = os.open("ours.log", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    with training_here():
        train(flags.parse(["--solver=solver.prototxt", *more])[0], Glog(fd=fd))
    os.close(fd)
    ours = optimization(Path("ours.log").read_bytes())
    return differences(ours, optimization(Path(expected).read_bytes()), TOLERANCE)


def assert_same_blobs(ours: Path, golden: Path) -> None:
    """Trained values and, of a snapshot with diffs, what the last update took from them."""
    mine, theirs = (NetParameter.FromString(path.read_bytes()) for path in (ours, golden))
    assert [layer.name for layer in mine.layer] == [layer.name for layer in theirs.layer]
    for layer, expected in zip(mine.layer, theirs.layer, strict=True):
        for blob, wanted in zip(layer.blobs, expected.blobs, strict=True):
            assert blob.shape == wanted.shape
            np.testing.assert_allclose(blob.data, wanted.data, rtol=TOLERANCE, atol=1e-6)
            np.testing.assert_allclose(blob.diff, wanted.diff, rtol=TOLERANCE, atol=1e-7)
