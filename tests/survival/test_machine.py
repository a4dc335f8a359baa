"""Memory runs out, folders are deleted, histories grow long."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from barista_server.api.messages import ConfigureSession, SessionReply, StartSession, State
from tests.agent.agents import Root, Watcher, exists, get, new, solver, until

LIMIT = 200 << 20
"""Bytes: enough for the agent and a small caffe, not for HOG."""
HOG = """#!/bin/sh
echo "I1125 07:00:00.000000     1 solver.cpp:1] Starting Optimization" >&2
echo "I1125 07:00:00.000000     1 solver.cpp:1] Iteration 7, loss = 0.5" >&2
exec python3 -c 'bytearray(1 << 30)'
"""


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group with little memory."""
    for place, limit in (
        (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),
        (Path("/sys/fs/cgroup"), "memory.max"),
    ):
        path = place / f"barista-test-{os.getpid()}"
        try:
            path.mkdir()
        except OSError:
            continue
        try:
            (path / limit).write_text(str(LIMIT))
            yield path
            return
        except OSError:
            continue
        finally:
            with suppress(OSError):
                path.rmdir()
    pytest.skip("no control group for memory can be made here")


async def test_a_caffe_that_is_killed_for_want_of_memory_is_told_so(
    root: Root, watcher: Watcher, group: Path
) -> None:
    hog = root.path / "hog.sh"
    hog.write_text(HOG)
    hog.chmod(0o755)
    (root.path / "caffes.json").write_text(json.dumps([{"name": "scripted", "argv": [str(hog)]}]))
    await new(watcher.link, solver(), start=False)
    await watcher.link.call(ConfigureSession(session="1", auto_resume="crash"), SessionReply)
    # Runners are made by the agent.
    agent = watcher.link.welcome.pid
    (group / "cgroup.procs").write_text(str(agent))
    await watcher.link.call(StartSession(session="1"), SessionReply)
    info = await watcher.state(State.FAILED)
    assert "memory ran out" in info.problems[0].text and "batch_size" in (info.problems[0].hint or "")
    assert info.iteration == 7 and exists(agent)
    info = await until(lambda: (one := watcher.sessions["1"]).resumes and one, "the plan")
    assert info.resumes is not None and info.resumes.attempt == 1
    await root.end()


async def test_a_run_whose_folder_was_deleted_ends_in_a_state_and_the_agent_goes_on(
    root: Root, watcher: Watcher
) -> None:
    await new(watcher.link, solver(max_iter=150, speed=100))
    await watcher.iteration(10)
    process = root.process()
    shutil.rmtree(root.session())
    info = await watcher.state(State.INTERRUPTED, State.FAILED)
    assert info.problems[0].text
    await until(lambda: not exists(process["runner_pid"]), "the runner ends")
    # Others do not notice.
    other = await new(watcher.link, solver(max_iter=20, speed=0))
    assert (await watcher.state(State.FINISHED, session=other.id)).iteration == 20


async def test_a_session_of_a_thousand_runs_loads_quickly(root: Root, watcher: Watcher) -> None:
    await new(watcher.link, solver(max_iter=100_000, speed=0, vanish_at=30))
    await watcher.state(State.FAILED)
    await root.kill_agent(watcher.link)
    journal = root.session() / "journal.jsonl"
    records = root.journal()
    own = [record for record in records if record.get("run") == 1]
    with journal.open("a") as file:
        for number in range(2, 1001):
            shutil.copytree(root.run(), root.run(number))
            for record in own:
                file.write(json.dumps({**record, "run": number}) + "\n")
    begun = time.monotonic()
    link = await root.link()
    info = await get(link)
    took = time.monotonic() - begun
    assert len(info.runs) == 1000 and info.runs[-1].exit_code == 3
    print(f"a thousand runs: {took:.2f} s")
    assert took < 10
