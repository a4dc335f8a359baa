"""A training with the agent and a client that follows it, beside the same training left alone; in turns.

Left alone it is when its agent is stopped once it has begun: the runner keeps the time of both.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import time
from pathlib import Path

from barista_server.api import messages as m
from barista_server.api.link import Link
from benchmarks.processes import agent_root, cpu, judged, load

ITERATIONS = 2000
ROUNDS = 5
MOST = 1.0
"""Per cent."""


def run(quick: bool = False) -> list[str]:
    """LeNet on the packaged digits by barista-caffe."""
    with agent_root() as root:
        return asyncio.run(_measure(root, ITERATIONS // 4 if quick else ITERATIONS, 3 if quick else ROUNDS))


async def _measure(root: Path, iterations: int, rounds: int) -> list[str]:
    link = await Link.open(root)
    await link.call(m.NewSession(template="lenet-digits", name="template"), m.SessionReply)
    files = await link.call(m.GetFiles(session="template"), m.SessionFiles)
    folder = (await link.call(m.GetSession(session="template"), m.SessionReply)).session.folder
    solver = files.solver.replace("max_iter: 2000", f"max_iter: {iterations}")
    assert solver != files.solver
    call = m.NewSession(name="measured", solver=solver, net=files.net, base=folder, caffe="embedded")
    await link.call(call, m.SessionReply)
    await link.close()
    alone, watched = [], []
    for _ in range(rounds):
        alone.append(await _train(root, watch=False))
        watched.append(await _train(root, watch=True))
        print(f"  ({alone[-1]} alone, {watched[-1]} watched)", file=sys.stderr, flush=True)
    slower = [100 * (statistics.median(b / a for a, b in pairs) - 1) for pairs in _pairs(alone, watched)]
    middle = statistics.median(one["wall"] for one in alone)
    meanwhile = statistics.median(one["others"] for one in watched)
    return [
        f"{iterations} iterations alone take {middle:.1f} s; medians of {rounds} rounds; {load()}",
        judged(slower[0], MOST, f"longer by            {slower[0]:5.2f} %"),
        f"more processor time  {slower[1]:5.2f} %",
        f"agent and client     {100 * meanwhile:5.2f} % of a core meanwhile",
    ]


def _pairs(alone: list[dict[str, float]], watched: list[dict[str, float]]) -> list[list[tuple[float, float]]]:
    return [[(a[what], b[what]) for a, b in zip(alone, watched, strict=True)] for what in ("wall", "cpu")]


async def _train(root: Path, watch: bool) -> dict[str, float]:
    """Seconds of one training."""
    link = await Link.open(root)
    ended = asyncio.Event()

    def take(event: m.Event) -> None:
        if isinstance(event.what, m.LogBytes) and event.what.ended:
            ended.set()

    link.on_event = take
    await link.call(m.Subscribe(), m.Subscribed)
    reply = await link.call(m.StartSession(session="measured"), m.SessionReply)
    run = reply.session.runs[-1].number
    others = cpu(link.welcome.pid) + cpu(os.getpid())
    if watch:
        await link.call(m.FollowLog(session="measured", run=run), m.Done)
        await ended.wait()
    others = cpu(link.welcome.pid) + cpu(os.getpid()) - others
    await link.call(m.StopAgent(), m.Done)
    await link.wait_closed()
    await link.close()
    found = await asyncio.to_thread(_exit, Path(reply.session.folder, "runs", f"{run:04}", "exit.json"))
    link = await Link.open(root)
    reply = await link.call(m.GetSession(session="measured"), m.SessionReply)
    assert reply.session.state is m.State.FINISHED, reply.session
    await link.call(m.ResetSession(session="measured"), m.TrashReply)
    await link.close()
    wall = found["monotonic_seconds"]
    return {"wall": wall, "cpu": found["user_seconds"] + found["system_seconds"], "others": others / wall}


def _exit(path: Path) -> dict[str, float]:
    """What the runner says of a training, once it has ended."""
    while not path.exists():
        time.sleep(0.2)
    found: dict[str, float] = json.loads(path.read_text())
    assert found["code"] == 0, found
    return found
