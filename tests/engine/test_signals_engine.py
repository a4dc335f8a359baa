"""Signals, stops and resumes of a real training process on an LMDB."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from barista_server.caffe.weights import read_state, verify_snapshot

from .golden_logs import CAFFE, messages, run_caffe, write_project

ENDLESS = 10_000_000


class Training:
    """A running `barista-caffe train` and its log so far."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.path = folder / "log"
        with self.path.open("wb") as log:
            command = [*CAFFE, "train", "--solver=solver.prototxt", *arguments]
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            self.process = subprocess.Popen(command, cwd=folder, stderr=log, env=environment)

    def log(self) -> bytes:
        return self.path.read_bytes()

    def wait_for(self, pattern: bytes, after: int = 0) -> int:
        """Position behind the first match of `pattern` behind `after`; fails in a minute or at the end."""
        search = re.compile(pattern).search
        found = poll(lambda: search(self.log(), after) or self.process.poll() is not None)
        assert isinstance(found, re.Match), self.log()[-2000:].decode()
        return found.end()

    def end(self) -> int:
        return self.process.wait(60)


def poll(condition: Callable[[], object]) -> object:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if result := condition():
            return result
        time.sleep(0.01)
    return None


@pytest.fixture
def start(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., Training]:
    """Starts a training in tmp_path; it is killed if the test leaves it running."""

    def run(*arguments: str, max_iter: int = ENDLESS, more: str = "") -> Training:
        write_project(tmp_path, max_iter=max_iter, more=more)
        training = Training(tmp_path, *arguments)
        request.addfinalizer(lambda: training.process.poll() is None and training.process.kill())
        return training

    return run


def test_snapshot_on_sighup_stop_on_sigint_and_resume(start: Callable[..., Training], tmp_path: Path) -> None:
    run = start()
    seen = run.wait_for(rb"Iteration 60 ")
    run.process.send_signal(signal.SIGHUP)
    seen = run.wait_for(rb"Snapshotting solver state to binary proto file run_iter_\d+", seen)
    run.wait_for(rb"Iteration \d+ \(", seen)  # it went on
    run.process.send_signal(signal.SIGINT)
    run.process.send_signal(signal.SIGINT)  # an impatient second one changes nothing
    assert run.end() == 0
    said = messages(run.log())
    assert said[-2:] == ["Optimization stopped early.", "Optimization Done."]
    states = sorted(tmp_path.glob("*.solverstate"), key=lambda path: read_state(path).iter)
    assert len(states) == 2
    assert said[-3].endswith(states[-1].name)
    stopped = verify_snapshot(states[-1].with_suffix(".caffemodel"), states[-1]).iteration

    solver = (tmp_path / "solver.prototxt").read_text().replace(str(ENDLESS), str(stopped + 20))
    (tmp_path / "solver.prototxt").write_text(solver)
    resumed = run_caffe("train", "--solver=solver.prototxt", f"--snapshot={states[-1].name}", cwd=tmp_path)
    assert resumed.returncode == 0
    said = messages(resumed.stderr)
    place = said.index(f"Resuming from {states[-1].name}")
    assert said[place + 1 : place + 4] == [
        "SGDSolver: restoring history",
        "Starting Optimization",
        "Solving Small",
    ]
    shown = [int(found[1]) for text in said[place:] if (found := re.match(r"Iteration (\d+), lr = ", text))]
    assert shown == [n for n in range(stopped, stopped + 20) if n % 10 == 0]
    assert said[-1] == "Optimization Done."
    assert read_state(tmp_path / f"run_iter_{stopped + 20}.solverstate").iter == stopped + 20


def test_effects_can_be_exchanged(start: Callable[..., Training], tmp_path: Path) -> None:
    run = start("--sigint_effect=none", "--sighup_effect=stop", more="snapshot_after_train: false")
    seen = run.wait_for(rb"Iteration 20 ")
    run.process.send_signal(signal.SIGINT)
    run.wait_for(rb"Iteration \d+ \(.*\n(.*\n)*.*Iteration \d+ \(", seen)
    run.process.send_signal(signal.SIGHUP)
    assert run.end() == 0
    assert messages(run.log())[-2:] == ["Optimization stopped early.", "Optimization Done."]
    assert list(tmp_path.glob("run_iter_*")) == []


def test_a_stop_during_a_test_ends_the_test_first(start: Callable[..., Training], tmp_path: Path) -> None:
    run = start(more="test_iter: 10000000")  # one test net more, whose test never ends
    run.wait_for(rb"Testing net \(#1\)")
    run.process.send_signal(signal.SIGINT)
    assert run.end() == 0
    said = messages(run.log())
    assert said[-5] == "Test interrupted."
    assert said[-4:-2] == [
        "Snapshotting to binary proto file run_iter_0.caffemodel",
        "Snapshotting solver state to binary proto file run_iter_0.solverstate",
    ]


def test_sigterm_kills(start: Callable[..., Training], tmp_path: Path) -> None:
    run = start()
    run.wait_for(rb"Iteration 20 ")
    run.process.send_signal(signal.SIGTERM)
    assert run.end() == -signal.SIGTERM
    assert list(tmp_path.glob("run_iter_*")) == []


def test_invalid_effect(tmp_path: Path) -> None:
    write_project(tmp_path)
    done = run_caffe("train", "--solver=solver.prototxt", "--sigint_effect=die", cwd=tmp_path)
    assert done.returncode == -signal.SIGABRT
    assert messages(done.stderr)[-1] == 'Invalid signal effect "die" was specified'
