"""The command ``barista-server``."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from barista_server.api.messages import PauseSession, SessionReply, State

from .agents import Root, Watcher, exists, new, solver, until

COMMAND = str(Path(sys.executable).with_name("barista-server"))


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=60)


def test_version_and_help() -> None:
    assert command("--version").stdout == "barista-server 0.1.0\n"
    told = command("--help").stdout
    assert all(word in told for word in ("serve", "stop", "status"))
    assert command("fly").returncode == 2


async def test_serve_status_stop(root: Root) -> None:
    assert command("status", "--root", str(root.path)).returncode == 1
    assert command("serve", "--root", str(root.path)).returncode == 0
    # Served already: that is what was asked for.
    assert command("serve", "--root", str(root.path)).returncode == 0
    watcher = Watcher(await root.link())
    await watcher.subscribe()
    await new(watcher.link, solver(max_iter=30, speed=0), name="mine")
    await watcher.state(State.FINISHED)
    status = command("status", "--root", str(root.path)).stdout
    assert str(watcher.link.welcome.pid) in status and "finished" in status and "30/30" in status
    assert "Trainings go on" in command("stop", "--root", str(root.path)).stdout
    assert command("stop", "--root", str(root.path)).returncode == 1
    await until(lambda: not exists(watcher.link.welcome.pid), "it ends")
    assert not (root.path / "agent.json").exists()


async def test_foreground_ends_with_sigterm(root: Root) -> None:
    process = await asyncio.create_subprocess_exec(COMMAND, "serve", "--foreground", "--root", str(root.path))
    await until((root.path / "agent.sock").exists, "it listens")
    link = await root.link()
    assert link.welcome.pid == process.pid
    os.kill(process.pid, signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 20) == 0
    await link.wait_closed()


async def test_an_agent_that_is_of_no_use_ends_by_itself(root: Root) -> None:
    assert command("serve", "--root", str(root.path), "--linger", "0.5").returncode == 0
    watcher = Watcher(await root.link())
    await watcher.subscribe()
    pid = watcher.link.welcome.pid
    session = await new(watcher.link, solver(speed=50), name="mine")
    await watcher.state(State.RUNNING)
    await watcher.link.close()

    # A training needs it, whoever is there: for longer than it would linger.
    log = root.run(1, session.id) / "caffe.log"
    before = time.monotonic()
    await until(lambda: time.monotonic() - before > 2 and log.stat().st_size > 0, "the training goes on")
    assert exists(pid)

    link = await root.link()
    assert link.welcome.pid == pid
    await link.call(PauseSession(session=session.id), SessionReply)
    await link.close()
    await until(lambda: not exists(pid), "it ends with the training")
    assert (await root.link()).welcome.pid != pid


def test_a_root_that_cannot_be_used_is_said_at_once(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    done = command("serve", "--root", str(blocked / "root"))
    assert done.returncode == 1 and "Not a directory" in done.stderr


async def test_an_agent_that_will_not_talk_can_be_ended(root: Root, watcher: Watcher) -> None:
    # Its socket is gone, so all that is left is what it wrote about itself.
    (root.path / "agent.sock").unlink()
    pid = watcher.link.welcome.pid
    about = json.loads((root.path / "agent.json").read_text())
    (root.path / "agent.json").write_text(json.dumps({**about, "start_ticks": 1}))
    assert command("stop", "--root", str(root.path)).returncode == 1
    assert exists(pid)
    (root.path / "agent.json").write_text(json.dumps(about))
    assert command("stop", "--root", str(root.path)).returncode == 0
    assert not exists(pid)
