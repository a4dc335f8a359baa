"""The app on a root through a real agent, and a fixed world for pictures."""

from __future__ import annotations

import json
import math
import os
import random
import time
from array import array
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from textual.pilot import Pilot

from barista_server.api.link import Link
from barista_server.api.messages import (
    LogLine,
    NewSession,
    Notice,
    Problem,
    RunInfo,
    Series,
    SeriesKey,
    SessionInfo,
    SessionReply,
    Snapshot,
    StartSession,
    State,
    Subscribed,
)
from barista_tui.app import BaristaApp
from barista_tui.plotting.sources import Ask, Window
from barista_tui.store import Key, LinkState
from barista_tui.target import Target

SCRIPTED = Path(__file__).parent.parent / "support" / "scripted_caffe.py"

NET = """
name: "tiny"
layer {
  name: "data" type: "DummyData" top: "data" top: "target"
  dummy_data_param { shape { dim: 4 dim: 3 } shape { dim: 4 dim: 2 } }
}
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 2 } }
layer { name: "loss" type: "EuclideanLoss" bottom: "ip" bottom: "target" top: "loss" }
"""

NOW = 1_764_000_000.0
"""The time in every picture: 16:00:00 UTC."""


def solver(max_iter: int = 100_000, display: int = 10, extra: str = "", **script: object) -> str:
    """A solver whose comment tells the scripted caffe how to behave."""
    return (
        f'# script: {json.dumps(script)}\nnet: "net.prototxt"\nbase_lr: 0.01\nlr_policy: "fixed"\n'
        f'display: {display}\nmax_iter: {max_iter}\nsnapshot_prefix: "tiny"\n{extra}'
    )


async def until(pilot: Pilot[None], condition: Callable[[], object], seconds: float = 30) -> None:
    """Let the app work until the condition holds; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not in {seconds} s: {condition.__code__}"  # type: ignore[attr-defined]
        await pilot.pause(0.02)


async def made(root: Path, name: str, start: bool = True, text: str | None = None) -> SessionInfo:
    """A session with the scripted caffe, made without a screen."""
    link = await Link.open(root)
    call = NewSession(name=name, solver=text or solver(speed=400), net=NET, caffe="scripted")
    session = (await link.call(call, SessionReply)).session
    if start:
        session = (await link.call(StartSession(session=session.id), SessionReply)).session
    await link.close()
    return session


@asynccontextmanager
async def opened(
    root: Path, size: tuple[int, int] = (160, 45), toasts: bool = True
) -> AsyncIterator[tuple[BaristaApp, Pilot[None]]]:
    """The app on a real agent, connected; ``toasts``: what it says is painted."""
    app = BaristaApp(Target(root), "tests")
    async with app.run_test(size=size, tooltips=True, notifications=toasts) as pilot:
        await until(pilot, lambda: app.store.known.host("local").alive)
        yield app, pilot


def state_of(app: BaristaApp, name: str) -> State | None:
    """State of the session with that name, as the screen knows it."""
    found = [session for session in app.store.known.sessions.values() if session.name == name]
    return found[0].state if found else None


def shown(app: BaristaApp) -> str:
    """The screen's text as a person sees it."""
    return "\n".join(
        "".join(segment.text for segment in line) for line in app.screen._compositor.render_strips()
    )


# ------------------------------------------------------------------------------------ a fixed world


def _session(id: str, name: str, state: State, **more: object) -> SessionInfo:
    fields = {"folder": f"/data/barista/sessions/{id}", "created": NOW - 9000, "caffe": "embedded", **more}
    return SessionInfo(id=id, name=name, state=state, **fields)  # type: ignore[arg-type]


