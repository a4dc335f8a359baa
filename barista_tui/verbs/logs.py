"""The verb that prints a run's log, and goes on while the run does.

The log is followed by byte offset: what was printed is known exactly, so after a restart of the agent the
rest is asked for from there, and nothing is lost or printed twice.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import deque
from contextlib import redirect_stdout

from barista_server.api.link import Link, LinkError
from barista_server.api.messages import (
    Done,
    Event,
    FollowLog,
    LogBytes,
    RunInfo,
    SessionInfo,
    State,
    UnfollowLog,
)
from barista_server.api.text import clean
from barista_tui.verbs import logsearch
from barista_tui.verbs.agentlink import reopen, session_of, target_of
from barista_tui.verbs.errors import Exit, VerbError

FOLLOW_LINES = 20
"""Lines of the past that -f shows unless told otherwise."""
LONG_LINE = 512
"""Bytes a line is assumed to have at most, for the first guess at where the last lines begin."""


class Tail:
    """Cuts a stream of bytes into lines; of those before offset ``live`` it keeps the last ``keep``.

    ``offset`` is where the next byte belongs. ``keep`` None: all are wanted at once.
    """

    def __init__(self, offset: int, live: int, keep: int | None) -> None:
        self.offset = offset
        self._live = live
        self._past: deque[bytes] | None = None if keep is None else deque(maxlen=keep)
        # A start in the middle of the log is most likely a start in the middle of a line.
        self._skip = offset > 0
        self._rest = b""

    def feed(self, offset: int, data: bytes) -> list[bytes]:
        """Whole lines that may be printed now. Bytes that were here already are passed over."""
        known = self.offset - offset
        data = data[known:] if known > 0 else data
        self.offset += len(data)
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        if self._skip and lines:
            del lines[0]
            self._skip = False
        return self._release([line + b"\n" for line in lines])

    def end(self) -> list[bytes]:
        """What is left: the kept lines, and a last one without its newline."""
        rest = [self._rest] if self._rest and not self._skip else []
        self._rest = b""
        self._live = 0
        return self._release(rest)

    def _release(self, lines: list[bytes]) -> list[bytes]:
        if self._past is None:
            return lines
        self._past.extend(lines)
        if self.offset < self._live:
            return []
        if self._rest and len(self._past) == self._past.maxlen and self._past:
            # The line that has begun is one of those wanted.
            self._past.popleft()
        released = list(self._past)
        self._past = None
        return released


class Follower:
    """Prints one run's log from an offset on."""

    def __init__(self, args: argparse.Namespace, session: SessionInfo, run: RunInfo) -> None:
        self._target = target_of(args)
        self._session = session.id
        self._run = run.number
        self._size = run.log_size
        self._generation = session.log.generation if session.log else 0
        self._follow: bool = args.follow
        self._raw: bool = args.raw
        keep: int | None = args.lines
        if keep is None and args.follow:
            keep = FOLLOW_LINES
        begin = 0 if keep is None else max(0, self._size - max(1 << 16, keep * LONG_LINE))
        self._tail = Tail(begin, self._size, keep)
        self._events: asyncio.Queue[LogBytes] = asyncio.Queue()

    async def goes_on(self) -> Link | None:
        """What is imported may be written to again after its end: in the same file, or in another that takes
        its place. A link to follow it, or None.
        """
        link = await self._target.open()
        session = await session_of(link, self._session)
        if session.log is None or session.state is not State.RUNNING:
            await link.close()
            return None
        if session.log.generation != self._generation:
            print("barista: the file was cut off or replaced; it begins anew", file=sys.stderr, flush=True)
            self._generation = session.log.generation
            self._tail = Tail(0, 0, None)
        return link

    async def print_all(self, link: Link) -> None:
        """Until the run ends or, without --follow, the size the log had at first. Raises LinkError."""
        while True:
            try:
                await self._print_some(link)
                await link.close()
                return
            except LinkError:
                await link.close()
                link = await reopen(self._target)

    async def _print_some(self, link: Link) -> None:
        self._events = asyncio.Queue()
        link.on_event = self._take
        await self._ask(link)
        while self._follow or self._tail.offset < self._size:
            event = await self._next(link)
            if event.offset > self._tail.offset:
                # The agent left bytes out because we were slow: they are still in the log.
                await link.call(UnfollowLog(session=self._session, run=self._run), Done)
                self._events = asyncio.Queue()
                await self._ask(link)
                continue
            self._print(self._tail.feed(event.offset, event.data))
            if event.ended:
                break
        self._print(self._tail.end())

    async def _ask(self, link: Link) -> None:
        await link.call(FollowLog(session=self._session, run=self._run, offset=self._tail.offset), Done)

    def _take(self, event: Event) -> None:
        what = event.what
        if isinstance(what, LogBytes) and what.session == self._session and what.run == self._run:
            self._events.put_nowait(what)

    async def _next(self, link: Link) -> LogBytes:
        coming = asyncio.ensure_future(self._events.get())
        lost = asyncio.ensure_future(link.wait_closed())
        try:
            await asyncio.wait({coming, lost}, return_when=asyncio.FIRST_COMPLETED)
            if coming.done():
                return coming.result()
            raise link.error or LinkError("the connection was closed")
        finally:
            coming.cancel()
            lost.cancel()

    def _print(self, lines: list[bytes]) -> None:
        if not lines:
            return
        # Writing may block on a slow reader; that holds up this program alone.
        if self._raw:
            sys.stdout.buffer.write(b"".join(lines))
        else:
            sys.stdout.write("".join(clean(line) + "\n" for line in lines))
        sys.stdout.flush()


async def logs(args: argparse.Namespace) -> Exit:
    """Print the log of the last or the given run, or what is found in it; or write it to a file."""
    logsearch.check(args)
    if args.output is None:
        return await _logs(args)
    # What ends halfway leaves an older file as it was.
    part = args.output.with_name(args.output.name + ".part")
    try:
        with part.open("w", encoding="utf-8", newline="\n") as file, redirect_stdout(file):
            done = await _logs(args)
        part.replace(args.output)
        print(f"{args.output} written", file=sys.stderr)
    finally:
        part.unlink(missing_ok=True)
    return done


async def _logs(args: argparse.Namespace) -> Exit:
    link = await target_of(args).open()
    try:
        session = await session_of(link, args.session)
        run = _chosen(session, args.run)
        if args.grep is not None:
            return await logsearch.search(link, args, session.id, session.name, run.number)
        follower = Follower(args, session, run)
        await follower.print_all(link)
        while args.follow and run.number == 0 and (again := await follower.goes_on()):
            link = again
            await follower.print_all(link)
    finally:
        await link.close()
    return Exit.OK


def _chosen(session: SessionInfo, number: int | None) -> RunInfo:
    """The last run, or the whole of an imported log, unless told otherwise. Raises VerbError."""
    if number is None and session.log is not None:
        return RunInfo(number=0, started=0.0, log_size=session.log.size)
    if not session.runs:
        raise VerbError(
            f"{session.name} has no log, it was never started",
            f"Start it with: barista start {session.id}",
            Exit.REFUSED,
        )
    if number is None:
        return session.runs[-1]
    for run in session.runs:
        if run.number == number:
            return run
    there = ", ".join(str(run.number) for run in session.runs)
    raise VerbError(f"{session.name} has no run {number}", f"Runs there are: {there}.", Exit.NOT_FOUND)
