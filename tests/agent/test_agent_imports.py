"""Logs of others beside the sessions: read as they are, through a real agent."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from barista_server.agent.hub import Hub
from barista_server.agent.imported import Imported
from barista_server.agent.reading import MOST_LOGS, Reading
from barista_server.agent.store import LogMeta
from barista_server.api.link import CallFailed, Link
from barista_server.api.messages import (
    Call,
    DeleteSession,
    Done,
    Failure,
    FollowLog,
    GetFiles,
    GetLines,
    GetSeries,
    ImportLog,
    Lines,
    ListSeries,
    PauseSession,
    RenameSession,
    ResetSession,
    Restore,
    SeriesKey,
    SeriesList,
    SeriesWindow,
    SessionFiles,
    SessionInfo,
    SessionReply,
    SnapshotSession,
    StartSession,
    State,
    TrashReply,
)

from ..log.log_results import FIXTURES, PUBLIC
from .agents import Root, Watcher, get, new, solver, until

LOSS = SeriesKey(phase="train", name="loss")
OWN = {
    "bvlc1.0-dq": (State.FAILED, 0, None),
    "bvlc1.0-gpu_on_cpu": (State.FAILED, 0, None),
    "bvlc1.0-missing_lmdb": (State.FAILED, 0, None),
    "bvlc1.0-nan": (State.FINISHED, 200, "nan"),
    "bvlc1.0-nodir": (State.FAILED, 1220, "0.00251215"),
    "bvlc1.0-nosolver": (State.FAILED, 0, None),
    "bvlc1.0-resume": (State.FINISHED, 250, "0.00628284"),
    "bvlc1.0-shape": (State.FAILED, 0, None),
    "bvlc1.0-sigint": (State.PAUSED, 363, "0.00945809"),
    "bvlc1.0-sigkill": (State.INTERRUPTED, 160, "0.0233113"),
    "bvlc1.0-sigterm": (State.FAILED, 160, "0.0295139"),
    "bvlc1.0-test": (State.FINISHED, 0, None),
    "bvlc1.0-time": (State.FINISHED, 0, None),
    "bvlc1.0-typo": (State.FAILED, 0, None),
    "bvlc1.0-unknown_bottom": (State.FAILED, 0, None),
    "local2026-glog06-year": (State.FINISHED, 500, "0.00259709"),
}


async def imported(link: Link, path: Path, name: str = "") -> SessionInfo:
    return (await link.call(ImportLog(path=str(path), name=name), SessionReply)).session


async def refused(link: Link, call: Call, result: type[Any] = SessionReply) -> Failure:
    with pytest.raises(CallFailed) as caught:
        await link.call(call, result)
    return caught.value.failure


def stamped(text: str, at: float | None = None, level: str = "I") -> bytes:
    """A line as glog with years prints it, by default now."""
    when = time.time() if at is None else at
    prefix = time.strftime("%Y%m%d %H:%M:%S", time.localtime(when)) + f".{int(when % 1 * 1e6):06d}"
    return f"{level}{prefix} 4711 solver.cpp:1] {text}\n".encode()


def run(first: int, last: int, end: str = "", resumed: str = "", at: float | None = None) -> bytes:
    """A short training: a loss at each tenth iteration from ``first`` to ``last``."""
    text = stamped("Use CPU.", at)
    text += (
        stamped("Initializing solver from parameters: ", at) + b'max_iter: 100\ndisplay: 10\ntype: "SGD"\n'
    )
    if resumed:
        text += stamped(f"Resuming from {resumed}", at)
    text += stamped("Starting Optimization", at)
    for iteration in range(first, last + 1, 10):
        text += stamped(f"Iteration {iteration}, loss = {1 + iteration / 1000:g}", at)
    return text + (stamped(end, at) if end else b"")


def add(path: Path, text: bytes) -> None:
    with path.open("ab") as file:
        file.write(text)


async def test_own_logs_show_as_what_they_are(root: Root, watcher: Watcher, tmp_path: Path) -> None:
    for name, (state, iteration, loss) in OWN.items():
        path = tmp_path / f"{name}.log"
        path.write_bytes((FIXTURES / f"{name}.log").read_bytes())
        os.utime(path, (0, path.stat().st_mtime - 30 * 86_400))
        info = await imported(watcher.link, path)
        assert (info.name, info.kind, info.state) == (name, "log", state), info
        assert (info.iteration, None if info.loss is None else f"{info.loss:.6g}") == (iteration, loss)
        assert info.log is not None
        assert (info.log.path, info.log.size) == (str(path), path.stat().st_size)
        assert (info.folder, info.caffe, info.busy) == (str(tmp_path), "", None)
        if state is State.FAILED:
            problem = info.problems[0]
            assert problem.text and problem.file in (path.name, "typo_net.prototxt")
            assert problem.log_line is not None
            call = GetLines(session=info.id, run=0, start=problem.log_line - 1)
            line = (await watcher.link.call(call, Lines)).lines[0]
            assert (line.number, line.kind) == (problem.log_line - 1, "error")
    assert root.path.joinpath("logs", "1", "log.json").exists()


TRUTH: dict[str, Any] = (
    json.loads((PUBLIC / "ground-truth.json").read_text()) if (PUBLIC / "ground-truth.json").exists() else {}
)
ENDS = {
    "cut": {State.INTERRUPTED},
    "excerpt": {State.INTERRUPTED, State.INVALID},
    "finished": {State.FINISHED},
    "stopped early": {State.PAUSED},
}


@pytest.mark.skipif(not TRUTH, reason="other people's logs are not here")
async def test_public_logs(watcher: Watcher) -> None:
    for name, truth in TRUTH.items():
        info = await imported(watcher.link, PUBLIC / f"{name}.log")
        end = truth["end"].rpartition(" / ")[2]
        if end.startswith(("failed", "killed")):
            assert info.state is State.FAILED and info.problems[0].text, name
        elif end.startswith("caffe test:"):
            assert info.problems[0].text.endswith("before caffe test had its results"), name
        else:
            assert info.state in ENDS[end.partition(" (")[0]], (name, info.state, end)
        last = truth["train_last"] and truth["train_last"][1]
        assert str(info.loss) == str(None if last is None else float(last)), name


async def test_a_log_is_running_until_it_says_otherwise(watcher: Watcher, tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    path.write_bytes(run(0, 30))
    info = await imported(watcher.link, path, "mine")
    assert (info.name, info.state, info.iteration, info.max_iter) == ("mine", State.RUNNING, 30, 100)
    assert info.runs[0].ended is None
    await watcher.link.call(FollowLog(session=info.id, run=0), Done)
    for iteration in (40, 50):
        add(path, stamped(f"Iteration {iteration}, loss = 0.5"))
        info = await watcher.iteration(iteration)
    assert (info.state, info.loss) == (State.RUNNING, 0.5)
    add(path, stamped("Optimization stopped early."))
    info = await watcher.state(State.PAUSED)
    assert info.runs[0].ending == "stopped early" and info.runs[0].ended is not None
    await until(lambda: watcher.ended, "the followed log ends")
    assert bytes(watcher.log) == path.read_bytes()
    add(path, run(50, 100, "Optimization Done.", "x_iter_50.solverstate"))
    info = await watcher.state(State.FINISHED)
    assert [(each.number, each.ending, each.resumed_from) for each in info.runs] == [
        (1, "stopped early", None),
        (2, "finished", 50),
    ]


async def test_runs_of_one_file_are_told_apart(watcher: Watcher, tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    first, second = run(0, 60), run(40, 100, "Optimization Done.", "x_iter_40.solverstate")
    path.write_bytes(first + second)
    info = await imported(watcher.link, path)
    assert (info.state, [each.number for each in info.runs]) == (State.FINISHED, [1, 2])
    assert [(each.log_size, each.lines) for each in info.runs] == [
        (len(part), part.count(b"\n")) for part in (first, second)
    ]
    link = watcher.link
    for number, text in ((1, first), (2, second), (0, first + second)):
        lines = await link.call(GetLines(session=info.id, run=number, start=0, count=1000), Lines)
        assert "\n".join(line.text for line in lines.lines) + "\n" == text.decode()
        some = await link.call(GetLines(session=info.id, run=number, kinds=["metric"], start=-1), Lines)
        assert some.total == text.count(b"loss = ")
        assert some.lines[0].text == [line for line in text.decode().splitlines() if "loss =" in line][-1]
    assert lines.lines[-1].number == (first + second).count(b"\n") - 1
    assert (await link.call(ListSeries(session=info.id), SeriesList)).keys == [LOSS]

    async def iterations(raw: bool) -> list[tuple[float, int]]:
        call = GetSeries(session=info.id, keys=[LOSS], raw=raw, buckets=0)
        found = (await link.call(call, SeriesWindow)).series[0]
        return list(zip(array("d", found.x), array("i", found.run), strict=True))

    assert await iterations(raw=True) == [(10.0 * k, 1) for k in range(7)] + [
        (40 + 10.0 * k, 2) for k in range(7)
    ]
    assert await iterations(raw=False) == [(10.0 * k, 1) for k in range(4)] + [
        (40 + 10.0 * k, 2) for k in range(7)
    ]
    await link.call(FollowLog(session=info.id, run=1), Done)
    await until(lambda: watcher.ended, "run 1 is over")
    assert bytes(watcher.log) == first
    failure = await refused(link, GetLines(session=info.id, run=3), Lines)
    assert failure.text == f"{info.name} has no run 3"


async def test_batches_of_caffe_test_are_points_where_nothing_was_trained(
    watcher: Watcher, tmp_path: Path
) -> None:
    path = tmp_path / "score.log"
    path.write_bytes((FIXTURES / "bvlc1.0-test.log").read_bytes())
    info = await imported(watcher.link, path)
    key = next(
        each
        for each in (await watcher.link.call(ListSeries(session=info.id), SeriesList)).keys
        if each.name == "accuracy"
    )
    call = GetSeries(session=info.id, keys=[key], buckets=0)
    batches = path.read_bytes().count(b", accuracy = ")
    assert (await watcher.link.call(call, SeriesWindow)).series[0].points == batches > 0
    add(path, run(0, 30))
    await watcher.state(State.RUNNING)
    keys = [LOSS, key]
    both = (await watcher.link.call(GetSeries(session=info.id, keys=keys, buckets=0), SeriesWindow)).series
    assert [each.points for each in both] == [4, 0]


async def test_a_file_that_is_cut_off_or_replaced_is_read_anew(watcher: Watcher, tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    path.write_bytes(run(0, 90))
    info = await imported(watcher.link, path)
    await watcher.link.call(FollowLog(session=info.id, run=0), Done)
    await until(lambda: len(watcher.log) == path.stat().st_size, "all of it")
    path.write_bytes(run(0, 10))
    await watcher.iteration(10)
    info = await until(lambda: at(watcher, 10), "what the shorter file says")
    await until(lambda: watcher.ended, "the followed file ends")
    # Another one in its place, longer than what was read of this one.
    fresh = tmp_path / "fresh"
    fresh.write_bytes(stamped("Use CPU.") + run(0, 70, "Optimization Done."))
    fresh.replace(path)
    assert (await watcher.state(State.FINISHED)).runs[0].lines == path.read_bytes().count(b"\n")
    assert sum("is read anew" in notice for notice in watcher.notices) == 2
    # A longer copy of the same is the same: rsync makes a new file.
    fresh.write_bytes(path.read_bytes() + run(0, 20))
    fresh.replace(path)
    await watcher.state(State.RUNNING)
    assert sum("is read anew" in notice for notice in watcher.notices) == 2


def at(watcher: Watcher, iteration: int) -> SessionInfo | None:
    info = watcher.sessions["1"]
    return info if info.iteration == iteration else None


async def test_a_file_that_is_gone_is_missed_and_taken_up_again(watcher: Watcher, tmp_path: Path) -> None:
    path, away = tmp_path / "train.log", tmp_path / "away"
    path.write_bytes(run(0, 100, "Optimization Done."))
    info = await imported(watcher.link, path)
    assert info.state is State.FINISHED
    path.rename(away)
    info = await watcher.state(State.INVALID)
    assert info.problems[0].text == f"{path} is not there"
    assert info.iteration == 100
    os.mkfifo(path)
    await until(lambda: "pipe" in watcher.sessions["1"].problems[0].text, "a pipe is no log")
    failure = await refused(watcher.link, FollowLog(session=info.id, run=0), Done)
    assert failure.code == "disk" and "it is a pipe" in failure.text
    path.unlink()
    away.rename(path)
    assert (await watcher.state(State.FINISHED)).problems == []


async def test_what_is_no_log_is_refused_at_once(root: Root, watcher: Watcher, tmp_path: Path) -> None:
    link = watcher.link
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    for path, code, text in (
        (tmp_path, "invalid", "it is a folder"),
        (tmp_path / "pipe", "invalid", "it is a pipe"),
        (Path("/dev/zero"), "invalid", "it is a device"),
        (tmp_path / "no" / "such.log", "not-found", f"there is no file {tmp_path / 'no' / 'such.log'}"),
        (Path("relative.log"), "invalid", "whole path"),
        (Path("/x\0y"), "invalid", "whole path"),
        (tmp_path / "circle" / "train.log", "invalid", "circle"),
        (tmp_path / ("x" * 300) / "train.log", "invalid", "File name too long"),
    ):
        failure = await refused(link, ImportLog(path=str(path)))
        assert (failure.code, text in failure.text, bool(failure.hint)) == (code, True, True), failure
    log = tmp_path / "real" / "train.log"
    log.parent.mkdir()
    log.write_bytes(run(0, 10))
    (tmp_path / "other").symlink_to(log.parent)
    assert (await imported(link, log)).name == "real/train"
    failure = await refused(link, ImportLog(path=str(tmp_path / "other" / "train.log")))
    assert failure.text == f"{log} is imported already: it is 1, real/train"
    # glog points a link to its newest log: that is a place of its own.
    (tmp_path / "caffe.INFO").symlink_to(log)
    assert (await imported(link, tmp_path / "caffe.INFO")).state is State.RUNNING
    info = await new(link, solver(max_iter=20), name="own")
    await watcher.state(State.FINISHED, session=info.id)
    failure = await refused(link, ImportLog(path=str(root.run(1, info.id) / "caffe.log")))
    assert "session 3" in failure.text


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    path.write_bytes(run(0, 10))
    path.chmod(0)
    program = (
        "import os, sys\nfrom barista_server.agent.errors import CallError\n"
        "from barista_server.agent.imports import _checked\n"
        # Root may read everything, so the question is asked by somebody else.
        "if os.geteuid() == 0:\n    os.setresuid(65534, 65534, 65534)\n"
        "try:\n    _checked(sys.argv[1])\nexcept CallError as error:\n    print(error.code, error.text)"
    )
    command = [sys.executable, "-c", program, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"invalid {path} may not be read by this user\n"


async def test_nothing_can_be_done_to_it_but_rename_and_delete(
    root: Root, watcher: Watcher, tmp_path: Path
) -> None:
    path = tmp_path / "theirs.log"
    path.write_bytes(run(0, 30))
    link, before = watcher.link, path.read_bytes()
    info = await imported(link, path)
    for call in (StartSession, PauseSession, SnapshotSession, ResetSession, GetFiles):
        result = SessionFiles if call is GetFiles else SessionReply
        failure = await refused(link, call(session=info.id), result)
        assert failure.code == "refused"
        assert failure.text.startswith("theirs is an imported log: ")
    assert (
        await link.call(RenameSession(session="theirs", name="mine"), SessionReply)
    ).session.name == "mine"
    gone = await link.call(DeleteSession(session="mine"), TrashReply)
    assert gone.kind == "log"
    assert path.read_bytes() == before
    back = (await link.call(Restore(trash=gone.trash), SessionReply)).session
    assert (back.id, back.name, back.kind) == ("1", "mine", "log")
    await link.call(DeleteSession(session="mine"), TrashReply)
    again = await imported(link, path)
    assert again.id == "2"
    trash = sorted(each.name for each in (root.path / "trash").iterdir())[-1]
    failure = await refused(link, Restore(trash=trash))
    assert "imported already: it is 2" in failure.text


async def test_an_agent_that_was_killed_is_followed_by_one_that_knows_it(
    root: Root, watcher: Watcher, tmp_path: Path
) -> None:
    done, live = tmp_path / "done.log", tmp_path / "live.log"
    done.write_bytes(run(0, 100, "Optimization Done.").replace(b"loss = 1.1", b"loss = nan"))
    live.write_bytes(run(0, 20))
    await imported(watcher.link, done)
    await imported(watcher.link, live)
    before = await get(watcher.link, "1")
    await until(lambda: (root.path / "logs" / "1" / "content.msgpack").exists(), "it was written down")
    await root.kill_agent(watcher.link)
    add(live, stamped("Iteration 30, loss = 1"))
    after = Watcher(await root.link())
    await after.subscribe()
    info = after.sessions["1"]
    assert (info.state, info.iteration, str(info.loss), info.runs) == (
        State.FINISHED,
        100,
        "nan",
        before.runs,
    )
    assert (await after.iteration(30, session="2")).state is State.RUNNING


async def test_a_last_line_without_its_end_counts_and_may_go_on(watcher: Watcher, tmp_path: Path) -> None:
    path = tmp_path / "cut.log"
    text = run(0, 20) + stamped("Check failed: error == cudaSuccess (2 vs. 0)  out of", level="F")
    path.write_bytes(text[:-1])
    await imported(watcher.link, path)
    info = await watcher.state(State.FAILED)
    assert info.problems[0].text.endswith("out of")
    add(path, b" memory\n")
    info = await until(lambda: grown(watcher, " memory"), "the rest of the line")
    assert info.log is not None and info.log.lines == path.read_bytes().count(b"\n")
    assert info.problems[0].hint and "batch" in info.problems[0].hint
    assert not any("read anew" in notice for notice in watcher.notices)


def grown(watcher: Watcher, text: str) -> SessionInfo | None:
    info = watcher.sessions["1"]
    return info if info.problems and info.problems[0].text.endswith(text) else None


async def test_junk_is_shown_as_what_it_is(watcher: Watcher, tmp_path: Path) -> None:
    path = tmp_path / "core"
    junk = os.urandom(1 << 16).replace(b"\n", b" ")
    path.write_bytes(b"\n".join([junk] * 100) + b"\n" + b"\0" * (32 << 20))
    os.utime(path, (0, 0))
    info = await imported(watcher.link, path)
    assert info.state is State.INVALID or info.busy
    info = await watcher.state(State.INVALID)
    assert info.problems[0].text == "no line in it is from caffe"
    seen = 0
    while seen < 100:
        lines = await watcher.link.call(GetLines(session=info.id, run=0, start=seen, count=256), Lines)
        assert lines.total in (100, 101), "the last line has no end"
        assert lines.lines, "a long line must not block the way"
        seen += len(lines.lines)


async def test_of_logs_that_rest_only_the_last_few_asked_for_stay_parsed(tmp_path: Path) -> None:
    """What is freed is read again when it is asked for, and says the same."""
    hub = Hub(lambda session: None)
    reading = Reading(hub)

    async def work(function: Callable[..., Any], *arguments: object) -> Any:
        return await asyncio.to_thread(function, *arguments)

    def made(number: int) -> Imported:
        path = tmp_path / f"{number}.log"
        path.write_bytes(run(0, 10, "Optimization Done."))
        (tmp_path / str(number)).mkdir()
        return Imported(hub, tmp_path / str(number), LogMeta(str(number), "x", 0.0, str(path)), work)

    logs = [made(number) for number in range(MOST_LOGS + 2)]
    for one in logs:
        one.begin()
        await one.known.wait()
        assert (await asked(reading, one)).total == 2
    try:
        await until(lambda: [one._file.read > 0 for one in logs].count(False) == 2, "two were freed")
        assert [one._file.read > 0 for one in logs[:2]] == [False, False]
        assert logs[0].info().runs[0].lines > 0
        assert (await asked(reading, logs[0])).total == 2
        assert logs[0]._file.read > 0
    finally:
        for one in logs:
            await one.unload()


async def asked(reading: Reading, one: Imported) -> Lines:
    found = await reading.lines(one, GetLines(session=one.id, run=1, kinds=["metric"]))
    assert isinstance(found, Lines)
    return found
