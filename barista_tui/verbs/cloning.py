"""The verb that makes a session from another one."""

from __future__ import annotations

import argparse

from barista_server.api.messages import CloneSession, SessionInfo, SessionReply, StartSession
from barista_tui import format
from barista_tui.verbs import output
from barista_tui.verbs.agentlink import linked, target_of
from barista_tui.verbs.errors import Exit


async def clone(args: argparse.Namespace) -> Exit:
    """Make the session, start it if asked, print what it is."""
    call = CloneSession(
        session=args.session,
        weights=not args.settings_only,
        snapshot=args.snapshot,
        name=args.name,
        caffe=args.caffe,
        device=args.device,
    )
    async with linked(target_of(args)) as link:
        session = (await link.call(call, SessionReply)).session
        if args.start:
            session = (await link.call(StartSession(session=session.id), SessionReply)).session
    if args.json:
        output.print_json(session)
    else:
        for line in _words(session):
            output.say(line)
    return Exit.OK


def _words(session: SessionInfo) -> list[str]:
    lines = [f"{session.id}  {output.one_line(session.name)}  {output.state_word(session)}"]
    lines += [f"  {output.one_line(words)}" for words in format.lineage_words(session)[:1]]
    return [*lines, *output.problem_lines(session.problems)]
