"""Clients that come together, are of another age or rude; and an agent that is stopped for a while."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from barista_server.api import frames
from barista_server.api.local import connect
from barista_server.api.messages import (
    Done,
    Event,
    Failure,
    Hello,
    ListSessions,
    Message,
    PauseSession,
    Ping,
    Reply,
    Request,
    SessionList,
    SessionReply,
    StartSession,
    State,
    Welcome,
)
from tests.agent.agents import DEADLINE, Root, Watcher, new, solver, until


class Later(Message, frozen=True, tag="brew-espresso"):
    """A call, an answer or a kind of event of a later version."""

    cups: int = 2


class LaterRequest(Message, frozen=True, tag="request"):
    id: int
    call: Later


class LaterReply(Message, frozen=True, tag="reply"):
    id: int
    result: Later


class LaterEvent(Message, frozen=True, tag="event"):
    sequence: int
    what: Later


def resident(pid: int) -> int:
    """Bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def test_g20_two_people_start_and_pause_at_once(root: Root, watcher: Watcher) -> None:
    await new(watcher.link, solver(speed=100), start=False)
    other = await root.link()
    both = (watcher.link, other)
    await asyncio.gather(*(link.call(StartSession(session="1"), SessionReply) for link in both))
    await watcher.iteration(5)
    assert [path.name for path in root.run().parent.iterdir()] == ["0001"]
    await asyncio.gather(*(link.call(PauseSession(session="1"), SessionReply) for link in both))
    await watcher.state(State.PAUSED)
    await other.call(PauseSession(session="1"), SessionReply)


async def test_g25_a_newer_call_is_answered_and_the_link_lives(root: Root, watcher: Watcher) -> None:
    reader, writer = await connect(root.path)
    for message in (
        Hello(protocol=1, client="newer"),
        LaterRequest(id=1, call=Later()),
        Request(id=2, call=ListSessions()),
    ):
        writer.write(frames.encode(message))
    decoder = frames.from_agent()
    found: list[object] = []
    async with asyncio.timeout(DEADLINE):
        while len(found) < 3:
            found += decoder.feed(await reader.read(1 << 16))
    writer.close()
    assert isinstance(found[0], Welcome)
    results = {reply.id: reply.result for reply in found[1:] if isinstance(reply, Reply)}
    failure = results[1]
    assert isinstance(failure, Failure) and failure.code == "unknown"
    assert "brew-espresso" in failure.text and "barista host install" in (failure.hint or "")
    assert isinstance(results[2], SessionList)


def test_g25_events_of_a_newer_agent_are_left_out_and_its_answers_fail_one_call() -> None:
    known = Reply(id=3, result=SessionList(sessions=[]))
    data = b"".join(
        frames.encode(one)
        for one in (LaterEvent(sequence=1, what=Later()), LaterReply(id=2, result=Later()), known)
    )
    failed, last = frames.from_agent().feed(data)
    assert isinstance(failed, Reply) and failed.id == 2 and isinstance(failed.result, Failure)
    assert "newer than this client" in failed.result.text
    assert last == known and not isinstance(last, Event)


@pytest.mark.parametrize("body", [b"\x81\xa4type\xa7request", b"\x82\xa4type\xa5event\xa8sequence\x01"])
def test_g25_half_a_message_is_still_no_message(body: bytes) -> None:
    for decoder in (frames.from_agent(), frames.from_client()):
        with pytest.raises(frames.FrameError):
            decoder.feed(len(body).to_bytes(4, "big") + body)


async def test_g26_ten_clients_at_once_where_no_agent_runs(root: Root) -> None:
    links = await asyncio.gather(*(root.link() for _ in range(10)))
    assert len({link.welcome.pid for link in links}) == 1
    await asyncio.gather(*(link.call(ListSessions(), SessionList) for link in links))


async def test_g27_an_agent_that_is_stopped_answers_late(root: Root, watcher: Watcher) -> None:
    await new(watcher.link, solver(display=1, speed=100))
    at = (await watcher.iteration(5)).iteration
    log, pid = root.run() / "caffe.log", watcher.link.welcome.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        size = log.stat().st_size
        call = asyncio.create_task(watcher.link.call(ListSessions(), SessionList))
        await until(lambda: log.stat().st_size > size + 2000, "the training goes on without it")
        assert not call.done()
    finally:
        os.kill(pid, signal.SIGCONT)
    assert (await call).sessions[0].state is State.RUNNING
    await watcher.iteration(at + 20)


async def test_g28_a_client_that_calls_and_never_reads_is_not_read_from(root: Root, watcher: Watcher) -> None:
    pid = watcher.link.welcome.pid
    _reader, writer = await connect(root.path)
    writer.transport.set_write_buffer_limits(high=1 << 16)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(frames.encode(Hello(protocol=1, client="deaf")))
    before = resident(pid)
    calls = frames.encode(Request(id=1, call=ListSessions())) * 2000
    with pytest.raises(TimeoutError):
        for _ in range(500):
            writer.write(calls)
            async with asyncio.timeout(2):
                await writer.drain()
    await watcher.link.call(Ping(), Done)
    assert resident(pid) - before < 32 << 20
    writer.transport.abort()
