"""A root with a scripted caffe; times of day that are the same everywhere."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from barista_server.api.link import CallFailed, Link, LinkError
from barista_server.api.messages import (
    Done,
    ListSessions,
    PauseSession,
    SessionList,
    SessionReply,
    State,
    StopAgent,
)
from tests.support.forked_agents import forked

from .support import SCRIPTED


@pytest.fixture(autouse=True)
def forked_agents() -> Iterator[None]:
    with forked():
        yield


@pytest_asyncio.fixture
async def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Path]:
    """An empty root whose caffe is the scripted one; its runs and its agent end with the test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    folder = tmp_path / "root"
    folder.mkdir()
    caffes = [{"name": "scripted", "argv": [sys.executable, str(SCRIPTED)]}]
    (folder / "caffes.json").write_text(json.dumps(caffes))
    yield folder
    try:
        link = await Link.open(folder, start_agent=(folder / "sessions").exists())
    except LinkError:
        return
    for session in (await link.call(ListSessions(), SessionList)).sessions:
        if session.state in (State.RUNNING, State.PAUSING):
            try:
                await link.call(PauseSession(session=session.id, force="kill"), SessionReply)
            except CallFailed:
                pass
    await link.call(StopAgent(), Done)
    await link.wait_closed()


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Times of day and colours in pictures do not depend on where the test runs."""
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
