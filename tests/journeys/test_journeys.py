"""The main journeys as a person takes them: a terminal in tmux, a login through a real sshd, and keys.

Five logins, so that it does not take long: each has another size and another terminal, and finds what the one
before has left.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.agent.agents import Root, command_line, exists
from tests.remote.sshd import USER, Sshd
from tests.support.terminal import LOOK, Terminal
from tests.tui.support import NET, children_of, solver

LOG = Path(__file__).parents[1] / "fixtures" / "logs" / "bvlc1.0-nan.log"
TAGS = ("Traceback", "mistake of this program")


@dataclass
class Journey:
    """A person's terminal, and the machine they log in to."""

    terminal: Terminal
    sshd: Sshd
    root: Root
    home: Path

    def log_in(self, size: tuple[int, int], term: str, *words: str) -> None:
        """``ssh -t host barista`` in a terminal of that size and kind."""
        folder = self.sshd.folder
        options = [
            "-p", str(self.sshd.port), "-i", str(folder / "client"), "-F", "none",
            "-o", f"UserKnownHostsFile={folder}/known", "-o", "IdentitiesOnly=yes",
        ]  # fmt: skip
        command = shlex.join(["ssh", "-t", *options, f"{USER}@127.0.0.1", "barista", *words])
        self.terminal.open(command, size, term)

    def whole(self, size: tuple[int, int]) -> None:
        """The screen is painted from edge to edge, soon, and tells of no mistake."""
        end = time.monotonic() + 20
        while why := torn(screen := self.terminal.screen(), *size):
            assert time.monotonic() < end, f"{why}:\n{screen}"
            time.sleep(LOOK)
        assert not any(tag in screen for tag in TAGS), screen

    def caffe(self, run: int) -> int:
        """The process of a run, by its number."""
        pid = json.loads((self.root.run(run) / "process.json").read_text())["caffe_pid"]
        assert exists(pid)
        return int(pid)

    def screens(self) -> list[int]:
        """The processes of `barista` that were begun by logins."""
        pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]
        return [pid for pid in pids if command_line(pid).endswith("/barista ") and self._logged_in(pid)]

    def _logged_in(self, pid: int) -> bool:
        try:
            return f"BARISTA_ROOT={self.root.path}\0".encode() in Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            return False

    def ssh(self) -> int:
        """The process of the login at this end."""
        (pid,) = children_of(self.terminal.pane_pid())
        return pid


def torn(screen: str, width: int, height: int) -> str:
    """What is not as it should be with header, footer and edges; empty for a whole screen."""
    lines = screen.splitlines()
    if len(lines) != height:
        return f"{len(lines)} lines, not {height}"
    if not re.fullmatch(r" Barista .* \d\d:\d\d:\d\d", lines[0]) or len(lines[0]) != width - 1:
        return "the header does not go from the left to the right"
    if not lines[-1].endswith(" q Quit") or len(lines[-1]) != width - 1:
        return "the footer does not go to the right end"
    return "a line is too long" if any(len(line) > width for line in lines) else ""


@pytest_asyncio.fixture
async def root() -> AsyncIterator[Root]:
    """A root whose caffe, unless another is chosen, is the scripted one."""
    made = Root()
    (made.path / "defaults.json").write_text(json.dumps({"caffe": "scripted"}))
    try:
        yield made
    finally:
        await made.close()


@pytest.fixture
def journey(root: Root, tmp_path: Path) -> Iterator[Journey]:
    home = tmp_path / "home"
    home.mkdir()
    (home / "net.prototxt").write_text(NET)
    (home / "mine_solver.prototxt").write_text(solver(speed=300))
    (home / "old.log").write_bytes(LOG.read_bytes())
    sshd = Sshd.start(tmp_path / "sshd", root.path, home=home)
    kind, key = (sshd.folder / "host.pub").read_text().split()[:2]
    (sshd.folder / "known").write_text(f"[127.0.0.1]:{sshd.port} {kind} {key}\n")
    terminal = Terminal(tmp_path)
    try:
        yield Journey(terminal, sshd, root, home)
    finally:
        terminal.kill()
        sshd.down()


@pytest.mark.real("tmux", "sshd")
async def test_from_an_empty_list_to_a_training_that_outlives_the_link(journey: Journey) -> None:
    begin_a_training(journey)
    come_back_and_lose_the_link(journey)
    come_back_to_another_terminal(journey)
    look_at_somebody_elses_log(journey)
    have_a_terminal_that_can_do_nothing(journey)


