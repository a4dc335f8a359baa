"""What a reboot, or a crash, has ended starts again by itself where that is wanted."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from barista_server.agent.resuming import (
    LONGEST_PAUSE,
    MOST_TRIES,
    Plan,
    next_attempt,
    pause_before,
    planned,
)
from barista_server.agent.unit import quoted, unit_name
from barista_server.api.messages import (
    AutoResume,
    ConfigureSession,
    Done,
    PauseSession,
    SessionReply,
    StartSession,
    State,
    StopAgent,
)
from tests.agent.agents import Root, Watcher, exists, get, new, solver, until

BEFORE = "00000000-0000-0000-0000-000000000000"
"""Id of an earlier boot."""


def test_g05_pauses_double_up_to_an_hour() -> None:
    pauses = [pause_before(attempt) for attempt in range(1, MOST_TRIES + 1)]
    assert pauses[:4] == [60, 120, 240, 480] and pauses[-1] == pauses[-3] == LONGEST_PAUSE == 3600


@pytest.mark.parametrize(
    ("before", "started", "reached", "attempt"),
    [
        (None, 100.0, 0, 1),
        (Plan(1, 3, 90.0, 40), 100.0, 40, 4),
        # it came further
        (Plan(1, 3, 90.0, 40), 100.0, 60, 1),
        # a person did not wait for it
        (Plan(1, 3, 190.0, 40), 100.0, 40, 1),
    ],
)
def test_g05_tries_are_counted_anew_after_progress(
    before: Plan | None, started: float, reached: int, attempt: int
) -> None:
    assert next_attempt(before, started, reached) == attempt


def test_g05_a_plan_is_the_newest_legible_one_of_its_run() -> None:
    def record(**changes: Any) -> dict[str, Any]:
        plan = {"kind": "resume planned", "run": 1, "attempt": 1, "due": 5.0, "reached": 0}
        return {**plan, **changes}

    records = [record(), record(attempt=2), record(attempt="x"), record(run=2)]
    assert planned(records, 1) == Plan(1, 2, 5.0, 0) and planned(records, 3) is None


async def configured(root: Root, watcher: Watcher, auto: AutoResume) -> int:
    """A session that trains and has snapshots, with the setting; pid of its caffe."""
    await new(watcher.link, solver(speed=200, extra="snapshot: 20\n"))
    await until(lambda: len(watcher.sessions["1"].snapshots) > 1, "snapshots")
    # Unlike caffe and device this may be chosen while it runs.
    reply = await watcher.link.call(ConfigureSession(session="1", auto_resume=auto), SessionReply)
    assert reply.session.auto_resume == auto
    pid: int = root.process()["caffe_pid"]
    return pid


async def reboot(root: Root, watcher: Watcher, run: int = 1) -> Watcher:
    """Everything dies; the next agent finds itself on a machine that was started anew."""
    await root.kill_agent(watcher.link)
    process = root.process(run)
    for name in ("runner_pid", "caffe_pid"):
        os.kill(process[name], signal.SIGKILL)
    await until(lambda: not exists(process["caffe_pid"]), "caffe dies with the machine")
    path = root.run(run) / "process.json"
    path.write_text(json.dumps({**process, "boot_id": BEFORE}))
    return await subscribed(root)


async def subscribed(root: Root) -> Watcher:
    again = Watcher(await root.link())
    told = await again.subscribe()
    again.notices += [notice.text for notice in told.notices]
    return again


async def wait_while_no_agent_is_there(root: Root, watcher: Watcher) -> Watcher:
    """The pause before the next try passes, and the agent that planned it is killed meanwhile."""
    await root.kill_agent(watcher.link)
    path = root.session() / "journal.jsonl"
    records = root.journal()
    newest = max(n for n, record in enumerate(records) if record["kind"] == "resume planned")
    records[newest]["due"] -= 7200
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return await subscribed(root)


async def test_g05_after_a_reboot_it_goes_on_by_itself_from_the_newest_good_snapshot(
    root: Root, watcher: Watcher
) -> None:
    await configured(root, watcher, "on")
    watcher = await reboot(root, watcher)
    info = await until(lambda: (one := watcher.sessions["1"]).resumes and one, "the plan")
    assert info is not None and info.state is State.INTERRUPTED and info.resumes is not None
    assert (info.resumes.attempt, info.resumes.most) == (1, MOST_TRIES)
    assert any("in 1 min" in text for text in watcher.notices)
    # The newest snapshot was being written when the power went.
    before, newest = info.snapshots[-2:]
    state = root.session() / newest.state
    state.write_bytes(state.read_bytes()[:-3])
    watcher = await wait_while_no_agent_is_there(root, watcher)
    info = await watcher.trains(2)
    assert info.state is State.RUNNING and info.resumes is None
    assert info.runs[-1].resumed_from == before.iteration < newest.iteration
    assert any("skips" in text and newest.state in text for text in watcher.notices)


async def test_g05_without_progress_it_waits_longer_and_then_no_more(root: Root, watcher: Watcher) -> None:
    await configured(root, watcher, "on")
    watcher = await reboot(root, watcher)
    await until(lambda: watcher.sessions["1"].resumes, "the plan")
    # Only what comes further than this counts.
    script = solver(speed=200).replace("# script: {", '# script: {"silent_at": 60, ')
    text = (root.session() / "solver.prototxt").read_text()
    (root.session() / "solver.prototxt").write_text(
        script + "\n".join(line for line in text.splitlines() if line.startswith(("net", "snapshot_prefix")))
    )
    watcher = await wait_while_no_agent_is_there(root, watcher)
    await watcher.trains(2)
    watcher = await reboot(root, watcher, 2)
    info = await until(lambda: (one := watcher.sessions["1"]).resumes and one, "the next plan")
    assert info.resumes is not None and info.resumes.attempt == 2
    # Eight more of that kind.
    await root.kill_agent(watcher.link)
    path = root.session() / "journal.jsonl"
    records = root.journal()
    for record in records:
        if record["kind"] == "resume planned" and record["run"] == 1:
            record["attempt"] = MOST_TRIES
    path.write_text(
        "".join(
            json.dumps(one) + "\n"
            for one in records
            if not (one["kind"] == "resume planned" and one["run"] == 2)
        )
    )
    watcher = await subscribed(root)
    await until(lambda: any("came no further" in text for text in watcher.notices), "the word")
    info = await get(watcher.link)
    assert info.state is State.INTERRUPTED and info.resumes is None
    # It is not asked again, and a person may.
    assert [record["kind"] for record in root.journal()].count("resume given up") == 1
    await watcher.link.call(StartSession(session="1"), SessionReply)
    await watcher.state(State.RUNNING)


@pytest.mark.parametrize(("auto", "starts"), [("on", False), ("crash", True)])
async def test_g05_a_crash_is_only_gone_on_after_where_that_was_chosen(
    root: Root, watcher: Watcher, auto: AutoResume, starts: bool
) -> None:
    pid = await configured(root, watcher, auto)
    os.kill(pid, signal.SIGSEGV)
    await watcher.state(State.FAILED)
    # The agent's next look, at the latest.
    other = await new(watcher.link, solver(max_iter=260, speed=200), name="clock")
    await watcher.state(State.FINISHED, session=other.id)
    info = await get(watcher.link)
    assert info.state is State.FAILED and (info.resumes is not None) is starts
    assert ("resume planned" in [record["kind"] for record in root.journal()]) is starts
    if starts:
        # Nobody wants it any more.
        await watcher.link.call(ConfigureSession(session="1", auto_resume="off"), SessionReply)
        await until(lambda: watcher.sessions["1"].resumes is None, "the plan is dropped")


async def test_g05_what_a_person_ended_is_not_started_again(root: Root, watcher: Watcher) -> None:
    await configured(root, watcher, "crash")
    await watcher.link.call(PauseSession(session="1", force="kill"), SessionReply)
    await watcher.state(State.FAILED)
    await watcher.link.call(StartSession(session="1"), SessionReply)
    await watcher.trains(2)
    await watcher.link.call(PauseSession(session="1"), SessionReply)
    await watcher.state(State.PAUSED)
    other = await new(watcher.link, solver(max_iter=260, speed=200), name="clock")
    await watcher.state(State.FINISHED, session=other.id)
    assert "resume planned" not in [record["kind"] for record in root.journal()]


async def test_g05_a_shutdown_that_ends_caffe_politely_is_an_interruption(
    root: Root, watcher: Watcher
) -> None:
    pid = await configured(root, watcher, "on")
    await root.kill_agent(watcher.link)
    os.kill(pid, signal.SIGTERM)
    await until(lambda: (root.run() / "exit.json").exists(), "the verdict")
    path = root.run() / "process.json"
    path.write_text(json.dumps({**root.process(), "boot_id": BEFORE}))
    watcher = await subscribed(root)
    info = await until(lambda: (one := watcher.sessions["1"]).resumes and one, "the plan")
    assert info.state is State.INTERRUPTED and "shut down" in info.problems[0].text


async def test_g05_sigterm_to_the_agent_leaves_runs_alone(root: Root, watcher: Watcher) -> None:
    await new(watcher.link, solver(speed=100))
    await watcher.iteration(10)
    os.kill(watcher.link.welcome.pid, signal.SIGTERM)
    await watcher.link.wait_closed()
    assert exists(root.process()["caffe_pid"]) and exists(root.process()["runner_pid"])
    assert (await get(await root.link())).state is State.RUNNING


async def unit(root: Path, *words: str, config: Path) -> tuple[str, str, int | None]:
    """Output, error output and exit code of the command; of systemd it has systemctl alone."""
    (config / "bin").mkdir(exist_ok=True)
    if (systemctl := shutil.which("systemctl")) and not (config / "bin" / "systemctl").exists():
        (config / "bin" / "systemctl").symlink_to(systemctl)
    environment = {**os.environ, "XDG_CONFIG_HOME": str(config), "PATH": str(config / "bin")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "barista_server.agent", "unit", "--root", str(root), *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
    )
    out, error = await process.communicate()
    return out.decode(), error.decode(), process.returncode


async def test_g05_a_unit_starts_the_agent_with_the_machine(root: Root, tmp_path: Path) -> None:
    odd = root.path / 'a "b" $c 100%'
    odd.mkdir()
    text, _, _ = await unit(odd, config=tmp_path)
    assert "KillMode=process\n" in text and "WantedBy=default.target\n" in text
    start = next(line for line in text.splitlines() if line.startswith("ExecStart="))
    assert start.endswith('"--root" ' + quoted(str(odd))) and '\\"b\\" $$c 100%%' in start
    _, error, code = await unit(odd, "--install", config=tmp_path)
    (path,) = (tmp_path / "systemd" / "user").glob("*.service")
    assert path.name == unit_name(odd) and path.read_text() == text
    # Where systemd cannot be had it says what is left to be done.
    assert code == 1 and "loginctl enable-linger" in error
    # What it would start serves the root.
    plain, _, _ = await unit(root.path, config=tmp_path)
    words = next(line for line in plain.splitlines() if line.startswith("ExecStart="))[10:].split()
    agent = await asyncio.create_subprocess_exec(
        *(word.strip('"') for word in words), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await until(lambda: (root.path / "agent.json").exists(), "it serves")
        link = await root.link()
        assert link.welcome.pid == agent.pid
        await link.call(StopAgent(), Done)
        assert await agent.wait() == 0
    finally:
        with suppress(ProcessLookupError):
            agent.kill()
