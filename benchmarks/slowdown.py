"""A training alone, and with agents and clients that follow: in turns of a second within one run.

What one agent takes is less than what a second of training differs from the next by chance. So there are
several: one that watches the training, and others that watch a log growing as fast, each with a client
of its own. A share of what they slow it by is one agent's. Alone the training is while the agents'
processes are stopped; what they missed they have to make up for in their next turn.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from barista_server.api import messages as m
from barista_server.api.link import Link
from barista_server.caffe.log import LOSS, LogParser
from benchmarks.processes import NET, agent_root, cpu, judged, load, solver

AGENTS = 8
TURN = 1.0
"""Seconds."""
PAIRS = 120
LINES = 24
"""A second: as many as LeNet prints that shows each tenth iteration."""
MOST = 1.0
"""Per cent."""


def run(quick: bool = False) -> list[str]:
    """LeNet on the packaged digits by barista-caffe, on all cores."""
    with ExitStack() as stack:
        roots = [stack.enter_context(agent_root()) for _ in range(AGENTS)]
        return asyncio.run(_measure(roots, PAIRS // 4 if quick else PAIRS))


async def _measure(roots: list[Path], pairs: int) -> list[str]:
    link = await Link.open(roots[0])
    folder = await _train(link)
    links = [link, *[await _watch(root) for root in roots[1:]]]
    agents = [one.welcome.pid for one in links]
    used, begun = sum(map(cpu, agents)), time.monotonic()
    turns: list[tuple[bool, float, float]] = []
    for turn in range(2 * pairs):
        # With, without, without, with: what changes steadily cancels out.
        watched = turn % 4 in (0, 3)
        for agent in agents:
            os.kill(agent, signal.SIGCONT if watched else signal.SIGSTOP)
        since = time.time()
        await asyncio.sleep(TURN)
        turns.append((watched, since, time.time()))
    for agent in agents:
        os.kill(agent, signal.SIGCONT)
    await asyncio.sleep(1)
    share = 2 * (sum(map(cpu, agents)) - used) / (time.monotonic() - begun) / len(agents)
    await link.call(m.PauseSession(session="measured", force="kill"), m.SessionReply)
    for one in links:
        await one.call(m.StopAgent(), m.Done)
        await one.wait_closed()
        await one.close()
    speeds = _speeds(await asyncio.to_thread((folder / "caffe.log").read_bytes), turns)
    found = [dict(speeds[at : at + 2]) for at in range(0, len(speeds), 2)]
    slower = np.array([100 * (one[False] / one[True] - 1) for one in found])
    # A machine shared with others now and then stands still for a moment.
    usual = np.sort(slower)[pairs // 10 : -(pairs // 10)]
    middle, spread = usual.mean(), usual.std() / len(usual) ** 0.5
    alone = np.median([speed for watched, speed in speeds if not watched])
    return [
        f"{alone:.0f} iterations/s alone; {pairs} pairs of turns of {TURN:.0f} s; {load()}",
        f"longer by {middle:5.2f} % (+- {spread:.2f}) with {len(agents)} agents",
        judged(
            middle / len(agents),
            MOST,
            f"by {middle / len(agents):5.2f} % (+- {spread / len(agents):.2f}) for each",
        ),
        f"an agent takes {100 * share:5.2f} % of a core",
    ]


async def _watch(root: Path) -> Link:
    """Of an agent with a run that only prints."""
    link = await Link.open(root)
    text = solver(LINES, 1e6, burst=3)
    await link.call(m.NewSession(name="steady", solver=text, net=NET, caffe="steady"), m.SessionReply)
    await link.call(m.Subscribe(), m.Subscribed)
    reply = await link.call(m.StartSession(session="steady"), m.SessionReply)
    await link.call(m.FollowLog(session="steady", run=reply.session.runs[-1].number), m.Done)
    return link


async def _train(link: Link) -> Path:
    """Folder of a run that has begun, and is followed."""
    await link.call(m.NewSession(template="lenet-digits", name="template"), m.SessionReply)
    files = await link.call(m.GetFiles(session="template"), m.SessionFiles)
    folder = (await link.call(m.GetSession(session="template"), m.SessionReply)).session.folder
    solver = re.sub(r"(max_iter|test_interval|snapshot): \d+", r"\1: 10000000", files.solver)
    solver = re.sub(r"display: \d+", "display: 10", solver) + "\ntest_initialization: false\n"
    call = m.NewSession(name="measured", solver=solver, net=files.net, base=folder, caffe="embedded")
    await link.call(call, m.SessionReply)
    await link.call(m.Subscribe(), m.Subscribed)
    reply = await link.call(m.StartSession(session="measured"), m.SessionReply)
    run = reply.session.runs[-1].number
    await link.call(m.FollowLog(session="measured", run=run), m.Done)
    while reply.session.iteration < 100:
        await asyncio.sleep(0.1)
        reply = await link.call(m.GetSession(session="measured"), m.SessionReply)
    return Path(reply.session.folder, "runs", f"{run:04}")


def _speeds(log: bytes, turns: list[tuple[bool, float, float]]) -> list[tuple[bool, float]]:
    """Iterations a second in each turn, by the log's stamps."""
    parser = LogParser()
    parser.feed(log)
    losses, epoch = parser.series[LOSS], parser.epoch
    assert epoch is not None

    def at(when: float) -> float:
        return float(np.interp(when - epoch, losses.seconds, losses.iteration))

    return [(watched, (at(stop) - at(start)) / (stop - start)) for watched, start, stop in turns]
