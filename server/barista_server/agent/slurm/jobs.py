"""Sessions as jobs: what is submitted, alone or several as an array."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from barista_server.agent import runs
from barista_server.agent.errors import CallError
from barista_server.agent.runs import LaunchError, Run
from barista_server.agent.slurm import options
from barista_server.agent.slurm.launcher import new_key
from barista_server.agent.store import Command, Meta
from barista_server.api.messages import SlurmOptions

if TYPE_CHECKING:
    from barista_server.agent.session import Session


def as_job(meta: Meta, command: Command, patience: float) -> Command:
    """The command of a session as that of a job. ``patience``: seconds a snapshot takes at the longest."""
    asked = meta.slurm or SlurmOptions()
    return msgspec.structs.replace(
        command,
        slurm=asked,
        key=new_key(),
        name=options.job_name(meta.id, meta.name),
        lead=options.lead(asked, patience),
    )


async def start_array(sessions: list[Session], at_once: int) -> tuple[str, list[Run]]:
    """One job, a task for each session, whose locks are held; its number and the runs.

    Raises CallError, Refused, OSError; then nothing was submitted.
    """
    for session in sessions:
        if session.meta.launcher != "slurm":
            hint = f"Say so: barista set {session.id} --launcher slurm."
            raise CallError("refused", f"{session.meta.name} is not for Slurm", hint)
    prepared = [await session.prepare(None) for session in sessions]
    first = prepared[0][0]
    made = [
        msgspec.structs.replace(
            command,
            slurm=first.slurm,
            key=first.key,
            name=f"barista-{len(sessions)}-sessions",
            lead=max(command.lead for command, _ in prepared),
            task=number,
        )
        for number, (command, _) in enumerate(prepared)
    ]
    paths = []
    for session, command in zip(sessions, made, strict=True):
        paths.append(await session.host.disk(session.folder.new_run))
        await session.note("run started", run=int(paths[-1].name), resumed_from=command.resumed_from)
    slurm = sessions[0].host.launchers.slurm
    try:
        job, started = await asyncio.to_thread(slurm.launch_array, paths, made, at_once)
    except (LaunchError, OSError) as error:
        for session, path in zip(sessions, paths, strict=True):
            await session.note("run failed to start", run=int(path.name), reason=str(error))
            await session.host.disk(runs.discard, path)
        raise CallError("internal", f"the array was not submitted: {error}") from None
    for session, run, (_, before) in zip(sessions, started, prepared, strict=True):
        session.take(run, before)
    return job, started
