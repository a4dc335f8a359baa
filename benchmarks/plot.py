"""The plot of a log of a million lines on a machine behind SSH: how soon it is drawn, zoomed, moved.

The real program in a pseudo-terminal of 160 x 45, a real sshd on loopback, the agent behind it. The session
beside the long one has no points, so that the first full cell of braille after a key is the curve's.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from barista_server.api import messages as m
from barista_server.api.link import Link
from barista_tui.hosts import HostEntry, Hosts
from benchmarks.processes import NET, agent_root, hurry, judged, load, solver
from benchmarks.ptys import Screen
from tests.remote.sshd import USER, Sshd

LINES = 1_000_000
ROUNDS, COLD_ROUNDS = 20, 3
MOST_DRAWN, MOST_COLD, MOST_FRAME = 500.0, 1500.0, 50.0
"""Milliseconds: the log read by the agent before, not read before, a zoom or a move."""
CURVE, AXIS, NOTHING = "⣿", "┬", "No points yet"
SETTLE = 0.5
"""Seconds in which a finer window has come for sure."""
LIVE = (m.State.RUNNING, m.State.PAUSING)


def run(quick: bool = False) -> list[str]:
    """A tenth of the lines, then all of them; a hundredth and a tenth if ``quick``."""
    found = []
    for lines in (LINES // 10, LINES):
        lines = lines // 10 if quick else lines
        with agent_root() as root, tempfile.TemporaryDirectory(prefix="barista-") as folder:
            asyncio.run(_prepare(root, lines))
            sshd = Sshd.start(Path(folder, "sshd"), root)
            try:
                environment = _environment(Path(folder), sshd)
                found += _measure(root, environment, lines)
            finally:
                sshd.down()
    return found


async def _prepare(root: Path, lines: int) -> None:
    """Session 1 with so many lines, at rest; session 2 without any. The agent is ended."""
    link = await Link.open(root)
    for first in (lines, 0):
        call = m.NewSession(solver=solver(10, 3600, first), net=NET, caffe="steady")
        await link.call(call, m.SessionReply)
    await link.call(m.StartSession(session="1"), m.SessionReply)
    await _until(link, lambda info: bool(info.runs) and info.runs[-1].lines >= lines)
    await link.call(m.PauseSession(session="1", force="kill"), m.SessionReply)
    await _until(link, lambda info: info.state not in LIVE)
    await link.call(m.StopAgent(), m.Done)
    await link.wait_closed()


async def _until(link: Link, holds: Callable[[m.SessionInfo], bool]) -> None:
    reply = await link.call(m.GetSession(session="1"), m.SessionReply)
    while not holds(reply.session):
        await asyncio.sleep(0.05)
        reply = await link.call(m.GetSession(session="1"), m.SessionReply)


def _environment(folder: Path, sshd: Sshd) -> dict[str, str]:
    """Of a person who has that host on the list, its key accepted, and a key of their own."""
    config = folder / "config" / "barista"
    config.mkdir(parents=True)
    shutil.copy(sshd.folder / "client", config / "id_ed25519")
    sshd.way()
    shutil.copy(sshd.folder / "known_hosts", config / "known_hosts")
    Hosts(config / "hosts.json").add(HostEntry("far", f"ssh://{USER}@127.0.0.1:{sshd.port}"))
    folders = {f"XDG_{name}_HOME": str(folder / name.lower()) for name in ("CONFIG", "CACHE")}
    environment = {**os.environ, **folders, "BARISTA_ROOT": str(folder / "root"), "TERM": "xterm-256color"}
    environment.pop("NO_COLOR", None)
    return environment


def _measure(root: Path, environment: dict[str, str], lines: int) -> list[str]:
    cold = []
    for _ in range(COLD_ROUNDS):
        screen = _opened(environment, root)
        try:
            cold.append(_drawn(screen))
        finally:
            screen.leave()
            asyncio.run(_stop(root))
    screen = _opened(environment, root)
    try:
        _drawn(screen)
        drawn = [_again(screen) for _ in range(ROUNDS)]
        screen.press("1")
        time.sleep(SETTLE)
        frames = {name: [_frame(screen, key) for key in keys] for name, keys in _KEYS.items()}
    finally:
        screen.leave()
        asyncio.run(_stop(root))
    slow = statistics.median(cold)
    found = [
        judged(_p95(drawn), MOST_DRAWN, f"{lines:>9,} lines: key to curve p95 {_p95(drawn):.0f} ms")
        + f", median {statistics.median(drawn):.0f}; {load()}",
        judged(slow, MOST_COLD, f"{lines:>9,} lines, log not read before: {slow:.0f} ms")
        + f", median of {COLD_ROUNDS}, longest {max(cold):.0f}",
    ]
    for name, times in frames.items():
        worst = _p95(times)
        figure = f"{lines:>9,} lines: {name} p95 {worst:.0f} ms"
        found.append(judged(worst, MOST_FRAME, figure) + f", median {statistics.median(times):.0f}")
    return found


_KEYS = {
    "zoom": ("+", "+", "+", "-", "+", "-") * 4,
    "pan": (",", ",", ".", ".") * 6,
    "cursor": ("\x1b[D",) * 20,
}


def _opened(environment: dict[str, str], root: Path) -> Screen:
    """Connected, session 2 selected, nothing drawn."""
    screen = Screen(["--host", "far"], environment)
    screen.text_painted(NOTHING)
    time.sleep(2 * SETTLE)
    hurry(screen.pid, screen.reader)
    agent = asyncio.run(_agent(root))
    hurry(*(int(each.name) for each in Path(f"/proc/{agent}/task").iterdir()), later=True)
    return screen


async def _agent(root: Path) -> int:
    link = await Link.open(root)
    await link.close()
    return link.welcome.pid


def _drawn(screen: Screen) -> float:
    pressed = screen.press("j")
    return 1000 * (screen.text_painted(CURVE) - pressed)


def _again(screen: Screen) -> float:
    screen.press("k")
    screen.text_painted(NOTHING)
    time.sleep(SETTLE)
    return _drawn(screen)


def _frame(screen: Screen, key: str) -> float:
    """Milliseconds from a key of the plot until its axis is painted anew."""
    pressed = screen.press(key)
    spent = 1000 * (screen.text_painted(AXIS) - pressed)
    time.sleep(SETTLE)
    return spent


def _p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[-1]


async def _stop(root: Path) -> None:
    link = await Link.open(root)
    await link.call(m.StopAgent(), m.Done)
    await link.wait_closed()
