"""The screen on eight agents with 64 sessions: how soon a key is painted, and what the program costs."""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from barista_server.api import messages as m
from barista_server.api.link import Link
from barista_tui import server
from barista_tui.hosts import Hosts
from benchmarks.processes import NET, agent_root, cpu, hurry, judged, load, resident, solver
from benchmarks.ptys import Screen
from tests.remote.sshd import free_port

AGENTS, SESSIONS = 8, 8
RATE = 3
"""Lines a second of each session: those of one iteration, written together."""
KEYS = 150
SECONDS = 30.0
WARM = 6.0
MOST_KEY, MOST_BUSY, MOST_IDLE = 50.0, 15.0, 1.0
"""Milliseconds; parts of a core in percent."""


def run(quick: bool = False) -> list[str]:
    """Eight agents, seven of them reached through their own ports."""
    seconds, keys = (8.0, 40) if quick else (SECONDS, KEYS)
    with _hosts() as (roots, environment):
        asyncio.run(_start(roots))
        screen = Screen([], environment)
        try:
            screen.text_painted("gpu07")
            time.sleep(WARM)
            found = _busy(screen, seconds, keys)
            asyncio.run(_pause(roots))
            time.sleep(2 * WARM)
            found += _idle(screen, seconds)
        finally:
            screen.leave()
            for root in roots:
                subprocess.run(
                    [sys.executable, "-m", "barista_server.agent", "stop", "--root", str(root)],
                    capture_output=True,
                    check=False,
                )
    return found


def _busy(screen: Screen, seconds: float, keys: int) -> list[str]:
    how = hurry(0, screen.pid, screen.reader)
    moves = sorted(_moves(screen, keys))
    p95 = statistics.quantiles(moves, n=20)[-1]
    share, written = _share(screen, seconds)
    return [
        judged(
            p95, MOST_KEY, f"{AGENTS * SESSIONS} sessions update each second: key to paint p95 {p95:.0f} ms"
        )
        + f", median {statistics.median(moves):.0f}, longest {moves[-1]:.0f} of {keys}, {how}; {load()}",
        judged(share, MOST_BUSY, f"the program then {share:.1f} % of a core")
        + f", {written:.0f} bytes/s painted, {resident(screen.pid):.0f} MiB resident",
    ]


def _idle(screen: Screen, seconds: float) -> list[str]:
    share, written = _share(screen, seconds)
    return [
        judged(share, MOST_IDLE, f"nothing changes: {share:.2f} % of a core")
        + f", {written:.0f} bytes/s; {load()}"
    ]


def _moves(screen: Screen, count: int) -> Iterator[float]:
    """Milliseconds from a key that selects another session until that row is painted as the selected one."""
    chance = random.Random(1)
    # Rows of hosts that were connected later have moved it.
    screen.press("g")
    time.sleep(1.0)
    first = screen.row
    for number in range(count):
        place = number % 30
        down = place < 15
        row = first + (place + 1 if down else 29 - place)
        pressed = screen.press("j" if down else "k")
        yield 1000 * (screen.row_painted(row) - pressed)
        time.sleep(chance.uniform(0.05, 0.25))


def _share(screen: Screen, seconds: float) -> tuple[float, float]:
    """Percent of a core, and bytes a second for the terminal."""
    used, painted, begun = cpu(screen.pid), screen.painted, time.monotonic()
    time.sleep(seconds)
    spent = time.monotonic() - begun
    return 100 * (cpu(screen.pid) - used) / spent, (screen.painted - painted) / spent


@contextmanager
def _hosts() -> Iterator[tuple[list[Path], dict[str, str]]]:
    """Roots of the agents, the first without a port, and the environment of one who has all on the list."""
    with ExitStack() as stack:
        roots = [stack.enter_context(agent_root()) for _ in range(AGENTS)]
        folders = {f"XDG_{name}_HOME": str(roots[0] / name.lower()) for name in ("CONFIG", "CACHE")}
        os.environ.update(folders)
        for number, root in enumerate(roots[1:], 1):
            entry = server.bring_up(root, free_port())
            Hosts().replace(entry.name, type(entry)(f"gpu{number:02}", entry.address))
        environment = {**os.environ, "BARISTA_ROOT": str(roots[0]), "TERM": "xterm-256color"}
        environment.pop("NO_COLOR", None)
        yield roots, environment


async def _start(roots: list[Path]) -> None:
    async def one(root: Path) -> None:
        link = await Link.open(root)
        for number in range(1, SESSIONS + 1):
            call = m.NewSession(solver=solver(RATE, 3600, 600, RATE), net=NET, caffe="steady")
            await link.call(call, m.SessionReply)
            await link.call(m.StartSession(session=str(number)), m.SessionReply)
        await link.close()

    await asyncio.gather(*map(one, roots))


async def _pause(roots: list[Path]) -> None:
    """All of them, which have gone on until now."""
    for root in roots:
        link = await Link.open(root)
        sessions = (await link.call(m.ListSessions(), m.SessionList)).sessions
        assert all(one.state is m.State.RUNNING for one in sessions), sessions
        for session in sessions:
            await link.call(m.PauseSession(session=session.id, force="kill"), m.SessionReply)
        await link.close()
