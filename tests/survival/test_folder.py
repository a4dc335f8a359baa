"""A training's folder goes elsewhere, is trained by plain command line, and comes back."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from barista_server.caffe.weights import read_state
from tests.cli.verbshell import NET, SCRIPTED, Shell


@pytest.fixture
def shell() -> Iterator[Shell]:
    shell = Shell()
    try:
        yield shell
    finally:
        shell.close()


def train(folder: Path, log: str, *words: str) -> None:
    """As at a shell: ``caffe train ... 2> LOG``."""
    with (folder / log).open("wb") as file:
        command = [sys.executable, str(SCRIPTED), "train", *words]
        subprocess.run(command, cwd=folder, stderr=file, check=True, timeout=60)


def test_g11_packed_moved_trained_by_hand_and_taken_in_again(shell: Shell, tmp_path: Path) -> None:
    shell.new("--name", "tiny", "--start", max_iter=400, extra="snapshot: 20\n", speed=100)
    shell.iterating("tiny", 40)
    paused = json.loads(shell.barista("pause", "tiny", "--json").stdout)
    at = paused["snapshots"][-1]["iteration"]
    with tarfile.open(tmp_path / "tiny.tar", "w") as tar:
        tar.add(shell.root / "sessions" / "1", "tiny")
    with tarfile.open(tmp_path / "tiny.tar") as tar:
        tar.extractall(tmp_path, filter="data")
    folder = tmp_path / "tiny"
    solver = folder / "solver.prototxt"
    solver.write_text(solver.read_text().replace('"speed": 100', '"speed": 0'))
    train(folder, "by-hand.log", "--solver=solver.prototxt", f"--snapshot={paused['snapshots'][-1]['state']}")

    told = shell.barista("import", str(folder)).stdout
    assert "by-hand.log is a run now" in told
    # The first one is still there, so this one gets another name and number.
    back = shell.json("show", "tiny-2")
    assert (back["id"], back["state"], back["iteration"]) == ("2", "finished", 400)
    assert [run["number"] for run in back["runs"]] == [1, 2]
    assert (back["runs"][0]["exit_code"], back["runs"][1]["resumed_from"]) == (0, at)
    assert back["runs"][1]["ended"] is not None
    assert {one["iteration"] for one in back["snapshots"]} >= {at, 400}
    # One curve, of both.
    table = shell.barista("export", "tiny-2", "--series", "train.loss").stdout.splitlines()
    iterations = [int(row.split(";")[0]) for row in table if row[0].isdecimal()]
    assert iterations[0] == 0 and iterations == sorted(set(iterations)) and iterations[-1] >= 395
    assert shell.log("2", 2).read_bytes() == (folder / "by-hand.log").read_bytes()
    # And it goes on here.
    solver = shell.root / "sessions" / "2" / "solver.prototxt"
    solver.write_text(solver.read_text().replace("max_iter: 400", "max_iter: 420"))
    shell.until(lambda: shell.json("show", "tiny-2")["state"] == "paused", "there is more to do")
    shell.barista("start", "tiny-2")
    assert "Finished at iteration 420" in shell.barista("wait", "tiny-2").stdout
    assert shell.json("show", "tiny")["state"] == "paused"


def test_g11_a_folder_that_was_never_a_session_becomes_one(shell: Shell, tmp_path: Path) -> None:
    examples = tmp_path / "examples" / "tiny"
    examples.mkdir(parents=True)
    (examples / "train_val.prototxt").write_text(NET)
    (examples / "data").mkdir()
    (examples / "data" / "big.bin").write_bytes(bytes(1000))
    (examples / "tiny_solver.prototxt").write_text(
        'net: "examples/tiny/train_val.prototxt"\nbase_lr: 0.01\nlr_policy: "fixed"\nmax_iter: 60\n'
        'display: 5\nsnapshot: 20\nsnapshot_prefix: "examples/tiny/tiny"\n'
    )
    train(tmp_path, "examples/tiny/first.log", "--solver=examples/tiny/tiny_solver.prototxt")
    told = shell.barista("import", str(examples), "--name", "mine").stdout
    assert "names the model beside it now" in told
    shown = shell.json("show", "mine")
    assert (shown["state"], shown["iteration"], shown["max_iter"]) == ("finished", 60, 60)
    assert [one["iteration"] for one in shown["snapshots"]] == [20, 40, 60]
    folder = shell.root / "sessions" / "1"
    assert read_state(folder / "tiny_iter_60.solverstate").learned_net == "tiny_iter_60.caffemodel"
    assert not (folder / "data").exists()
    assert 'net: "net.prototxt"' in (folder / "solver.prototxt").read_text()
    # What it came from is as it was.
    there = read_state(examples / "tiny_iter_60.solverstate")
    assert there.learned_net == "examples/tiny/tiny_iter_60.caffemodel"

    (tmp_path / "empty").mkdir()
    refused = shell.barista("import", str(tmp_path / "empty"), code=4).stderr
    assert "no solver is in it" in refused
    (examples / "other_solver.prototxt").write_text((examples / "tiny_solver.prototxt").read_text())
    assert "several solvers" in shell.barista("import", str(examples), code=4).stderr
    assert [one["name"] for one in shell.json("ls")] == ["mine"]