def begin_a_training(journey: Journey) -> None:
    """80x24, xterm: from files, watched, snapshot, pause, resume; quitting ends nothing."""
    terminal, size = journey.terminal, (80, 24)
    journey.log_in(size, "xterm")
    terminal.wait_for("● local", "No sessions yet", "New here?")
    journey.whole(size)
    terminal.press("n")
    terminal.wait_for("New session", "lenet digits", "Own prototxt files")
    terminal.press("End", "Enter")
    terminal.wait_for("path of solver.prototxt")
    terminal.fill("solver", journey.home / "mine_solver.prototxt")
    terminal.press("C-s")
    terminal.wait_for("1  mine", "▶ Running")
    terminal.press("2")
    terminal.wait_for("2 Console", "loss = ", "following")
    terminal.press("1")
    terminal.wait_for("1 Plot", "train loss")
    terminal.press("s")
    terminal.wait_for("snapshot taken at iteration")
    terminal.press("6")
    terminal.wait_for("tiny_iter_", "6 Snaps")
    terminal.press("0", "Space")
    terminal.wait_for("‖ Paused", "Resume")
    journey.whole(size)
    terminal.press("Space")
    terminal.wait_for("▶ Running", "Pause")
    terminal.press("q")
    left = terminal.wait_for("1 training goes on: mine", "left with 0")
    assert "1 Plot" not in left, "the picture stays behind in the shell's window"
    journey.caffe(2)


def come_back_and_lose_the_link(journey: Journey) -> None:
    """120x40, screen: it opens as it was left; while it is watched, ssh is killed."""
    terminal, size = journey.terminal, (120, 40)
    journey.log_in(size, "screen")
    terminal.wait_for("▶ Running", "● local", "6 Snapshots", "tiny_iter_", "2 Console", "loss = ")
    journey.whole(size)
    terminal.press("1")
    terminal.wait_for("1 Plot", "train loss", "loss = ")
    caffe, ssh = journey.caffe(2), journey.ssh()
    assert len(journey.screens()) == 1
    os.kill(ssh, signal.SIGKILL)
    terminal.wait_for("Killed")
    end = time.monotonic() + 30
    while journey.screens():
        assert time.monotonic() < end, "the screen goes on without a terminal"
        time.sleep(LOOK)
    assert exists(caffe), "the training ended with the link"


def come_back_to_another_terminal(journey: Journey) -> None:
    """200x60, tmux: nothing was lost; menus; fifty sizes while it trains, and the last one is painted."""
    terminal, size = journey.terminal, (200, 60)
    journey.log_in(size, "tmux-256color")
    terminal.wait_for("▶ Running", "1 Plot", "2 Console", "6 Snapshots", "loss = ", "train loss")
    journey.whole(size)
    terminal.press("F10")
    terminal.wait_for("╭─ Session", "Import log")
    terminal.press("Right")
    terminal.wait_for("╭─ Pane", "Group by host")
    terminal.press("Escape")
    terminal.wait_gone("╭─ Pane")
    for number in range(50):
        terminal.resize(30 + number * 37 % 190, 6 + number * 23 % 60)
    size = (132, 43)
    terminal.resize(*size)
    terminal.wait_for("1 Plot", "2 Console", "loss = ", "▶ Running", "q Quit")
    journey.whole(size)
    terminal.press("d")
    terminal.wait_for("Delete: running: pause first")
    terminal.press("q")
    terminal.wait_for("1 training goes on: mine", "left with 0")


def look_at_somebody_elses_log(journey: Journey) -> None:
    """80x24, xterm-256color: an old log stands beside the training; the screen leaves nothing behind."""
    terminal, size = journey.terminal, (80, 24)
    journey.log_in(size, "xterm-256color")
    terminal.wait_for("▶ Running", "● local")
    terminal.press("i")
    terminal.wait_for("Import a log")
    terminal.fill("log file", journey.home / "old.log")
    terminal.press("Enter")
    terminal.wait_for("≡ old", "mine")
    terminal.press("2")
    terminal.wait_for("caffe::Solver", "609 lines", "2 Console")
    journey.whole(size)
    terminal.press("q")
    terminal.wait_for("left with 0")
    assert not children_of(terminal.pane_pid()), "the login left a process behind"


def have_a_terminal_that_can_do_nothing(journey: Journey) -> None:
    """TERM=dumb: refused, with what there is instead."""
    journey.log_in((80, 24), "dumb")
    journey.terminal.wait_for("TERM=dumb", "barista --help", "left with 2")
