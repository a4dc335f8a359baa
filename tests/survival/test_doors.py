"""Connections that break off, that come all at once, or that never say who they are."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from barista_server.agent import listener
from barista_server.api import frames
from barista_server.api.link import Link, LinkError
from barista_server.api.local import connect, socket_path
from barista_server.api.messages import (
    GetFiles,
    Hello,
    ListSessions,
    Request,
    SessionFiles,
    SessionList,
)
from barista_server.remote.ssh import open_link
from tests.agent.agents import DEADLINE, Root, Watcher, command_line, new, solver, until
from tests.remote.sshd import Sshd
from tests.remote.test_listener import Port

BIG = "# a long solver\n" * 100_000
"""More than all buffers on the way hold."""


@pytest_asyncio.fixture
async def sshd(root: Root, tmp_path: Path) -> AsyncIterator[Sshd]:
    made = Sshd.start(tmp_path / "sshd", root.path)
    try:
        yield made
    finally:
        made.down()


@pytest.mark.real("sshd")
async def test_g26_ten_clients_at_once_through_sshd_where_no_agent_runs(root: Root, sshd: Sshd) -> None:
    links = await asyncio.gather(*(open_link(sshd.address, sshd.way()) for _ in range(10)))
    root.links += links
    assert len({link.welcome.pid for link in links}) == 1
    lists = await asyncio.gather(*(link.call(ListSessions(), SessionList) for link in links))
    assert lists == [SessionList(sessions=[])] * 10
    serving = [pid for pid in psutil.pids() if f" serve --root {root.path}" in command_line(pid)]
    assert serving == [links[0].welcome.pid]


class Cut:
    """Stands before an agent's socket, and closes both ends once ``after`` bytes came from the agent."""

    def __init__(self, root: Path, after: int) -> None:
        self._root, self._left = root, after
        self._writers: list[asyncio.StreamWriter] = []

    async def link(self, folder: Path) -> Link:
        path = folder / f"cut{self._left}"
        server = await asyncio.start_unix_server(self._serve, path)
        try:
            return await Link.over(*await asyncio.open_unix_connection(path))
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_agent, to_agent = await asyncio.open_unix_connection(socket_path(self._root))
        self._writers += [writer, to_agent]
        up = asyncio.create_task(self._up(reader, to_agent))
        while self._left and (data := await from_agent.read(min(self._left, 1 << 16))):
            self._left -= len(data)
            writer.write(data)
            await writer.drain()
        up.cancel()
        for each in self._writers:
            each.close()

    @staticmethod
    async def _up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            writer.write(data)


async def test_g27_a_link_that_breaks_within_a_message(root: Root, watcher: Watcher) -> None:
    agent = psutil.Process(watcher.link.welcome.pid)
    await new(watcher.link, solver() + BIG, start=False)
    before = agent.num_fds()
    hello = frames.encode(Hello(protocol=1, client="cut"))
    call = frames.encode(Request(id=1, call=GetFiles(session="1")))
    # Nothing, a part of a hello, of a length, of a call; and one that goes when a long answer is due.
    for sent in (b"", hello[:2], hello[:-1], hello + call[:3], hello + call[:-1], hello + call):
        _, writer = await connect(root.path)
        writer.write(sent)
        await writer.drain()
        writer.transport.abort()
    for after in (1, 3, 20):
        with pytest.raises(LinkError):
            await Cut(root.path, after).link(root.path)
    for after in (4_000, 500_000):
        link = await Cut(root.path, after).link(root.path)
        with pytest.raises(LinkError):
            await asyncio.wait_for(link.call(GetFiles(session="1"), SessionFiles), DEADLINE)
        await asyncio.wait_for(link.wait_closed(), DEADLINE)
    await until(lambda: agent.num_fds() <= before, "the agent has let go of all of them")
    files = await watcher.link.call(GetFiles(session="1"), SessionFiles)
    assert BIG in files.solver


def established(pid: int, port: int) -> int:
    """Connections to the port that the process holds open."""
    found = psutil.Process(pid).net_connections("tcp")
    return sum(one.laddr.port == port and one.status == "ESTABLISHED" for one in found)


async def test_g29_who_never_shows_a_key_keeps_nobody_out(root: Root) -> None:
    port = await Port.open(root)
    pid = (await port.link()).welcome.pid
    number = port.address.port
    others = established(pid, number)
    idle: list[socket.socket] = []
    try:
        connects = (
            asyncio.to_thread(socket.create_connection, ("127.0.0.1", number))
            for _ in range(4 * listener.MOST_LOGINS)
        )
        idle += await asyncio.gather(*connects)
        # Sooner than by the time a login may take.
        most = others + listener.MOST_LOGINS
        await until(lambda: established(pid, number) <= most, "the oldest are cut off", deadline=10)
        link = await port.link()
        assert (await link.call(ListSessions(), SessionList)).sessions == []
        assert established(pid, number) <= most + 1
    finally:
        for each in idle:
            each.close()


async def test_g29_idle_logins_end(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "LOGIN_TIMEOUT", 1)

    async def attend(*_: object) -> None:
        raise AssertionError("nobody has come in")

    door, _ = await listener.listen(root.path, "127.0.0.1", 0, attend)
    reader, writer = await asyncio.open_connection("127.0.0.1", door.get_port())
    async with asyncio.timeout(10):
        assert (await reader.read(1 << 16)).startswith(b"SSH-2.0")
        while await reader.read(1 << 16):
            pass
    writer.close()
    door.close()
