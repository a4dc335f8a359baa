"""The verb that prints what agents say: of sessions, datasets, the queue; all but the lines of logs."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

from barista_server.api.link import Link
from barista_server.api.messages import Event, Notice, Noticed, Subscribe, Subscribed
from barista_tui import format
from barista_tui.verbs import output
from barista_tui.verbs.agentlink import reopen, target_of
from barista_tui.verbs.errors import Exit


async def messages(args: argparse.Namespace) -> Exit:
    """Those that the agent has kept, oldest first; with --follow those that come, too."""
    link = await target_of(args).open()
    shown = 0.0
    while True:
        coming: asyncio.Queue[Event] = asyncio.Queue()
        link.on_event = coming.put_nowait
        kept = (await link.call(Subscribe(), Subscribed)).notices
        fresh = [notice for notice in kept if notice.time > shown and _wanted(notice, args)]
        if args.lines is not None and not shown:
            fresh = fresh[len(fresh) - min(args.lines, len(fresh)) :]
        shown = max((notice.time for notice in kept), default=shown)
        if not fresh and args.caller is not None:
            _who_speaks(kept, args.caller)
        if not args.follow:
            _print(fresh, args)
            await link.close()
            return Exit.OK
        _print(fresh, args)
        await _follow(link, coming, args)
        await link.close()
        link = await reopen(target_of(args))


async def _follow(link: Link, coming: asyncio.Queue[Event], args: argparse.Namespace) -> None:
    """Print what comes until the connection ends."""
    lost = asyncio.ensure_future(link.wait_closed())
    try:
        while True:
            event = asyncio.ensure_future(coming.get())
            await asyncio.wait({event, lost}, return_when=asyncio.FIRST_COMPLETED)
            if not event.done():
                event.cancel()
                return
            what = event.result().what
            if isinstance(what, Noticed) and _wanted(what.notice, args):
                _print([what.notice], args)
    finally:
        lost.cancel()


def _who_speaks(kept: list[Notice], caller: str) -> None:
    """To somebody who asked for the messages of one that has none."""
    there = dict.fromkeys(notice.caller for notice in kept)
    if caller.lower() not in map(str.lower, there):
        names = ", ".join(map(output.one_line, there)) or "nobody"
        print(f"barista: no message of '{caller}' is kept, but of: {names}", file=sys.stderr)


def _wanted(notice: Notice, args: argparse.Namespace) -> bool:
    of_type = args.type == "all" or (notice.kind == "error") == (args.type == "errors")
    return of_type and (args.caller is None or args.caller.lower() == notice.caller.lower())


def _print(notices: list[Notice], args: argparse.Namespace) -> None:
    if args.json and not args.follow:
        output.print_json(notices)
        return
    for notice in notices:
        if args.json:
            # One line each, so that they can be read as they come.
            print(json.dumps(output.as_data(notice), ensure_ascii=False))
        else:
            output.say(output.one_line(f"{format.notice_prefix(notice)} {notice.text}"))
    sys.stdout.flush()
