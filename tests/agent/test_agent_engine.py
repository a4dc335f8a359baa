"""The agent with the embedded engine, which it knows only as an executable."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys

import psutil
import pytest

from barista_server.api.link import CallFailed
from barista_server.api.messages import (
    NewSession,
    PauseSession,
    SessionReply,
    SnapshotReply,
    SnapshotSession,
    StartSession,
    State,
)
from barista_server.caffe.schema import Datum
from barista_server.data.lmdb_io import key_of, write_datums

from .agents import Root, Watcher, exists, follow_through_kills, until


async def test_the_digits_template_trains_pauses_and_finishes(root: Root, watcher: Watcher) -> None:
    link = watcher.link
    info = (await link.call(NewSession(template="lenet-digits", caffe="embedded"), SessionReply)).session
    assert (info.state, info.name, info.caffe) == (State.WAITING, "lenet-digits", "embedded"), info.problems
    solver = root.session() / "solver.prototxt"
    kept = [
        line
        for line in solver.read_text().splitlines()
        if not line.startswith(("max_iter", "display", "test_interval", "snapshot:"))
    ]
    solver.write_text("\n".join(kept) + "\nmax_iter: 60\ndisplay: 5\ntest_interval: 1000\n")
    await link.call(StartSession(session="1"), SessionReply)
    # What is told of a snapshot is on disk and whole.
    taken = await link.call(SnapshotSession(session="1"), SnapshotReply, 60)
    assert (root.session() / taken.snapshot.state).stat().st_size > 1000
    await link.call(PauseSession(session="1"), SessionReply)
    paused = await watcher.state(State.PAUSED, State.FINISHED)
    assert paused.iteration >= taken.snapshot.iteration
    if paused.state is State.PAUSED:
        await link.call(StartSession(session="1"), SessionReply)
        await until(lambda: len(watcher.sessions["1"].runs) == 2, "the second run")
        done = await watcher.state(State.FINISHED, State.FAILED)
        assert (done.state, done.iteration) == (State.FINISHED, 60)
        assert done.runs[1].resumed_from == paused.iteration
        assert done.loss is not None and done.loss < 2.5


async def test_the_engine_trains_on_through_kills_of_the_agent(root: Root, watcher: Watcher) -> None:
    link = watcher.link
    await link.call(NewSession(template="lenet-digits", caffe="embedded"), SessionReply)
    solver = root.session() / "solver.prototxt"
    text = re.sub(r"(?m)^display:.*", "display: 1", solver.read_text())
    solver.write_text(re.sub(r"(?m)^max_iter:.*", "max_iter: 100000", text))
    await link.call(StartSession(session="1"), SessionReply)
    await watcher.trains(1)
    log = await follow_through_kills(root, 3)
    shown = [int(number) for number in re.findall(rb"Iteration (\d+) \(", log)]
    assert shown == list(range(len(shown))), "an iteration was lost or came twice"


async def test_two_processes_that_train_together_pause_and_go_on(root: Root, watcher: Watcher) -> None:
    entry = {"name": "two", "argv": [sys.executable, "-m", "barista_engine.cli", "--ranks=2"]}
    (root.path / "caffes.json").write_text(json.dumps([entry]))
    link = watcher.link
    await link.call(NewSession(template="lenet-digits", caffe="two"), SessionReply)
    solver = root.session() / "solver.prototxt"
    text = re.sub(r"(?m)^(display|test_interval):.*", r"\1: 5", solver.read_text())
    solver.write_text(re.sub(r"(?m)^max_iter:.*", "max_iter: 100000", text))
    await link.call(StartSession(session="1"), SessionReply)
    await watcher.trains(1)
    caffe = psutil.Process(root.process()["caffe_pid"])
    (other,) = caffe.children()
    await link.call(SnapshotSession(session="1"), SnapshotReply, 60)
    await link.call(PauseSession(session="1"), SessionReply)
    paused = await watcher.state(State.PAUSED, State.FAILED)
    assert paused.state is State.PAUSED, paused.problems
    assert not exists(other.pid)
    await link.call(StartSession(session="1"), SessionReply)
    await until(lambda: len(watcher.sessions["1"].runs) == 2, "the second run")
    await watcher.iteration(paused.iteration + 5)
    (other,) = psutil.Process(root.process(2)["caffe_pid"]).children()
    os.kill(other.pid, signal.SIGKILL)
    failed = await watcher.state(State.FAILED)
    assert failed.runs[1].resumed_from == paused.iteration
    assert f"Rank 1 of 2 (pid {other.pid})" in failed.problems[0].text
    assert "memory" in (failed.problems[0].hint or "")


async def test_a_broken_database_is_told_before_the_start(root: Root, watcher: Watcher) -> None:
    link = watcher.link
    await link.call(NewSession(template="lenet-digits", caffe="embedded"), SessionReply)
    data = next(root.path.glob("datasets/digits/*train*/data.mdb"))
    data.write_bytes(b"\0" * 8192)
    with pytest.raises(CallFailed) as refused:
        await link.call(StartSession(session="1"), SessionReply)
    problem = refused.value.failure.problems[0]
    assert (problem.file, problem.line is not None) == ("net.prototxt", True)
    assert "LMDB" in problem.text and problem.hint


async def test_a_broken_record_fails_the_run_with_caffes_own_words(root: Root, watcher: Watcher) -> None:
    link = watcher.link
    await link.call(NewSession(template="lenet-digits", caffe="embedded"), SessionReply)
    folder = next(root.path.glob("datasets/digits/*train*/"))
    shutil.rmtree(folder)
    whole = Datum(channels=1, height=28, width=28, data=bytes(784), label=1)
    cut = Datum(channels=1, height=28, width=28, data=bytes(700), label=1)
    write_datums(folder, [(key_of(0), whole), (key_of(1), cut)])
    await link.call(StartSession(session="1"), SessionReply)
    info = await watcher.state(State.FAILED)
    assert "700" in info.problems[0].text and info.problems[0].hint
