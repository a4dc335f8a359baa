"""The socket: who gets in, what is refused, and what a slow or hostile client can do (to itself only)."""

from __future__ import annotations

import asyncio
import os
import random
import stat
from pathlib import Path

import msgspec
import pytest

from barista_server.api import frames
from barista_server.api.link import CallFailed, Link, LinkError
from barista_server.api.local import connect, ensure_agent, socket_path
from barista_server.api.messages import (
    Done,
    FollowLog,
    Hello,
    ListSessions,
    PauseSession,
    Ping,
    Refusal,
    RenameSession,
    Request,
    SessionList,
    SessionReply,
    State,
    StopAgent,
    UnfollowLog,
)

from .agents import DEADLINE, Root, Watcher, command_line, exists, get, new, solver, until


@pytest.fixture(autouse=True)
def forked_agents() -> None:
    """Not here: agents are started as clients start them."""


async def raw(root: Root, *data: bytes) -> list[object]:
    """Send bytes; all that comes back until the agent closes."""
    reader, writer = await connect(root.path)
    decoder = frames.from_agent()
    answers: list[object] = []
    for part in data:
        writer.write(part)
    async with asyncio.timeout(DEADLINE):
        while chunk := await reader.read(1 << 16):
            answers += decoder.feed(chunk)
    writer.close()
    return answers


async def test_socket_and_agent_are_private(root: Root, watcher: Watcher) -> None:
    path = socket_path(root.path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    about = msgspec.json.decode((root.path / "agent.json").read_bytes())
    assert about["pid"] == watcher.link.welcome.pid
    assert watcher.link.welcome.root == str(root.path)
    await watcher.link.call(StopAgent(), Done)
    await watcher.link.wait_closed()
    await until(lambda: not path.exists(), "the socket is gone")
    with pytest.raises(LinkError, match="barista-server serve"):
        await Link.open(root.path, start_agent=False)


async def test_a_long_root_has_its_socket_elsewhere_in_a_private_folder(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 100)
    path = socket_path(long)
    assert len(os.fsencode(path)) <= 100 and path != socket_path(tmp_path / ("y" * 100))
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    link = await Link.open(long)
    await link.call(StopAgent(), Done)
    await link.wait_closed()


async def test_two_clients_at_once_start_one_agent(root: Root) -> None:
    await asyncio.gather(*(ensure_agent(root.path) for _ in range(4)))
    pids = {(await root.link()).welcome.pid for _ in range(3)}
    assert len(pids) == 1

    def serving() -> set[int]:
        found = [int(name) for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208
        return {pid for pid in found if f"serve --root {root.path}" in command_line(pid) and exists(pid)}

    await until(lambda: serving() == pids, "the others have gone")


async def test_another_protocol_is_refused_with_what_to_do(root: Root, watcher: Watcher) -> None:
    answers = await raw(root, frames.encode(Hello(protocol=99, client="barista 9.9")))
    assert len(answers) == 1
    assert isinstance(answers[0], Refusal) and "update the agent" in answers[0].reason


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x01\xc1",
        (5).to_bytes(4, "big") + b"\x91" * 5,
        frames.encode(Request(id=1, call=Ping())),
    ],
)
async def test_garbage_is_cut_off_and_hurts_nobody(root: Root, watcher: Watcher, data: bytes) -> None:
    assert await raw(root, data) == []
    hello = frames.encode(Hello(protocol=1, client="rude"))
    answers = await raw(root, hello, data if not data.endswith(b"ping") else hello)
    assert len(answers) <= 2
    await watcher.link.call(Ping(), Done)


async def test_random_bytes_after_the_handshake(root: Root, watcher: Watcher) -> None:
    chance = random.Random(7)
    hello = frames.encode(Hello(protocol=1, client="rude"))
    for _ in range(20):
        body = chance.randbytes(chance.randrange(1, 200))
        await raw(root, hello, len(body).to_bytes(4, "big") + body)
    await watcher.link.call(Ping(), Done)


