"""A throw-away root in the same file system, with a real agent, a real runner and the scripted caffe."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from barista_server.api.link import Link
from barista_server.api.local import LinkError, socket_path
from barista_server.api.messages import (
    Event,
    GetSession,
    LogBytes,
    NewSession,
    Noticed,
    SessionInfo,
    SessionReply,
    StartSession,
    State,
    Subscribe,
    Subscribed,
)
from barista_server.doctor import scripted

DEADLINE = 30.0
T = TypeVar("T")

NET = """name: "tiny"
layer {
  name: "data" type: "DummyData" top: "data" top: "label"
  dummy_data_param { shape { dim: 1 dim: 4 } shape { dim: 1 dim: 1 } }
}
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 1 } }
layer { name: "loss" type: "EuclideanLoss" bottom: "ip" bottom: "label" top: "loss" }
"""


class Failed(Exception):
    """A promise was not kept; the text says which."""


def demand(true: object, words: str) -> None:
    """Raises Failed."""
    if not true:
        raise Failed(words)


async def until(found: Callable[[], T], what: str) -> T:
    """The first true value of ``found``, polled. Raises Failed."""
    end = time.monotonic() + DEADLINE
    while not (value := found()):
        demand(time.monotonic() < end, f"{what}: not within {DEADLINE:.0f} s")
        await asyncio.sleep(0.02)
    return value


class Arena:
    """``beside``: the root whose file system is tried; nothing in it is touched."""

    def __init__(self, beside: Path) -> None:
        there = next(path for path in (beside, *beside.parents) if path.is_dir())
        self.path = Path(tempfile.mkdtemp(prefix=".barista-doctor-", dir=there))
        self.links: list[Link] = []
        command = f"'{sys.executable}' -I -S '{scripted.__file__}' \"$@\""
        wrapper = self.path / "wrapper.sh"
        wrapper.write_text(f"#!/bin/sh\n{command}\nexit $?\n")
        wrapper.chmod(0o755)
        caffes = [
            {"name": "scripted", "argv": [sys.executable, "-I", "-S", str(scripted.__file__)]},
            {"name": "wrapped", "argv": ["/bin/sh", str(wrapper)]},
        ]
        (self.path / "caffes.json").write_text(json.dumps(caffes))

    async def link(self) -> Link:
        """A new connection; starts an agent if there is none. Raises LinkError."""
        link = await Link.open(self.path)
        self.links.append(link)
        return link

    async def kill_agent(self, link: Link) -> None:
        """With signal 9; returns when the connection has noticed."""
        os.kill(link.welcome.pid, signal.SIGKILL)
        async with asyncio.timeout(DEADLINE):
            await link.wait_closed()

    async def begin(self, link: Link, caffe: str = "scripted", extra: str = "", **script: Any) -> SessionInfo:
        """A session of the scripted caffe that trains; see doctor.scripted for its manners."""
        solver = (
            f"# script: {json.dumps({'speed': 200} | script)}\n"
            f'base_lr: 0.01\nlr_policy: "fixed"\nmax_iter: 1000000\ndisplay: 5\n{extra}'
        )
        made = await link.call(NewSession(solver=solver, net=NET, caffe=caffe), SessionReply)
        await link.call(StartSession(session=made.session.id), SessionReply)
        return await self.reach(link, made.session.id, 10)

    async def get(self, link: Link, session: str) -> SessionInfo:
        return (await link.call(GetSession(session=session), SessionReply)).session

    async def reach(self, link: Link, session: str, iteration: int) -> SessionInfo:
        """The session once it is there. Raises Failed."""
        return await self._when(
            link, session, lambda info: info.iteration >= iteration, f"iteration {iteration}"
        )

    async def state(self, link: Link, session: str, *states: State) -> SessionInfo:
        """The session once it is in one of the states. Raises Failed."""
        words = " or ".join(state.value for state in states)
        return await self._when(link, session, lambda info: info.state in states, words)

    async def _when(
        self, link: Link, session: str, fits: Callable[[SessionInfo], bool], what: str
    ) -> SessionInfo:
        end = time.monotonic() + DEADLINE
        while not fits(info := await self.get(link, session)):
            why = f" ({info.problems[0].text})" if info.problems else ""
            words = f"{what}: not within {DEADLINE:.0f} s; it is {info.state.value}{why}"
            demand(time.monotonic() < end, words)
            await asyncio.sleep(0.03)
        return info

    def session(self, session: str) -> Path:
        return self.path / "sessions" / session

    def run(self, session: str, number: int = 1) -> Path:
        return self.session(session) / "runs" / f"{number:04}"

    def process(self, session: str, number: int = 1) -> dict[str, Any]:
        """What process.json says."""
        found: dict[str, Any] = json.loads((self.run(session, number) / "process.json").read_text())
        return found

    async def close(self) -> None:
        """End everything that runs here, then take the folder away."""
        for link in self.links:
            try:
                await link.close()
            except (LinkError, OSError):
                pass
        end = time.monotonic() + DEADLINE
        while (mine := self._processes()) and time.monotonic() < end:
            for pid in mine:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            await asyncio.sleep(0.05)
        socket_path(self.path).unlink(missing_ok=True)
        shutil.rmtree(self.path, ignore_errors=True)

    def _processes(self) -> list[int]:
        """Agents and runners name the folder, caffes work in it."""
        mark, found = os.fsencode(self.path), []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                words = (path / "cmdline").read_bytes()
                inside = os.fsencode((path / "cwd").readlink()).startswith(mark)
            except OSError:
                continue
            if (mark in words or inside) and int(path.name) != os.getpid():
                found.append(int(path.name))
        return found


class Follower:
    """What a client was told: notices, and the bytes of one log by their offsets."""

    def __init__(self, link: Link, offset: int = 0) -> None:
        self.link, self.offset = link, offset
        self.log = bytearray()
        self.notices: list[str] = []
        self.ended = False
        self.holes = False
        link.on_event = self._take

    async def subscribe(self) -> None:
        await self.link.call(Subscribe(epoch="", after=0), Subscribed)

    def _take(self, event: Event) -> None:
        what = event.what
        if isinstance(what, LogBytes):
            self.holes |= what.offset != self.offset or bool(what.gap)
            self.log += what.data
            self.offset = what.offset + len(what.data)
            self.ended |= what.ended
        elif isinstance(what, Noticed):
            self.notices.append(what.notice.text)


def exists(pid: int) -> bool:
    """Runs, and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False
