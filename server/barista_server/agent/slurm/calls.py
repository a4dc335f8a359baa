"""Calls about Slurm: what the cluster is like, and several sessions as one job array."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from barista_server.agent import watch
from barista_server.agent.errors import CallError
from barista_server.agent.slurm import commands, jobs
from barista_server.agent.slurm.commands import SlurmError
from barista_server.api import messages as m

if TYPE_CHECKING:
    from barista_server.agent.client import Client
    from barista_server.agent.queue import Queue
    from barista_server.agent.session import Session
    from barista_server.agent.slurm.launcher import SlurmLauncher

Calls = dict[type, Callable[[Any, "Client"], Awaitable[m.Result]]]


def calls(queue: Queue, find: Callable[[Any], Session], slurm: SlurmLauncher) -> Calls:
    """The calls this module answers; ``find`` tells the session that a call is about."""

    async def report(call: m.GetSlurm, client: Client) -> m.Result:
        if not await asyncio.to_thread(commands.there):
            return m.SlurmReport(problem="Slurm is not on this machine (there is no sbatch)")
        try:
            version, partitions = await asyncio.to_thread(lambda: (commands.version(), commands.partitions()))
        except SlurmError as error:
            return m.SlurmReport(problem=str(error), jobs=slurm.listed())
        await slurm.look()
        return m.SlurmReport(
            version=version, partitions=partitions, jobs=slurm.listed(), problem=slurm.problem
        )

    async def submit(call: m.SubmitArray, client: Client) -> m.Result:
        if not call.sessions or call.at_once < 0:
            raise CallError("invalid", "an array needs sessions, and a number of them at a time from 0 on")
        found = [find(m.GetSession(session=name)) for name in call.sessions]
        if len({one.id for one in found}) < len(found):
            raise CallError("invalid", "a session is named twice")
        async with AsyncExitStack() as stack:
            # In one order, whoever asks: two arrays at the same time do not wait for each other for ever.
            for one in sorted(found, key=lambda session: int(session.id)):
                await stack.enter_async_context(one.lock)
            job, started = await jobs.start_array(found, call.at_once)
            for session, run in zip(found, started, strict=True):
                session.spawn(watch.follow(session, run))
                await queue.started(session)
        return m.Submitted(job=job, sessions=[one.id for one in found])

    return {m.GetSlurm: report, m.SubmitArray: submit}
