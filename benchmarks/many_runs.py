"""Sixteen runs of ten lines a second, a client that is told of all and follows one: the agent's cost."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from barista_server.api import messages as m
from barista_server.api.link import Link
from benchmarks.processes import NET, agent_root, cpu, judged, load, resident, solver

RUNS = 16
RATE = 10
SECONDS = 30
WARM = 5.0
MOST_CPU = 5.0
MOST_MEMORY = 100.0


def run(quick: bool = False) -> list[str]:
    """One agent."""
    with agent_root() as root:
        return asyncio.run(_measure(root, 10 if quick else SECONDS))


async def _measure(root: Path, seconds: float) -> list[str]:
    link = await Link.open(root)
    events = 0

    def count(event: m.Event) -> None:
        nonlocal events
        events += 1

    link.on_event = count
    await link.call(m.Subscribe(), m.Subscribed)
    for number in range(1, RUNS + 1):
        call = m.NewSession(solver=solver(RATE, 10 * seconds), net=NET, caffe="steady")
        await link.call(call, m.SessionReply)
        await link.call(m.StartSession(session=str(number)), m.SessionReply)
    await link.call(m.FollowLog(session="1", run=1), m.Done)
    await asyncio.sleep(WARM)
    used, began, seen = cpu(link.welcome.pid), time.monotonic(), events
    await asyncio.sleep(seconds)
    spent = time.monotonic() - began
    share = 100 * (cpu(link.welcome.pid) - used) / spent
    memory = resident(link.welcome.pid)
    events -= seen
    sessions = (await link.call(m.ListSessions(), m.SessionList)).sessions
    for session in sessions:
        assert session.state is m.State.RUNNING and session.runs[-1].lines > RATE * seconds, session
    for session in sessions:
        await link.call(m.PauseSession(session=session.id, force="kill"), m.SessionReply)
    await link.call(m.StopAgent(), m.Done)
    await link.wait_closed()
    await link.close()
    return [
        judged(share, MOST_CPU, f"agent  {share:4.1f} % of a core") + f", {events / spent:.1f} events/s",
        judged(memory, MOST_MEMORY, f"memory {memory:4.0f} MiB resident") + f"; {load()}",
    ]
