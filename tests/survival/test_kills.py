"""Kill, vanish, tear, damage: trainings go on, and what is told of them stays true."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import random
import shutil
import signal
import statistics
import time

import pytest

from barista_server.api.link import CallFailed
from barista_server.api.messages import (
    DeleteSession,
    Done,
    ListSessions,
    PauseSession,
    SessionList,
    SessionReply,
    StartSession,
    State,
    StopAgent,
    TrashReply,
)
from tests.agent.agents import Root, Watcher, exists, follow_through_kills, get, new, solver, until


def numbers(log: bytes) -> list[int]:
    """The number each line of the scripted caffe carries."""
    return [int(line.split()[2]) for line in log.decode().splitlines() if line.startswith("I2")]


async def test_g01_twenty_times_killed_the_agent_takes_the_same_training_up_again(root: Root) -> None:
    chance = random.Random(4)
    link = await root.link()
    await new(link, solver(speed=300))
    await until(lambda: (root.run() / "process.json").exists(), "it runs")
    before, seen, took = root.process(), 0, []
    for _ in range(20):
        # Also before it has read all, or said all.
        await asyncio.sleep(chance.uniform(0, 0.3))
        await root.kill_agent(link)
        begun = time.monotonic()
        link = await root.link()
        info = await get(link)
        took.append(time.monotonic() - begun)
        assert info.state is State.RUNNING and info.iteration >= seen
        seen = info.iteration
    assert [run.number for run in info.runs] == [1]
    assert root.process() == before and exists(before["caffe_pid"]) and exists(before["runner_pid"])
    # Process start included. The machine may be busy with other things once or twice.
    assert statistics.median(took) <= 2, took
    kinds = [record["kind"] for record in root.journal()]
    assert kinds == ["created", "run started"]


async def test_g01_the_log_of_a_follower_is_whole_through_kills(root: Root) -> None:
    watcher = Watcher(await root.link())
    await watcher.subscribe()
    await new(watcher.link, solver(display=1, speed=300))
    await watcher.trains(1)
    log = await follow_through_kills(root, 4)
    assert numbers(log) == list(range(1, numbers(log)[-1] + 1))


@pytest.mark.parametrize("command", [True, False])
async def test_g01_a_start_that_died_with_the_agent_is_known_at_once(
    root: Root, watcher: Watcher, command: bool
) -> None:
    await new(watcher.link, solver(max_iter=30, speed=0))
    await watcher.state(State.FINISHED)
    await root.kill_agent(watcher.link)
    # What an agent leaves that dies between making the folder and starting the runner.
    folder = root.run(2)
    folder.mkdir()
    if command:
        shutil.copy(root.run() / "command.json", folder / "command.json")
        (folder / "starting.lock").touch()
    begun = time.monotonic()
    again = Watcher(await root.link())
    info = await get(again.link)
    assert time.monotonic() - begun < 5
    assert (info.state, [run.number for run in info.runs]) == (State.FINISHED, [1])
    assert not folder.exists()
    told = await again.subscribe()
    assert any("run 2 was never started" in notice.text for notice in told.notices)


async def test_g01_a_runner_that_is_about_to_begin_is_waited_for(root: Root, watcher: Watcher) -> None:
    await new(watcher.link, solver(speed=100))
    await watcher.iteration(10)
    await root.kill_agent(watcher.link)
    process = root.run() / "process.json"
    # As if its disk were slow: what it will write, and the lock it has until then.
    written = process.read_bytes()
    process.rename(root.path / "process.json")
    lock = os.open(root.run() / "starting.lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    again = Watcher(await root.link())
    await again.subscribe()
    assert again.sessions["1"].state is State.RUNNING
    process.write_bytes(written)
    os.close(lock)
    await again.link.call(PauseSession(session="1"), SessionReply)
    assert (await again.state(State.PAUSED, State.FAILED)).state is State.PAUSED


async def test_g01_a_stopped_agent_leaves_trainings_alone(root: Root, watcher: Watcher) -> None:
    await new(watcher.link, solver())
    await watcher.iteration(10)
    await watcher.link.call(StopAgent(), Done)
    await watcher.link.wait_closed()
    assert exists(root.process()["caffe_pid"]) and exists(root.process()["runner_pid"])
    again = Watcher(await root.link())
    await again.subscribe()
    assert again.sessions["1"].state is State.RUNNING


async def test_g01_a_pause_goes_on_when_the_agent_is_killed_in_it(root: Root, watcher: Watcher) -> None:
    await new(watcher.link, solver(before=1.5))
    await watcher.link.call(PauseSession(session="1"), SessionReply)
    await root.kill_agent(watcher.link)
    again = Watcher(await root.link())
    await again.subscribe()
    assert again.sessions["1"].state is State.PAUSING
    assert (await again.state(State.PAUSED, State.FAILED)).state is State.PAUSED


async def test_g02_what_ended_while_no_agent_was_there_is_found_out(root: Root, watcher: Watcher) -> None:
    await new(watcher.link, solver(max_iter=150, speed=200))
    await watcher.iteration(5)
    await root.kill_agent(watcher.link)
    await until(lambda: (root.run() / "exit.json").exists(), "caffe ends by itself")
    info = await get(await root.link())
    assert (info.state, info.iteration) == (State.FINISHED, 150)


@pytest.mark.parametrize("how", ["signal", "code"])
async def test_g02_exit_code_and_signal_are_right_though_no_agent_was_there(
    root: Root, watcher: Watcher, how: str
) -> None:
    await new(watcher.link, solver(speed=100, **({"vanish_at": 60} if how == "code" else {})))
    await watcher.iteration(10)
    await root.kill_agent(watcher.link)
    if how == "signal":
        os.kill(root.process()["caffe_pid"], signal.SIGSEGV)
    await until(lambda: (root.run() / "exit.json").exists(), "the verdict")
    info = await get(await root.link())
    assert info.state is State.FAILED
    run = info.runs[0]
    assert (run.exit_code, run.signal) == ((3, None) if how == "code" else (None, signal.SIGSEGV))
    assert ("exit code 3" if how == "code" else "SIGSEGV") in info.problems[0].text


async def test_g03_a_killed_runner_does_not_hurt_the_training(root: Root, watcher: Watcher) -> None:
    await new(watcher.link, solver(speed=100))
    await watcher.iteration(10)
    os.kill(root.process()["runner_pid"], signal.SIGKILL)
    at = watcher.sessions["1"].iteration
    info = await watcher.iteration(at + 20)
    assert info.state is State.RUNNING
    # Without exit.json the log and the snapshot tell that this was a pause.
    await watcher.link.call(PauseSession(session="1"), SessionReply)
    assert (await watcher.state(State.PAUSED, State.INTERRUPTED)).state is State.PAUSED


async def test_g03_what_nobody_waited_for_is_never_finished(root: Root, watcher: Watcher) -> None:
    await new(watcher.link, solver(max_iter=60, speed=100))
    await watcher.iteration(5)
    os.kill(root.process()["runner_pid"], signal.SIGKILL)
    info = await watcher.state(State.INTERRUPTED, State.FINISHED)
    assert b"Optimization Done" in (root.run() / "caffe.log").read_bytes()
    assert info.state is State.INTERRUPTED and "not known" in info.problems[0].text
    assert (info.iteration, info.snapshots[-1].iteration) == (60, 60)
    # What was trained is there, and a start makes sure of the rest.
    await watcher.link.call(StartSession(session="1"), SessionReply)
    assert (await watcher.state(State.FINISHED)).runs[-1].resumed_from == 60


async def test_g03_caffe_and_runner_killed_is_interrupted(root: Root, watcher: Watcher) -> None:
    await new(watcher.link, solver(speed=100, extra="snapshot: 20\n"))
    await watcher.iteration(30)
    for name in ("runner_pid", "caffe_pid"):
        os.kill(root.process()[name], signal.SIGKILL)
    info = await watcher.state(State.INTERRUPTED)
    assert "gone" in info.problems[0].text and info.problems[0].hint
    await watcher.link.call(StartSession(session="1"), SessionReply)
    assert (await watcher.trains(2)).runs[1].resumed_from == info.snapshots[-1].iteration


async def test_g02_sigkill_from_outside_is_named(root: Root, watcher: Watcher) -> None:
    await new(watcher.link, solver(speed=100))
    await watcher.iteration(10)
    os.kill(root.process()["caffe_pid"], signal.SIGKILL)
    info = await watcher.state(State.FAILED)
    assert "SIGKILL" in info.problems[0].text and "memory" in (info.problems[0].hint or "")


async def alter(root: Root, name: str, value: object) -> None:
    """Pretend process.json was written by another boot or for another process."""
    path = root.run() / "process.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), name: value}))


async def test_g05_after_a_reboot_runs_are_interrupted(root: Root, watcher: Watcher) -> None:
    await new(watcher.link, solver(speed=100))
    await watcher.iteration(10)
    await root.kill_agent(watcher.link)
    await alter(root, "boot_id", "00000000-0000-0000-0000-000000000000")
    link = await root.link()
    info = await get(link)
    assert info.state is State.INTERRUPTED
    # A process of that pid may live after a boot: it is somebody else's.
    assert exists(root.process()["caffe_pid"])


@pytest.mark.parametrize(("name", "value"), [("caffe_start", 12345), ("nonce", "another")])
async def test_g04_a_pid_that_was_used_again_is_never_signalled(
    root: Root, watcher: Watcher, name: str, value: object
) -> None:
    await new(watcher.link, solver(speed=100))
    await watcher.iteration(10)
    pid = root.process()["caffe_pid"]
    await root.kill_agent(watcher.link)
    await alter(root, name, value)
    link = await root.link()
    assert (await get(link)).state is State.INTERRUPTED
    for force in ("", "term", "kill"):
        with pytest.raises(CallFailed, match="not running"):
            await link.call(PauseSession(session="1", force=force), SessionReply)  # type: ignore[arg-type]
    assert exists(pid)


@pytest.mark.parametrize("killed", [False, True])
async def test_a_clock_put_back_does_not_spoil_a_pause(root: Root, watcher: Watcher, killed: bool) -> None:
    await new(watcher.link, solver(speed=100, extra="snapshot: 20\n"))
    await watcher.iteration(30)
    await root.kill_agent(watcher.link)
    # As if it had been an hour later when the run started.
    await alter(root, "started", root.process()["started"] + 3600)
    again = Watcher(await root.link())
    await again.subscribe()
    if killed:
        os.kill(root.process()["caffe_pid"], signal.SIGKILL)
    else:
        await again.link.call(PauseSession(session="1"), SessionReply)
    info = await again.state(State.PAUSED, State.FAILED)
    assert info.state is (State.FAILED if killed else State.PAUSED) and info.snapshots
    assert info.runs[0].ended is not None and info.runs[0].ended >= info.runs[0].started
    # A snapshot of the run before is none of the next one.
    await again.link.call(StartSession(session="1"), SessionReply)
    await again.trains(2)
    os.kill(root.process(2)["caffe_pid"], signal.SIGKILL)
    assert (await again.state(State.FAILED)).state is State.FAILED


async def test_a_session_whose_folder_is_gone_can_be_taken_off_the_list(root: Root, watcher: Watcher) -> None:
    await new(watcher.link, solver(), start=False)
    shutil.rmtree(root.session())
    with pytest.raises(CallFailed, match="off the list"):
        await watcher.link.call(DeleteSession(session="1"), TrashReply)
    assert (await watcher.link.call(ListSessions(), SessionList)).sessions == []


async def test_g05_no_second_caffe_starts_beside_one_that_was_lost_sight_of(
    root: Root, watcher: Watcher
) -> None:
    await new(watcher.link, solver(speed=100))
    await watcher.iteration(10)
    await root.kill_agent(watcher.link)
    text = (root.run() / "process.json").read_text()
    await alter(root, "boot_id", "00000000-0000-0000-0000-000000000000")
    again = Watcher(await root.link())
    await again.subscribe()
    assert again.sessions["1"].state is State.INTERRUPTED
    with pytest.raises(CallFailed, match="still has processes") as caught:
        await again.link.call(StartSession(session="1"), SessionReply)
    caffe = json.loads(text)["caffe_pid"]
    assert f"kill -INT {caffe}" in (caught.value.failure.hint or "")
    os.kill(caffe, signal.SIGINT)
    await until(lambda: (root.run() / "exit.json").exists(), "it stops")
    await until(lambda: not exists(json.loads(text)["runner_pid"]), "its runner too")
    info = (await again.link.call(StartSession(session="1"), SessionReply)).session
    assert info.runs[-1].resumed_from is not None


async def test_g06_a_truncated_newest_snapshot_is_skipped_with_a_word(root: Root, watcher: Watcher) -> None:
    link = watcher.link
    await new(link, solver(speed=200, extra="snapshot: 20\n"))
    await watcher.iteration(50)
    await link.call(PauseSession(session="1"), SessionReply)
    info = await watcher.state(State.PAUSED)
    newest, before = info.snapshots[-1], info.snapshots[-2]
    state = root.session() / newest.state
    state.write_bytes(state.read_bytes()[:-3])
    started = (await link.call(StartSession(session="1"), SessionReply)).session
    assert started.runs[-1].resumed_from == before.iteration
    assert newest not in started.snapshots
    await until(lambda: any(newest.state in text and "skips" in text for text in watcher.notices), "the word")


async def test_g07_an_unwritable_folder_is_a_disk_failure_and_loses_nothing(
    root: Root, watcher: Watcher
) -> None:
    link = watcher.link
    await new(link, solver(max_iter=30, speed=0), start=False)
    # A file where the runs' folder would be: refused to root as well, unlike permissions.
    runs = root.session() / "runs"
    runs.write_text("")
    with pytest.raises(CallFailed) as caught:
        await link.call(StartSession(session="1"), SessionReply)
    assert caught.value.failure.code == "disk" and "runs" in caught.value.failure.text
    assert (await get(link)).state is State.WAITING
    runs.unlink()
    await link.call(StartSession(session="1"), SessionReply)
    await watcher.state(State.FINISHED)


async def test_g07_a_journal_that_cannot_be_written_stops_nothing(root: Root, watcher: Watcher) -> None:
    link = watcher.link
    await new(link, solver(max_iter=30, speed=0), start=False)
    journal = root.session() / "journal.jsonl"
    journal.unlink()
    journal.mkdir()
    with pytest.raises(CallFailed) as caught:
        await link.call(StartSession(session="1"), SessionReply)
    assert caught.value.failure.code == "disk"
    journal.rmdir()
    await link.call(StartSession(session="1"), SessionReply)
    await until(lambda: (root.run() / "process.json").exists(), "it runs")
    await watcher.state(State.FINISHED)


async def test_a_folder_that_is_taken_away_under_a_run_ends_in_a_state(root: Root, watcher: Watcher) -> None:
    await new(watcher.link, solver(max_iter=150, speed=100))
    await watcher.iteration(10)
    moved = root.path / "moved"
    root.session().rename(moved)
    info = await watcher.state(State.INTERRUPTED, State.FAILED)
    assert info.problems[0].text
    assert any("cannot be read" in text for text in watcher.notices)
    await until((moved / "runs/0001/exit.json").exists, "the verdict is where the folder is")


async def test_the_agent_goes_when_its_root_is_taken_away(root: Root, watcher: Watcher) -> None:
    pid = watcher.link.welcome.pid
    moved = root.path.with_name(root.path.name + "-moved")
    root.path.rename(moved)
    begun = time.monotonic()
    try:
        await until(lambda: not exists(pid), "the agent ends", 20)
    finally:
        moved.rename(root.path)
    assert time.monotonic() - begun < 20
