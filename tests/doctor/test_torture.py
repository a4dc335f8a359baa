"""The self-test that people run on their own hosts: it passes here, can fail, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from barista_server.doctor import torture
from barista_server.doctor.arena import Arena, exists
from tests.agent.agents import command_line

DOCTOR = [sys.executable, "-m", "barista_server.agent", "doctor", "--torture"]


def started_in(folder: Path) -> list[int]:
    pids = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal())
    return [pid for pid in pids if f"{folder}/.barista-doctor-" in command_line(pid)]


def left_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_all_trials_pass_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "caffes.json").write_text('[{"name": "true", "argv": ["/bin/true"]}]')
    command = [*DOCTOR, "--kills", "2", "--root", str(tmp_path), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    trials = {one["name"]: one for one in json.loads(done.stdout)["trials"]}
    assert [*trials] == ["G1", "G2", "G3", "G6", "G10", "G20", "log", "pause"]
    assert [one for one in trials.values() if one["level"] != "ok"] == []
    assert "1/8 G1: agent killed at random moments ..." in done.stderr.splitlines()
    assert left_in(tmp_path) == ["caffes.json"] and not started_in(tmp_path)


async def test_a_promise_that_is_not_kept_fails_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torture, "ADOPTED", 0.0)
    monkeypatch.setattr(torture, "TRIALS", [torture.TRIALS[0], torture.TRIALS[-1]])
    told: list[str] = []
    first, last = await torture.torture(tmp_path, 1, told.append)
    assert (first.name, first.level) == ("G1", "bad") and "promised are 0" in first.text
    assert (last.name, last.level) == ("pause", "ok") and len(told) == 2
    assert left_in(tmp_path) == [] and not started_in(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_stopped_in_the_middle_it_cleans_up(tmp_path: Path, number: signal.Signals) -> None:
    running = subprocess.Popen(
        [*DOCTOR, "--root", str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert running.stderr is not None
    assert running.stderr.readline().startswith("1/8")
    written = "*/sessions/1/runs/0001/process.json"
    end = time.monotonic() + 30
    while not (processes := list(tmp_path.glob(f".barista-doctor-{written}"))):
        assert time.monotonic() < end
        time.sleep(0.02)
    caffe = json.loads(processes[0].read_text())["caffe_pid"]
    assert exists(caffe)
    os.kill(running.pid, number)
    _, words = running.communicate()
    assert running.returncode == 130, words
    assert "has ended" in words and not exists(caffe)
    assert left_in(tmp_path) == [] and not started_in(tmp_path)


async def test_nothing_in_the_root_is_touched(tmp_path: Path) -> None:
    arena = Arena(tmp_path / "none" / "yet")
    assert arena.path.parent == tmp_path
    await arena.close()
    assert left_in(tmp_path) == []
