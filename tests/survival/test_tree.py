"""A caffe behind a wrapper script: signals reach the training, and nothing is left behind unsaid."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from barista_server.agent import process
from barista_server.api.link import CallFailed
from barista_server.api.messages import (
    PauseSession,
    SessionInfo,
    SessionReply,
    SnapshotReply,
    SnapshotSession,
    StartSession,
    State,
)
from tests.agent.agents import SCRIPTED, Root, Watcher, command_line, exists, get, new, solver, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


def wrapped(root: Root, *words: str) -> Path:
    """Put a shell script, of lines with ``$CAFFE`` for the real command, in the scripted caffe's place."""
    path = root.path / "caffe in a shell.sh"
    path.write_text(
        "#!/bin/sh\n" + "\n".join(words).replace("$CAFFE", f"'{sys.executable}' '{SCRIPTED}'") + "\n"
    )
    path.chmod(0o755)
    (root.path / "caffes.json").write_text(json.dumps([{"name": "scripted", "argv": [str(path)]}]))
    return path


async def training(root: Root, watcher: Watcher) -> process.Identity:
    """Start a session; the process that trains, which the runner does not know."""
    await new(watcher.link, solver(speed=100, extra="snapshot: 20\n"))
    await watcher.iteration(30)
    family = process.marked(root.process()["nonce"])
    assert family[0].pid == root.process()["caffe_pid"]
    return family[-1]


@pytest.mark.parametrize("shell", ["sh", "bash", "python"])
async def test_g10_signals_reach_the_caffe_of_a_wrapper_that_waits(
    root: Root, watcher: Watcher, shell: str
) -> None:
    path = wrapped(root, '$CAFFE "$@"', "exit $?")
    if shell == "bash":
        path.write_text(path.read_text().replace("#!/bin/sh", "#!/bin/bash"))
    elif shell == "python":
        call = f"sys.exit(subprocess.call([sys.executable, {str(SCRIPTED)!r}, *sys.argv[1:]]))"
        path.write_text(f"#!{sys.executable}\nimport subprocess, sys\n{call}\n")
    trains = await training(root, watcher)
    assert trains.pid != root.process()["caffe_pid"]
    taken = await watcher.link.call(SnapshotSession(session="1"), SnapshotReply)
    assert taken.snapshot.iteration > 0 and exists(trains.pid)
    await watcher.link.call(PauseSession(session="1"), SessionReply)
    assert (await watcher.state(State.PAUSED, State.FAILED, State.INTERRUPTED)).state is State.PAUSED
    assert not exists(trains.pid)


async def test_g10_a_wrapper_that_executes_caffe_is_caffe(root: Root, watcher: Watcher) -> None:
    # As containers do, with an environment of its own: it carries no mark.
    wrapped(root, 'exec env -i PATH="$PATH" $CAFFE "$@"')
    trains = await training(root, watcher)
    assert trains.pid == root.process()["caffe_pid"]
    await root.kill_agent(watcher.link)
    watcher = Watcher(await root.link())
    await watcher.subscribe()
    assert watcher.sessions["1"].state is State.RUNNING
    await watcher.link.call(PauseSession(session="1"), SessionReply)
    assert (await watcher.state(State.PAUSED, State.FAILED)).state is State.PAUSED


@pytest.mark.parametrize("force", ["term", "kill"])
async def test_g10_force_leaves_nothing_of_a_wrapped_caffe(root: Root, watcher: Watcher, force: str) -> None:
    wrapped(root, '$CAFFE "$@"', "exit $?")
    trains = await training(root, watcher)
    await watcher.link.call(PauseSession(session="1", force=force), SessionReply)  # type: ignore[arg-type]
    info = await watcher.state(State.FAILED)
    assert "by force" in info.problems[0].text
    await until(lambda: not exists(trains.pid), "the training itself ends")


