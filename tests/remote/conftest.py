"""A root with an agent, as in the agent's tests, and an sshd in front of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.agent.agents import Root

from .sshd import Sshd


@pytest_asyncio.fixture
async def root() -> AsyncIterator[Root]:
    made = Root()
    try:
        yield made
    finally:
        await made.close()


@pytest_asyncio.fixture
async def sshd(root: Root, tmp_path: Path) -> AsyncIterator[Sshd]:
    made = Sshd.start(tmp_path / "sshd", root.path)
    try:
        yield made
    finally:
        made.down()
