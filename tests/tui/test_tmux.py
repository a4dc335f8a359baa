"""The real program in a real terminal: tmux, keys sent, screen captured."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from barista_server.api.messages import State

from .support import alive, children_of, made


class Terminal:
    """A tmux server of its own with one window in which `barista` runs."""

    def __init__(self, root: Path, folder: Path) -> None:
        self._tmux = ["tmux", "-S", str(folder / "tmux"), "-f", "/dev/null"]
        barista = Path(sys.executable).with_name("barista")
        command = f"{barista} --root {root}; echo left with $?; read line"
        self._run("new-session", "-d", "-x", "80", "-y", "24", command)

    def _run(self, *words: str) -> str:
        environment = {**os.environ, "TERM": "xterm-256color"}
        done = subprocess.run(
            [*self._tmux, *words], capture_output=True, text=True, check=True, timeout=20, env=environment
        )
        return done.stdout

    def press(self, *keys: str) -> None:
        self._run("send-keys", *keys)

    def screen(self) -> str:
        return self._run("capture-pane", "-p")

    def wait_for(self, *texts: str, seconds: float = 30) -> str:
        """The screen, once it holds all the texts."""
        deadline = time.monotonic() + seconds
        while True:
            screen = self.screen()
            if all(text in screen for text in texts):
                return screen
            assert time.monotonic() < deadline, f"{texts} not within {seconds} s on\n{screen}"

    def pane_pid(self) -> int:
        return int(self._run("list-panes", "-F", "#{pane_pid}"))

    def resize(self, width: int, height: int) -> None:
        self._run("resize-window", "-x", str(width), "-y", str(height))

    def kill(self) -> None:
        self._run("kill-server")


@pytest.fixture
def terminal(root: Path, tmp_path: Path) -> Iterator[Terminal]:
    opened = Terminal(root, tmp_path)
    yield opened
    opened.kill()


@pytest.mark.real("tmux")
async def test_a_day_in_tmux(root: Path, terminal: Terminal) -> None:
    terminal.wait_for("Barista", "● local", "No sessions yet")
    session = await made(root, "in-tmux")
    assert session.state is State.RUNNING
    screen = terminal.wait_for("in-tmux", "▶ Running")
    assert all(len(line) <= 80 for line in screen.splitlines())
    terminal.press("2")
    terminal.wait_for("loss = ", "following")
    terminal.press("1")
    terminal.wait_for("train")
    terminal.press("0")
    terminal.press("Space")
    terminal.wait_for("‖ Paused")
    terminal.press("Space")
    terminal.wait_for("▶ Running")
    terminal.resize(200, 60)
    terminal.wait_for("1 Plot", "2 Console", "6 Snapshots", "▶ Running", "loss = ")
    terminal.press("d")
    terminal.wait_for("Delete: running: pause first")
    pid = terminal.pane_pid()
    terminal.press("q")
    left = terminal.wait_for("1 training goes on: in-tmux", "left with 0")
    assert "1 Plot" not in left, "the picture stays behind in the shell's window"
    assert alive(pid), "the shell that started it is still there"
    assert not children_of(pid), "barista left a process behind"
