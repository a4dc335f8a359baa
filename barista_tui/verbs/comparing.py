"""Verbs that put sessions beside each other, also those of several hosts: diff, compare."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from itertools import zip_longest

from rich.cells import cell_len

from barista_server.api.link import CallFailed
from barista_server.api.messages import ListSessions, SessionList, SettingsDiff
from barista_tui import difftext, format
from barista_tui.compare import Column, Entry, as_csv, columns
from barista_tui.difftext import Line
from barista_tui.store import Key
from barista_tui.together import settings_diff, summary
from barista_tui.verbs import output
from barista_tui.verbs.agentlink import linked, session_of, target_of
from barista_tui.verbs.errors import Exit, VerbError
from barista_tui.verbs.several import Found, sessions

FEW = 4
"""Sessions that get a column each even where the terminal is too narrow for that."""
LEAST = 24
"""Cells that a text of a table may have at least before it is broken or cut."""
WIDE = 40
"""Cells that names of fields, and old values, take at most before they push what follows to the right."""


_Paint = Callable[[str, str], str]


async def _named(args: argparse.Namespace, names: Sequence[str], stack: AsyncExitStack) -> list[Found]:
    """Those sessions; without names all of the host. Raises VerbError, LinkError, CallFailed."""
    if names:
        return await sessions(args, names, stack)
    target = target_of(args)
    link = await stack.enter_async_context(linked(target))
    found = (await link.call(ListSessions(), SessionList)).sessions
    return [Found(link, one, Key(target.name, one.id), one.name) for one in found]


def _titles(found: Sequence[Found]) -> list[str]:
    """``7 lenet``; ``gpu01:7 lenet`` where they are of several hosts."""
    several = len({one.key.host for one in found}) > 1
    return [
        f"{one.key.host + ':' if several else ''}{one.session.id} {output.one_line(one.session.name)}"
        for one in found
    ]


async def diff(args: argparse.Namespace) -> Exit:
    """What tells net and solver of two sessions apart; of one, from its parent."""
    async with AsyncExitStack() as stack:
        found = await sessions(args, [args.session, *([args.other] if args.other else [])], stack)
        # Named twice it is found once.
        old, new = (found[0] if args.other else await _parent(found[0])), found[-1]
        told = await settings_diff(old.link, old.session, new.link, new.session)
    titles = _titles([old, new])
    if args.json:
        output.print_json({"old": titles[0], "new": titles[1], "diff": told})
    else:
        for line in _text(titles[0], titles[1], told, args.color):
            output.say(line)
    return Exit.OK if told.same else Exit.FAILED


async def compare(args: argparse.Namespace) -> Exit:
    """A table of sessions: settings that are not the same, and what they came to."""
    async with AsyncExitStack() as stack:
        found = await _named(args, args.sessions, stack)
        told = await asyncio.gather(*(summary(one.link, one.session) for one in found))
    several = len({one.key.host for one in found}) > 1
    pairs = zip(found, told, strict=True)
    entries = [Entry(one.session, one.key.host if several else "", each) for one, each in pairs]
    if args.sort:
        entries = _sorted(entries, args)
    shown = columns(entries, args.all)
    if args.csv:
        sys.stdout.write(as_csv(entries, shown))
    elif args.json:
        output.print_json(_data(entries, shown))
    else:
        for line in _table(entries, shown):
            output.say(line)
    return Exit.OK


def _sorted(entries: list[Entry], args: argparse.Namespace) -> list[Entry]:
    """By a column, however little of its name is told. Raises VerbError."""
    there = columns(entries, everything=True)
    fits = [one for one in there if one.name == args.sort] or [one for one in there if args.sort in one.name]
    if not fits:
        hint = f"There are: {', '.join(one.name for one in there)}."
        raise VerbError(f"there is no column '{args.sort}'", hint, Exit.NOT_FOUND)
    return [entries[place] for place in fits[0].order(args.reverse)]


def _data(entries: list[Entry], shown: list[Column]) -> list[object]:
    return [
        {
            "host": entry.host,
            "id": entry.session.id,
            "name": entry.session.name,
            "settings": {one.name: one.values[place] for one in shown if one.group == "setting"},
            "results": {one.name: one.values[place] for one in shown if one.group == "result"},
        }
        for place, entry in enumerate(entries)
    ]


def _broken(rows: list[list[str]]) -> list[list[str]]:
    """Rows of a name and of texts, those too long for the room over several lines: lists, ends of paths."""
    names = max((cell_len(row[0]) for row in rows), default=0)
    columns = max(1, len(rows[0]) - 1) if rows else 1
    room = max(LEAST, (output.width() - names) // columns - 2)
    lines = []
    for name, *texts in rows:
        cells = [text.split(", ") if cell_len(text) > room else [text] for text in texts]
        for place, parts in enumerate(zip_longest(*cells, fillvalue="")):
            lines.append([name if place == 0 else "", *(_end_of(part, room) for part in parts)])
    return lines


def _end_of(text: str, room: int) -> str:
    """Of a path that is too long the end, by which it is told from others."""
    return f"…{text[-(room - 1) :]}" if cell_len(text) > room and "/" in text else text


def _table(entries: list[Entry], shown: list[Column]) -> list[str]:
    """A column for each session, or where that has no room and they are many, a row."""
    cells = [
        [f"{text} *" if place in one.winners else text for place, text in enumerate(one.texts)]
        for one in shown
    ]
    titles = [output.one_line(entry.title) for entry in entries]
    rows = [[one.name, *texts] for one, texts in zip(shown, cells, strict=True)]
    at = sum(one.group == "setting" for one in shown)
    settings = _broken(rows[:at])
    tall = output.table([["", *titles], *settings, *rows[at:]])
    if len(entries) > FEW and max(sum(map(cell_len, row)) + 2 * len(row) for row in tall) > output.width():
        lines = [[title, *texts] for title, texts in zip(titles, zip(*cells, strict=True), strict=True)]
        right = [number for number, one in enumerate(shown, 1) if one.numeric]
        wide = output.table([["", *(one.name for one in shown)], *lines], right)
        return ["  ".join(row).rstrip() for row in wide]
    printed = ["  ".join(row).rstrip() for row in tall]
    at = len(settings) + 1
    # Settings, then results.
    return [*printed[:at], *([""] if 1 < at < len(printed) else []), *printed[at:]]


async def _parent(one: Found) -> Found:
    """The session it was made from. Raises VerbError."""
    lineage, parent = one.session.lineage, one.session.parent
    (title,) = _titles([one])
    if not lineage and parent is None:
        hint = f"Name another: barista diff OTHER {one.session.id}"
        raise VerbError(f"{title} was made from no other session", hint, Exit.NOT_FOUND)
    if parent is not None:
        try:
            found = await session_of(one.link, parent)
            return Found(one.link, found, Key(one.key.host, found.id), found.name)
        except CallFailed as error:
            if error.failure.code != "not-found":
                raise
            what = f"{parent} {lineage[0].name}" if lineage else parent
            text = f"the session it was made from is gone: {what}"
            raise VerbError(text, "It may be in the trash: barista restore", Exit.NOT_FOUND) from None
    text = f"the session it was made from is on another host: {format.lineage_words(one.session)[0]}"
    raise VerbError(text, f"Name it: barista diff HOST:{lineage[0].id} {one.session.id}", Exit.NOT_FOUND)


def _text(old: str, new: str, told: SettingsDiff, color: str) -> list[str]:
    """As ``diff`` has it: what goes first, then what comes."""
    painted = color == "always" or (color == "auto" and output.use_colour(sys.stdout))

    def paint(text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if painted and text else text

    rows = difftext.lines(told)
    fields = [row for row in rows if row.kind == "field"]
    name = min(WIDE, max((cell_len(row.name) for row in fields), default=0))
    value = min(WIDE, max((cell_len(row.old) for row in fields), default=0))
    head = [f"{paint(f'--- {old}', output.RED)}", f"{paint(f'+++ {new}', output.GREEN)}"]
    return [*head, *(_line(row, name, value, paint) for row in rows), difftext.counted(told)]


def _line(row: Line, name: int, value: int, paint: _Paint) -> str:
    note = paint(f"  {row.note}", output.GREY) if row.note else ""
    if row.kind == "part":
        return f"{row.name}{note}"
    if row.kind == "layer":
        tone = {"+": output.GREEN, "-": output.RED}.get(row.sign, output.YELLOW)
        return f"  {paint(f'{row.sign} {row.name}', tone)}{note}"
    old, new = paint(format.pad(row.old, value), output.RED), paint(row.new, output.GREEN)
    return f"      {format.pad(row.name, name)}  {old}  {new}".rstrip()
