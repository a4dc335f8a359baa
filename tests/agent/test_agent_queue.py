"""The queue of a real agent: order, room, what it waits for, and what is left of it after kill -9."""

from __future__ import annotations

import asyncio
import json
import os
import random

import pytest

from barista_server.api.link import CallFailed, Link
from barista_server.api.messages import (
    DeleteSession,
    DeviceList,
    ListDevices,
    ListQueue,
    MoveInQueue,
    NewSession,
    PauseSession,
    QueueList,
    QueueSession,
    ResetSession,
    SessionInfo,
    SessionReply,
    SetSlots,
    StartSession,
    State,
    TrashReply,
    UnqueueSession,
)

from .agents import NET, Root, Watcher, get, new, solver, until

SHORT = solver(max_iter=20, speed=400)


async def queue(link: Link, session: str, priority: int = 0, after: str = "", any_end: bool = False) -> str:
    """Queue it; why it waits, or its state."""
    call = QueueSession(session=session, priority=priority, after=after, after_any=any_end)
    info = (await link.call(call, SessionReply)).session
    return info.queued.reason if info.queued else info.state.value


async def line(link: Link) -> list[str]:
    return [one.id for one in (await link.call(ListQueue(), QueueList)).sessions]


async def refused(link: Link, call: object) -> str:
    with pytest.raises(CallFailed) as caught:
        await link.call(call, SessionReply)  # type: ignore[arg-type]
    return f"{caught.value.failure.code}: {caught.value.failure.text}"


def starts(root: Root, session: str) -> int:
    return sum(record["kind"] == "run started" for record in root.journal(session))


async def test_one_after_the_other_in_the_order_people_give(root: Root, watcher: Watcher) -> None:
    link = watcher.link
    for name in "abcd":
        await new(link, solver() if name == "a" else SHORT, start=False, name=name)
    assert await queue(link, "a") == "running"
    assert await queue(link, "b") == "cpu: a"
    await queue(link, "c")
    await queue(link, "d", priority=1)
    assert await line(link) == ["4", "2", "3"]
    moved = (await link.call(MoveInQueue(session="c", where="up"), SessionReply)).session
    assert moved.queued is not None and (moved.queued.place, moved.state) == (2, State.QUEUED)
    await link.call(MoveInQueue(session="b", priority=7), SessionReply)
    assert await line(link) == ["2", "4", "3"]
    assert json.loads((root.path / "queue.json").read_text())["entries"][0]["session"] == "2"

    # A person's own start waits for nobody.
    await new(link, SHORT, name="mine")
    await watcher.state(State.FINISHED, session="5")
    assert await line(link) == ["2", "4", "3"]

    await link.call(PauseSession(session="a"), SessionReply)
    ended = [await watcher.state(State.FINISHED, session=id_) for id_ in ("2", "4", "3")]
    began = [one.runs[0].started for one in ended]
    assert began == sorted(began) and await line(link) == []
    assert all(one.queued is None for one in ended)


async def test_slots_let_several_in_and_none(root: Root, watcher: Watcher) -> None:
    link = watcher.link
    for _ in range(3):
        await new(link, solver(), start=False)
    told = await link.call(SetSlots(device="cpu", slots=0), QueueList)
    assert told.slots == {"cpu": 0}
    assert await queue(link, "1") == "cpu has no slots"
    await queue(link, "2"), await queue(link, "3")
    await link.call(SetSlots(device="cpu", slots=2), QueueList)
    await watcher.state(State.RUNNING, session="1")
    await watcher.state(State.RUNNING, session="2")
    assert (await get(link, "3")).state is State.QUEUED
    assert "there is no device '7'" in await refused(link, SetSlots(device="7", slots=1))
    (cpu,) = (await link.call(ListDevices(), DeviceList)).devices
    assert (cpu.id, cpu.slots, cpu.sessions) == ("cpu", 2, ["1", "2"]) and cpu.memory_total


