"""Every test gets a root of its own and leaves no process behind."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.support.forked_agents import forked

from .agents import Root, Watcher


@pytest.fixture(autouse=True)
def forked_agents() -> Iterator[None]:
    with forked():
        yield


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
