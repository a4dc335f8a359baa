"""`barista demo` without a terminal: from nothing to the accuracy it promises."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from barista_tui.demo import demo_root

BARISTA = [sys.executable, "-m", "barista_tui.cli"]
LIMIT = 110.0
"""Seconds the demo may take on two cores. It trains a third as long here as for people, which is enough for
the accuracy that it must reach."""


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A scratch root; whatever the test leaves running there is ended."""
    folder = tmp_path / "demo"
    yield folder
    for process in belonging(folder):
        process.kill()
    psutil.wait_procs(belonging(folder), timeout=10)


def belonging(root: Path) -> list[psutil.Process]:
    """All processes whose command line or folder is under the root."""
    found = []
    for process in psutil.process_iter():
        try:
            places = [*process.cmdline(), process.cwd()]
        except psutil.Error:
            continue
        if process.pid != os.getpid() and any(str(root) in place for place in places):
            found.append(process)
    return found


def barista(*words: str, root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*BARISTA, "--root", str(root), *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.timeout(180)
def test_without_a_terminal_it_trains_and_ends_with_accuracy_and_curve(root: Path) -> None:
    begun = time.monotonic()
    done = subprocess.run(
        [*BARISTA, "demo", "--root", str(root), "--iterations", "600"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    out = done.stdout
    assert done.returncode == 0, out + done.stderr
    assert "\r" not in out and "\x1b" not in out
    progress = re.findall(r"^iteration (\d+) of (\d+), loss [\d.e-]+", out, re.MULTILINE)
    assert progress, out
    iterations = [int(iteration) for iteration, _ in progress]
    assert iterations == sorted(iterations)
    assert {of for _, of in progress} == {"600"}
    told = re.search(r"^Test accuracy: ([\d.]+) %$", out, re.MULTILINE)
    assert told is not None and float(told[1]) >= 95
    plot = [line for line in out.splitlines() if "│" in line or "┤" in line]
    assert len(plot) >= 10
    assert any("\u2800" < char <= "\u28ff" for char in "".join(plot))
    assert "lenet-digits: train loss" in out

    left = belonging(root)
    assert len(left) == 1, left
    assert "barista_server.agent" in " ".join(left[0].cmdline())
    assert barista("wait", "lenet-digits", root=root).returncode == 0
    assert barista("agent", "stop", root=root).returncode == 0
    _, alive = psutil.wait_procs(left, timeout=10)
    assert not alive
    print(f"the demo took {time.monotonic() - begun:.1f} s")


@pytest.mark.timeout(120)
def test_ctrl_c_leaves_the_training_going_and_says_how_to_get_back(root: Path) -> None:
    demo = subprocess.Popen(
        [*BARISTA, "demo", "--root", str(root)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert demo.stdout is not None
    for line in demo.stdout:
        if line.startswith("iteration"):
            break
    demo.send_signal(signal.SIGINT)
    _, words = demo.communicate(timeout=20)
    assert demo.returncode == 130
    again = re.search(r"^  Stop it:  (.*)$", words, re.MULTILINE)
    assert again is not None, words
    shown = barista("show", "lenet-digits", root=root)
    assert re.search(r"^state +▶ Running", shown.stdout, re.MULTILINE), shown.stdout

    # The command it names is the one that works in this shell.
    paused = subprocess.run(shlex.split(again[1]), capture_output=True, text=True)
    assert paused.returncode == 0, paused.stderr
    assert "Paused" in paused.stdout
    assert barista("agent", "stop", root=root).returncode == 0


def test_the_root_is_in_the_clone_one_stands_in_or_with_the_users_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert demo_root(None).name == "barista-demo"
    assert demo_root(Path("own")) == tmp_path / "own"
    (tmp_path / "pyproject.toml").touch()
    assert demo_root(None).name == "barista-demo"
    (tmp_path / "barista_tui").mkdir()
    assert demo_root(None) == tmp_path / ".demo"
