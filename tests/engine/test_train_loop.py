"""The training loop: its rarer turns, in this process on an LMDB."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from barista_engine.errors import CheckFailed
from barista_engine.glog import Glog
from barista_engine.readers import read_solver
from barista_engine.signals import Action
from barista_engine.train import SmoothedLoss, Solver
from barista_server.caffe.weights import Weights, read_weights, write_weights

from .golden_logs import NET, SOLVER, messages, training_here, write_digits


class Run:
    """A solver, and what it has logged."""

    def __init__(
        self, more: str, max_iter: int, seed: int, net: str, requested: Callable[[], Action]
    ) -> None:
        text = SOLVER.format(max_iter=max_iter, snapshot=0).replace("random_seed: 3", f"random_seed: {seed}")
        Path("net.prototxt").write_text(net)
        Path("solver.prototxt").write_text(text + more)
        self._fd = os.open("log", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        log = Glog(fd=self._fd)
        param = read_solver("solver.prototxt", log)
        self.solver = Solver(param, device=torch.device("cpu"), log=log, requested=requested)

    def said(self) -> list[str]:
        return messages(Path("log").read_bytes())

    def weights(self) -> dict[str, list[np.ndarray]]:
        return self.solver.net.weights()

    def close(self) -> None:
        self.solver.close()
        os.close(self._fd)


Start = Callable[..., Run]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Builds solvers in a directory with two databases; closes them at the end."""
    monkeypatch.chdir(tmp_path)
    write_digits(tmp_path / "train", 100, seed=1)
    write_digits(tmp_path / "test", 30, seed=2)
    runs: list[Run] = []

    def build(
        more: str = "",
        max_iter: int = 20,
        seed: int = 3,
        net: str = NET,
        requested: Callable[[], Action] = lambda: Action.NONE,
    ) -> Run:
        runs.append(Run(more, max_iter, seed, net, requested))
        return runs[-1]

    with training_here():
        yield build
    for run in runs:
        run.close()


def test_it_learns(start: Start) -> None:
    run = start(max_iter=100)
    run.solver.solve()
    accuracy = [text for text in run.said() if text.startswith("    Test net output #0: accuracy = ")][-1]
    assert float(accuracy.split()[-1]) > 0.9


def test_max_iter_zero_tests_once_and_ends(start: Start) -> None:
    run = start(max_iter=0)
    run.solver.solve()
    said = run.said()
    begin = said.index("Solving Small")
    kinds = [text.split(" = ")[0].split(" file ")[0] for text in said[begin:]]
    assert kinds == [
        "Solving Small",
        "Learning Rate Policy: fixed",
        "Snapshotting to binary proto",
        "Snapshotting solver state to binary proto",
        "Iteration 0, loss",
        "Iteration 0, Testing net (#0)",
        "    Test net output #0: accuracy",
        "    Test net output #1: loss",
        "Optimization Done.",
    ]


def test_unknown_policy_is_found_at_the_first_update(start: Start) -> None:
    run = start("test_initialization: false")
    run.solver.param.lr_policy = "cosine"
    with pytest.raises(CheckFailed, match="Unknown learning rate policy: cosine"):
        run.solver.solve()
    assert run.said()[-1].startswith("    Train net output #0: loss = ")


def test_two_passes_of_half_a_batch_are_one_of_a_whole(start: Start) -> None:
    whole = start(max_iter=10)
    halves = start("iter_size: 2", max_iter=10, net=NET.replace("batch_size: 16", "batch_size: 8"))
    for run in (whole, halves):
        run.solver.step(10)
    for layer, blobs in whole.weights().items():
        for blob, other in zip(blobs, halves.weights()[layer], strict=True):
            np.testing.assert_allclose(blob, other, rtol=1e-3, atol=1e-6)


def test_equal_seeds_train_equally_and_others_do_not(start: Start) -> None:
    trained = []
    for seed in (3, 3, 4):
        run = start(seed=seed)
        run.solver.step(5)
        trained.append(run.weights()["ip1"][0])
    assert (trained[0] == trained[1]).all()
    assert (trained[0] != trained[2]).any()


def test_every_test_net_is_tested_in_turn(start: Start) -> None:
    run = start("test_iter: 1 test_compute_loss: true", max_iter=1)
    run.solver.solve()
    said = run.said()
    assert said.count("Iteration 0, Testing net (#0)") == said.count("Iteration 0, Testing net (#1)") == 1
    assert sum(text.startswith("Test loss: ") for text in said) == 2


def test_a_stop_inside_a_test_is_obeyed_before_the_next_batch(start: Start) -> None:
    wishes = iter([Action.NONE, Action.SNAPSHOT, Action.STOP])
    run = start("snapshot_after_train: false", requested=lambda: next(wishes, Action.NONE))
    run.solver.solve()
    said = run.said()
    assert said[-5] == "Iteration 0, Testing net (#0)"
    assert said[-4].startswith("Snapshotting to binary proto file run_iter_0.caffemodel")
    assert said[-2:] == ["Test interrupted.", "Optimization stopped early."]
    assert run.solver.iteration == 0