async def test_out_of_the_queue_it_is_what_it_was(root: Root, watcher: Watcher) -> None:
    link = watcher.link
    await new(link, solver(extra="snapshot: 5\n"), name="busy")
    await new(link, solver(speed=200), name="paused")
    await watcher.iteration(5, "2")
    await link.call(PauseSession(session="2"), SessionReply)
    await watcher.state(State.PAUSED, session="2")
    for leave in (PauseSession(session="2"), UnqueueSession(session="2")):
        assert await queue(link, "2") == "cpu: busy"
        for call in (ResetSession(session="2"), DeleteSession(session="2")):
            assert "waits in the queue" in await refused(link, call)
        assert (await link.call(leave, SessionReply)).session.state is State.PAUSED
    assert "is not in the queue" in await refused(link, UnqueueSession(session="2"))
    assert "is not in the queue" in await refused(link, MoveInQueue(session="2", where="up"))
    assert "is running already" in await refused(link, QueueSession(session="1"))
    # When its turn comes it goes on from its snapshot; started by hand it leaves the queue.
    await queue(link, "2")
    await link.call(StartSession(session="2"), SessionReply)
    info = await watcher.trains(2, "2")
    assert info.runs[1].resumed_from == info.snapshots[-1].iteration
    assert await line(link) == [] and info.queued is None


async def test_start_after(root: Root, watcher: Watcher) -> None:
    link = watcher.link
    await link.call(SetSlots(device="cpu", slots=9), QueueList)
    await new(link, solver(max_iter=300, speed=200), name="first")
    await new(link, solver(max_iter=300, speed=200, fatal_at=30), name="fails")
    for name in ("after first", "after fails", "after any end"):
        await new(link, SHORT, start=False, name=name)
    assert await queue(link, "3", after="first") == "after first"
    assert await queue(link, "4", after="2") == "after fails"
    assert await queue(link, "5", after="2", any_end=True) == "after fails"
    assert "would wait for itself" in await refused(link, QueueSession(session="3", after="3"))
    assert "not-found" in await refused(link, QueueSession(session="3", after="nobody"))
    assert (await watcher.state(State.FAILED, session="2")).state is State.FAILED
    first, third = [await watcher.state(State.FINISHED, session=id_) for id_ in ("1", "3")]
    assert first.runs[0].ended is not None and third.runs[0].started >= first.runs[0].ended - 0.05
    await watcher.state(State.FINISHED, session="5")
    waits = (await get(link, "4")).queued
    assert waits is not None and waits.reason == "after fails, which failed"


async def test_an_invalid_one_says_why_keeps_its_place_and_blocks_nobody(
    root: Root, watcher: Watcher
) -> None:
    link = watcher.link
    await new(link, solver(), name="busy")
    for _ in range(2):
        await new(link, SHORT, start=False)
    await queue(link, "2"), await queue(link, "3")
    net = root.session("2") / "net.prototxt"
    net.write_text(NET.replace('bottom: "ip" ', 'bottom: "typo" '))
    await link.call(PauseSession(session="1"), SessionReply)
    info = await watcher.state(State.INVALID, session="2")
    assert "typo" in info.problems[0].text and starts(root, "2") == 0
    await watcher.state(State.FINISHED, session="3")
    assert await line(link) == ["2"]
    assert (await get(link, "2")).queued is not None
    net.write_text(NET)
    await watcher.state(State.FINISHED, session="2")
    assert await line(link) == [] and starts(root, "2") == 1


