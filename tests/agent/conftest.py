"""Every test gets a root of its own and leaves no process behind."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from .agents import Root, Watcher


@pytest_asyncio.fixture
async def root() -> AsyncIterator[Root]:
    made = Root()
    try:
        yield made
    finally:
        await made.close()


@pytest_asyncio.fixture
async def watcher(root: Root) -> Watcher:
    """A subscribed client of a fresh agent."""
    watcher = Watcher(await root.link())
    await watcher.subscribe()
    return watcher
