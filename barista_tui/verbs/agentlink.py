"""Verbs and the agent: one call, or a session watched across restarts of the agent."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from barista_server.api.link import Link, LinkError
from barista_server.api.local import default_root
from barista_server.api.messages import (
    Call,
    Event,
    GetSession,
    ListSessions,
    Message,
    SessionChanged,
    SessionInfo,
    SessionList,
    SessionRemoved,
    SessionReply,
    Subscribe,
    Subscribed,
)
from barista_server.api.text import clean_name
from barista_tui.hosts import LOCAL, Hosts, HostsError
from barista_tui.target import Target
from barista_tui.verbs.errors import Exit, VerbError

R = TypeVar("R", bound=Message)

RETRIES = (0.1, 0.3, 1.0, 2.0, 4.0, 8.0)
"""Seconds between attempts to reach an agent that went away."""


def target_of(args: argparse.Namespace) -> Target:
    """The host or root folder that the command line names, or the default root. Raises VerbError."""
    given: Path | None = args.root
    if args.host in (None, LOCAL):
        return Target(given.expanduser().absolute() if given else default_root())
    if given is not None:
        hint = "A folder on the host is part of its address: ssh://HOST/DIR"
        raise VerbError("--host and --root exclude each other", hint, Exit.USAGE)
    try:
        return Target(default_root(), Hosts().find(args.host))
    except HostsError as error:
        raise VerbError(str(error), "See: barista host ls", Exit.NOT_FOUND) from None


def named_target(args: argparse.Namespace, name: str) -> Target:
    """A host by its name; ``local`` is this machine, with the root folder of the command line. Raises
    VerbError.
    """
    given: Path | None = args.root
    root = given.expanduser().absolute() if given else default_root()
    if name == LOCAL:
        return Target(root)
    try:
        return Target(root, Hosts().find(name))
    except HostsError as error:
        raise VerbError(str(error), "See: barista host ls", Exit.NOT_FOUND) from None


@asynccontextmanager
async def linked(target: Target, start_agent: bool = True) -> AsyncIterator[Link]:
    """A link that is closed in the end. Raises LinkError."""
    link = await target.open(start_agent)
    try:
        yield link
    finally:
        await link.close()


async def ask(target: Target, call: Call, result: type[R]) -> R:
    """Answer of the agent to one call. Raises CallFailed, LinkError."""
    async with linked(target) as link:
        return await link.call(call, result)


async def session_of(link: Link, name: str) -> SessionInfo:
    """The session that an id, the beginning of one, or a name means. Raises CallFailed, LinkError."""
    return (await link.call(GetSession(session=name), SessionReply)).session


async def names_of(link: Link) -> dict[str, str]:
    """Names of the sessions, cleaned, by their ids. Raises CallFailed, LinkError."""
    sessions = (await link.call(ListSessions(), SessionList)).sessions
    return {one.id: clean_name(one.name) for one in sessions}


async def reopen(target: Target) -> Link:
    """A new link after one was lost, starting the agent if nobody else does. Raises the last LinkError."""
    for seconds in RETRIES[:-1]:
        await asyncio.sleep(seconds)
        try:
            return await target.open()
        except LinkError as error:
            print(f"barista: {error}; trying again", file=sys.stderr, flush=True)
    await asyncio.sleep(RETRIES[-1])
    return await target.open()


class Watch:
    """One session as it changes. Use as an async context manager, then call :meth:`next`.

    An agent that goes away and comes back is no end: the session's state after it is the next change.
    """

    def __init__(self, target: Target, session: str) -> None:
        self._target = target
        self._name = session
        self._changes: asyncio.Queue[SessionInfo | None] = asyncio.Queue()
        self._link: Link | None = None

    async def __aenter__(self) -> Watch:
        await self._subscribe(await self._target.open())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._link is not None:
            await self._link.close()

    @property
    def link(self) -> Link:
        """The present link, for calls; another one after :meth:`next` has lived through a restart."""
        assert self._link is not None
        return self._link

    async def next(self) -> SessionInfo:
        """The session's state, at first as it is, then each time it changes.

        Raises VerbError when the session is deleted, LinkError when the agent does not come back.
        """
        while True:
            change = asyncio.ensure_future(self._changes.get())
            lost = asyncio.ensure_future(self.link.wait_closed())
            try:
                await asyncio.wait({change, lost}, return_when=asyncio.FIRST_COMPLETED)
                if change.done():
                    return self._checked(change.result())
            finally:
                change.cancel()
                lost.cancel()
            await self._subscribe(await reopen(self._target))

    async def _subscribe(self, link: Link) -> None:
        self._link = link
        # From now on it is this session, whatever it may be renamed to.
        self._name = (await session_of(link, self._name)).id
        link.on_event = self._take
        await link.call(Subscribe(), Subscribed)
        self._changes.put_nowait(await session_of(link, self._name))

    def _take(self, event: Event) -> None:
        if isinstance(event.what, SessionChanged) and event.what.session.id == self._name:
            self._changes.put_nowait(event.what.session)
        elif isinstance(event.what, SessionRemoved) and event.what.session == self._name:
            self._changes.put_nowait(None)

    def _checked(self, session: SessionInfo | None) -> SessionInfo:
        if session is None:
            raise VerbError(f"session {self._name} was deleted meanwhile", code=Exit.NOT_FOUND)
        return session
