"""The verb about caffe executables: list what a host has, try them, add others."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from barista_server.api.link import CallFailed, Link
from barista_server.api.messages import (
    AddCaffe,
    CaffeInfo,
    CaffeList,
    CheckCaffes,
    ListCaffes,
    RemoveCaffe,
    RenameCaffe,
)
from barista_tui import format
from barista_tui.verbs import output
from barista_tui.verbs.agentlink import linked, target_of
from barista_tui.verbs.errors import Exit, VerbError


async def caffes(args: argparse.Namespace) -> Exit:
    """What there is, after what was asked for was done to it."""
    async with linked(target_of(args)) as link:
        match args.what:
            case "add":
                _trying([args.caffe] if not args.unchecked else [])
                call = AddCaffe(name=args.caffe, argv=_whole(args), unchecked=args.unchecked)
                found = await _added(link, call)
            case "rm":
                found = (await link.call(RemoveCaffe(name=args.caffe), CaffeList)).caffes
            case "rename":
                found = (await link.call(RenameCaffe(name=args.caffe, to=args.to), CaffeList)).caffes
            case _:
                found = await _listed(link, args.check)
    if args.json:
        output.print_json(found)
        return Exit.OK
    for line in lines(found):
        output.say(line)
    return Exit.OK


async def _added(link: Link, call: AddCaffe) -> list[CaffeInfo]:
    try:
        return (await link.call(call, CaffeList)).caffes
    except CallFailed as error:
        if error.failure.code != "untrained":
            raise
        hint = f"{error.failure.hint or ''} With --unchecked it is added all the same.".strip()
        raise VerbError(error.failure.text, hint, Exit.REFUSED) from None


def _whole(args: argparse.Namespace) -> list[str]:
    """On this machine a path may be given as a shell has it; what another has there is told from its root."""
    program = args.argv[0]
    if target_of(args).host is None and "/" in program:
        program = str(Path(program).expanduser().absolute())
    return [program, *args.argv[1:]]


async def _listed(link: Link, check: bool | None) -> list[CaffeInfo]:
    """``check``: try all again (True), none (False), or those that were not tried yet."""
    known = (await link.call(ListCaffes(), CaffeList)).caffes
    if check is False or (link.welcome.role != "owner" and not check):
        return known
    _trying([one.name for one in known if check or (one.checked is None and one.problem is None)])
    try:
        return (await link.call(CheckCaffes(again=bool(check)), CaffeList)).caffes
    except CallFailed as error:
        # An older agent knows nothing of tries.
        if error.failure.code == "unknown" and not check:
            return known
        raise


def _trying(names: list[str]) -> None:
    if names and sys.stderr.isatty():
        print(f"trying {', '.join(map(output.one_line, names))} ...", file=sys.stderr)


def lines(found: list[CaffeInfo]) -> list[str]:
    """A row for each; below it what is wrong with it, and what to do."""
    rows = [["NAME", "KIND", "VERSION", "GPU", "COMMAND"], *map(_row, found)]
    below = [[], *map(_below, found)]
    told = []
    for cells, more in zip(output.table(rows, wide=4), below, strict=True):
        told.append("  ".join(cells).rstrip())
        told += [f"    {output.one_line(line)}" for line in more]
    return told


def _row(one: CaffeInfo) -> list[str]:
    return [*map(output.one_line, (one.name, one.kind, one.version, format.gpu_word(one))), _command(one)]


def _command(one: CaffeInfo) -> str:
    """Nothing for one that is called after it."""
    return "" if one.argv == [one.name] else output.one_line(" ".join(one.argv))


def _below(one: CaffeInfo) -> list[str]:
    if one.problem is None:
        return []
    return [one.problem, *([f"-> {one.hint}"] if one.hint else [])]
