"""How long from starting `barista` to its first frame: the real program in a real pseudo-terminal."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

ROUNDS = 10
LIMIT = 0.6
"""Seconds that the first frame may take."""
TIMEOUT = 20.0
FRAME = b"Snapshots"
"""A tab of the main screen, which every frame has and nothing before it."""


def run() -> list[str]:
    """Start it once to warm the file cache, then ten times; one line with median, range and limit."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "root")
        environment = {
            **os.environ,
            "BARISTA_ROOT": str(root),
            "XDG_CACHE_HOME": folder,
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
        }
        environment.pop("NO_COLOR", None)
        try:
            first_paint(environment)
            times = sorted(first_paint(environment) for _ in range(ROUNDS))
        finally:
            server = [sys.executable, "-m", "barista_server.agent", "stop", "--root", str(root)]
            subprocess.run(server, env=environment, capture_output=True, check=False)
    median = statistics.median(times)
    verdict = "" if median <= LIMIT else "  TOO SLOW"
    return [
        f"first paint: median {median * 1000:.0f} ms of {ROUNDS} starts "
        f"({times[0] * 1000:.0f} to {times[-1] * 1000:.0f} ms), at most {LIMIT * 1000:.0f} ms{verdict}"
    ]


def first_paint(environment: dict[str, str]) -> float:
    """Seconds from the start of the process to the first frame in the terminal. Raises TimeoutError."""
    command = [str(Path(sys.executable).with_name("barista"))]
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 45, 160, 0, 0))
    start = time.perf_counter()
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
    )
    os.close(theirs)
    try:
        _read_until(ours, FRAME)
        return time.perf_counter() - start
    finally:
        _leave(process, ours)
        os.close(ours)


def _read_until(terminal: int, text: bytes) -> None:
    seen = b""
    deadline = time.monotonic() + TIMEOUT
    while text not in seen:
        ready, _, _ = select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise TimeoutError(f"no frame within {TIMEOUT:.0f} s; the terminal got {seen[-300:]!r}")
        seen += os.read(terminal, 1 << 16)


def _leave(process: subprocess.Popen[bytes], terminal: int) -> None:
    """Press q and read what still comes, or it could not end."""
    os.write(terminal, b"q")
    deadline = time.monotonic() + TIMEOUT
    while process.poll() is None and time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.05)[0]:
            with contextlib.suppress(OSError):
                os.read(terminal, 1 << 16)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


if __name__ == "__main__":
    print("\n".join(run()))
