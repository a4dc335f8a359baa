"""Answers about nets: what they look like once built."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from barista_server.api import messages as m

if TYPE_CHECKING:
    from barista_server.agent.client import Client
    from barista_server.agent.session import Session


def calls(find: Callable[[Any], Session]) -> dict[type, Callable[[Any, Client], Awaitable[m.Result]]]:
    """The calls this module answers; ``find`` tells the session that a call is about."""

    async def described(call: m.DescribeNet, client: Client) -> m.Result:
        folder = find(call).folder.path if call.session else None
        return await asyncio.to_thread(_describe, call, folder)

    return {m.DescribeNet: described}


def _describe(call: m.DescribeNet, folder: Path | None) -> m.NetReport:
    # Imported here: an agent that is never asked saves the memory.
    from barista_server.agent.netview import describe

    return describe(call, folder)
