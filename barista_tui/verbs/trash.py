"""The verb about what was deleted or reset."""

from __future__ import annotations

import argparse
import time

from barista_server.api.messages import EmptyTrash, ListTrash, TrashItem, TrashList
from barista_tui import format
from barista_tui.calling import command
from barista_tui.verbs import output
from barista_tui.verbs.agentlink import linked, target_of
from barista_tui.verbs.errors import Exit, VerbError

DAY = 86_400.0


async def trash(args: argparse.Namespace) -> Exit:
    """List it, or delete some of it for good. Raises VerbError."""
    target = target_of(args)
    async with linked(target) as link:
        items = (await link.call(ListTrash(), TrashList)).items
        if args.what == "empty":
            wanted = _wanted(items, args)
            items = (await link.call(EmptyTrash(trash=wanted), TrashList)).items
    if args.json:
        output.print_json(items)
    elif args.what == "empty":
        output.say(f"{_sum(items)} deleted for good.")
    elif not items:
        output.say("The trash is empty.")
    else:
        rows = [["TRASH", "NAME", "WHAT", "FILES", "SIZE"], *map(_row, items)]
        for cells in output.table(rows, right=(3, 4), wide=1):
            output.say("  ".join(cells).rstrip())
        output.say(f"{_sum(items)}. Bring one back with: {command(target, 'restore', 'TRASH')}")
    return Exit.OK


def _wanted(items: list[TrashItem], args: argparse.Namespace) -> list[str]:
    """Raises VerbError."""
    if bool(args.trash) + (args.older_than is not None) + args.all != 1:
        text = "say what is to go: names of the list, --older-than DAYS, or --all"
        raise VerbError(text, "See: barista trash", Exit.USAGE)
    if args.trash:
        there = {one.trash for one in items}
        if unknown := [name for name in args.trash if name not in there]:
            text = f"there is nothing in the trash as '{unknown[0]}'"
            raise VerbError(text, "Nothing was deleted. See: barista trash", Exit.NOT_FOUND)
        return list(args.trash)
    since = time.time() - (args.older_than or 0) * DAY
    return [one.trash for one in items if args.all or one.time < since]


def _row(item: TrashItem) -> list[str]:
    what = "log" if item.kind == "log" else "deleted" if item.what == "delete" else "reset"
    return [item.trash, output.one_line(item.name), what, str(item.files), format.size(item.size)]


def _sum(items: list[TrashItem]) -> str:
    files = format.plural(sum(one.files for one in items), "file")
    size = format.size(sum(one.size for one in items))
    return f"{format.plural(len(items), 'piece')}, {files}, {size}"
