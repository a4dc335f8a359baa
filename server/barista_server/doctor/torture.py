"""``--torture``: what docs/survival.md promises, tried on this machine with real processes.

The names are those of docs/survival.md; what cannot be tried from here (reboots, a full disk) is left out.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal, NamedTuple

from barista_server.agent import process
from barista_server.api.link import CallFailed, Link
from barista_server.api.messages import (
    Done,
    FollowLog,
    PauseSession,
    SessionInfo,
    SessionReply,
    StartSession,
    State,
)
from barista_server.doctor.arena import Arena, Failed, Follower, demand, exists, until
from barista_server.doctor.report import Finding, Level

ADOPTED = 2.0
"""Seconds from the start of an agent until it has taken up the trainings that run."""


class Trial(NamedTuple):
    name: str
    about: str
    run: Callable[[Arena, Link, int], Awaitable[str]]
    """Returns what was measured. Raises Failed. The number: how often to kill."""


async def torture(root: Path, kills: int, tell: Callable[[str], None]) -> list[Finding]:
    """All trials, in a throw-away root in the file system of ``root``; cleans up whatever happens."""
    arena = Arena(root)
    found: list[Finding] = []
    try:
        for number, trial in enumerate(TRIALS, 1):
            tell(f"{number}/{len(TRIALS)} {trial.name}: {trial.about} ...")
            found.append(await _tried(trial, arena, kills))
    finally:
        # Also when it is cancelled by Ctrl+C: nothing may be left running.
        await asyncio.shield(arena.close())
    return found


async def _tried(trial: Trial, arena: Arena, kills: int) -> Finding:
    begun = time.monotonic()
    level: Level = "ok"
    try:
        words = await trial.run(arena, await arena.link(), kills)
    except (Failed, CallFailed, TimeoutError, OSError, ValueError) as error:
        level, words = "bad", str(error) or type(error).__name__
    return Finding(trial.name, level, f"{trial.about}: {words} [{time.monotonic() - begun:.1f} s]")


async def _agent_killed(arena: Arena, link: Link, kills: int) -> str:
    info = await arena.begin(link)
    session, seen, took = info.id, 0, []
    before = arena.process(session)
    for _ in range(kills):
        await asyncio.sleep(random.uniform(0, 0.3))
        await arena.kill_agent(link)
        begun = time.monotonic()
        link = await arena.link()
        info = await arena.get(link, session)
        took.append(time.monotonic() - begun)
        demand(info.state is State.RUNNING, f"after a kill the session is {info.state.value}")
        demand(info.iteration >= seen, f"iterations went back from {seen} to {info.iteration}")
        seen = info.iteration
    demand(len(info.runs) == 1, f"it was started again: {len(info.runs)} runs")
    demand(arena.process(session) == before and exists(before["caffe_pid"]), "the processes are others")
    demand(exists(before["runner_pid"]), "the runner is gone")
    middle, busy = statistics.median(took), os.getloadavg()[0] / (os.cpu_count() or 1)
    # Where several programs share a core, each gets its part of it only.
    demand(
        middle <= ADOPTED * max(1.0, busy),
        f"taken up only {middle:.1f} s after the agent's start, promised are {ADOPTED:.0f}",
    )
    await _paused(arena, link, session)
    aside = f", {busy:.0f} programs for each core" if busy >= 2 else ""
    return f"{kills} times, taken up within {middle:.2f} s (median), {max(took):.2f} s at most{aside}"


async def _ended_alone(arena: Arena, link: Link, _: int) -> str:
    session = (await arena.begin(link)).id
    await arena.kill_agent(link)
    os.kill(arena.process(session)["caffe_pid"], signal.SIGSEGV)
    await until((arena.run(session) / "exit.json").exists, "the runner writes how it ended")
    info = await arena.get(await arena.link(), session)
    demand(info.state is State.FAILED, f"it is {info.state.value}, not failed")
    demand(info.runs[0].signal == signal.SIGSEGV, f"the signal is told as {info.runs[0].signal}")
    return "signal 11 told right"


async def _runner_killed(arena: Arena, link: Link, _: int) -> str:
    info = await arena.begin(link)
    os.kill(arena.process(info.id)["runner_pid"], signal.SIGKILL)
    info = await arena.reach(link, info.id, info.iteration + 50)
    demand(info.state is State.RUNNING, f"it is {info.state.value}")
    await _paused(arena, link, info.id)
    return "the training went on"


async def _snapshot_cut(arena: Arena, link: Link, _: int) -> str:
    follower = Follower(link)
    await follower.subscribe()
    info = await arena.begin(link, extra="snapshot: 20\n")
    await arena.reach(link, info.id, 50)
    info = await _paused(arena, link, info.id)
    newest, before = info.snapshots[-1], info.snapshots[-2]
    state = arena.session(info.id) / newest.state
    state.write_bytes(state.read_bytes()[:-3])
    info = (await link.call(StartSession(session=info.id), SessionReply)).session
    at = info.runs[-1].resumed_from
    demand(at == before.iteration, f"it went on from {at} instead of {before.iteration}")
    await until(lambda: any(newest.state in text for text in follower.notices), "the console says so")
    await arena.state(link, info.id, State.RUNNING)
    await arena.reach(link, info.id, before.iteration + 10)
    await _paused(arena, link, info.id)
    return f"skipped {newest.iteration}, went on from {before.iteration}"


async def _tree_ends(arena: Arena, link: Link, _: int) -> str:
    words = []
    ways: list[Literal["", "kill"]] = ["", "kill"]
    for how in ways:
        info = await arena.begin(link, caffe="wrapped")
        family = [one.pid for one in process.marked(arena.process(info.id)["nonce"])]
        demand(len(family) >= 2, f"only {len(family)} process(es) of the wrapped caffe are seen")
        await link.call(PauseSession(session=info.id, force=how), SessionReply)
        await arena.state(link, info.id, State.FAILED if how else State.PAUSED)
        await until(lambda f=family: not any(exists(pid) for pid in f), "all its processes end")  # type: ignore[misc]
        words.append(f"{len(family)} processes by {how or 'pause'}")
    return ", ".join(words)


async def _two_clients(arena: Arena, link: Link, _: int) -> str:
    other = await arena.link()
    info = await arena.begin(link)
    await _paused(arena, link, info.id)
    both = (one.call(StartSession(session=info.id), SessionReply) for one in (link, other))
    await asyncio.gather(*both)
    info = await arena.state(other, info.id, State.RUNNING)
    demand(len(info.runs) == 2, f"two starts at once made {len(info.runs) - 1} runs")
    await arena.reach(link, info.id, info.iteration + 10)
    both = (one.call(PauseSession(session=info.id), SessionReply) for one in (link, other))
    await asyncio.gather(*both)
    seen = [(await arena.state(one, info.id, State.PAUSED)).iteration for one in (link, other)]
    demand(seen[0] == seen[1], f"the two see iterations {seen}")
    return "one training each time"


async def _log_caught_up(arena: Arena, link: Link, _: int) -> str:
    session = (await arena.begin(link, speed=500)).id
    log, holes = bytearray(), False
    for cut in range(5):
        follower = Follower(link, len(log))
        await link.call(FollowLog(session=session, run=1, offset=len(log)), Done)
        await until(lambda f=follower: len(f.log) > 2000, "the log goes on")  # type: ignore[misc]
        if cut < 4:
            await link.close()
        else:
            await _paused(arena, link, session)
            await until(lambda f=follower: f.ended, "the followed log ends")  # type: ignore[misc]
        log += follower.log
        holes |= follower.holes
        if cut < 4:
            link = await arena.link()
    written = (arena.run(session) / "caffe.log").read_bytes()
    demand(not holes and bytes(log) == written, f"{len(log)} bytes were sent, {len(written)} are in the log")
    return f"{len(written)} bytes through 4 cuts, equal"


async def _pause_and_resume(arena: Arena, link: Link, _: int) -> str:
    info = await _paused(arena, link, (await arena.begin(link)).id)
    at = info.iteration
    await link.call(StartSession(session=info.id), SessionReply)
    info = await arena.reach(link, info.id, at + 20)
    demand(info.runs[-1].resumed_from == at, f"it went on from {info.runs[-1].resumed_from}, not {at}")
    await _paused(arena, link, info.id)
    return f"paused and resumed at iteration {at}"


async def _paused(arena: Arena, link: Link, session: str) -> SessionInfo:
    """Pause; the session then."""
    await link.call(PauseSession(session=session), SessionReply)
    return await arena.state(link, session, State.PAUSED)


TRIALS = [
    Trial("G1", "agent killed at random moments", _agent_killed),
    Trial("G2", "caffe dies while no agent is there", _ended_alone),
    Trial("G3", "runner killed", _runner_killed),
    Trial("G6", "newest snapshot cut short", _snapshot_cut),
    Trial("G10", "stop ends the whole process tree", _tree_ends),
    Trial("G20", "two clients press the same", _two_clients),
    Trial("log", "connection dropped, log caught up by offset", _log_caught_up),
    Trial("pause", "pause and resume", _pause_and_resume),
]
