"""Verbs about keeping: rename, reset, rm, restore."""

from __future__ import annotations

import argparse

from barista_server.api.messages import (
    DeleteSession,
    RenameSession,
    ResetSession,
    Restore,
    SessionReply,
    TrashReply,
)
from barista_tui import format
from barista_tui.verbs import output
from barista_tui.verbs.agentlink import ask, target_of
from barista_tui.verbs.errors import Exit
from barista_tui.verbs.output import print_session


async def rename(args: argparse.Namespace) -> Exit:
    """Give a session another name."""
    reply = await ask(target_of(args), RenameSession(session=args.session, name=args.name), SessionReply)
    print_session(reply.session, args.json)
    return Exit.OK


async def reset(args: argparse.Namespace) -> Exit:
    """Move snapshots and runs to the trash."""
    return await _trashed(args, ResetSession(session=args.session))


async def rm(args: argparse.Namespace) -> Exit:
    """Move the whole session to the trash."""
    return await _trashed(args, DeleteSession(session=args.session))


async def _trashed(args: argparse.Namespace, call: ResetSession | DeleteSession) -> Exit:
    reply = await ask(target_of(args), call, TrashReply)
    if args.json:
        output.print_json(reply)
    elif reply.kind == "log":
        output.say("It is off the list; the log itself stays where it is.")
        output.say(f"Bring it back with: barista restore {reply.trash}")
    else:
        output.say(f"{format.plural(reply.files, 'file')}, {format.size(reply.size)} moved to the trash.")
        output.say(f"Bring it back with: barista restore {reply.trash}")
    return Exit.OK


async def restore(args: argparse.Namespace) -> Exit:
    """Undo a reset or rm."""
    print_session((await ask(target_of(args), Restore(trash=args.trash), SessionReply)).session, args.json)
    return Exit.OK