def world() -> list[SessionInfo]:
    """One session in every state a person meets."""
    snapshot = Snapshot(
        iteration=4000,
        model="net_iter_4000.caffemodel",
        state="net_iter_4000.solverstate",
        size=3_400_000,
        time=NOW - 60,
    )
    bad = Problem(
        text='bottom "poolX" of layer "conv2" is unknown',
        file="net.prototxt",
        line=41,
        hint='the nearest name is "pool1"',
    )
    out = Problem(
        text="Check failed: error == cudaSuccess (2 vs. 0) out of memory", hint="take a smaller batch"
    )
    return [
        _session(
            "7", "lenet-adam", State.RUNNING, iteration=4210, max_iter=10_000, loss=0.0312, eta=192.0,
            speed=54.1, tests={"accuracy": 0.9881}, snapshots=[snapshot],
            runs=[RunInfo(number=1, started=NOW - 300, lines=400)],
        ),
        _session("6", "lenet-base", State.FINISHED, iteration=10_000, max_iter=10_000, loss=0.0281),
        _session("5", "alex-bn", State.PAUSED, iteration=131_000, max_iter=450_000, loss=2.1407),
        _session("4", "alex-ft", State.WAITING, max_iter=450_000),
        _session("3", "diverged", State.RUNNING, iteration=140, max_iter=4000, loss=math.nan, eta=60.0),
        _session("2", "ae-deep", State.FAILED, iteration=10, max_iter=65_000, problems=[out]),
        _session("1", "sweep/lr=0.1", State.INVALID, problems=[bad]),
    ]  # fmt: skip


def _packed(values: list[float]) -> bytes:
    return array("d", values).tobytes()


def _series(key: SeriesKey, xs: list[float], low: list[float], high: list[float]) -> Series:
    return Series(
        key=key, x=_packed(xs), low=_packed(low), high=_packed(high), line=b"", run=b"", points=len(xs)
    )


def training_curves() -> list[Series]:
    """Train loss, test loss and accuracy of a training that goes well."""
    chance = random.Random(7)
    xs = [20.0 * number for number in range(211)]
    losses = [2.3 * math.exp(-number / 25) + 0.03 for number in range(211)]
    noisy = [loss * (1 + chance.uniform(-0.2, 0.3)) for loss in losses]
    accuracies = [1 - loss / 2.6 for loss in losses[::25]]
    return [
        _series(SeriesKey(phase="train", name="loss"), xs, [loss * 0.9 for loss in noisy], noisy),
        _series(SeriesKey(phase="test", name="loss", output=1), xs[::25], losses[::25], losses[::25]),
        _series(SeriesKey(phase="test", name="accuracy", output=0), xs[::25], accuracies, accuracies),
    ]


def log_lines() -> list[LogLine]:
    """Four hundred lines as caffe writes them."""
    lines = []
    for number in range(400):
        iteration = 20 * (number // 2)
        kind = "metric" if number % 2 == 0 else "plain"
        text = f"Iteration {iteration} (54.1 iter/s, 0.37s/20 iters), loss = {2.3 / (1 + number / 20):.6g}"
        if kind == "plain":
            text = f"Iteration {iteration}, lr = 0.01"
        stamp = f"I20251124 16:{number // 60:02d}:{number % 60:02d}.123456  4711 solver.cpp:239] "
        lines.append(LogLine(number=number, kind=kind, text=stamp + text))  # type: ignore[arg-type]
    lines[-3] = LogLine(
        number=397,
        kind="test",
        text="I20251124 16:06:37.1 4711 solver.cpp:414]     Test net output #0: accuracy = 0.9881",
    )
    lines[-2] = LogLine(
        number=398, kind="warning", text="W20251124 16:06:38.1 4711 solver.cpp:1] a [warning] with brackets"
    )
    return lines


async def furnish(app: BaristaApp, pilot: Pilot[None]) -> None:
    """Give the app, which is connected to nothing, the fixed world."""
    notices = [Notice(time=NOW - 5, caller="Agent", kind="text", text="serving /data/barista")]
    app.store.subscribed(
        "local", Subscribed(complete=True, sequence=1, sessions=world(), notices=notices), "epoch"
    )
    app.store.linked("local", LinkState(state="alive", since=NOW - 60))
    main = app.main
    await until(pilot, lambda: main.key == Key("local", "7"))
    for name in ("plot", "console"):
        main.pane(name).show(main.look)
    main.sessions.sparks[Key("local", "7")] = tuple(2.3 * math.exp(-number / 4) for number in range(12))
    main.show_known()
    main.plot.take(Key("local", "7"), Window(Ask(), tuple(training_curves())))
    assert main.console.source is not None
    main.console.take(main.console.source, 0, 400, log_lines())
    await pilot.pause()


def children_of(pid: int) -> set[int]:
    """Process ids of the children of a process."""
    tasks = Path(f"/proc/{pid}/task")
    return {int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()}


def alive(pid: int) -> bool:
    """There is such a process, and it is no zombie."""
    try:
        os.kill(pid, 0)
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
