"""`barista doctor`: the agent's own check of its machine, here or on a host."""

from __future__ import annotations

import argparse
import asyncio
import shlex
import sys

from barista_tui.hosts import folder
from barista_tui.target import Target
from barista_tui.verbs import output
from barista_tui.verbs.agentlink import target_of
from barista_tui.verbs.errors import Exit, VerbError

_NOT_THERE = 127
_USAGE = 2


async def doctor(args: argparse.Namespace) -> Exit:
    """The report of ``barista-server doctor``, passed on as it comes. Raises VerbError, LinkError."""
    target = target_of(args)
    words = ["doctor"]
    words += ["--torture", "--kills", str(args.kills)] if args.torture else []
    words += ["--json"] if args.json else []
    if target.host is not None:
        return _exit(await _there(target, words, args.json), target)
    # In a process of its own: the checks are the agent's, and the screen's side has none of it.
    command = [sys.executable, "-P", "-m", "barista_server.agent", *words, "--root", str(target.root)]
    process = await asyncio.create_subprocess_exec(*command)
    try:
        return _exit(await process.wait(), target)
    except asyncio.CancelledError:
        # Ctrl+C went to it as well: it takes away what it has made.
        await process.wait()
        raise


async def _there(target: Target, words: list[str], as_json: bool) -> int:
    from barista_server.remote.hostshell import TIED, shell
    from barista_server.remote.ssh import own_way, server_command

    assert target.host is not None
    where = target.host.where()
    words += ["--root", where.root] if where.root else []
    command = server_command(shlex.join(words))
    async with shell(where, own_way(folder(), target.host.via)) as there:
        told: list[str] = []
        if not as_json:

            def say(line: str) -> None:
                told.append(line)
                output.say(output.one_line(line))

            code = await there.lines(command, say)
        else:
            done = await there.run(command)
            print(done.out, end="", flush=True)
            code, told = done.code, done.out.split()
    if code == 0 and not told:
        raise VerbError(TIED, None, Exit.REFUSED)
    return code


def _exit(code: int, target: Target) -> Exit:
    """0 and 1 are the report's own; it has been printed. Raises VerbError."""
    if code in (Exit.OK, Exit.FAILED, Exit.INTERRUPTED):
        return Exit(code)
    hint = f"Put the one of here there: barista host install {target.name}" if target.host else None
    if code == _NOT_THERE:
        raise VerbError(f"{target.name} has no barista-server", hint, Exit.UNREACHABLE)
    if code == _USAGE:
        raise VerbError(f"the barista-server of {target.name} is too old to be asked", hint)
    raise VerbError(f"the check ended with code {code}", None)
