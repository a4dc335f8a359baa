"""The verb about the agent itself."""

from __future__ import annotations

import argparse

from barista_server.api.link import Link, LinkError
from barista_server.api.messages import Done, ListSessions, SessionList, State, StopAgent
from barista_tui import format
from barista_tui.verbs import output
from barista_tui.verbs.agentlink import linked, target_of
from barista_tui.verbs.errors import Exit


async def agent(args: argparse.Namespace) -> Exit:
    """Tell whether an agent serves the root, or stop it. Never starts one."""
    target = target_of(args)
    try:
        async with linked(target, start_agent=False) as link:
            return await (_stop(link, args.json) if args.what == "stop" else _status(link, args.json))
    except LinkError as error:
        if args.json:
            output.print_json({"running": False, "root": str(target), "reason": str(error)})
        else:
            output.say(f"no agent runs for {target}; the next verb or the screen starts one")
        return Exit.OK if args.what == "stop" else Exit.UNREACHABLE


async def _status(link: Link, as_json: bool) -> Exit:
    welcome = link.welcome
    sessions = (await link.call(ListSessions(), SessionList)).sessions
    running = sum(session.state in {State.RUNNING, State.PAUSING} for session in sessions)
    if as_json:
        known = {"running": True, "sessions": len(sessions), "trainings": running}
        output.print_json(known | {name: getattr(welcome, name) for name in welcome.__struct_fields__})
    else:
        output.say(f"{welcome.agent} on {welcome.host}, pid {welcome.pid}, serves {welcome.root}")
        output.say(f"{format.plural(len(sessions), 'session')}, {running} running")
    return Exit.OK


async def _stop(link: Link, as_json: bool) -> Exit:
    await link.call(StopAgent(), Done)
    await link.wait_closed()
    if as_json:
        output.print_json({"running": False, "root": link.welcome.root, "reason": "stopped"})
    else:
        output.say("the agent is stopped; trainings go on, and the next verb or the screen starts a new one")
    return Exit.OK
