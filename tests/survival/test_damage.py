"""Files of a session are torn, damaged or gone: what can be known is known."""

from __future__ import annotations

import json
import os
import signal

import pytest

from barista_server.api.messages import (
    PauseSession,
    SessionReply,
    State,
)
from tests.agent.agents import Root, Watcher, get, new, solver


async def test_g09_a_torn_journal_and_a_damaged_session_file_are_mended(root: Root, watcher: Watcher) -> None:
    link = watcher.link
    await new(link, solver(max_iter=30, speed=0), name="first")
    await watcher.state(State.FINISHED)
    await new(link, solver(max_iter=30, speed=0), name="second")
    await watcher.state(State.FINISHED, session="2")
    await root.kill_agent(link)
    journal = root.session() / "journal.jsonl"
    text = journal.read_text()
    journal.write_text(text[: text.rindex("verdict")])
    (root.session() / "session.json").write_bytes(b'{"id": "1", "na\x00')
    link = await root.link()
    first, second = await get(link, "1"), await get(link, "2")
    assert (first.name, first.state, first.iteration, first.caffe) == (
        "first",
        State.FINISHED,
        30,
        "scripted",
    )
    assert (second.name, second.state) == ("second", State.FINISHED)
    assert [path.read_bytes() for path in root.session().glob("session.json.damaged-*")] == [
        b'{"id": "1", "na\x00'
    ]
    assert json.loads((root.session() / "session.json").read_text())["name"] == "first"
    # What comes after a torn line is whole again.
    assert json.loads(journal.read_text().splitlines()[-1])["kind"] == "run ended"


async def test_g09_damaged_process_file_does_not_keep_others_from_loading(
    root: Root, watcher: Watcher
) -> None:
    link = watcher.link
    for _ in range(2):
        info = await new(link, solver(max_iter=30, speed=0))
        await watcher.state(State.FINISHED, session=info.id)
    await root.kill_agent(link)
    (root.run() / "process.json").write_text("{")
    (root.run() / "exit.json").write_text("")
    link = await root.link()
    assert (await get(link, "2")).state is State.FINISHED
    # Its journal told how it ended before the damage.
    assert (await get(link, "1")).state is State.FINISHED
    await root.kill_agent(link)
    (root.session() / "journal.jsonl").unlink()
    info = await get(await root.link(), "1")
    # And without its journal the log still tells.
    assert (info.state, info.iteration) == (State.FINISHED, 30)


async def test_g09_a_damaged_verdict_of_a_killed_caffe_is_named(root: Root, watcher: Watcher) -> None:
    await new(watcher.link, solver(speed=100))
    await watcher.iteration(10)
    os.kill(root.process()["caffe_pid"], signal.SIGKILL)
    await watcher.state(State.FAILED)
    await root.kill_agent(watcher.link)
    (root.run() / "exit.json").write_bytes(b'{"ended": 17')
    (root.session() / "journal.jsonl").unlink()
    info = await get(await root.link())
    assert info.state is State.INTERRUPTED and "exit.json" in info.problems[0].text


@pytest.mark.parametrize("damage", ["torn", "missing"])
async def test_g09_a_live_caffe_is_found_again_without_its_process_file(
    root: Root, watcher: Watcher, damage: str
) -> None:
    await new(watcher.link, solver(speed=100))
    await watcher.iteration(10)
    await root.kill_agent(watcher.link)
    path = root.run() / "process.json"
    before = root.process()
    if damage == "torn":
        path.write_text(path.read_text()[:20])
    else:
        path.unlink()
        # As old as a run that nobody waits for any more.
        os.utime(root.run() / "command.json", (0, 0))
    again = Watcher(await root.link())
    await again.subscribe()
    assert again.sessions["1"].state is State.RUNNING
    assert {**root.process(), "started": 0} == {**before, "started": 0}
    await again.link.call(PauseSession(session="1"), SessionReply)
    assert (await again.state(State.PAUSED, State.FAILED, State.INTERRUPTED)).state is State.PAUSED


async def test_g09_a_damaged_command_file_changes_nothing(root: Root, watcher: Watcher) -> None:
    await new(watcher.link, solver(speed=100))
    await watcher.iteration(10)
    await root.kill_agent(watcher.link)
    (root.run() / "command.json").write_bytes(b"\xff{")
    again = Watcher(await root.link())
    await again.subscribe()
    assert again.sessions["1"].state is State.RUNNING
    await again.link.call(PauseSession(session="1"), SessionReply)
    assert (await again.state(State.PAUSED, State.FAILED, State.INTERRUPTED)).state is State.PAUSED
