"""Two roots with agents of their own: one here, one behind a real sshd."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest
import pytest_asyncio
from msgspec import field

from barista_server.api.link import Link, LinkError
from barista_server.remote.ssh import open_link
from barista_tui.moving import Report
from barista_tui.target import Target
from barista_tui.transfer import Progress
from tests.agent.agents import Root
from tests.remote.sshd import Sshd
from tests.support.forked_agents import forked


@pytest.fixture(autouse=True)
def forked_agents() -> Iterator[None]:
    with forked():
        yield


class Far(Target, frozen=True, eq=False):
    """A root behind an sshd."""

    sshd: Sshd | None = None
    opened: list[Link] = field(default_factory=list)

    @property
    def name(self) -> str:
        return "far"

    def same_place(self, other: Target) -> bool:
        return self is other

    async def open(self, start_agent: bool = True) -> Link:
        assert self.sshd is not None
        link = await open_link(self.sshd.address, self.sshd.way())
        self.opened.append(link)
        return link

    def kill_agent(self) -> None:
        os.kill(self.opened[-1].welcome.pid, signal.SIGKILL)

    def cut(self) -> None:
        """End the connection as a broken network does: nobody says goodbye."""
        assert self.sshd is not None and self.sshd.process is not None
        for process in psutil.Process(self.sshd.process.pid).children(recursive=True):
            if "sshd" in process.name():
                process.kill()


class Told(Report):
    """Keeps what it is told. ``rough`` is called once when half is there."""

    steps: list[str] = field(default_factory=list)
    breaks: list[str] = field(default_factory=list)
    progress: list[Progress] = field(default_factory=list)

    @classmethod
    def make(cls, rough: object = None) -> Told:
        done = False

        def tell(progress: Progress) -> None:
            nonlocal done
            told.progress.append(progress)
            if rough is not None and not done and 2 * progress.done >= progress.total:
                done = True
                rough()  # type: ignore[operator]

        def lost(error: LinkError, pause: float) -> None:
            told.breaks.append(str(error))

        told = cls(tell, lambda text: told.steps.append(text), lost)
        return told


@pytest_asyncio.fixture
async def root() -> AsyncIterator[Root]:
    made = Root()
    try:
        yield made
    finally:
        await made.close()


@pytest_asyncio.fixture
async def far_root() -> AsyncIterator[Root]:
    made = Root()
    try:
        yield made
    finally:
        await made.close()


@pytest_asyncio.fixture
async def far(far_root: Root, tmp_path: Path) -> AsyncIterator[Far]:
    sshd = Sshd.start(tmp_path / "sshd", far_root.path)
    try:
        yield Far(far_root.path, sshd=sshd)
    finally:
        sshd.down()
        await asyncio.sleep(0)
