"""Copies that live through broken links: both ends are opened anew, and it goes on where it was."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from barista_server.api.link import Link, LinkError
from barista_tui.target import Target as Host
from barista_tui.transfer import Outcome, Progress, Ready, Source, Target, Tell, carry

PAUSES = (0.2, 1.0, 3.0, 10.0, 30.0)
"""Seconds between tries that got no further; one that did begins with the first again."""

Ends = Callable[[], AbstractAsyncContextManager[tuple[Source, Target]]]
Lost = Callable[[LinkError, float], None]
"""Told of a broken link and how long it takes until the next try."""


async def persistently(ends: Ends, tell: Tell, lost: Lost, ready: Ready | None = None) -> Outcome:
    """Copy, through broken links and agents that are started anew. Raises CallFailed, OSError, ParcelError;
    LinkError when it gets no further.
    """
    failures = 0

    def told(progress: Progress) -> None:
        nonlocal failures
        if progress.done > progress.resumed:
            failures = 0
        tell(progress)

    opened = False
    while True:
        try:
            async with ends() as (source, target):
                opened = True
                return await carry(source, target, told, ready)
        except LinkError as error:
            # A host that was never reached is most likely named wrongly, or asks for something first.
            if not opened or failures >= len(PAUSES):
                raise
            pause = PAUSES[failures]
            failures += 1
            lost(error, pause)
        await asyncio.sleep(pause)


@asynccontextmanager
async def links(*hosts: Host) -> AsyncIterator[list[Link]]:
    """A link to each, closed in the end. Raises LinkError."""
    async with AsyncExitStack() as stack:
        found = []
        for host in hosts:
            link = await host.open()
            stack.push_async_callback(link.close)
            found.append(link)
        yield found
