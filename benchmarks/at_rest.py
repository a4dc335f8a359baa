"""An agent with 500 sessions, half of them trained, none running, and a client that is told of all."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from pathlib import Path

from barista_server.api import messages as m
from barista_server.api.link import Link
from benchmarks.processes import NET, agent_root, cpu, judged, load, resident, solver

SESSIONS = 500
SECONDS = 30
MOST_CPU = 0.5


def run(quick: bool = False) -> list[str]:
    """One agent."""
    with agent_root() as root:
        return asyncio.run(_measure(root, 5 if quick else SECONDS))


async def _measure(root: Path, seconds: float) -> list[str]:
    await fill(root)
    begun = time.monotonic()
    link = await Link.open(root)
    await link.call(m.Subscribe(), m.Subscribed)
    loaded = time.monotonic() - begun
    await asyncio.sleep(3)
    pid = link.welcome.pid
    used, begun = cpu(pid), time.monotonic()
    await asyncio.sleep(seconds)
    share = 100 * (cpu(pid) - used) / (time.monotonic() - begun)
    memory = resident(pid)
    sessions = (await link.call(m.ListSessions(), m.SessionList)).sessions
    assert len(sessions) == SESSIONS
    await link.call(m.StopAgent(), m.Done)
    await link.wait_closed()
    await link.close()
    return [
        judged(share, MOST_CPU, f"agent  {share:5.2f} % of a core"),
        f"memory {memory:.0f} MiB resident, all told {loaded:.2f} s after no agent was there; {load()}",
    ]


async def fill(root: Path) -> None:
    """Copies of a session that was never started and of one that was stopped."""
    link = await Link.open(root)
    for name in ("new", "trained"):
        call = m.NewSession(name=name, solver=solver(1000, 2), net=NET, caffe="steady")
        await link.call(call, m.SessionReply)
    await link.call(m.StartSession(session="2"), m.SessionReply)
    reply = await link.call(m.GetSession(session="2"), m.SessionReply)
    while reply.session.state in (m.State.RUNNING, m.State.PAUSING):
        await asyncio.sleep(0.1)
        reply = await link.call(m.GetSession(session="2"), m.SessionReply)
    await link.call(m.StopAgent(), m.Done)
    await link.wait_closed()
    await link.close()
    await asyncio.to_thread(_copy, root)


def _copy(root: Path) -> None:
    for number in range(3, SESSIONS + 1):
        folder = root / "sessions" / str(number)
        shutil.copytree(root / "sessions" / str(1 + number % 2), folder)
        meta = json.loads((folder / "session.json").read_text())
        meta |= {"id": str(number), "name": f"session-{number}"}
        (folder / "session.json").write_text(json.dumps(meta))
