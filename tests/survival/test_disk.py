"""A full disk: a small file system as root folder. What is there stays, errors are clear, room heals."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from barista_server.api.link import CallFailed
from barista_server.api.messages import (
    DeleteSession,
    NewSession,
    PauseSession,
    RenameSession,
    ResetSession,
    Restore,
    SessionReply,
    SnapshotReply,
    SnapshotSession,
    StartSession,
    State,
    TrashReply,
)
from tests.agent.agents import DEADLINE, NET, Root, Watcher, exists, get, new, solver

SIZE = "6m"
MODEL = 150_000
"""Numbers, so that four snapshots fit."""


async def finished(*command: str) -> int:
    """Exit code of a command; one that is not there fails."""
    try:
        process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
    except FileNotFoundError:
        return 127
    return await process.wait()


@pytest_asyncio.fixture
async def small() -> AsyncIterator[Root]:
    """A root with a file system of its own."""
    root = Root()
    config = (root.path / "caffes.json").read_bytes()
    if await finished("mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(root.path)) != 0:
        await root.close()
        pytest.skip("only root may mount a small file system")
    (root.path / "caffes.json").write_bytes(config)
    try:
        yield root
    finally:
        await root.end()
        # A helper of the killed agent may have a snapshot open for a moment longer.
        deadline = time.monotonic() + DEADLINE
        while await finished("umount", str(root.path)) != 0:
            assert time.monotonic() < deadline, f"{root.path} is still in use"
            await asyncio.sleep(0.1)
        await root.close()


def fill(folder: Path) -> Path:
    """Take the last byte."""
    ballast = folder / "ballast"
    with ballast.open("wb", 0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return ballast


async def subscribed(root: Root) -> Watcher:
    watcher = Watcher(await root.link())
    await watcher.subscribe()
    return watcher


async def test_g07_snapshots_that_fill_the_disk_cost_only_what_came_after(small: Root) -> None:
    watcher = await subscribed(small)
    await new(watcher.link, solver(speed=100, extra="snapshot: 10\n", model_size=MODEL))
    info = await watcher.state(State.FAILED)
    assert [one.iteration for one in info.snapshots] == [10, 20, 30, 40, 50]
    assert info.runs[0].exit_code == 1
    await watcher.link.call(ResetSession(session="1"), TrashReply)
    trash = next((small.path / "trash").iterdir())
    for old in sorted(trash.glob("*_iter_[1-4]0.*")):
        old.unlink()
    await watcher.link.call(Restore(trash=trash.name), SessionReply)
    started = (await watcher.link.call(StartSession(session="1"), SessionReply)).session
    assert started.runs[-1].resumed_from == 50


async def test_g07_nothing_is_lost_or_begun_by_halves_on_a_full_disk(small: Root) -> None:
    watcher = await subscribed(small)
    await new(watcher.link, solver(max_iter=60, speed=0, extra="snapshot: 20\n"), name="done")
    await watcher.state(State.FINISHED)
    before = sorted(small.path.rglob("*"))
    ballast = fill(small.path)
    for call in (
        NewSession(solver=solver(), net=NET, caffe="scripted"),
        RenameSession(session="1", name="other"),
    ):
        with pytest.raises(CallFailed, match="No space left") as caught:
            await watcher.link.call(call, SessionReply)
        assert caught.value.failure.code == "disk" and "Make room" in (caught.value.failure.hint or "")
    assert sorted(set(small.path.rglob("*")) - {ballast}) == before
    assert (await get(watcher.link)).name == "done"
    # A new agent comes up, and what makes room works.
    await small.kill_agent(watcher.link)
    watcher = await subscribed(small)
    assert (watcher.sessions["1"].name, watcher.sessions["1"].state) == ("done", State.FINISHED)
    await watcher.link.call(DeleteSession(session="1"), TrashReply)
    ballast.unlink()
    trash = next((small.path / "trash").iterdir()).name
    restored = (await watcher.link.call(Restore(trash=trash), SessionReply)).session
    assert (restored.state, len(restored.snapshots)) == (State.FINISHED, 3)


async def test_g07_a_training_on_a_disk_that_fills_is_judged_and_goes_on_later(small: Root) -> None:
    watcher = await subscribed(small)
    await new(watcher.link, solver(speed=100, extra="snapshot: 20\n"))
    await watcher.iteration(30)
    ballast = fill(small.path)
    with pytest.raises(CallFailed, match="before it took the snapshot"):
        await watcher.link.call(SnapshotSession(session="1"), SnapshotReply)
    info = await watcher.state(State.FAILED)
    # The verdict had its place on the disk from the start.
    assert (small.run() / "exit.json").stat().st_size > 100 and info.runs[0].exit_code == 1
    with pytest.raises(CallFailed, match="No space left"):
        await watcher.link.call(StartSession(session="1"), SessionReply)
    assert (await get(watcher.link)).state is State.FAILED and len((await get(watcher.link)).runs) == 1
    ballast.unlink()
    started = (await watcher.link.call(StartSession(session="1"), SessionReply)).session
    assert started.runs[-1].resumed_from == info.snapshots[-1].iteration
    await watcher.trains(started.runs[-1].number)
    await watcher.link.call(PauseSession(session="1"), SessionReply)
    assert (await watcher.state(State.PAUSED)).snapshots[-1].iteration > info.snapshots[-1].iteration


async def test_g07_a_pause_that_found_no_room_says_so(small: Root) -> None:
    watcher = await subscribed(small)
    await new(watcher.link, solver(speed=100, extra="snapshot: 20\n", model_size=MODEL))
    info = await watcher.iteration(30)
    pid = small.process()["caffe_pid"]
    fill(small.path)
    await watcher.link.call(PauseSession(session="1"), SessionReply)
    info = await watcher.state(State.FAILED, State.PAUSED)
    assert info.state is State.FAILED and info.problems and not exists(pid)
