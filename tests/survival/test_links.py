"""Clients that come together, are of another age or rude; and an agent that is stopped for a while."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from barista_server.api import frames
from barista_server.api.link import CallFailed
from barista_server.api.local import connect
from barista_server.api.messages import (
    ConfigureSession,
    DeleteSession,
    Done,
    Event,
    Failure,
    Hello,
    ListSessions,
    Message,
    PauseSession,
    Ping,
    RenameSession,
    Reply,
    Request,
    SessionList,
    SessionReply,
    StartSession,
    State,
    TrashReply,
    Welcome,
)
from barista_tui.commands import Commands
from barista_tui.fleet import Fleet
from barista_tui.store import Store
from barista_tui.target import Target
from tests.agent.agents import DEADLINE, Root, Watcher, get, new, solver, until


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


async def test_g20_who_acts_on_what_is_no_longer_so_is_told(root: Root, watcher: Watcher) -> None:
    mine, other = watcher.link, await root.link()
    seen = (await new(mine, solver(speed=100), start=False)).revision
    await other.call(StartSession(session="1", seen=seen), SessionReply)
    at = (await watcher.iteration(5)).revision
    for call, result in (
        (DeleteSession(session="1", seen=seen), TrashReply),
        (RenameSession(session="1", name="mine", seen=seen), SessionReply),
        (ConfigureSession(session="1", auto_resume="on", seen=seen), SessionReply),
        (PauseSession(session="1", force="kill", seen=seen), SessionReply),
    ):
        with pytest.raises(CallFailed, match=r"changed meanwhile: it is run 1, running now") as failed:
            await mine.call(call, result)
        assert failed.value.failure.code == "changed"
    # What merely trains is not changed, and what is so already is no conflict.
    assert (await watcher.iteration(20)).revision == at != seen
    await mine.call(StartSession(session="1", seen=seen), SessionReply)
    await mine.call(RenameSession(session="1", name="mine", seen=at), SessionReply)
    await mine.call(PauseSession(session="1"), SessionReply)
    paused = await watcher.state(State.PAUSED)
    assert (paused.name, len(paused.runs)) == ("mine", 1)


async def test_g20_the_screen_says_by_what_it_decides(root: Root, watcher: Watcher) -> None:
    shown = await new(watcher.link, solver(), start=False)
    store = Store()
    fleet = Fleet([Target(root.path)], store)
    fleet.start()
    commands = Commands(fleet, store, lambda text, severity: None)
    try:
        await until(lambda: store.known.host("local").sessions, "linked")
        await watcher.link.call(RenameSession(session="1", name="other"), SessionReply)
        for act in (
            commands.delete("local", shown),
            commands.reset("local", shown),
            commands.start("local", shown),
            commands.rename("local", shown, "mine"),
            commands.pause("local", shown, "kill"),
        ):
            with pytest.raises(CallFailed, match="other changed meanwhile: it is waiting now"):
                await act
        await commands.rename("local", await get(watcher.link), "mine")
        assert (await get(watcher.link)).name == "mine"
    finally:
        await fleet.close()


async def test_g20_of_two_conflicting_calls_at_once_one_wins(root: Root, watcher: Watcher) -> None:
    links = [watcher.link, await root.link()]
    one = await new(watcher.link, solver(), start=False)
    names = [RenameSession(session="1", name=name, seen=one.revision) for name in ("a", "b")]
    told = await asyncio.gather(
        *(link.call(call, SessionReply) for link, call in zip(links, names, strict=True)),
        return_exceptions=True,
    )
    won = [each.session.name for each in told if isinstance(each, SessionReply)]
    lost = [each.failure.code for each in told if isinstance(each, CallFailed)]
    assert lost == ["changed"] and won == [(await get(watcher.link)).name]
    told = await asyncio.gather(
        *(link.call(DeleteSession(session="1"), TrashReply) for link in links), return_exceptions=True
    )
    assert [each.failure.code for each in told if isinstance(each, CallFailed)] == ["not-found"]
    assert len([each for each in told if isinstance(each, TrashReply)]) == 1


async def test_g20_two_clients_see_one_order(root: Root, watcher: Watcher) -> None:
    other = Watcher(await root.link())
    await other.subscribe()
    links = (watcher.link, other.link)
    await new(watcher.link, solver(speed=100), start=False)
    for call in (StartSession(session="1"), PauseSession(session="1")) * 2:
        await asyncio.gather(*(link.call(call, SessionReply) for link in links))
        await watcher.state(State.RUNNING if isinstance(call, StartSession) else State.PAUSED)
    assert len((await get(other.link)).runs) == 2
    # The answer comes after all events before it.
    last = (await watcher.subscribe()).sequence
    await until(lambda: other.events[-1].sequence >= last, "the other is told all")
    assert [each for each in watcher.events if each.sequence <= last] == [
        each for each in other.events if each.sequence <= last
    ]
    assert other.states == watcher.states


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
