"""The screen with a run of a million points open, and with 500 sessions: memory, opening, moving."""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from barista_server.api import messages as m
from barista_server.api.link import Link
from benchmarks.at_rest import SESSIONS, fill
from benchmarks.processes import NET, agent_root, hurry, judged, load, resident, solver
from benchmarks.ptys import Screen

LINES = 1_020_000
"""Those of the steady caffe have a value each, but a few."""
KEYS = 120
MOST_MEMORY = 150.0
"""MiB."""
MOST_KEY = 50.0
"""Milliseconds."""


def run(quick: bool = False) -> list[str]:
    """One after the other, each with an agent of its own."""
    with agent_root() as root:
        asyncio.run(_long_run(root, LINES // 10 if quick else LINES))
        found = _million(root)
    with agent_root() as root:
        asyncio.run(fill(root))
        return found + _many(root, 30 if quick else KEYS)


def _million(root: Path) -> list[str]:
    screen = Screen([], _environment(root))
    try:
        screen.text_painted("train loss")
        for key in ("2", "g", "G", "1", "+", "+", "-", "l", "x", "x", "x", "l"):
            screen.press(key)
            time.sleep(0.5)
        memory = resident(screen.pid)
    finally:
        screen.leave()
        _stop(root)
    return [judged(memory, MOST_MEMORY, f"a run of a million points open: {memory:.0f} MiB") + f"; {load()}"]


def _many(root: Path, keys: int) -> list[str]:
    screen = Screen([], _environment(root))
    try:
        screen.text_painted(f"session-{SESSIONS}")
        opened = time.perf_counter() - screen.begun
        time.sleep(3)
        how = hurry(0, screen.pid, screen.reader)
        moves = []
        # From end to end: each page is painted whole.
        pages = ("\x1b[6~",) * 12 + ("\x1b[5~",) * 12
        for number in range(keys):
            pressed = screen.press(pages[number % len(pages)])
            moves.append(1000 * (screen.next_painted() - pressed))
            time.sleep(0.1)
        pressed = screen.press("/")
        time.sleep(0.3)
        pressed = screen.press("session-49")
        filtered = 1000 * (screen.next_painted() - pressed)
        memory = resident(screen.pid)
    finally:
        screen.press("\x1b")
        time.sleep(0.3)
        screen.leave()
        _stop(root)
    p95 = statistics.quantiles(moves, n=20)[-1]
    return [
        f"{SESSIONS} sessions: listed {opened:.2f} s after the start, the agent's start included; {load()}",
        judged(p95, MOST_KEY, f"a page further p95 {p95:.0f} ms, median {statistics.median(moves):.0f}")
        + f", filtered after {filtered:.0f} ms; {how}; {memory:.0f} MiB",
    ]


async def _long_run(root: Path, lines: int) -> None:
    link = await Link.open(root)
    call = m.NewSession(solver=solver(10, 3600, lines), net=NET, caffe="steady")
    await link.call(call, m.SessionReply)
    await link.call(m.StartSession(session="1"), m.SessionReply)
    while True:
        session = (await link.call(m.GetSession(session="1"), m.SessionReply)).session
        if session.runs and session.runs[-1].lines >= lines:
            break
        await asyncio.sleep(0.1)
    await link.close()


def _environment(root: Path) -> dict[str, str]:
    folders = {f"XDG_{name}_HOME": str(root / name.lower()) for name in ("CONFIG", "CACHE")}
    environment = {**os.environ, **folders, "BARISTA_ROOT": str(root), "TERM": "xterm-256color"}
    environment.pop("NO_COLOR", None)
    return environment


def _stop(root: Path) -> None:
    server = [sys.executable, "-m", "barista_server.agent", "stop", "--root", str(root)]
    subprocess.run(server, capture_output=True, check=False)
