"""The verb that shows a host's Slurm, and the start of sessions as jobs."""

from __future__ import annotations

import argparse

from barista_server.api.link import Link
from barista_server.api.messages import (
    ConfigureSession,
    GetSlurm,
    Partition,
    SessionInfo,
    SessionReply,
    SlurmJob,
    SlurmReport,
    SubmitArray,
    Submitted,
)
from barista_tui import format
from barista_tui.verbs import output
from barista_tui.verbs.agentlink import linked, names_of, session_of, target_of
from barista_tui.verbs.errors import Exit, VerbError


async def slurm(args: argparse.Namespace) -> Exit:
    """Partitions, then the jobs of sessions that are not over."""
    async with linked(target_of(args)) as link:
        found = await link.call(GetSlurm(), SlurmReport)
        names = await names_of(link) if found.jobs else {}
    if args.json:
        output.print_json(found)
    elif found.partitions:
        head = ["PARTITION", "STATE", "NODES", "LIMIT", "CPUS", "MiB", "GRES"]
        for cells in output.table([head, *map(_partition, found.partitions)], right=(2, 4, 5), wide=6):
            output.say("  ".join(cells).rstrip())
        if found.jobs:
            head = ["JOB", "ID", "NAME", "STATE", "NODE", "WAITS FOR"]
            rows = [head, *(_job(one, names.get(one.session, "")) for one in found.jobs)]
            output.say("")
            for cells in output.table(rows, wide=5):
                output.say("  ".join(cells).rstrip())
    if found.problem:
        raise VerbError(found.problem)
    return Exit.OK


def _partition(one: Partition) -> list[str]:
    name = output.one_line(one.name) + ("*" if one.default else "")
    state = one.state if one.up else f"{one.state}, down"
    return [name, state, str(one.nodes), one.limit, one.cpus, one.memory, output.one_line(one.gres)]


def _job(one: SlurmJob, name: str) -> list[str]:
    waits = output.one_line(one.reason)
    if one.state == "PENDING" and one.starts is not None:
        waits += f" (expected {format.clock(one.starts)})"
    return [one.job, one.session, name, one.state.lower(), output.one_line(one.node), waits]


async def submit_array(args: argparse.Namespace) -> Exit:
    """Several sessions as one job."""
    async with linked(target_of(args)) as link:
        sessions = [await for_slurm(link, name) for name in (args.session, *args.more)]
        call = SubmitArray(sessions=[one.id for one in sessions], at_once=args.at_once)
        done = await link.call(call, Submitted)
    if args.json:
        output.print_json(done)
    else:
        for number, one in enumerate(sessions):
            output.say(f"{one.id}  {output.one_line(one.name)}  job {done.job}_{number}")
    return Exit.OK


async def for_slurm(link: Link, name: str) -> SessionInfo:
    """The session, which is started as a job from now on."""
    session = await session_of(link, name)
    if session.launcher == "slurm":
        return session
    call = ConfigureSession(session=session.id, launcher="slurm")
    return (await link.call(call, SessionReply)).session
