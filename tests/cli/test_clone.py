"""Cloning, by the verb and the call, through a real agent and the scripted caffe."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from barista_server.api.link import CallFailed
from barista_server.api.messages import (
    CloneSession,
    DeleteSession,
    NewSession,
    QueueList,
    QueueSession,
    ResetSession,
    SessionInfo,
    SessionReply,
    SetSlots,
    StartSession,
    State,
    TrashReply,
    UnqueueSession,
)
from barista_tui.cli import main
from tests.agent.agents import NET, Root, Watcher, solver

PLAIN = NET.replace("num_output: 1 }", "num_output: 1 bias_term: false }")
"""As the scripted caffe writes it: without a bias."""


@pytest_asyncio.fixture
async def root() -> AsyncIterator[Root]:
    made = Root()
    try:
        yield made
    finally:
        await made.close()


async def trained(there: Watcher, session: str) -> SessionInfo:
    await there.link.call(StartSession(session=session), SessionReply)
    return await there.state(State.FINISHED, session=session)


async def clone(there: Watcher, session: str, **more: object) -> SessionInfo:
    call = CloneSession(session=session, **more)  # type: ignore[arg-type]
    return (await there.link.call(call, SessionReply)).session


def argv(root: Root, session: str, run: int = 1) -> list[str]:
    found: list[str] = json.loads((root.run(run, session) / "command.json").read_text())["argv"]
    return found


async def parent(root: Root) -> tuple[Watcher, Path]:
    """Session 1, finished with snapshots at 10 and 20, and with a file in its folder that its net names."""
    there = Watcher(await root.link())
    await there.subscribe()
    text = solver(20, extra='snapshot: 10\nsnapshot_prefix: "le,net"\n', speed=0)
    await there.link.call(NewSession(name="lenet", solver=text, net=PLAIN, caffe="scripted"), SessionReply)
    folder = root.session()
    (folder / "lists").mkdir()
    (folder / "lists" / "own.txt").write_text("own\n")
    more = f'python_param {{ module: "{folder}/lists/own.txt" }}'
    layer = f'layer {{ name: "x" type: "Silence" bottom: "ip" {more} }}\n'
    (folder / "net.prototxt").write_text(PLAIN + layer)
    return there, folder


async def test_clones_are_whole_and_their_own(root: Root, capsys: pytest.CaptureFixture[str]) -> None:
    """From an older snapshot by the verb; started, reset, cloned again, with parent and agent gone."""
    there, folder = await parent(root)
    with pytest.raises(CallFailed, match="has no good snapshot yet"):
        await clone(there, "lenet")
    await trained(there, "1")
    with pytest.raises(CallFailed, match="has no good snapshot of iteration 11") as caught:
        await clone(there, "1", snapshot=11)
    assert caught.value.failure.hint == "There are: 10, 20."

    words = ["--root", str(root.path), "session", "clone", "lenet", "--snapshot", "10"]
    assert await asyncio.to_thread(main, words) == 0
    told = capsys.readouterr().out
    assert told.splitlines()[0].startswith("2  lenet-2  ") and "Pre-trained" in told
    assert told.splitlines()[1:] == ["  1 lenet, weights of iteration 10"]
    own, name = root.session("2"), "pretrained/le_net_iter_10.caffemodel"
    model = folder / "le,net_iter_10.caffemodel"
    assert (own / name).read_bytes() == model.read_bytes()
    assert (own / name).stat().st_ino != model.stat().st_ino, "caffe would write into it"
    assert (own / "lists" / "own.txt").read_text() == "own\n"
    assert 'module: "lists/own.txt"' in (own / "net.prototxt").read_text()
    assert sorted(path.name for path in own.iterdir()) == [
        "journal.jsonl", "lists", "net.prototxt", "pretrained", "session.json", "solver.prototxt"
    ]  # fmt: skip

    await there.link.call(DeleteSession(session="1"), TrashReply)
    await root.kill_agent(there.link)
    # Lost, it is rebuilt with weights and parents.
    (own / "session.json").unlink()
    there = Watcher(await root.link())
    found = {one.id: one for one in (await there.subscribe()).sessions}["2"]
    assert (found.state, found.parent, found.weights) == (State.PRETRAINED, "1", name)
    assert [(one.id, one.name, one.how, one.iteration) for one in found.lineage] == [
        ("1", "lenet", "weights", 10)
    ]
    await trained(there, "2")
    assert f"--weights={name}" in argv(root, "2")
    assert f"Finetuning from {name}" in (root.run(1, "2") / "caffe.log").read_text()
    await there.link.call(ResetSession(session="2"), TrashReply)
    assert (await there.state(State.PRETRAINED, session="2")).weights == name and (own / name).exists()

    # Of a session that has not begun, its own weights; from a snapshot of its own it goes on as ever.
    again = await clone(there, "2", name="third")
    assert [(one.id, one.how, one.iteration) for one in again.lineage] == [
        ("2", "weights", None),
        ("1", "weights", 10),
    ]
    await trained(there, "3")
    assert f"--weights={name}" in argv(root, "3")
    text = root.session("3") / "solver.prototxt"
    text.write_text(text.read_text().replace("max_iter: 20", "max_iter: 30"))
    await there.state(State.PAUSED, session="3")
    await trained(there, "3")
    assert "--snapshot=le,net_iter_20.solverstate" in argv(root, "3", 2)

    plain = await clone(there, "third", weights=False, device="0", caffe="embedded")
    assert (plain.name, plain.weights, plain.caffe, plain.device) == ("third-2", "", "embedded", "0")
    assert (plain.lineage[0].how, plain.parent) == ("settings", "3")
    assert not (root.session("4") / "pretrained").exists()
    assert not list((root.path / "sessions").glob(".*"))


async def test_weights_that_are_gone_or_do_not_fit_are_told(root: Root) -> None:
    there, _ = await parent(root)
    await trained(there, "1")
    made = await clone(there, "1")
    weights, net = root.session("2") / made.weights, root.session("2") / "net.prototxt"
    fits, kept = net.read_text(), weights.read_bytes()
    # In the queue and out of it, it is what it was.
    await there.link.call(SetSlots(device="cpu", slots=0), QueueList)
    queued = (await there.link.call(QueueSession(session="2"), SessionReply)).session
    assert queued.state is State.QUEUED
    taken = (await there.link.call(UnqueueSession(session="2"), SessionReply)).session
    assert taken.state is State.PRETRAINED
    net.write_text(NET)
    with pytest.raises(CallFailed) as caught:
        await there.link.call(StartSession(session="2"), SessionReply)
    assert "layer 'ip' has 1 blobs there, 2 in the net" in caught.value.failure.problems[0].text
    assert (await there.state(State.INVALID, session="2")).problems
    net.write_text(fits)
    weights.unlink()
    with pytest.raises(CallFailed) as caught:
        await there.link.call(StartSession(session="2"), SessionReply)
    assert made.weights in caught.value.failure.problems[0].text
    weights.write_bytes(kept)
    await trained(there, "2")
