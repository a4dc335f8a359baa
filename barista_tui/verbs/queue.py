"""The verb about sessions that wait for a device."""

from __future__ import annotations

import argparse

from barista_server.api.messages import (
    ListQueue,
    MoveInQueue,
    QueueList,
    QueueSession,
    SessionInfo,
    SessionReply,
    SetSlots,
    UnqueueSession,
)
from barista_tui.verbs import output
from barista_tui.verbs.agentlink import ask, target_of
from barista_tui.verbs.errors import Exit


async def queue(args: argparse.Namespace) -> Exit:
    """Carry out one of its words."""
    return await _WORDS[args.what](args)


async def add(args: argparse.Namespace) -> Exit:
    """Start it when there is room, and say why that is not now."""
    call = QueueSession(
        session=args.session, priority=args.priority, after=args.after, after_any=args.after_any_end
    )
    return _say((await ask(target_of(args), call, SessionReply)).session, args.json)


async def _rm(args: argparse.Namespace) -> Exit:
    call = UnqueueSession(session=args.session)
    return _say((await ask(target_of(args), call, SessionReply)).session, args.json)


async def _move(args: argparse.Namespace) -> Exit:
    call = MoveInQueue(session=args.session, where=args.where)
    return _say((await ask(target_of(args), call, SessionReply)).session, args.json)


async def _priority(args: argparse.Namespace) -> Exit:
    call = MoveInQueue(session=args.session, priority=args.priority)
    return _say((await ask(target_of(args), call, SessionReply)).session, args.json)


async def _slots(args: argparse.Namespace) -> Exit:
    found = await ask(target_of(args), SetSlots(device=args.device, slots=args.slots), QueueList)
    if args.json:
        output.print_json(found)
    else:
        output.say(f"{args.device}: {args.slots} at a time")
    return Exit.OK


async def _ls(args: argparse.Namespace) -> Exit:
    return _list(await ask(target_of(args), ListQueue(), QueueList), args.json)


_WORDS = {"ls": _ls, "add": add, "rm": _rm, "move": _move, "priority": _priority, "slots": _slots}


def _say(session: SessionInfo, as_json: bool) -> Exit:
    output.print_session(session, as_json)
    if not as_json and session.queued is not None and session.queued.reason:
        output.say(f"    {output.one_line(session.queued.reason)}")
    return Exit.OK


def _list(found: QueueList, as_json: bool) -> Exit:
    if as_json:
        output.print_json(found)
        return Exit.OK
    if not found.sessions:
        output.say("Nothing is in the queue. Put a session there with: barista queue add SESSION")
    else:
        rows = [["#", "ID", "NAME", "DEVICE", "PRIORITY", "WAITS FOR"], *map(_row, found.sessions)]
        for cells in output.table(rows, right=(4,), wide=5):
            output.say("  ".join(cells).rstrip())
    for device, slots in sorted(found.slots.items()):
        if slots != 1:
            output.say(f"{device}: {slots} at a time")
    return Exit.OK


def _row(session: SessionInfo) -> list[str]:
    queued = session.queued
    place, priority, reason = (
        (str(queued.place), str(queued.priority), queued.reason) if queued else ("",) * 3
    )
    name = output.one_line(session.name)
    return [place, session.id, name, session.device, priority, output.one_line(reason)]
