"""A real agent on a root of its own, a client to it, and the means to be rough with both."""

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
from barista_server.api.local import socket_path
from barista_server.api.messages import (
    Done,
    Event,
    FollowLog,
    GetSession,
    LogBytes,
    NewSession,
    Noticed,
    PauseSession,
    SessionChanged,
    SessionInfo,
    SessionReply,
    StartSession,
    State,
    Subscribe,
    Subscribed,
)

SCRIPTED = Path(__file__).parents[1] / "support" / "scripted_caffe.py"
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


def solver(max_iter: int = 100_000, display: int = 5, extra: str = "", **script: Any) -> str:
    """A solver for the scripted caffe; ``script`` sets its manners."""
    return (
        f"# script: {json.dumps(script)}\n"
        f'base_lr: 0.01\nlr_policy: "fixed"\nmax_iter: {max_iter}\ndisplay: {display}\n{extra}'
    )


async def until(found: Callable[[], T], what: str, deadline: float = DEADLINE) -> T:
    """The first true value of ``found``, polled."""
    end = time.monotonic() + deadline
    while True:
        if value := found():
            return value
        assert time.monotonic() < end, f"{what}: not within {deadline} s"
        await asyncio.sleep(0.02)


class Root:
    """A folder with an agent that can be killed and started again."""

    def __init__(self) -> None:
        # Not pytest's folder: with it the socket's path would be too long for a socket in the root.
        self.path = Path(tempfile.mkdtemp(prefix="barista-"))
        entry = {"name": "scripted", "argv": [sys.executable, str(SCRIPTED)]}
        (self.path / "caffes.json").write_text(json.dumps([entry]))
        self.links: list[Link] = []

    async def link(self) -> Link:
        """A new connection; starts an agent if there is none."""
        link = await Link.open(self.path)
        self.links.append(link)
        return link

    async def kill_agent(self, link: Link) -> None:
        """SIGKILL; returns when the connection has noticed."""
        os.kill(link.welcome.pid, signal.SIGKILL)
        await asyncio.wait_for(link.wait_closed(), DEADLINE)

    def session(self, session: str = "1") -> Path:
        return self.path / "sessions" / session

    def run(self, number: int = 1, session: str = "1") -> Path:
        return self.session(session) / "runs" / f"{number:04}"

    def process(self, number: int = 1, session: str = "1") -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.run(number, session) / "process.json").read_text())
        return found

    def journal(self, session: str = "1") -> list[dict[str, Any]]:
        return [
            json.loads(line) for line in (self.session(session) / "journal.jsonl").read_text().splitlines()
        ]

    def _processes(self) -> list[int]:
        """Agents, runners (both name the root) and caffes (they work in it)."""
        pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]
        return [pid for pid in pids if str(self.path) in command_line(pid) or _works_in(pid, self.path)]

    async def close(self) -> None:
        """End everything that was started here, then the folder."""
        await self.end()
        socket_path(self.path).unlink(missing_ok=True)
        shutil.rmtree(self.path)

    async def end(self) -> None:
        """End everything that was started here."""
        for link in self.links:
            await link.close()
        for pid in (mine := self._processes()):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        await until(lambda: not any(exists(pid) for pid in mine), "all processes have ended")
        assert not self._processes()


class Watcher:
    """A subscribed connection, with all it was told."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.sessions: dict[str, SessionInfo] = {}
        self.states: list[State] = []
        self.notices: list[str] = []
        self.events: list[Event] = []
        self.log = bytearray()
        self.gaps: list[tuple[int, int]] = []
        self.offset = 0
        self.ended = False
        link.on_event = self._take

    async def subscribe(self, epoch: str = "", after: int = 0) -> Subscribed:
        reply = await self.link.call(Subscribe(epoch=epoch, after=after), Subscribed)
        for info in reply.sessions:
            self.sessions[info.id] = info
        return reply

    async def state(self, *states: State, session: str = "1") -> SessionInfo:
        """Wait for one of the states."""

        def found() -> SessionInfo | None:
            info = self.sessions.get(session)
            return info if info is not None and info.state in states else None

        try:
            return await until(found, f"{states}")
        except AssertionError as error:
            raise AssertionError(f"{error}; now {self.sessions.get(session)}, {self.notices}") from None

    async def iteration(self, least: int, session: str = "1") -> SessionInfo:
        def found() -> SessionInfo | None:
            info = self.sessions.get(session)
            return info if info is not None and info.iteration >= least else None

        return await until(found, f"iteration {least}")

    async def trains(self, run: int, session: str = "1") -> SessionInfo:
        """Wait until a run is the newest and has shown iterations."""

        def found() -> SessionInfo | None:
            info = self.sessions.get(session)
            newest = info.runs[-1] if info is not None and info.runs else None
            return info if newest is not None and newest.number == run and newest.lines > 60 else None

        return await until(found, f"run {run} trains")

    def _take(self, event: Event) -> None:
        what = event.what
        if isinstance(what, LogBytes):
            assert what.offset - what.gap == self.offset, "a piece of the log is missing or came twice"
            if what.gap:
                self.gaps.append((self.offset, what.gap))
            self.log += what.data
            self.offset = what.offset + len(what.data)
            self.ended |= what.ended
            return
        self.events.append(event)
        if isinstance(what, SessionChanged):
            self.sessions[what.session.id] = what.session
            if not self.states or self.states[-1] != what.session.state:
                self.states.append(what.session.state)
        elif isinstance(what, Noticed):
            self.notices.append(what.notice.text)


async def new(link: Link, text: str, start: bool = True, name: str = "") -> SessionInfo:
    """A session of the scripted caffe, started unless told otherwise."""
    reply = await link.call(NewSession(name=name, solver=text, net=NET, caffe="scripted"), SessionReply)
    assert reply.session.state is State.WAITING, reply.session.problems
    if start:
        reply = await link.call(StartSession(session=reply.session.id), SessionReply)
    return reply.session


async def get(link: Link, session: str = "1") -> SessionInfo:
    return (await link.call(GetSession(session=session), SessionReply)).session


def exists(pid: int) -> bool:
    """Runs, and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"
    except OSError:
        return False


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def _works_in(pid: int, folder: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").resolve().is_relative_to(folder.resolve())
    except OSError:
        return False


async def follow_through_kills(root: Root, times: int) -> bytes:
    """Follow run 1 of session 1 while the agent is killed ``times`` times, then pause it: all that was sent.

    The same caffe must be adopted each time, and what was sent must be its log, byte for byte.
    """
    caffe = root.process()["caffe_pid"]
    log = bytearray()

    async def following() -> Watcher:
        watcher = Watcher(await root.link())
        await watcher.subscribe()
        watcher.offset = len(log)
        await watcher.link.call(FollowLog(session="1", run=1, offset=len(log)), Done)
        return watcher

    for _ in range(times):
        watcher = await following()
        assert (await get(watcher.link)).state is State.RUNNING
        await until(lambda w=watcher: len(w.log) > 2000, "the log goes on")  # type: ignore[misc]
        await root.kill_agent(watcher.link)
        log += watcher.log
    last = await following()
    assert [run.number for run in (await get(last.link)).runs] == [1]
    assert root.process()["caffe_pid"] == caffe and exists(caffe)
    await last.link.call(PauseSession(session="1"), SessionReply)
    await last.state(State.PAUSED)
    await until(lambda: last.ended, "the followed log ends")
    log += last.log
    assert bytes(log) == (root.run() / "caffe.log").read_bytes()
    assert not exists(caffe)
    return bytes(log)
