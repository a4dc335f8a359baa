"""Two people may act on one session: who saw it as it no longer is, is told so instead of obeyed."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from barista_server.agent.errors import CallError

if TYPE_CHECKING:
    from barista_server.agent.imported import Imported
    from barista_server.agent.session import Session
    from barista_server.api.things import Acting


def revision(*facts: object) -> int:
    """A mark of what a person decides by, never 0: the same for the same facts, after a new start too."""
    return zlib.crc32(repr(facts).encode()) or 1


def unchanged(one: Session | Imported, call: Acting) -> None:
    """Raises CallError if the caller saw another revision; one that saw none is not asked."""
    now = one.info()
    if call.seen is None or call.seen == now.revision:
        return
    what = f"run {now.runs[-1].number}, {now.state}" if now.runs and now.kind == "session" else now.state
    text = f"changed meanwhile: it is {what} now"
    raise CallError("changed", text, "Somebody else was faster. Look at it again, then decide anew.")


@asynccontextmanager
async def held(one: Session | Imported, call: Acting) -> AsyncIterator[None]:
    """Its lock, and under it whether it is still what the caller saw. Raises CallError."""
    async with one.lock:
        unchanged(one, call)
        yield
