"""Answers by which sessions are compared: their files."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from barista_server.api import messages as m

if TYPE_CHECKING:
    from barista_server.agent.client import Client
    from barista_server.agent.session import Session
    from barista_server.agent.store import Folder


def calls(find: Callable[[Any], Session]) -> dict[type, Callable[[Any, Client], Awaitable[m.Result]]]:
    """The calls this module answers; ``find`` tells the session that a call is about."""

    async def get_files(call: m.GetFiles, client: Client) -> m.Result:
        return await asyncio.to_thread(_texts, find(call).folder)

    return {m.GetFiles: get_files}


def _texts(folder: Folder) -> m.SessionFiles:
    solver, net = (path.read_text("utf-8", "replace") for path in (folder.solver, folder.net))
    return m.SessionFiles(solver=solver, net=net)
