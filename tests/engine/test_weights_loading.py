"""Weights come into a net blob by blob, from files of every form, also where a file leaves some out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from barista_engine import snapshot
from barista_engine.errors import CheckFailed
from barista_engine.glog import Glog
from barista_engine.train import Solver
from barista_server.caffe.prototxt import parse
from barista_server.caffe.schema import NetParameter, SolverParameter
from barista_server.caffe.weights import State, verify_snapshot, write_state, write_weights

FIXTURES = Path(__file__).parent.parent / "fixtures" / "weights"

SHARED = """
net_param {
  name: "twins"
  layer { name: "data" type: "Input" top: "a" top: "b"
          input_param { shape { dim: 2 dim: 3 } shape { dim: 2 dim: 3 } } }
  layer { name: "left" type: "InnerProduct" bottom: "a" top: "left" param { name: "w" }
          inner_product_param { num_output: 4 weight_filler { type: "xavier" } } }
  layer { name: "right" type: "InnerProduct" bottom: "b" top: "right" param { name: "w" }
          inner_product_param { num_output: 4 weight_filler { type: "xavier" }
                                bias_filler { value: 3 } } }
  layer { name: "loss" type: "EuclideanLoss" bottom: "left" bottom: "right" top: "loss" }
}
base_lr: 0.1 lr_policy: "fixed" max_iter: 2 snapshot_prefix: "s" random_seed: 1 momentum: 0.9
"""


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Glog]:
    monkeypatch.chdir(tmp_path)
    fd = os.open("log", os.O_WRONLY | os.O_CREAT)
    yield Glog(fd=fd)
    os.close(fd)


def twins(log: Glog, form: str = "BINARYPROTO") -> Solver:
    param = parse(f"{SHARED} snapshot_format: {form}", SolverParameter)
    return Solver(param, device=torch.device("cpu"), log=log)


def weights(solver: Solver) -> list[np.ndarray]:
    return [blob for _, blobs in sorted(solver.net.weights().items()) for blob in blobs]


@pytest.mark.parametrize("form", ["BINARYPROTO", "HDF5"])
def test_shared_weights_go_through_a_snapshot(log: Glog, form: str) -> None:
    """HDF5 keeps a shared blob with its owner only; the layer that shares has just its own."""
    one = twins(log, form)
    one.step(2)
    snapshot.write(one.param, 2, 0, one.net, one.updater, log)
    h5 = ".h5" if form == "HDF5" else ""
    assert verify_snapshot(f"s_iter_2.caffemodel{h5}", f"s_iter_2.solverstate{h5}").iteration == 2
    if form == "HDF5":
        with h5py.File("s_iter_2.caffemodel.h5") as file:
            assert {name: list(file["data"][name]) for name in ("left", "right")} == {
                "left": ["0", "1"],
                "right": ["1"],
            }
    other = twins(log, form)
    assert snapshot.restore(f"s_iter_2.solverstate{h5}", other.net, other.updater, log) == (2, 0)
    for mine, theirs in zip(weights(one), weights(other), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    one.close()
    other.close()


def test_models_of_a_real_caffe_with_shared_weights(log: Glog) -> None:
    """BVLC caffe 1.0 wrote one net in both forms; the HDF5 file has the shared blob once."""
    solver = twins(log)
    found = []
    for name in ("shared.caffemodel", "shared.caffemodel.h5"):
        snapshot.load_weights(solver.net, str(FIXTURES / name), log)
        found.append(weights(solver))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)
    assert [blob.tolist() for blob in found[0][1::2]] == [[1, 2, 3, 4], [3, 3, 3, 3]]
    write_weights("ours.h5", solver.net.to_proto(), solver.net.weights(), "hdf5", None, solver.net.shared())
    with h5py.File("ours.h5") as ours, h5py.File(FIXTURES / "shared.caffemodel.h5") as real:
        groups: list[list[str]] = [[], []]
        ours.visit(groups[0].append)
        real.visit(groups[1].append)
    assert groups[0] == groups[1]
    solver.close()


def test_hdf5_models_with_groups_missing_or_extra(log: Glog) -> None:
    solver = twins(log)
    before = weights(solver)
    write_weights(
        "w.h5",
        parse('layer { name: "left" } layer { name: "nobody" }', NetParameter),
        {"left": [np.ones((4, 3), np.float32), np.full(4, 2, np.float32)], "nobody": []},
        "hdf5",
    )
    snapshot.load_weights(solver.net, "w.h5", log)
    after = solver.net.weights()
    assert after["left"][0].min() == 1 and after["left"][1].max() == 2
    np.testing.assert_array_equal(after["right"][1], before[-1])
    assert b"Ignoring source layer nobody" in Path("log").read_bytes()
    with h5py.File("w.h5", "a") as file:
        del file["data/left/0"]
    with pytest.raises(CheckFailed, match="Incompatible number of blobs for layer left"):
        snapshot.load_weights(solver.net, "w.h5", log)
    with h5py.File("w.h5", "a") as file:
        del file["data"]
    with pytest.raises(CheckFailed, match=r"Error reading weights from w\.h5"):
        snapshot.load_weights(solver.net, "w.h5", log)
    solver.close()


def test_moved_snapshots_are_told_with_what_to_do(log: Glog, tmp_path: Path) -> None:
    solver = twins(log)
    history = [np.zeros(blob.shape, np.float32) for blob in solver.updater.history]
    elsewhere = tmp_path / "moved"
    elsewhere.mkdir()
    write_state(elsewhere / "s.solverstate", State(5, "models/s.caffemodel", history))
    with pytest.raises(CheckFailed, match=r"File not found: models/s\.caffemodel .*Start where"):
        snapshot.restore(str(elsewhere / "s.solverstate"), solver.net, solver.updater, log)
    (elsewhere / "s.caffemodel").touch()
    with pytest.raises(CheckFailed, match=f"It lies beside it: .*{elsewhere}"):
        snapshot.restore(str(elsewhere / "s.solverstate"), solver.net, solver.updater, log)
    solver.close()


def test_a_broken_model_is_a_failed_check_that_names_file_and_place(log: Glog) -> None:
    solver = twins(log)
    net = parse('layer { name: "left" }', NetParameter)
    write_weights("w", net, {"left": [np.ones((4, 3), np.float32)]})
    data = Path("w").read_bytes()
    Path("w").write_bytes(data[:-9])
    with pytest.raises(CheckFailed, match=r"Failed to parse NetParameter file: w .*at byte"):
        snapshot.load_weights(solver.net, "w", log)
    with pytest.raises(CheckFailed, match="Couldn't open none"):
        snapshot.load_weights(solver.net, "none", log)
    solver.close()