async def test_g10_a_caffe_that_outlives_its_wrapper_is_told_of_and_no_second_starts(
    root: Root, watcher: Watcher
) -> None:
    wrapped(root, '$CAFFE "$@"', "exit $?")
    trains = await training(root, watcher)
    os.kill(root.process()["caffe_pid"], signal.SIGKILL)
    await watcher.state(State.FAILED)
    await until(lambda: any("lives on" in text for text in watcher.notices), "the word")
    assert str(trains.pid) in next(text for text in watcher.notices if "lives on" in text)
    with pytest.raises(CallFailed, match="still has processes") as caught:
        await watcher.link.call(StartSession(session="1"), SessionReply)
    assert f"kill -INT {trains.pid}" in (caught.value.failure.hint or "")
    os.kill(trains.pid, signal.SIGINT)
    await until(lambda: not exists(trains.pid), "it stops")
    started: SessionInfo = (await watcher.link.call(StartSession(session="1"), SessionReply)).session
    assert started.runs[-1].resumed_from is not None
    assert (await get(watcher.link)).state is State.RUNNING


HELPER = f"""$BEFORE '{sys.executable}' -c '
import os, signal, sys, time
os.setsid()
signal.signal(signal.SIGTERM, signal.SIG_IGN if "deaf" in sys.argv else signal.SIG_DFL)
time.sleep(600)' """
"""A helper that a wrapper starts, by ``$BEFORE``: in a session of its own, it cares for nobody's end."""


def helpers(nonce: str) -> list[int]:
    return [one.pid for one in process.marked(nonce) if "time.sleep(600)" in command_line(one.pid)]


async def with_helper(root: Root, watcher: Watcher, words: str = "", before: str = "") -> tuple[str, int]:
    """Nonce of a training whose wrapper started a helper first, and the helper."""
    wrapped(root, HELPER.replace("$BEFORE", before) + words + " &", '$CAFFE "$@"', "exit $?")
    await new(watcher.link, solver(speed=100, extra="snapshot: 20\n"))
    await watcher.iteration(30)
    nonce = root.process()["nonce"]
    (helper,) = await until(lambda: helpers(nonce), "the helper runs")
    return nonce, helper


@pytest.mark.parametrize(("words", "before"), [("", "env -i"), ("deaf", "")])
async def test_g10_a_pause_leaves_no_children_of_a_wrapper(
    root: Root, watcher: Watcher, words: str, before: str
) -> None:
    nonce, helper = await with_helper(root, watcher, words, before)
    await watcher.link.call(PauseSession(session="1"), SessionReply)
    info = await watcher.state(State.PAUSED, State.FAILED)
    assert info.state is State.PAUSED and not exists(helper) and not process.marked(nonce)
    assert any(f"left behind: process {helper}" in text for text in watcher.notices)
    # So it can be started again at once.
    await watcher.link.call(StartSession(session="1"), SessionReply)


async def test_g10_force_ends_grandchildren_in_sessions_of_their_own(root: Root, watcher: Watcher) -> None:
    nonce, helper = await with_helper(root, watcher, before="env -i")
    await watcher.link.call(PauseSession(session="1", force="kill"), SessionReply)
    await watcher.state(State.FAILED)
    assert not exists(helper) and not process.marked(nonce)


async def test_g10_a_wrapper_that_goes_first_does_not_cost_the_snapshot(root: Root, watcher: Watcher) -> None:
    # It ends at the signal itself, while caffe still writes.
    wrapped(root, '$CAFFE "$@" &', "trap 'exit 0' INT TERM", "wait")
    trains = await training(root, watcher)
    os.kill(root.process()["caffe_pid"], signal.SIGSTOP)
    await watcher.link.call(PauseSession(session="1"), SessionReply)
    os.kill(root.process()["caffe_pid"], signal.SIGKILL)
    info = await watcher.state(State.PAUSED, State.FAILED, State.INTERRUPTED)
    assert not exists(trains.pid) and info.snapshots[-1].iteration >= 30


async def test_g10_what_outlived_the_agent_is_ended_by_the_next(root: Root, watcher: Watcher) -> None:
    nonce, helper = await with_helper(root, watcher)
    await watcher.link.call(PauseSession(session="1"), SessionReply)
    await root.kill_agent(watcher.link)
    # The agent may have sent the signal without having noted it, or not even that.
    for trains in filter(process.trains, process.marked(nonce)):
        process.send(trains, signal.SIGINT)
    await until(lambda: (root.run() / "exit.json").exists(), "caffe has ended")
    again = Watcher(await root.link())
    await again.subscribe()
    assert (await again.state(State.PAUSED, State.FAILED)).state is State.PAUSED
    assert not exists(helper) and not process.marked(nonce)
