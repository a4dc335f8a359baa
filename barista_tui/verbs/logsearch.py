"""Printing the lines of a run's log in which a pattern is found; the agent searches, only these travel."""

from __future__ import annotations

import argparse
import sys

from barista_server.api.link import Link
from barista_server.api.messages import MOST_FOUND, FindLines, FoundLines, LogLine
from barista_tui.verbs.errors import Exit, VerbError


def check(args: argparse.Namespace) -> None:
    """Raises VerbError for options that do not go together."""
    if args.grep is None and (args.ignore_case or args.numbers):
        raise VerbError("--ignore-case and --numbers belong to --grep", code=Exit.USAGE)
    if args.grep is not None and (args.follow or args.raw):
        hint = "Search what is there, or filter what comes: barista logs -f NAME | grep PATTERN"
        raise VerbError("--grep searches what is there: not with --follow or --raw", hint, Exit.USAGE)
    if args.output is not None and args.follow:
        hint = "Let the shell write what comes: barista logs -f NAME > FILE"
        raise VerbError("--output writes what is there: not with --follow", hint, Exit.USAGE)


async def search(link: Link, args: argparse.Namespace, session: str, name: str, run: int) -> Exit:
    """Print them as they are found, or the last ``--lines`` of them. Raises CallFailed, LinkError."""
    keep: int | None = args.lines
    up = keep is not None
    found: list[LogLine] = []
    printed, at = 0, None
    while keep is None or len(found) < keep:
        limit = MOST_FOUND if keep is None else min(MOST_FOUND, keep - len(found))
        call = FindLines(
            session=session, run=run, pattern=args.grep, regex=True, case=not args.ignore_case,
            start=at, direction="up" if up else "down", limit=limit,
        )  # fmt: skip
        answer = await link.call(call, FoundLines)
        if up:
            found += answer.lines
        else:
            _print(answer.lines, args.numbers)
        printed += len(answer.lines)
        if (at := answer.next) is None:
            break
    _print(found[::-1], args.numbers)
    if not printed and keep != 0:
        which = f"run {run}" if run else "the file"
        raise VerbError(f"no line of {which} of {name} has '{args.grep}'", code=Exit.NOT_FOUND)
    return Exit.OK


def _print(lines: list[LogLine], numbers: bool) -> None:
    marks = (f"{line.number + 1}:" if numbers else "" for line in lines)
    sys.stdout.write("".join(f"{mark}{line.text}\n" for mark, line in zip(marks, lines, strict=True)))
    sys.stdout.flush()
