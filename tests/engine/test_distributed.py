"""Several processes train one net: what they compute, and that none of them outlives the others."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from barista_engine import control, fatal
from barista_engine.control import Hub, Link
from barista_engine.data import DataSources
from barista_engine.devices import gpu_of_rank, parse_gpus
from barista_engine.errors import CheckFailed
from barista_engine.glog import Glog
from barista_engine.launch import Place, find_place
from barista_engine.parallel import Collective
from barista_engine.readers import read_solver
from barista_engine.rng import Stream
from barista_engine.train import Solver
from barista_server.caffe.schema import TRAIN, Datum, LayerParameter
from barista_server.caffe.weights import verify_snapshot
from barista_server.data.lmdb_io import key_of, write_datums

from .golden_logs import (
    CAFFE,
    NET,
    Line,
    differences,
    messages,
    read_lines,
    run_caffe,
    training_here,
    write_project,
)
from .rank_cases import CASES, write_case, write_data
from .test_signals_engine import ENDLESS, Training, poll


@pytest.fixture(scope="module")
def by_two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which two ranks have trained all cases."""
    folder = tmp_path_factory.mktemp("ranks")
    write_data(folder)
    cases = [str(write_case(folder, name, 2)) for name in CASES]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    ranks = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.engine.rank_worker", *cases],
            env={
                **os.environ,
                "BARISTA_PYTHON_LAYERS": "1",
                "RANK": str(rank),
                "WORLD_SIZE": "2",
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": str(port),
            },
        )
        for rank in range(2)
    ]
    assert [rank.wait(90) for rank in ranks] == [0, 0]
    return folder


def trained_here(path: str, snapshot: str = "") -> list[Line]:
    """Train solver.prototxt of the working directory by one process, this one; its log from the start on."""
    with Path(path).open("wb") as file, training_here():
        log = Glog(fd=file.fileno())
        solver = Solver(read_solver("solver.prototxt", log), device=torch.device("cpu"), log=log)
        if snapshot:
            solver.restore(snapshot)
        solver.solve()
        solver.close()
    np.save("weights.npy", np.concatenate([value.detach().numpy().ravel() for value in solver.state()]))
    lines = read_lines(Path(path).read_bytes())
    return lines[next(i for i, line in enumerate(lines) if line.text.startswith("Solving ")) :]


