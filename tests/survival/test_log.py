"""A run's log is rotated, cut off or deleted under its caffe: nothing is shown twice or left out."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from barista_server.api.messages import (
    Done,
    FollowLog,
    GetLines,
    Lines,
    PauseSession,
    SessionReply,
    State,
)
from tests.agent.agents import Root, Watcher, exists, get, new, solver, until

from .test_kills import numbers


def rename(log: Path) -> None:
    """As logrotate does, with ``create``."""
    log.rename(log.with_name("caffe.log.1"))
    log.touch()


def rename_elsewhere(log: Path) -> None:
    log.rename(log.parents[3] / "kept.log")
    log.write_text("somebody else's\n")


def delete(log: Path) -> None:
    log.unlink()


def cut(log: Path) -> None:
    """As logrotate does, with ``copytruncate``; without what caffe would write between the two."""
    caffe = json.loads(log.with_name("process.json").read_text())["caffe_pid"]
    os.kill(caffe, signal.SIGSTOP)
    log.with_name("caffe.log.1").write_bytes(log.read_bytes())
    os.truncate(log, 0)
    os.kill(caffe, signal.SIGCONT)


async def followed(root: Root, watcher: Watcher) -> Path:
    """A training whose log is followed; the log."""
    await new(watcher.link, solver(display=1, speed=100, extra="snapshot: 50\n"))
    await watcher.trains(1)
    await watcher.link.call(FollowLog(session="1", run=1), Done)
    await until(lambda: len(watcher.log) > 4000, "it is followed")
    return root.run() / "caffe.log"


async def pause(watcher: Watcher) -> None:
    await watcher.link.call(PauseSession(session="1"), SessionReply)
    assert (await watcher.state(State.PAUSED, State.FAILED)).state is State.PAUSED
    await until(lambda: watcher.ended, "the followed log ends")


async def shown(watcher: Watcher) -> list[str]:
    reply = await watcher.link.call(GetLines(session="1", run=1, start=0, count=100_000), Lines)
    return [line.text for line in reply.lines]


@pytest.mark.parametrize("lose", [rename, rename_elsewhere, delete])
async def test_g08_a_log_that_is_taken_away_is_back_and_whole(
    root: Root, watcher: Watcher, lose: Callable[[Path], None]
) -> None:
    log = await followed(root, watcher)
    lose(log)
    at = watcher.sessions["1"].iteration
    await watcher.iteration(at + 50)
    assert any("its log was" in text for text in watcher.notices)
    # The next agent knows it too.
    if lose is delete:
        await root.kill_agent(watcher.link)
        before, watcher = bytes(watcher.log), Watcher(await root.link())
        await watcher.subscribe()
        watcher.offset, watcher.log = len(before), bytearray(before)
        await watcher.link.call(FollowLog(session="1", run=1, offset=len(before)), Done)
        await watcher.iteration(at + 100)
    await pause(watcher)
    # Byte for byte one log: each line has its number.
    assert numbers(bytes(watcher.log)) == list(range(1, numbers(bytes(watcher.log))[-1] + 1))
    assert log.read_bytes() == bytes(watcher.log)
    assert not watcher.gaps
    if lose is rename_elsewhere:
        assert [one.read_text() for one in root.run().glob("caffe.log.replaced-*")] == ["somebody else's\n"]


async def test_g08_a_log_that_was_deleted_is_there_at_the_end_though_no_agent_was(
    root: Root, watcher: Watcher
) -> None:
    log = await followed(root, watcher)
    await root.kill_agent(watcher.link)
    log.unlink()
    os.kill(root.process()["caffe_pid"], signal.SIGINT)
    await until(lambda: (root.run() / "exit.json").exists(), "the verdict")
    assert (await get(await root.link())).state is State.PAUSED
    found = numbers(log.read_bytes())
    assert found == list(range(1, found[-1] + 1))


async def test_g08_after_a_log_was_cut_off_reading_goes_on(root: Root, watcher: Watcher) -> None:
    log = await followed(root, watcher)
    cut(log)
    at = watcher.sessions["1"].iteration
    await watcher.iteration(at + 50)
    assert any("cut off" in text for text in watcher.notices)
    other = Watcher(await root.link())
    await other.link.call(FollowLog(session="1", run=1), Done)
    await pause(watcher)
    # Nothing is shown twice, and only what nobody had read yet may be missing.
    found = numbers(bytes(watcher.log))
    assert found == sorted(set(found))
    old = numbers(log.with_name("caffe.log.1").read_bytes())
    assert set(range(old[-1] + 1, found[-1] + 1)) <= set(found)
    lines = await shown(watcher)
    assert sum("the log was cut off" in line for line in lines) == 1
    # Curves of before are still there, for this agent; and what is there suffices for the next one.
    await root.kill_agent(watcher.link)
    info = await get(await root.link())
    assert info.state is State.PAUSED and not exists(root.process()["caffe_pid"])


async def test_g08_a_new_agent_can_pause_what_it_knows_by_the_rest_of_its_log(
    root: Root, watcher: Watcher
) -> None:
    log = await followed(root, watcher)
    await root.kill_agent(watcher.link)
    cut(log)
    again = Watcher(await root.link())
    await again.subscribe()
    assert again.sessions["1"].state is State.RUNNING
    await again.link.call(PauseSession(session="1"), SessionReply)
    assert (await again.state(State.PAUSED, State.FAILED)).state is State.PAUSED
