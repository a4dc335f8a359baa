"""A real terminal for tests: a tmux server of its own, keys sent, screen captured."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path

LOOK = 0.03
"""Seconds between two looks at the screen."""


class Terminal:
    """A tmux server of its own; each window runs one command in a shell, which says how it was left."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._opened = 0

    def open(self, command: str, size: tuple[int, int] = (80, 24), term: str = "") -> None:
        """A window of that size, in place of the one before; ``term``: what it says it is."""
        within = f"TERM={term} " if term else ""
        self.kill()
        self._opened += 1
        self._run(
            "new-session", "-d", "-x", str(size[0]), "-y", str(size[1]),
            f"{within}{command}; echo left with $?; read line",
        )  # fmt: skip

    def _run(self, *words: str) -> str:
        # A server of its own for each: one that ends takes none that begins.
        command = ["tmux", "-S", str(self._folder / f"tmux{self._opened}"), "-f", "/dev/null"]
        environment = {**os.environ, "TERM": "xterm-256color"}
        done = subprocess.run(
            [*command, *words], capture_output=True, text=True, check=True, timeout=20, env=environment
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
            time.sleep(LOOK)

    def wait_gone(self, text: str, seconds: float = 30) -> None:
        """Until the screen holds the text no more: keys right after an escape would belong to it."""
        deadline = time.monotonic() + seconds
        while text in self.screen():
            assert time.monotonic() < deadline, f"{text} is still there after {seconds} s"
            time.sleep(LOOK)

    def fill(self, label: str, path: Path, seconds: float = 30) -> None:
        """Type a path into the field of that label, once it takes keys."""
        deadline = time.monotonic() + seconds
        field = re.compile(rf"{label} +/")
        while not field.search(self.screen()):
            assert time.monotonic() < deadline, f"{label} takes no keys:\n{self.screen()}"
            # One more slash at the beginning of a path does no harm.
            self.press("/")
            time.sleep(10 * LOOK)
        self.press(str(path)[1:])
        self.wait_for(path.name)

    def pane_pid(self) -> int:
        return int(self._run("list-panes", "-F", "#{pane_pid}"))

    def resize(self, width: int, height: int) -> None:
        self._run("resize-window", "-x", str(width), "-y", str(height))

    def kill(self) -> None:
        """End what runs in the window."""
        if self._opened:
            self._run("kill-server")
