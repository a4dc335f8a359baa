"""The engine trains as a real Caffe did: same lines in the same order, same losses, same weights."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from barista_engine import flags
from barista_engine.glog import Glog
from barista_engine.train_cmd import train
from barista_server.caffe.weights import read_state, read_weights

from .golden_logs import FIXTURES, differences, read_lines, run_caffe, training_here

SOLVERS = FIXTURES / "golden" / "solvers"
NAMES = sorted(path.name.removesuffix("_solver.prototxt") for path in SOLVERS.glob("*_solver.prototxt"))
TOLERANCE = 1e-3


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with nets, data and initial weights, and nothing else; signal handlers put back."""
    for path in SOLVERS.iterdir():
        if "_iter_" not in path.name and path.suffix != ".log":
            shutil.copy(path, tmp_path)
    monkeypatch.chdir(tmp_path)
    with training_here():
        yield tmp_path


def train_here(*arguments: str) -> bytes:
    """`barista-caffe train` inside this process; its log."""
    values, _ = flags.parse(arguments)
    fd = os.open("ours.log", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        train(values, Glog(fd=fd))
    finally:
        os.close(fd)
    return Path("ours.log").read_bytes()


def assert_same_log(ours: bytes, name: str) -> None:
    golden = (SOLVERS / f"{name}.log").read_bytes()
    assert differences(read_lines(ours), read_lines(golden), TOLERANCE) == []


def assert_same_weights(ours: Path, golden: Path) -> None:
    mine, theirs = read_weights(ours), read_weights(golden)
    assert list(mine.layers) == list(theirs.layers)
    for layer, blobs in theirs.layers.items():
        for blob, expected in zip(mine.layers[layer], blobs, strict=True):
            np.testing.assert_allclose(blob, expected, rtol=TOLERANCE, atol=1e-5, err_msg=layer)


def assert_same_state(ours: Path, golden: Path) -> None:
    mine, theirs = read_state(ours), read_state(golden)
    assert (mine.iter, mine.learned_net, mine.current_step) == (
        theirs.iter,
        theirs.learned_net,
        theirs.current_step,
    )
    for blob, expected in zip(mine.history, theirs.history, strict=True):
        np.testing.assert_allclose(blob, expected, rtol=TOLERANCE, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_trains_as_caffe_did(name: str, folder: Path) -> None:
    assert_same_log(train_here(f"--solver={name}_solver.prototxt", "--weights=init.caffemodel"), name)
    for golden in SOLVERS.glob(f"{name}_iter_10.*"):
        same = assert_same_state if "solverstate" in golden.name else assert_same_weights
        same(folder / golden.name, golden)
    assert len(list(folder.glob(f"{name}_iter_*"))) == 6


@pytest.mark.parametrize("name", NAMES)
def test_resumes_as_caffe_did(name: str, folder: Path) -> None:
    form = ".h5" if name == "sgd_hdf5snap" else ""
    for kind in ("caffemodel", "solverstate"):
        golden = SOLVERS / f"{name}_iter_10.{kind}{form}"
        if golden.exists():
            shutil.copy(golden, folder)
    state = f"{name}_iter_10.solverstate{form}"
    if not Path(state).exists():
        train_here(f"--solver={name}_solver.prototxt", "--weights=init.caffemodel")
    assert_same_log(train_here(f"--solver={name}_solver.prototxt", f"--snapshot={state}"), f"{name}_resume")
    for golden in SOLVERS.glob(f"{name}_iter_25.*"):  # the recorded ones were written by the resumed run
        assert_same_weights(folder / golden.name, golden)


def test_whole_process_prints_what_caffe_printed(folder: Path) -> None:
    done = run_caffe("train", "--solver=sgd_step_solver.prototxt", "--weights=init.caffemodel", cwd=folder)
    assert done.returncode == 0
    assert_same_log(done.stderr, "sgd_step")
    assert done.stdout == b""


def describe(item: h5py.Group | h5py.Dataset) -> object:
    return (item.shape, item.dtype.kind) if isinstance(item, h5py.Dataset) else "group"


def test_caffe_reads_the_layout_of_our_hdf5_snapshot(folder: Path) -> None:
    train_here("--solver=sgd_hdf5snap_solver.prototxt", "--weights=init.caffemodel")
    for name in ("sgd_hdf5snap_iter_10.caffemodel.h5", "sgd_hdf5snap_iter_10.solverstate.h5"):
        with h5py.File(folder / name) as ours, h5py.File(SOLVERS / name) as golden:
            layouts = []
            for file in (ours, golden):
                found: dict[str, object] = {}
                file.visititems(
                    lambda key, item, found=found: found.update({key: getattr(item, "shape", None)})
                )
                layouts.append(found)
            assert layouts[0] == layouts[1]
