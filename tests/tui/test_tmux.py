"""The real program in a real terminal, without a login: see tests/journeys for those."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from barista_server.api.messages import State
from tests.support.terminal import Terminal

from .support import alive, children_of, made


@pytest.fixture
def terminal(root: Path, tmp_path: Path) -> Iterator[Terminal]:
    opened = Terminal(tmp_path)
    opened.open(f"{Path(sys.executable).with_name('barista')} --root {root}")
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