@pytest.mark.parametrize("name", CASES)
def test_two_ranks_train_as_one_with_the_doubled_batch(
    name: str, by_two: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone, together = write_case(by_two, name, 1), by_two / f"{name}-2"
    monkeypatch.chdir(alone)
    monkeypatch.setenv("BARISTA_PYTHON_LAYERS", "1")
    shown = [
        [line for line in lines if line.text.lstrip().startswith(("Iteration", "Train net", "Gradient"))]
        for lines in (read_lines((together / "log").read_bytes()), trained_here("log"))
    ]
    assert len(shown[0]) > 36
    assert differences(*shown, tolerance=2e-5) == []
    mine, other = (np.load(together / f"weights-{rank}.npy") for rank in range(2))
    assert np.array_equal(mine, other), "the ranks have grown apart"
    np.testing.assert_allclose(mine, np.load("weights.npy"), rtol=1e-4, atol=1e-6)


def test_a_gradient_that_one_rank_lacks_counts_as_zero_and_nan_stays(by_two: Path) -> None:
    """What the worker did with these: [[1, 3], None, [nan]] on rank 0, [None, [2], [1]] on rank 1."""
    for rank in range(2):
        found = np.load(by_two / f"gradients-{rank}.npy")
        np.testing.assert_array_equal(found, np.float32([0.5, 1.5, 1, np.nan]))


class Company(Training):
    """A training by two processes; it may be killed roughly."""

    def others(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    def signal_all(self, number: signal.Signals) -> None:
        """As a terminal does, with the root the last to hear of it."""
        for pid in [*(child.pid for child in self.others()), self.process.pid]:
            os.kill(pid, number)


def gone(processes: list[psutil.Process]) -> object:
    """Wait for their end; where nobody reaps them they stay zombies."""

    def ended(one: psutil.Process) -> bool:
        try:
            return one.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    return poll(lambda: all(ended(one) for one in processes))


@pytest.fixture
def start(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., Company]:
    """Starts a training of two ranks in tmp_path, which is killed if the test leaves it running."""

    def run(*arguments: str, more: str = "", change: Callable[[Path], None] = lambda folder: None) -> Company:
        write_project(tmp_path, max_iter=ENDLESS, more=more)
        change(tmp_path)
        company = Company(tmp_path, "--ranks=2", *arguments)
        request.addfinalizer(lambda: company.process.poll() is None and company.process.kill())
        return company

    return run


def test_the_whole_run_and_its_resume_print_what_one_process_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for ranks, batch in ((2, 16), (1, 32)):
        folder = tmp_path / str(ranks)
        folder.mkdir()
        write_project(folder, max_iter=60, snapshot=40)
        (folder / "net.prototxt").write_text(NET.replace("batch_size: 16", f"batch_size: {batch}"))
    # The first run as torchrun starts it, the second one as a person does.
    state = "run_iter_40.solverstate"
    train = ["-m", "barista_engine.cli", "train", "--solver=solver.prototxt"]
    first = ["-m", "torch.distributed.run", "--nproc-per-node=2", *train]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for words, snapshot in ((first, ""), ([*train, f"--snapshot={state}", "--ranks=2"], state)):
        command = [sys.executable, *words]
        done = subprocess.run(command, cwd=tmp_path / "2", capture_output=True, timeout=60, env=environment)
        assert done.returncode == 0, done.stderr[-2000:].decode()
        lines = read_lines(done.stderr)
        begin = next(i for i, line in enumerate(lines) if line.text == "Solving Small")
        assert [line.text for line in lines[-3:]] == ["Optimization Done.", "Optimization Done.", ""]
        monkeypatch.chdir(tmp_path / "1")
        assert differences(lines[begin:-2], trained_here("log", snapshot)[:-1], tolerance=3e-5) == []


def test_signals_of_a_terminal_reach_the_root_alone(start: Callable[..., Company], tmp_path: Path) -> None:
    run = start()
    seen = run.wait_for(rb"Iteration 20 ")
    others = run.others()
    run.signal_all(signal.SIGHUP)
    seen = run.wait_for(rb"Snapshotting solver state to binary proto file run_iter_\d+", seen)
    run.wait_for(rb"Iteration \d+ \(", seen)
    run.signal_all(signal.SIGINT)
    assert run.end() == 0
    assert messages(run.log())[-2:] == ["Optimization stopped early.", "Optimization Done."]
    states = list(tmp_path.glob("*.solverstate"))
    assert len(states) == 2
    for state in states:
        verify_snapshot(state.with_suffix(".caffemodel"), state)
    assert gone(others)


def test_a_stop_while_the_others_wait_for_a_test(start: Callable[..., Company]) -> None:
    run = start(more="test_iter: 10000000")  # one test net more, whose test never ends
    run.wait_for(rb"Testing net \(#1\)")
    others = run.others()
    run.signal_all(signal.SIGINT)
    assert run.end() == 0
    assert "Test interrupted." in messages(run.log())
    assert gone(others)


def test_a_killed_rank_ends_the_training(start: Callable[..., Company]) -> None:
    run = start()
    run.wait_for(rb"Iteration 20 ")
    (other,) = run.others()
    other.kill()
    assert run.process.wait(20) == -signal.SIGABRT
    assert [text for text in messages(run.log()) if "killed" in text] == [
        f"Rank 1 of 2 (pid {other.pid}) was killed by SIGKILL"
    ]


def test_no_rank_outlives_the_root(start: Callable[..., Company]) -> None:
    run = start()
    run.wait_for(rb"Iteration 20 ")
    others = run.others()
    run.process.kill()
    run.end()
    assert gone(others)
    assert b"\nF" not in run.log()


@pytest.mark.parametrize(("record", "name"), [(33, r"Rank 1 of 2 \(pid \d+\): "), (34, "")])
def test_what_one_rank_cannot_do_is_said_with_its_name(
    record: int, name: str, start: Callable[..., Company]
) -> None:
    def damage(folder: Path) -> None:
        """Let a record that one rank reads be too short."""
        shutil.rmtree(folder / "train")
        images = [bytes(5 if i == record else 64) for i in range(100)]
        records = [Datum(channels=1, height=8, width=8, data=image) for image in images]
        write_datums(folder / "train", ((key_of(i), record) for i, record in enumerate(records)))

    run = start(change=damage)
    run.wait_for(rb"Iteration 0 ")
    others, began = run.others(), time.monotonic()
    assert run.end() == -signal.SIGABRT
    assert time.monotonic() - began < 9, "the root looked only when the other was gone"
    (said,) = [line.text for line in read_lines(run.log()) if line.level == "F"]
    assert re.fullmatch(name + r"Check failed: a record holds 5 values, .*", said)
    assert b"*** Check failure stack trace: ***\n    @ layer data, train\n    @ records.py" in run.log()
    assert gone(others)


def test_what_all_ranks_cannot_do_is_said_once_and_as_ever(start: Callable[..., Company]) -> None:
    run = start(change=lambda folder: shutil.rmtree(folder / "train"))
    assert run.end() == -signal.SIGABRT
    (said,) = [line.text for line in read_lines(run.log()) if line.level == "F"]
    assert said.startswith("Check failed: mdb_status == 0 (2 vs. 0)") and "rank" not in said


def test_a_leveldb_has_one_reader_only(tmp_path: Path) -> None:
    layer = LayerParameter(name="data", type="Data")
    layer.data_param.source, layer.data_param.batch_size = str(tmp_path), 1
    with pytest.raises(CheckFailed, match="convert it to LMDB to train with several"):
        DataSources(Glog(), Stream(1), Collective(0, 2))(layer, TRAIN, 2)


PARTLY = {"RANK": "1", "WORLD_SIZE": "2"}


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        (PARTLY, "the environment has WORLD_SIZE=2 but not MASTER_ADDR, MASTER_PORT: unset or set all"),
        ({"RANK": "2", "WORLD_SIZE": "2"}, "RANK 2 of 2, LOCAL_RANK 0 of 1 in the environment"),
        ({"RANK": "x", "WORLD_SIZE": "2"}, "RANK=x in the environment is no number"),
    ],
)
def test_an_environment_that_makes_no_sense(environment: dict[str, str], message: str) -> None:
    with pytest.raises(CheckFailed, match=re.escape(message)):
        find_place(environment)


