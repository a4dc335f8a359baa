"""The verb that shows which session was made from which."""

from __future__ import annotations

import argparse
import sys

from barista_server.api.messages import ListSessions, SessionList
from barista_tui import family
from barista_tui.family import Relative
from barista_tui.hosts import LOCAL
from barista_tui.store import Key
from barista_tui.verbs import output
from barista_tui.verbs.agentlink import linked, session_of, target_of
from barista_tui.verbs.errors import Exit

_ASCII = str.maketrans({"├": "|", "└": "`", "│": "|", "─": "-"})


async def tree(args: argparse.Namespace) -> Exit:
    """All sessions of a host as trees, or the one that a session is in."""
    async with linked(target_of(args)) as link:
        sessions = (await link.call(ListSessions(), SessionList)).sessions
        chosen = (await session_of(link, args.session)).id if args.session else None
    roots = family.trees({Key(LOCAL, one.id): one for one in sessions})
    if chosen is not None:
        roots = family.of(roots, Key(LOCAL, chosen))
    if args.json:
        output.print_json([_data(root) for root in roots])
        return Exit.OK
    plain = output.use_ascii(sys.stdout)
    rows = [
        [(lead.translate(_ASCII) if plain else lead) + output.one_line(one.title), _about(one), one.taken]
        for lead, one in family.drawn(roots)
    ]
    for row in output.table(rows):
        output.say("  ".join(row).rstrip())
    return Exit.OK


def _about(one: Relative) -> str:
    return output.state_word(one.session) if one.session is not None else one.about


def _data(one: Relative) -> dict[str, object]:
    return {
        "id": one.id,
        "name": one.name,
        "state": one.session.state if one.session is not None else None,
        "place": one.place,
        "taken": one.taken,
        "children": [_data(child) for child in one.children],
    }
