"""The verb that takes in what others made: a log file, shown beside the sessions, or a training's folder."""

from __future__ import annotations

import argparse
import asyncio
import sys

from barista_server.api.messages import ImportLog, SessionInfo, SessionReply
from barista_tui import format
from barista_tui.verbs import output
from barista_tui.verbs.agentlink import Watch, linked, target_of
from barista_tui.verbs.errors import Exit, VerbError


async def import_log(args: argparse.Namespace) -> Exit:
    """Import it, wait until it is read, print what it is. A folder here becomes a session."""
    if await asyncio.to_thread(args.path.expanduser().is_dir):
        from barista_tui.verbs.transfers import put

        return await put(
            argparse.Namespace(**{**vars(args), "path": str(args.path), "caffe": "", "device": ""})
        )
    target = target_of(args)
    # On another host it means what it says there.
    path = str(args.path.expanduser().absolute() if target.host is None else args.path)
    try:
        path.encode()
    except UnicodeEncodeError:
        text = f"the path {path!r} is no text in UTF-8"
        raise VerbError(text, "Import a link to it that has another name.", Exit.REFUSED) from None
    async with linked(target) as link:
        session = (await link.call(ImportLog(path=path, name=args.name), SessionReply)).session
    if session.busy:
        print(f"barista: {output.one_line(path)} is being read", file=sys.stderr, flush=True)
        async with Watch(target, session.id) as watch:
            while (session := await watch.next()).busy:
                pass
    if args.json:
        output.print_json(session)
    else:
        for line in _words(session):
            output.say(line)
    return Exit.OK


def _words(session: SessionInfo) -> list[str]:
    at = f" at iteration {session.iteration}" if session.iteration else ""
    lines = [f"{session.id}  {output.one_line(session.name)}  {output.state_word(session)}{at}"]
    if session.log is not None:
        size = f"{format.plural(session.log.lines, 'line')}, {format.size(session.log.size)}"
        lines.append(f"  {format.plural(len(session.runs), 'run')} in {size}")
    return lines + output.problem_lines(session.problems)
