"""The real program in a pseudo-terminal, and when what a person looks for was painted."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Sequence
from pathlib import Path

TIMEOUT = 30.0
_SELECTED = re.compile(rb"\x1b\[(\d+);1H(?:\x1b\[[\d;]*m)*\xe2\x96\x8c")
"""The mark of the selected row, at the left edge."""
LONGEST = 80
"""Bytes that such a mark may take."""


class Screen:
    """``barista`` with its output read by a thread, as fast as a terminal would."""

    def __init__(
        self, words: Sequence[str], environment: dict[str, str], size: tuple[int, int] = (160, 45)
    ) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        command = [str(Path(sys.executable).with_name("barista")), *words]
        self.begun = time.perf_counter()
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
        )
        os.close(theirs)
        self.row = 0
        """The row of the screen, 1-based, that was last painted as the selected one."""
        self.painted = 0
        """Bytes that the terminal got."""
        self._at = 0.0
        self._marks = self._marks_then = 0
        self._left = b""
        self._tail = b""
        self._more = threading.Condition()
        reading = threading.Thread(target=self._read, daemon=True)
        reading.start()
        self.reader = reading.native_id or 0

    @property
    def pid(self) -> int:
        return self.process.pid

    def press(self, keys: str) -> float:
        """The time at which they were sent."""
        with self._more:
            self._tail = b""
            self._marks_then = self._marks
        now = time.perf_counter()
        os.write(self._ours, keys.encode())
        return now

    def row_painted(self, row: int) -> float:
        """The time at which that row was seen as the selected one. Raises TimeoutError."""
        with self._more:
            if not self._more.wait_for(lambda: self.row == row, TIMEOUT):
                raise TimeoutError(f"row {row} was not selected within {TIMEOUT:g} s, but {self.row}")
            return self._at

    def next_painted(self) -> float:
        """The time at which a row was painted as the selected one after the last key. Raises TimeoutError."""
        with self._more:
            if not self._more.wait_for(lambda: self._marks > self._marks_then, TIMEOUT):
                raise TimeoutError(f"no row was selected within {TIMEOUT:g} s")
            return self._at

    def text_painted(self, text: str) -> float:
        """The time by which bytes with that text had come since the last key. Raises TimeoutError."""
        with self._more:
            if not self._more.wait_for(lambda: text.encode() in self._tail, TIMEOUT):
                raise TimeoutError(f"{text} was not painted within {TIMEOUT:g} s: {self._tail[-300:]!r}")
            return self._at

    def leave(self) -> None:
        """Press q; end what does not leave."""
        self.press("q")
        try:
            self.process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self._ours)

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            while True:
                select.select([self._ours], [], [])
                data = os.read(self._ours, 1 << 16)
                if not data:
                    return
                self._take(data, time.perf_counter())

    def _take(self, data: bytes, now: float) -> None:
        with self._more:
            self._at = now
            self.painted += len(data)
            self._tail = (self._tail + data)[-(1 << 18) :]
            last = 0
            data = self._left + data
            for mark in _SELECTED.finditer(data):
                self.row = int(mark[1])
                self._marks += 1
                last = mark.end()
            # What may be the beginning of a mark waits for the rest of it.
            self._left = data[max(last, len(data) - LONGEST) :]
            self._more.notify_all()
