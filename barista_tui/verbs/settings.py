"""The verb that chooses what a session trains with, or what new sessions on a host get."""

from __future__ import annotations

import argparse
from typing import Any

import msgspec

from barista_server.api.messages import (
    ConfigureSession,
    Defaults,
    GetDefaults,
    Keep,
    KeepSnapshots,
    SessionReply,
    SetDefaults,
    SlurmOptions,
)
from barista_tui import format
from barista_tui.runway import guess_high, keep_words
from barista_tui.verbs import output
from barista_tui.verbs.agentlink import linked, session_of, target_of
from barista_tui.verbs.errors import Exit, VerbError


async def settings(args: argparse.Namespace) -> Exit:
    """Change what is given, then say what holds; without options only the latter."""
    if args.defaults == bool(args.session):
        raise VerbError("give either a session or --defaults", code=Exit.USAGE)
    if args.defaults and args.auto_resume is not None:
        raise VerbError("--auto-resume is chosen for each session", code=Exit.USAGE)
    if args.defaults and _keep(args, None) is not None:
        raise VerbError("what stays is chosen for each session", code=Exit.USAGE)
    if args.defaults:
        return await _defaults(args)
    async with linked(target_of(args)) as link:
        session = await session_of(link, args.session)
        slurm = _slurm(args, session.slurm)
        if _changes(args) or slurm is not None:
            call = ConfigureSession(session=session.id, slurm=slurm, **_changes(args))
            session = (await link.call(call, SessionReply)).session
        if (keep := _keep(args, session.keep)) is not None:
            session = (await link.call(KeepSnapshots(session=session.id, keep=keep), SessionReply)).session
    output.print_session(session, args.json)
    if not args.json:
        output.say(f"    {output.one_line(session.caffe)} on {session.device}")
        if session.launcher == "slurm" or session.slurm is not None:
            output.say(f"    {output.job_words(session.launcher, session.slurm)}")
        if words := keep_words(session.keep):
            output.say(f"    {output.one_line(words)} of its snapshots")
        if words := format.resume_words(session):
            output.say(f"    auto-resume: {words}")
        for line in output.problem_lines(session.problems, "    "):
            output.say(line)
    return Exit.OK


def _keep(args: argparse.Namespace, now: Keep | None) -> Keep | None:
    """Which snapshots shall stay from now on; None when nothing of it is given."""
    if args.keep_last is None and args.keep_best is None and args.by is None:
        return None
    now = now or Keep()
    by = now.by if args.by is None else args.by
    return Keep(
        last=now.last if args.keep_last is None else args.keep_last,
        best=now.best if args.keep_best is None else args.keep_best,
        by=by,
        high=now.high if args.by is None and now.by else guess_high(by),
    )


def _changes(args: argparse.Namespace) -> dict[str, Any]:
    given = {name: getattr(args, name) for name in ("caffe", "device", "launcher", "auto_resume")}
    return {name: value for name, value in given.items() if value is not None}


def _slurm(args: argparse.Namespace, now: SlurmOptions | None) -> SlurmOptions | None:
    """What a job shall ask for from now on; None when nothing of it is given."""
    names = ("partition", "gres", "time", "cpus", "memory", "account")
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    if args.sbatch_arg is not None:
        given["arguments"] = [word for word in args.sbatch_arg if word]
    return msgspec.structs.replace(now or SlurmOptions(), **given) if given else None


async def _defaults(args: argparse.Namespace) -> Exit:
    async with linked(target_of(args)) as link:
        slurm = _slurm(args, None)
        if slurm is not None:
            slurm = _slurm(args, (await link.call(GetDefaults(), Defaults)).slurm)
        acts = slurm is not None or bool(_changes(args))
        call = SetDefaults(slurm=slurm, **_changes(args)) if acts else GetDefaults()
        found = await link.call(call, Defaults)
    if args.json:
        output.print_json(found)
    else:
        caffe = output.one_line(found.caffe) or "the first caffe that works"
        output.say(f"new sessions: {caffe} on {found.device}")
        if found.launcher == "slurm" or found.slurm is not None:
            output.say(f"    {output.job_words(found.launcher, found.slurm)}")
    return Exit.OK
