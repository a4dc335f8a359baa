"""A training alone, and with the agent and a client that follows it: in turns of some seconds within one run.

Alone it is while the agent's process is stopped. What it missed it has to make up for in its next turn.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import statistics
import time
from pathlib import Path

import numpy as np

from barista_server.api import messages as m
from barista_server.api.link import Link
from barista_server.caffe.log import LOSS, LogParser
from benchmarks.processes import agent_root, cpu, judged, load

TURN = 3.0
"""Seconds."""
PAIRS = 24
MOST = 1.0
"""Per cent."""


def run(quick: bool = False) -> list[str]:
    """LeNet on the packaged digits by barista-caffe, on all cores."""
    with agent_root() as root:
        return asyncio.run(_measure(root, PAIRS // 4 if quick else PAIRS))


async def _measure(root: Path, pairs: int) -> list[str]:
    link = await Link.open(root)
    run = await _train(link)
    agent = link.welcome.pid
    used, begun = cpu(agent) + cpu(os.getpid()), time.monotonic()
    turns: list[tuple[bool, float, float]] = []
    for pair in range(pairs):
        for watched in (pair % 2 == 0, pair % 2 == 1):
            os.kill(agent, signal.SIGCONT if watched else signal.SIGSTOP)
            since = time.time()
            await asyncio.sleep(TURN)
            turns.append((watched, since, time.time()))
    os.kill(agent, signal.SIGCONT)
    await asyncio.sleep(1)
    others = (cpu(agent) + cpu(os.getpid()) - used) / (time.monotonic() - begun)
    await link.call(m.PauseSession(session="2", force="kill"), m.SessionReply)
    await link.call(m.StopAgent(), m.Done)
    await link.wait_closed()
    await link.close()
    speeds = _speeds(await asyncio.to_thread((run / "caffe.log").read_bytes), turns)
    found = [(speeds[at], speeds[at + 1]) for at in range(0, len(speeds), 2)]
    slower = [100 * (alone[1] / watched[1] - 1) for alone, watched in map(sorted, found)]
    middle, spread = statistics.median(slower), np.std(slower) / len(slower) ** 0.5
    alone = statistics.median(speed for watched, speed in speeds if not watched)
    return [
        f"{alone:.0f} iterations/s alone; medians of {pairs} pairs of turns of {TURN:.0f} s; {load()}",
        judged(middle, MOST, f"longer by {middle:5.2f} % (+- {spread:.2f})"),
        f"agent and client take {100 * others:5.2f} % of a core meanwhile",
    ]


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