async def test_many_calls_at_once_are_all_answered(watcher: Watcher) -> None:
    await new(watcher.link, solver(), start=False)
    calls = [watcher.link.call(ListSessions(), SessionList) for _ in range(300)]
    assert all(len(reply.sessions) == 1 for reply in await asyncio.gather(*calls))


async def test_two_clients_see_the_same(root: Root, watcher: Watcher) -> None:
    other = Watcher(await root.link())
    await other.subscribe()
    await new(watcher.link, solver())
    await other.link.call(PauseSession(session="1"), SessionReply)
    await asyncio.gather(watcher.state(State.PAUSED), other.state(State.PAUSED))
    assert watcher.sessions == other.sessions
    assert [event.sequence for event in watcher.events] == [event.sequence for event in other.events]


async def test_a_client_that_comes_back_gets_what_it_missed_once(root: Root, watcher: Watcher) -> None:
    await new(watcher.link, solver(), start=False)
    await until(lambda: watcher.events, "an event")
    epoch, after = watcher.link.welcome.epoch, watcher.events[-1].sequence
    await watcher.link.close()
    other = await root.link()
    for name in ("a", "b", "c"):
        await other.call(RenameSession(session="1", name=name), SessionReply)
    back = Watcher(await root.link())
    back.sessions = dict(watcher.sessions)
    reply = await back.subscribe(epoch, after)
    assert not reply.complete
    await until(lambda: back.sessions["1"].name == "c", "the last name")
    sequences = [event.sequence for event in back.events]
    assert sequences == sorted(set(sequences)) and sequences[0] > after
    for unknown in (("other epoch", after), (epoch, 10**9)):
        fresh = Watcher(await root.link())
        assert (await fresh.subscribe(*unknown)).complete
        assert fresh.sessions["1"].name == "c"


async def test_a_slow_client_gets_gaps_and_slows_nobody(root: Root, watcher: Watcher) -> None:
    # Its messages are numbered, so that the gap can be checked against the file.
    await new(watcher.link, solver(burst=150_000, speed=50))
    await until(lambda: (root.run() / "caffe.log").exists(), "a log")
    reader, writer = await connect(root.path)
    writer.write(frames.encode(Hello(protocol=1, client="slow")))
    writer.write(frames.encode(Request(id=1, call=FollowLog(session="1", run=1))))
    await writer.drain()
    # It does not read. Everybody else goes on:
    await watcher.iteration(20)
    fast = Watcher(await root.link())
    await fast.link.call(FollowLog(session="1", run=1), Done)
    await until(lambda: b"burst 149999" in fast.log, "the fast client has it all")
    assert not fast.gaps
    await watcher.link.call(PauseSession(session="1"), SessionReply)
    await watcher.state(State.PAUSED)
    slow = Watcher(watcher.link)
    decoder = frames.from_agent()
    async with asyncio.timeout(DEADLINE):
        while not slow.ended:
            for message in decoder.feed(await reader.read(1 << 16)):
                if hasattr(message, "what"):
                    slow._take(message)
    writer.close()
    assert slow.gaps, "15 MB behind, it was brought forward"
    whole = (root.run() / "caffe.log").read_bytes()
    seen = bytearray(whole)
    for offset, gap in reversed(slow.gaps):
        del seen[offset : offset + gap]
    assert slow.log == seen


async def test_following_from_an_offset_and_stopping_it(root: Root, watcher: Watcher) -> None:
    await new(watcher.link, solver(speed=100))
    await watcher.iteration(10)
    with pytest.raises(CallFailed, match="bytes"):
        await watcher.link.call(FollowLog(session="1", run=1, offset=10**9), Done)
    watcher.offset = 100
    await watcher.link.call(FollowLog(session="1", run=1, offset=100), Done)
    await until(lambda: len(watcher.log) > 500, "bytes")
    assert bytes(watcher.log[:400]) == (root.run() / "caffe.log").read_bytes()[100:500]
    await watcher.link.call(UnfollowLog(session="1", run=1), Done)
    length = len(watcher.log)
    at = (await get(watcher.link)).iteration
    await watcher.iteration(at + 30)
    assert len(watcher.log) == length
