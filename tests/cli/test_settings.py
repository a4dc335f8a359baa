"""Choosing anew: caffe and device of one session, and what new ones on a host get."""

from __future__ import annotations

import json
import sys

from .verbshell import Shell


def _add_caffe(shell: Shell, name: str) -> None:
    path = shell.root / "caffes.json"
    entries = json.loads(path.read_text())
    path.write_text(json.dumps([*entries, {"name": name, "argv": [*entries[0]["argv"]]}]))


def test_a_session_is_given_another_caffe_and_device(shell: Shell) -> None:
    shell.new("--name", "one", max_iter=10)
    _add_caffe(shell, "other")
    assert shell.json("set", "one")["caffe"] == "scripted"
    told = shell.barista("set", "one", "--caffe", "other").stdout
    assert told.endswith("    other on cpu\n")
    gone = shell.barista("set", "one", "--device", "99").stdout
    assert "Invalid" in gone
    assert "asks for graphics card 99" in shell.barista("start", "one", code=4).stderr
    assert "Waiting" in shell.barista("set", "one", "--device", "cpu").stdout
    saved = json.loads((shell.root / "sessions" / "1" / "session.json").read_text())
    assert saved["caffe"] == "other" and saved.get("device", "cpu") == "cpu"
    journal = (shell.root / "sessions" / "1" / "journal.jsonl").read_text().splitlines()
    assert [json.loads(line)["kind"] for line in journal].count("configured") == 3

    assert "There are: " in shell.barista("set", "one", "--caffe", "none", code=3).stderr
    assert "A device is cpu" in shell.barista("set", "one", "--device", "gpu0", code=4).stderr
    assert "either a session or --defaults" in shell.barista("set", code=2).stderr
    shell.barista("start", "one")
    assert "Finished" in shell.barista("wait", "one").stdout
    command = json.loads((shell.root / "sessions" / "1" / "runs" / "0001" / "command.json").read_text())
    assert command["caffe"] == "other" and command["argv"][0] == sys.executable


def test_while_it_runs_nothing_is_changed(shell: Shell) -> None:
    shell.new("--name", "busy", "--start")
    assert "is running: pause it first" in shell.barista("set", "busy", "--device", "0", code=4).stderr


def test_it_is_chosen_whether_a_session_goes_on_by_itself(shell: Shell) -> None:
    shell.new("--name", "one", "--start")
    told = shell.barista("set", "one", "--auto-resume", "crash").stdout
    assert told.endswith("    auto-resume: after a reboot or a crash\n")
    assert "auto-resume  after a reboot or a crash" in shell.barista("show", "one").stdout
    assert shell.json("set", "one", "--auto-resume", "off")["auto_resume"] == "off"
    assert "each session" in shell.barista("set", "--defaults", "--auto-resume", "on", code=2).stderr


def test_a_solver_that_says_gpu_says_cpu_once_the_device_is_cpu(shell: Shell) -> None:
    shell.new("--name", "one", max_iter=10)
    shell.barista("set", "one", "--device", "0")
    solver = shell.root / "sessions" / "1" / "solver.prototxt"
    solver.write_text(solver.read_text() + "solver_mode: GPU  # fast\n")
    assert "Waiting" in shell.barista("set", "one", "--device", "cpu").stdout
    assert solver.read_text().endswith("solver_mode: CPU  # fast\n")


def test_defaults_of_a_host(shell: Shell) -> None:
    _add_caffe(shell, "other")
    assert shell.barista("set", "--defaults").stdout == "new sessions: the first caffe that works on cpu\n"
    told = shell.barista("set", "--defaults", "--caffe", "other", "--device", "0").stdout
    assert told == "new sessions: other on 0\n"
    chosen = shell.json("set", "--defaults")
    assert (chosen["caffe"], chosen["device"], chosen["launcher"]) == ("other", "0", "process")
    shell.barista("set", "--defaults", "--caffe", "none", code=3)
    assert shell.new("--name", "one")["device"] == "0"
    solver = str(shell.files / "solver.prototxt")
    made = shell.json("new", solver, "--name", "two", "--device", "cpu")
    assert (made["caffe"], made["device"]) == ("other", "cpu")

    (shell.root / "defaults.json").write_text("{")
    assert "barista set --defaults" in shell.barista("set", "--defaults", code=4).stderr
    assert shell.barista("set", "--defaults", "--device", "cpu").stdout.endswith("on cpu\n")
