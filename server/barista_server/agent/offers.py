"""Calls about what a new session can be made of."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from barista_server.api import messages as m

if TYPE_CHECKING:
    from barista_server.agent.client import Client

Calls = dict[type, Callable[[Any, "Client"], Awaitable[m.Result]]]


def calls() -> Calls:
    """The calls this module answers."""

    async def list_templates(call: m.ListTemplates, client: Client) -> m.Result:
        return m.TemplateList(templates=await asyncio.to_thread(_templates))

    return {m.ListTemplates: list_templates}


def _templates() -> list[m.TemplateInfo]:
    # Imported in the thread that needs it: this loads the readers of Caffe's formats.
    from barista_server.agent.creation import templates

    return templates()
