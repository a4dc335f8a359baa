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

    def __init__(self, root: Path, folder: Path, size: tuple[int, int] = (80, 24), term: str = "") -> None:
        self._tmux = ["tmux", "-S", str(folder / "tmux"), "-f", "/dev/null"]
        barista = Path(sys.executable).with_name("barista")
        within = f"TERM={term} " if term else ""
        command = f"{within}{barista} --root {root}; echo left with $?; read line"
        self._run("new-session", "-d", "-x", str(size[0]), "-y", str(size[1]), command)

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

    def wait_gone(self, text: str, seconds: float = 30) -> None:
        """Until the screen holds the text no more: keys right after an escape would belong to it."""
        deadline = time.monotonic() + seconds
        while text in self.screen():
            assert time.monotonic() < deadline, f"{text} is still there after {seconds} s"

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


@pytest.mark.real("tmux")
@pytest.mark.parametrize(
    ("size", "term"), [((80, 24), "screen"), ((120, 40), "xterm"), ((200, 60), "tmux-256color")]
)
async def test_menus_and_panes_by_real_keys(
    size: tuple[int, int], term: str, root: Path, tmp_path: Path
) -> None:
    await made(root, "one", start=False)
    terminal = Terminal(root, tmp_path, size, term)
    try:
        terminal.wait_for("○ Waiting", "● local")
        terminal.press("F10")
        terminal.wait_for("Start", "only a running session can")
        terminal.press("Right")
        terminal.wait_for("Group by host")
        terminal.press("Escape")
        terminal.wait_gone("╭─ View")
        terminal.press("6")
        screen = terminal.wait_for("No snapshots yet")
        assert all(len(line) <= size[0] for line in screen.splitlines())
        terminal.press("M-h")
        terminal.wait_for("╭─ Help")
        terminal.press("Escape")
        terminal.wait_gone("╭─ Help")
        terminal.press("q")
        terminal.wait_for("left with 0")
    finally:
        terminal.kill()


@pytest.mark.real("tmux")
def test_a_dumb_terminal_is_told_what_else_there_is(root: Path, tmp_path: Path) -> None:
    terminal = Terminal(root, tmp_path, (80, 24), "dumb")
    try:
        terminal.wait_for("TERM=dumb", "barista --help", "left with 2")
    finally:
        terminal.kill()
