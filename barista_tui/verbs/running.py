"""Verbs that act on a run: start, pause, snapshot, wait."""

from __future__ import annotations

import argparse
import asyncio
import sys

from barista_server.api.messages import (
    PauseSession,
    SessionInfo,
    SessionReply,
    SnapshotReply,
    SnapshotSession,
    StartSession,
    State,
)
from barista_tui import format
from barista_tui.verbs import output
from barista_tui.verbs.agentlink import Watch, ask, linked, target_of
from barista_tui.verbs.errors import Exit, VerbError
from barista_tui.verbs.output import print_session
from barista_tui.verbs.queue import add
from barista_tui.verbs.slurm import for_slurm, submit_array

ACTIVE = {State.QUEUED, State.RUNNING, State.PAUSING}
"""States that end by themselves."""


async def start(args: argparse.Namespace) -> Exit:
    """Start, or go on from the newest or the given snapshot; with --queue when there is room."""
    if args.array:
        if args.queue or args.snapshot is not None:
            raise VerbError("--array goes without --queue and --snapshot", code=Exit.USAGE)
        return await submit_array(args)
    if args.more and (args.json or args.snapshot is not None):
        raise VerbError("--json and --snapshot go with a single session, or --array", code=Exit.USAGE)
    for name in (args.session, *args.more):
        await _start_one(argparse.Namespace(**{**vars(args), "session": name}))
    return Exit.OK


async def _start_one(args: argparse.Namespace) -> Exit:
    if args.slurm:
        async with linked(target_of(args)) as link:
            await for_slurm(link, args.session)
    if args.queue:
        if args.snapshot is not None:
            text = "--snapshot and --queue exclude each other: a queued session goes on from the newest"
            raise VerbError(text, code=Exit.USAGE)
        return await add(args)
    if args.after or args.priority or args.after_any_end:
        raise VerbError("--priority and --after go with --queue", code=Exit.USAGE)
    call = StartSession(session=args.session, snapshot=args.snapshot)
    session = (await ask(target_of(args), call, SessionReply)).session
    print_session(session, args.json)
    if not args.json and session.queued is not None and session.queued.reason:
        output.say(f"    {output.one_line(session.queued.reason)}")
    return Exit.OK


async def snapshot(args: argparse.Namespace) -> Exit:
    """Print the snapshot once both of its files are verified."""
    reply = await ask(target_of(args), SnapshotSession(session=args.session), SnapshotReply)
    taken = reply.snapshot
    if args.json:
        output.print_json(taken)
    else:
        output.say(f"snapshot taken at iteration {taken.iteration}: {taken.model}, {format.size(taken.size)}")
    return Exit.OK


async def pause(args: argparse.Namespace) -> Exit:
    """Ask the run to stop with a snapshot, and wait until it is verified."""
    call = PauseSession(session=args.session, force=args.force)
    if not args.wait:
        async with linked(target_of(args)) as link:
            print_session((await link.call(call, SessionReply)).session, args.json)
        return Exit.OK
    try:
        async with Watch(target_of(args), args.session) as watch:
            session = await watch.next()
            said = (
                await watch.link.call(PauseSession(session=session.id, force=args.force), SessionReply)
            ).session
            if said.busy:
                print(f"barista: {said.busy}", file=sys.stderr, flush=True)
            while said.state in ACTIVE:
                said = await watch.next()
    except asyncio.CancelledError:
        print(f"barista: {args.session} goes on pausing; see: barista show {args.session}", file=sys.stderr)
        raise
    print_session(said, args.json)
    # A run that reached its end before it could stop needs no pause any more.
    if said.state in {State.PAUSED, State.FINISHED} or args.force or session.state is State.QUEUED:
        return Exit.OK
    raise VerbError(
        f"{said.name} is {said.state.value} instead of paused{_why(said)}",
        f"See: barista logs {said.id} -n 20",
    )


async def wait(args: argparse.Namespace) -> Exit:
    """Return once the session is in one of the states; fail once it cannot get there by itself."""
    try:
        wanted = {State(word.strip().lower()) for word in args.state.split(",")}
    except ValueError:
        known = ", ".join(state.value for state in State)
        raise VerbError(f"{args.state} is no state", f"States: {known}", Exit.USAGE) from None
    try:
        async with asyncio.timeout(args.timeout):
            async with Watch(target_of(args), args.session) as watch:
                session = await watch.next()
                while session.state not in wanted and session.state in ACTIVE:
                    session = await watch.next()
    except TimeoutError:
        raise VerbError(
            f"{args.session} is not {args.state} after {args.timeout:g} s", code=Exit.TIMEOUT
        ) from None
    print_session(session, args.json)
    if session.state in wanted:
        return Exit.OK
    raise VerbError(f"{session.name} is {session.state.value}{_why(session)}")


def _why(session: SessionInfo) -> str:
    return f": {output.one_line(format.reason(session))}" if session.problems else ""