def test_fine_tuning_from_several_files_takes_the_later_ones_word(start: Start, tmp_path: Path) -> None:
    first, second = start(), start(seed=5)
    second.solver.step(3)
    for name, run in (("a", first), ("b", second)):
        write_weights(f"{name}.caffemodel", run.solver.net.to_proto(), run.weights())
    tuned = start('weights: "a.caffemodel, b.caffemodel"')
    assert tuned.said().count("Finetuning from b.caffemodel") == 2  # for the training and the test net
    for layer, blobs in second.weights().items():
        for blob, mine in zip(blobs, tuned.weights()[layer], strict=True):
            np.testing.assert_array_equal(blob, mine)


def test_layers_the_net_lacks_are_ignored(start: Start) -> None:
    run = start()
    found = read_weights_of(run)
    write_weights("a.caffemodel", run.solver.net.to_proto(), found.layers)
    renamed = NET.replace('name: "ip2"', 'name: "ip2_new"')
    tuned = start('weights: "a.caffemodel"', net=renamed)
    assert "Ignoring source layer ip2" in tuned.said()


def read_weights_of(run: Run) -> Weights:
    run.solver.snapshot()
    return read_weights(f"run_iter_{run.solver.iteration}.caffemodel")


@pytest.mark.parametrize("form", ["BINARYPROTO", "HDF5"])
@pytest.mark.parametrize("kind", ["SGD", "Adam"])
def test_a_resumed_run_has_the_weights_and_history_of_the_first(start: Start, kind: str, form: str) -> None:
    more = f'type: "{kind}" snapshot_format: {form}'
    run = start(more)
    run.solver.step(7)
    run.solver.snapshot()
    resumed = start(more)
    resumed.solver.restore(f"run_iter_7.solverstate{'.h5' if form == 'HDF5' else ''}")
    assert resumed.solver.iteration == 7
    for mine, other in zip(resumed.solver.updater.history, run.solver.updater.history, strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=0)
    for layer, blobs in run.weights().items():
        for blob, mine in zip(blobs, resumed.weights()[layer], strict=True):
            np.testing.assert_array_equal(blob, mine)


def test_what_cannot_be_resumed(start: Start) -> None:
    run = start()
    run.solver.snapshot()
    adam = start('type: "Adam"')
    with pytest.raises(CheckFailed, match=r"\(4 vs. 8\) Incorrect length of history blobs."):
        adam.solver.restore("run_iter_0.solverstate")
    with pytest.raises(CheckFailed, match=r"File not found: nope\.solverstate"):
        run.solver.restore("nope.solverstate")
    Path("cut.solverstate").write_bytes(Path("run_iter_0.solverstate").read_bytes()[:-20])
    with pytest.raises(CheckFailed, match=r"cut\.solverstate"):
        run.solver.restore("cut.solverstate")
    Path("run_iter_0.caffemodel").unlink()
    with pytest.raises(CheckFailed, match=r"File not found: run_iter_0\.caffemodel"):
        run.solver.restore("run_iter_0.solverstate")


def test_a_snapshot_that_cannot_be_written_is_a_failed_check(start: Start) -> None:
    run = start()
    run.solver.param.snapshot_prefix = "no/such/dir/run"
    with pytest.raises(CheckFailed, match="SerializeToOstream"):
        run.solver.snapshot()
    assert run.said()[-1] == "Snapshotting to binary proto file no/such/dir/run_iter_0.caffemodel"


def test_a_diverged_run_shows_the_loss_that_caffe_shows(start: Start) -> None:
    run = start(net=NET.replace('name: "ip2"', 'name: "ip2" param { lr_mult: 1e12 }'))
    run.solver.step(3)
    loss = run.solver.net.forward().item()
    wrong = loss / 87.33654 * 16  # each wrong record of the batch costs -log(FLT_MIN), a right one nothing
    assert wrong == pytest.approx(round(wrong), abs=1e-3)
    assert 0 < round(wrong) <= 16


def smoothed(losses: list[float], size: int) -> list[float]:
    window = SmoothedLoss(size)
    shown = []
    for position, loss in enumerate(losses):
        window.add(torch.tensor(loss), position)
        shown.append(window.value.item())
    return shown


def test_smoothed_loss_is_the_mean_of_the_last_ones() -> None:
    assert smoothed([1, 2, 3, 4, 5, 6], 3) == pytest.approx([1, 1.5, 2, 3, 4, 5])


def test_one_nan_stays_in_the_smoothed_loss_for_ever() -> None:
    assert np.isnan(smoothed([1, float("nan"), 1, 1, 1], 1)[1:]).all()
