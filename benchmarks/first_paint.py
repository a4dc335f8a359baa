"""How long from starting `barista` to its first frame: the real program in a real pseudo-terminal."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from benchmarks.processes import cpu, hurry, judged, load
from benchmarks.ptys import Screen

ROUNDS = 10
LIMIT = 0.6
"""Seconds that the first frame may take."""
FRAME = "Weights"
"""A tab of the main screen, which every frame has and nothing before it."""


def run() -> list[str]:
    """Start it once to warm the file cache, then ten times; median, range and limit."""
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
            painted = sorted(first_paint(environment) for _ in range(ROUNDS))
        finally:
            server = [sys.executable, "-m", "barista_server.agent", "stop", "--root", str(root)]
            subprocess.run(server, env=environment, capture_output=True, check=False)
    median = statistics.median(one.seconds for one in painted)
    figure = (
        f"first paint: median {median:.2f} s of {ROUNDS} starts "
        f"({painted[0].seconds:.2f} to {painted[-1].seconds:.2f} s)"
    )
    spent = statistics.median(one.cpu for one in painted)
    return [judged(median, LIMIT, figure), f"{spent:.2f} s of processor time, {painted[0].how}; {load()}"]


class Painted(NamedTuple):
    """How long a start took, and the processor time that it took."""

    seconds: float
    cpu: float
    how: str


def first_paint(environment: dict[str, str]) -> Painted:
    """From the start of the process to the first frame in the terminal. Raises TimeoutError."""
    screen = Screen([], environment)
    how = hurry(0, screen.pid, screen.reader)
    try:
        return Painted(screen.text_painted(FRAME) - screen.begun, cpu(screen.pid), how)
    finally:
        screen.leave()


if __name__ == "__main__":
    print("\n".join(run()))
