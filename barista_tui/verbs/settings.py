"""The verb that chooses what a session trains with, or what new sessions on a host get."""

from __future__ import annotations

import argparse

from barista_server.api.messages import (
    ConfigureSession,
    Defaults,
    GetDefaults,
    GetSession,
    SessionReply,
    SetDefaults,
)
from barista_tui import format
from barista_tui.verbs import output
from barista_tui.verbs.agentlink import ask, target_of
from barista_tui.verbs.errors import Exit, VerbError


async def settings(args: argparse.Namespace) -> Exit:
    """Change what is given, then say what holds; without options only the latter."""
    if args.defaults == bool(args.session):
        raise VerbError("give either a session or --defaults", code=Exit.USAGE)
    if args.defaults and args.auto_resume is not None:
        raise VerbError("--auto-resume is chosen for each session", code=Exit.USAGE)
    if args.defaults:
        return await _defaults(args)
    changes = {name: getattr(args, name) for name in ("caffe", "device", "auto_resume")}
    if any(value is not None for value in changes.values()):
        call: ConfigureSession | GetSession = ConfigureSession(session=args.session, **changes)
    else:
        call = GetSession(session=args.session)
    session = (await ask(target_of(args), call, SessionReply)).session
    output.print_session(session, args.json)
    if not args.json:
        output.say(f"    {output.one_line(session.caffe)} on {session.device}")
        if words := format.resume_words(session):
            output.say(f"    auto-resume: {words}")
    return Exit.OK


async def _defaults(args: argparse.Namespace) -> Exit:
    changed = args.caffe is not None or args.device is not None
    call = SetDefaults(caffe=args.caffe, device=args.device) if changed else GetDefaults()
    found = await ask(target_of(args), call, Defaults)
    if args.json:
        output.print_json(found)
    else:
        caffe = output.one_line(found.caffe) or "the first caffe that works"
        output.say(f"new sessions: {caffe} on {found.device}")
    return Exit.OK
