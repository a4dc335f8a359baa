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
from tests.agent.agents import SCRIPTED, Root, Watcher, exists, get, new, solver, until

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
    wrapped(root, 'exec $CAFFE "$@"')
    trains = await training(root, watcher)
    assert trains.pid == root.process()["caffe_pid"]
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
