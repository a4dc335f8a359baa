"""Agent, runner or disk fail at each single step that changes files; the next agent finds all in order."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import os
import shutil
import signal
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from barista_server import runner
from barista_server.agent import process
from barista_server.agent.client import Client
from barista_server.agent.service import Service
from barista_server.api import messages as m
from barista_server.caffe.schema import LayerParameter, NetParameter
from barista_server.caffe.weights import State, write_state, write_weights
from tests.agent.agents import NET

from .crashing import Breaker, Child, Mode

AT_ONCE = 5

SOLVER = 'base_lr: 0.01\nlr_policy: "fixed"\nmax_iter: 100\ndisplay: 1\n'
LOG = "I1125 07:00:00.000000     1 solver.cpp:1] "
CAFFE = f"""#!/bin/sh
# Catches what caffe catches; a stop leaves the next of the snapshots in stock.
case "$*" in *iter_10.*) next=20 ;; *) next=10 ;; esac
stop() {{
    cp "$STOCK/snapshot_iter_$next".* .
    echo "{LOG}Optimization stopped early." >&2
    exit 0
}}
trap stop INT
trap : HUP
echo "{LOG}Starting Optimization" >&2
echo "{LOG}Iteration 1, loss = 0.5" >&2
while :; do sleep 0.02; done
"""


class Owner:
    """Whoever calls."""

    role = "owner"


async def call(service: Service, what: m.Call) -> m.Result:
    return await service.answer(cast(Client, Owner()), what)


async def done(service: Service, what: m.Call) -> m.Result:
    result = await call(service, what)
    assert not isinstance(result, m.Failure), result
    return result


async def info(service: Service, session: str) -> m.SessionInfo:
    return cast(m.SessionReply, await done(service, m.GetSession(session=session))).session


async def paused(service: Service, session: str) -> None:
    await until_async(lambda: info(service, session), lambda one: one.iteration > 0)
    await done(service, m.PauseSession(session=session))
    await until_async(lambda: info(service, session), lambda one: one.state is m.State.PAUSED)


async def until_async(get: Callable[[], Awaitable[Any]], good: Callable[[Any], bool]) -> None:
    for _ in range(1500):
        if good(await get()):
            return
        await asyncio.sleep(0.02)
    raise AssertionError(await get())


async def nothing(service: Service) -> None:
    pass


@dataclass(frozen=True)
class Deed:
    """What a person does, and what has to have been done before."""

    work: Callable[[Service], Awaitable[Any]]
    before: Callable[[Service], Awaitable[Any]] = nothing
    brings: str = ""
    """Name of a session that may be there afterwards."""
    trains: bool = False
    """It is about runs: afterwards the session is trained on."""
    fails: bool = True
    """It is also tried with steps that fail."""


def calls(*several: m.Call) -> Callable[[Service], Awaitable[None]]:
    async def work(service: Service) -> None:
        for one in several:
            await call(service, one)

    return work


async def pause_it(service: Service) -> None:
    """All of it, up to the verdict, unless the disk refuses."""
    if isinstance(await call(service, m.PauseSession(session="1")), m.Failure):
        return
    live = (m.State.RUNNING, m.State.PAUSING)
    await until_async(lambda: info(service, "1"), lambda one: one.state not in live)


async def running(service: Service) -> None:
    await done(service, m.StartSession(session="1"))
    await until_async(lambda: info(service, "1"), lambda one: one.runs[-1].lines > 1)


async def restore_newest(service: Service) -> None:
    trash = service._host.root / "trash"
    await call(service, m.Restore(trash=sorted(path.name for path in trash.iterdir())[-1]))


def deeds(root: Path) -> dict[str, Deed]:
    log = str(root / "other.log")
    new = m.NewSession(name="third", solver=SOLVER, net=NET, caffe="shell")
    return {
        "new": Deed(calls(new), brings="third"),
        "start": Deed(calls(m.StartSession(session="1")), trains=True),
        "pause": Deed(pause_it, running, trains=True),
        "reset": Deed(calls(m.ResetSession(session="1")), trains=True),
        "restore reset": Deed(restore_newest, calls(m.ResetSession(session="1")), trains=True, fails=False),
        "delete": Deed(calls(m.DeleteSession(session="1")), fails=False),
        "restore delete": Deed(restore_newest, calls(m.DeleteSession(session="1")), fails=False),
        "rename": Deed(calls(m.RenameSession(session="1", name="other")), brings="other"),
        "queue": Deed(calls(m.QueueSession(session="2", after="1")), fails=False),
        "import": Deed(calls(m.ImportLog(path=log, name="log")), brings="log"),
    }


CASES = [
    (name, mode)
    for name, deed in deeds(Path("/")).items()
    for mode in ("kill", "fail")
    if deed.fails or mode == "kill"
]


@pytest.fixture(scope="module")
def prepared() -> Iterator[Path]:
    """A root with a session that was trained and paused, and a fresh one."""
    root = Path(tempfile.mkdtemp(prefix="barista-"))
    stock = root / "stock"
    stock.mkdir()
    for iteration in (10, 20):
        blob = np.full((1, 4), iteration, np.float32)
        model = stock / f"snapshot_iter_{iteration}.caffemodel"
        net = NetParameter(name="tiny", layer=[LayerParameter(name="ip", type="InnerProduct")])
        write_weights(model, net, {"ip": [blob]})
        write_state(model.with_suffix(".solverstate"), State(iteration, model.name, [blob]))
    caffe = root / "caffe.sh"
    caffe.write_text(CAFFE.replace("$STOCK", str(stock)))
    caffe.chmod(0o755)
    (root / "caffes.json").write_text(json.dumps([{"name": "shell", "argv": [str(caffe)]}]))
    (root / "other.log").write_text(f"{LOG}Starting Optimization\n{LOG}Optimization Done.\n")

    async def prepare(service: Service) -> None:
        for name in ("first", "second"):
            await done(service, m.NewSession(name=name, solver=SOLVER, net=NET, caffe="shell"))
        await done(service, m.StartSession(session="1"))
        await paused(service, "1")

    # Here, so that children need not load what it takes.
    level = logging.root.manager.disable
    asyncio.run(serve(root, prepare))
    logging.disable(level)
    yield root
    shutil.rmtree(root)


async def serve(root: Path, work: Callable[[Service], Awaitable[Any]]) -> str:
    logging.disable()
    service = Service(root, lambda: None)
    await service.load()
    try:
        await work(service)
    finally:
        await service.close()
    return ""


async def broken(root: Path, deed: Deed, at: int, mode: Mode) -> str:
    """Do it until it breaks; otherwise the number of steps it takes."""
    logging.disable()
    breaker = Breaker(root, at, mode)
    service = Service(root, lambda: None)
    await service.load()
    breaker.armed = True
    await deed.work(service)
    breaker.armed = False
    # The agent that saw a write fail goes on in a legal state too.
    for one in cast(m.SessionList, await done(service, m.ListSessions())).sessions:
        assert one.kind == "log" or one.busy is None, one
    if breaker.broke:
        return f"broke at {breaker.broke}"
    return f"{breaker.steps} steps"


Ledger = set[bytes]


def ledger(root: Path) -> Ledger:
    """What must never be lost: texts, logs and snapshots of all sessions, wherever they are."""
    found = set()
    for place in (root / "sessions", root / "trash"):
        for path in place.rglob("*"):
            if path.suffix in (".prototxt", ".caffemodel", ".solverstate") or path.name == "caffe.log":
                found.add(path.read_bytes())
    return found


def missing(before: Ledger, root: Path) -> Ledger:
    """What was there and is not any more; a log may have grown."""
    now = ledger(root)
    return {one for one in before - now if not any(other.startswith(one) for other in now)}


async def in_order(root: Path, deed: Deed) -> str:
    """What a fresh agent finds wrong; then everything that was begun can be done, all over again."""
    logging.disable()
    service = Service(root, lambda: None)
    await service.load()
    wrong = [notice.text for notice in service.hub.notices() if "cannot be" in notice.text]
    wrong += [str(path) for path in (root / "sessions").glob(".*")]
    listed = cast(m.SessionList, await done(service, m.ListSessions())).sessions
    names = {one.name for one in listed}
    for trash in sorted((root / "trash").iterdir()):
        # Nothing else is in the trash than what was put there, and it comes back.
        result = await call(service, m.Restore(trash=trash.name))
        if isinstance(result, m.Failure):
            wrong.append(f"{trash.name}: {result.text}")
    listed = cast(m.SessionList, await done(service, m.ListSessions())).sessions
    names = {one.name for one in listed}
    if (
        "second" not in names
        or not names & {"first", "other"}
        or not names <= {"first", "second", deed.brings}
    ):
        wrong.append(f"sessions: {names}")
    for one in listed:
        expected = {
            "second": (m.State.WAITING, m.State.QUEUED),
            "third": (m.State.WAITING,),
            "log": (m.State.FINISHED, m.State.WAITING),
        }.get(one.name, (m.State.PAUSED, m.State.RUNNING, m.State.PAUSING))
        if one.state not in expected:
            wrong.append(f"{one.name} is {one.state}: {one.problems}")
    first = next((one for one in listed if one.name in ("first", "other")), None)
    if first is not None and first.state in (m.State.RUNNING, m.State.PAUSING):
        if first.state is m.State.RUNNING:
            await paused(service, first.id)
        await until_async(lambda: info(service, first.id), lambda one: one.state is m.State.PAUSED)
        first = await info(service, first.id)
    if first is not None and not first.snapshots:
        wrong.append("its snapshots are not listed")
    if first is not None and deed.trains and not wrong:
        # And it trains on.
        await done(service, m.StartSession(session=first.id))
        await paused(service, first.id)
    await service.close()
    return "\n".join(wrong)


def end_all(root: Path) -> None:
    """End what a killed agent left."""
    for path in root.rglob("command.json"):
        nonce = json.loads(path.read_text())["nonce"]
        for one in process._family(nonce):
            process.send(one.identity, signal.SIGKILL)


@dataclass
class Trial:
    """One breaking at one step, on a root of its own."""

    at: int
    root: Path
    deed: Deed
    before: Ledger = dataclasses.field(default_factory=set)
    status: int = 0
    text: str = ""

    def note(self, ended: tuple[int, str]) -> None:
        self.status, self.text = ended


@contextmanager
def trials(prepared: Path, steps: Iterable[int], deed: Callable[[Path], Deed]) -> Iterator[list[Trial]]:
    """Some at a time, each brought to where its deed begins."""
    roots = [(at, Path(tempfile.mkdtemp(prefix="barista-"))) for at in steps]
    try:
        some = [
            Trial(at, shutil.copytree(prepared, root, dirs_exist_ok=True), deed(root)) for at, root in roots
        ]
        if some[0].deed.before is not nothing:
            at_once(some, lambda one: serve(one.root, one.deed.before))
            assert {(one.status, one.text) for one in some} == {(0, "")}
        for one in some:
            one.before = ledger(one.root)
        yield some
    finally:
        for _, root in roots:
            end_all(root)
            shutil.rmtree(root)


def at_once(some: list[Trial], work: Callable[[Trial], Any]) -> None:
    children = [Child(lambda one=one: work(one)) for one in some]  # type: ignore[misc]
    for one, child in zip(some, children, strict=True):
        one.note(child.end())


def judge(some: list[Trial]) -> None:
    """Nothing is lost, and the next agent has nothing to complain of."""
    told = [f"step {one.at}, which ended with {one.status} {one.text}" for one in some]
    for one, what in zip(some, told, strict=True):
        assert not (lost := missing(one.before, one.root)), f"{what}: lost {lost}"
    at_once(some, lambda one: in_order(one.root, one.deed))
    for one, what in zip(some, told, strict=True):
        assert (one.status, one.text) == (0, ""), f"{what}: {one.text}"


@pytest.mark.parametrize(("name", "mode"), CASES)
def test_g09_whatever_breaks_between_any_two_steps(prepared: Path, name: str, mode: Mode) -> None:
    def deed(root: Path) -> Deed:
        return deeds(root)[name]

    with trials(prepared, [0], deed) as (whole,):
        at_once([whole], lambda one: broken(one.root, one.deed, 0, mode))
        assert whole.text.endswith(" steps"), whole.text
        steps = int(whole.text.split()[0])
        judge([whole])
    assert steps > 1
    for first in range(1, steps + 1, AT_ONCE):
        with trials(prepared, range(first, min(first + AT_ONCE, steps + 1)), deed) as some:
            at_once(some, lambda one: broken(one.root, one.deed, one.at, mode))
            for one in some:
                how = os.WIFSIGNALED(one.status) if mode == "kill" else one.status == 0
                # Of a run two pieces of news may be written as one: it then ends before its last steps.
                fewer = one.deed.trains and one.text in {f"{n} steps" for n in range(steps // 2, one.at)}
                assert how or fewer, f"step {one.at} of {steps}: {one.text}"
            judge(some)


async def start_and_pause(service: Service, at: int) -> None:
    """Have a runner that is killed at a step run it."""
    os.environ["BREAK_AT"] = str(at)
    runner.__file__ = process.RUNNER = str(Path(__file__).with_name("broken_runner.py"))
    if isinstance(await call(service, m.StartSession(session="1")), m.Failure):
        return
    live = (m.State.RUNNING, m.State.PAUSING)
    await until_async(lambda: info(service, "1"), lambda one: one.runs[-1].lines > 1 or one.state not in live)
    await call(service, m.PauseSession(session="1"))
    await until_async(lambda: info(service, "1"), lambda one: one.state not in live)


def test_g09_wherever_the_runner_is_killed(prepared: Path) -> None:
    first, told = 1, False
    while not told:
        with trials(prepared, range(first, first + AT_ONCE), lambda _: Deed(nothing, trains=True)) as some:
            at_once(some, lambda one: serve(one.root, partial(start_and_pause, at=one.at)))
            assert {(one.status, one.text) for one in some} == {(0, "")}
            run = some[-1].root / "sessions" / "1" / "runs" / "0002"
            told = (run / "exit.json").exists() and not (run / "exit.json.part").exists()
            judge(some)
        first += AT_ONCE
    # Opened, written, flushed and renamed were: the log, the verdict's place, process.json, the verdict.
    assert first > 12