async def test_sessions_on_graphics_cards(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BARISTA_GPUS", "2")
    watcher = Watcher(await root.link())
    await watcher.subscribe()
    link = watcher.link

    async def made(device: str) -> SessionInfo:
        call = NewSession(
            solver=solver(speed=50), net=NET, caffe="scripted", device=device, name=f"on {device}"
        )
        return (await link.call(call, SessionReply)).session

    for device in ("0", "0,1", "1", "all"):
        await made(device)
    assert await queue(link, "1") == "running"
    assert await queue(link, "2") == "GPU 0: on 0"
    assert await queue(link, "3") == "GPU 1: on 0,1", "the one on both cards is not overtaken"
    assert await queue(link, "4") == "GPU 0: on 0, on 0,1"
    command = json.loads((root.run() / "command.json").read_text())
    assert "--gpu=0" in command["argv"]
    await link.call(UnqueueSession(session="2"), SessionReply)
    await watcher.state(State.RUNNING, session="3")
    devices = (await link.call(ListDevices(), DeviceList)).devices
    assert [(one.id, one.sessions) for one in devices] == [("cpu", []), ("0", ["1"]), ("1", ["3"])]
    for id_ in ("1", "3"):
        await link.call(PauseSession(session=id_, force="kill"), SessionReply)
    await watcher.state(State.RUNNING, session="4")


async def test_killed_again_and_again_it_starts_each_once_and_in_order(root: Root) -> None:
    """SIGKILL at random moments while a queue is worked off."""
    dice = random.Random(7)
    link = await root.link()
    order = [str(number) for number in range(1, 5)]
    for _ in order:
        await new(link, solver(max_iter=30, speed=300), start=False)
    for id_ in order:
        await queue(link, id_)
    for _ in range(8):
        await asyncio.sleep(dice.uniform(0, 0.3))
        await root.kill_agent(link)
        link = await root.link()
    watcher = Watcher(link)
    await watcher.subscribe()
    ended = [await watcher.state(State.FINISHED, State.FAILED, session=id_) for id_ in order]
    assert [one.state for one in ended] == [State.FINISHED] * 4
    began = [one.runs[-1].started for one in ended]
    assert began == sorted(began) and await line(link) == []
    for one in ended:
        # A run that never came to a process is no start.
        assert len([run for run in one.runs if run.lines]) == 1
        assert len(list((root.session(one.id) / "runs").glob("*/process.json"))) == 1


@pytest.mark.parametrize("launched", [True, False])
async def test_killed_between_a_start_and_the_queue_s_file(
    root: Root, watcher: Watcher, launched: bool
) -> None:
    """The entry is still there, the run folder too: it was started if that holds a process."""
    link = watcher.link
    await link.call(SetSlots(device="cpu", slots=0), QueueList)
    await new(link, solver(), start=False)
    await queue(link, "1")
    before = (root.path / "queue.json").read_bytes()
    if launched:
        await link.call(StartSession(session="1"), SessionReply)
        await link.call(PauseSession(session="1"), SessionReply)
        await watcher.state(State.PAUSED)
    await root.kill_agent(link)
    (root.path / "queue.json").write_bytes(before)
    if not launched:
        (root.session() / "runs" / "0001").mkdir(parents=True)
        # As long ago as one waits for a runner.
        os.utime(root.run(), (1, 1))
    link = await root.link()
    assert await line(link) == ([] if launched else ["1"])
    assert (await get(link)).state is (State.PAUSED if launched else State.QUEUED)


async def test_a_damaged_file_is_set_aside_and_told(root: Root, watcher: Watcher) -> None:
    await new(watcher.link, SHORT, start=False)
    await root.kill_agent(watcher.link)
    (root.path / "queue.json").write_text('{"entries": [{"session"')
    again = Watcher(await root.link())
    told = await again.subscribe()
    assert any("the queue is lost" in notice.text for notice in told.notices)
    assert list(root.path.glob("queue.json.damaged-*"))
    assert await queue(again.link, "1") == "running"


async def test_deleted_while_it_waits_invalid(root: Root, watcher: Watcher) -> None:
    link = watcher.link
    await new(link, solver(), name="busy")
    await new(link, SHORT, start=False)
    await queue(link, "2")
    (root.session("2") / "net.prototxt").write_text("layer {")
    await watcher.state(State.INVALID, session="2")
    await link.call(DeleteSession(session="2"), TrashReply)
    assert await line(link) == []
    await until(lambda: '"entries"' not in (root.path / "queue.json").read_text(), "the file forgets it")
