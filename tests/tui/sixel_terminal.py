"""A terminal that shows sixels: a pty whose other end answers questions and keeps what was painted."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time

ANSWERS = {b"\x1b[c": b"\x1b[?62;4;22c", b"\x1b[16t": b"\x1b[6;20;10t"}
CELL = (10, 20)


class SixelTerminal:
    """``barista`` with some words of its command line, in 120 x 40 cells."""

    def __init__(self, *words: str, size: tuple[int, int] = (120, 40)) -> None:
        self._parent, child = pty.openpty()
        fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        environ = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        for name in ("TMUX", "STY", "NO_COLOR", "KITTY_WINDOW_ID", "TERM_PROGRAM"):
            environ.pop(name, None)
        command = [sys.executable, "-m", "barista_tui.cli", *words]
        self.process = subprocess.Popen(
            command, stdin=child, stdout=child, stderr=child, env=environ, start_new_session=True
        )
        os.close(child)
        self.seen = b""
        self.asked: list[bytes] = []

    def press(self, keys: str) -> None:
        """Keys, as the terminal sends them."""
        os.write(self._parent, keys.encode())

    def until(self, pattern: str, seconds: float = 60) -> re.Match[bytes]:
        """Wait for bytes after those that were waited for last; these are taken."""
        wanted = re.compile(pattern.encode(), re.DOTALL)
        deadline = time.monotonic() + seconds
        while not (found := wanted.search(self.seen)):
            assert time.monotonic() < deadline, (pattern, self.seen[-3000:])
            if select.select([self._parent], [], [], 0.2)[0]:
                self._read()
        self.seen = self.seen[found.end() :]
        return found

    def _read(self) -> None:
        try:
            piece = os.read(self._parent, 65536)
        except OSError:
            piece = b""
        assert piece, self.seen[-3000:]
        self.seen += piece
        for question, answer in ANSWERS.items():
            if question in piece:
                self.asked.append(question)
                os.write(self._parent, answer)

    def close(self) -> int:
        """Leave by q. Returns the exit code."""
        self.press("q")
        deadline = time.monotonic() + 30
        while self.process.poll() is None and time.monotonic() < deadline:
            if select.select([self._parent], [], [], 0.1)[0]:
                try:
                    os.read(self._parent, 65536)
                except OSError:
                    break
        code = self.process.wait(10)
        os.close(self._parent)
        return code
