"""A run with a log of a million lines: how soon windows of lines and curves are there, the memory.

Through the agent's socket and through a real sshd, while the run goes on. Then by an agent that was started
anew, which has to read the log first.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from barista_server.api import messages as m
from barista_server.api.link import Link
from barista_server.remote.ssh import open_link
from benchmarks.processes import NET, agent_root, judged, load, resident, solver
from tests.remote.sshd import Sshd

LINES = 1_000_000
ROUNDS = 40
MOST = 50.0
"""Milliseconds of a window."""
MOST_COLD, MOST_OPEN = 1500.0, 300.0
MOST_SEARCH = 1.0
"""Seconds."""
MOST_MEMORY = 80.0
"""MiB, of the agent with that one run."""
LIVE = (m.State.RUNNING, m.State.PAUSING)
KINDS = ["test", "event", "warning", "error"]


def run(quick: bool = False) -> list[str]:
    """One session, a tenth as long if ``quick``."""
    with agent_root() as root, tempfile.TemporaryDirectory(prefix="barista-") as folder:
        sshd = Sshd.start(Path(folder, "sshd"), root)
        try:
            return asyncio.run(_measure(root, sshd, LINES // 10 if quick else LINES))
        finally:
            sshd.down()


async def _measure(root: Path, sshd: Sshd, lines: int) -> list[str]:
    async with _linked(Link.open(root)) as link, _linked(open_link(sshd.address, sshd.way())) as ssh:
        begun = await _start(link, lines)
        keys = (await link.call(m.ListSeries(session="1"), m.SeriesList)).keys
        keys.sort(key=lambda key: (key.phase, key.output))  # the loss of every display first
        keys.reverse()
        memory = resident(link.welcome.pid)
        found = [
            f"{lines:,} lines, {begun:.1f} s after their writing began they are indexed; {load()}",
            judged(memory, MOST_MEMORY, f"agent {memory:.0f} MiB resident"),
        ]
        for way, one in (("socket", link), ("sshd  ", ssh)):
            found += [f"{way} {line}" for line in await _windows(one, lines, keys)]
        found += [f"sshd   {line}" for line in await _searches(ssh)]
        await link.call(m.PauseSession(session="1", force="kill"), m.SessionReply)
        await _until(link, lambda info: info.state not in LIVE)
        await link.call(m.StopAgent(), m.Done)
        await link.wait_closed()
    cold: list[tuple[str, m.Call, float]] = [
        ("curve", m.GetSeries(session="1", keys=keys[:1]), MOST_COLD),
        ("last 200 lines", m.GetLines(session="1", run=1), MOST_OPEN),
    ]
    for name, call, most in cold:
        async with _linked(open_link(sshd.address, sshd.way())) as ssh:
            spent = await _timed(ssh, call)
            found.append(judged(spent, most, f"sshd   {name}, log not read before: {spent:.0f} ms"))
            await ssh.call(m.StopAgent(), m.Done)
            await ssh.wait_closed()
    return found


@asynccontextmanager
async def _linked(opening: Awaitable[Link]) -> AsyncIterator[Link]:
    link = await opening
    try:
        yield link
    finally:
        await link.close()


async def _start(link: Link, lines: int) -> float:
    """Seconds until all lines are known to the agent."""
    call = m.NewSession(solver=solver(10, 3600, lines), net=NET, caffe="steady")
    await link.call(call, m.SessionReply)
    begun = time.monotonic()
    await link.call(m.StartSession(session="1"), m.SessionReply)
    await _until(link, lambda info: bool(info.runs) and info.runs[-1].lines >= lines)
    return time.monotonic() - begun


async def _until(link: Link, holds: Callable[[m.SessionInfo], bool]) -> None:
    reply = await link.call(m.GetSession(session="1"), m.SessionReply)
    while not holds(reply.session):
        await asyncio.sleep(0.05)
        reply = await link.call(m.GetSession(session="1"), m.SessionReply)


async def _windows(link: Link, lines: int, keys: list[m.SeriesKey]) -> list[str]:
    """Windows of a screenful of lines and of curves, each ROUNDS times."""
    chance = random.Random(1)
    last = (lines // 20) * 1.0

    def at(most: int, kinds: list[str]) -> m.GetLines:
        return m.GetLines(session="1", run=1, start=chance.randrange(most), count=200, kinds=kinds)

    def part(count: int) -> m.GetSeries:
        low = chance.uniform(0, last)
        return m.GetSeries(session="1", keys=keys[:count], x0=low, x1=low + last)

    calls: dict[str, Callable[[], m.Call]] = {
        "200 lines anywhere": lambda: at(lines, []),
        "200 lines of tests and events": lambda: at(lines // 12, KINDS),
        "the last 200 lines": lambda: m.GetLines(session="1", run=1),
        "whole curve, 400 buckets": lambda: m.GetSeries(session="1", keys=keys[:1]),
        f"{len(keys)} whole curves": lambda: m.GetSeries(session="1", keys=keys),
        "part of a curve": lambda: part(1),
        "whole curve over time": lambda: m.GetSeries(session="1", keys=keys[:1], axis="time"),
    }
    found = []
    for name, call in calls.items():
        times = [await _timed(link, call()) for _ in range(ROUNDS)]
        middle, worst = statistics.median(times), statistics.quantiles(times, n=20)[-1]
        found.append(judged(worst, MOST, f"{name:29} median {middle:5.1f} ms, p95 {worst:5.1f} ms"))
    return found


async def _searches(link: Link) -> list[str]:
    """Patterns that are found nowhere, so that all of the log is looked through."""
    found = []
    for pattern, case in ((r"loss = 9\d+ ", False), (r"(nan|inf)\b", False)):
        begun, answers, at = time.perf_counter(), 0, 0
        while at is not None:
            call = m.FindLines(session="1", run=1, pattern=pattern, regex=True, case=case, start=at)
            answer = await link.call(call, m.FoundLines)
            assert not answer.lines
            answers, at = answers + 1, answer.next
        spent = time.perf_counter() - begun
        figure = f"all searched for {pattern:21} {spent:.2f} s, {answers} answers"
        found.append(judged(spent, MOST_SEARCH, figure))
    return found


async def _timed(link: Link, call: m.Call) -> float:
    """Milliseconds to the answer."""
    begun = time.perf_counter()
    answer = await link.call(call, m.Lines if isinstance(call, m.GetLines) else m.SeriesWindow)
    spent = time.perf_counter() - begun
    assert answer.lines if isinstance(answer, m.Lines) else answer.series[0].points
    return 1000 * spent