def test_places_in_the_environment() -> None:
    given = {**PARTLY, "MASTER_ADDR": "here", "MASTER_PORT": "1", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}
    assert find_place(given) == Place(1, 2, 1, 2, given=True)
    assert find_place({"RANK": "0", "WORLD_SIZE": "1"}) == find_place({"PATH": ""}) == Place()


def test_a_rank_that_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "START_PATIENCE", 0.3)
    hub = Hub(3, "token", local=True, cause=lambda rank: None, abort=partial(fatal.abort, Glog()))
    link = Link("127.0.0.1", hub.port, "token", 2)
    Link("127.0.0.1", hub.port, "guessed", 1)._done = True  # who does not know the token is not let in
    link._done = True
    with pytest.raises(CheckFailed, match=r"ranks 1 of 3 came within 0 s"):
        hub.gather()


@pytest.mark.parametrize(
    ("gpu", "message"),
    [
        ("x", "--gpu=x is not a list of device ids: 'x' is no number (0, or 0,1, or all)"),
        ("0,", "--gpu=0, is not a list of device ids: an id is missing"),
        ("1_0", "'1_0' is no number"),
        ("1,0,1", "--gpu=1,0,1 names GPU 1 twice: each process needs one of its own"),
    ],
)
def test_gpu_lists_that_make_no_sense(gpu: str, message: str) -> None:
    with pytest.raises(CheckFailed, match=re.escape(message)):
        parse_gpus(gpu)


def test_each_process_of_a_machine_gets_a_gpu_of_its_own() -> None:
    second = Place(5, 8, 1, 2, given=True)
    assert gpu_of_rank(second, "3, 1", 0) == 1
    assert gpu_of_rank(second, "", 4) == 5  # the solver file's device_id and the ones behind it
    with pytest.raises(CheckFailed, match="--gpu=3 names 1 GPUs for 2 processes on this machine"):
        gpu_of_rank(second, "3", 0)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
@pytest.mark.parametrize("gpu", ["0", "0,1", "all"])
def test_gpus_asked_for_where_there_are_none(gpu: str, tmp_path: Path) -> None:
    write_project(tmp_path)
    done = run_caffe("train", "--solver=solver.prototxt", f"--gpu={gpu}", cwd=tmp_path)
    assert done.returncode == -signal.SIGABRT
    said = messages(done.stderr)[-1]
    assert said == "Cannot use GPU in CPU-only Caffe: check mode."
    assert b"leave --gpu away" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--ranks=-1"], "FLAGS_ranks >= 0 (-1 vs. 0)"),
        (["--gpu=0,0"], "names GPU 0 twice"),
        (["--gpu=zero"], "'zero' is no number"),
    ],
)
def test_wrong_flags_are_refused_without_loading_torch(
    arguments: list[str], message: str, tmp_path: Path
) -> None:
    write_project(tmp_path)
    command = [sys.executable, "-X", "importtime", *CAFFE[1:], "train", "--solver=solver.prototxt"]
    done = subprocess.run([*command, *arguments], cwd=tmp_path, capture_output=True, timeout=60)
    assert done.returncode == -signal.SIGABRT
    assert message in messages(done.stderr)[-1]
    assert not re.search(rb"\| +torch$", done.stderr, re.MULTILINE)
