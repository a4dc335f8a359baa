"""What the pictures show: sessions as they come to be in a day's work, datasets, hosts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from barista_server.api.cloning import CloneSession
from barista_server.api.datasets import AddDataset, DatasetReply
from barista_server.api.link import Link
from barista_server.api.messages import (
    GetSession,
    NewSession,
    PauseSession,
    SessionInfo,
    SessionReply,
    SnapshotReply,
    SnapshotSession,
    StartSession,
    State,
)
from barista_tui.hosts import HostEntry

PATIENCE = 300.0
"""Seconds that a training may take to get as far as a picture needs it."""

HOSTS = (
    HostEntry(name="lab", address="127.0.0.1:1"),
    HostEntry(name="cluster", address="login.example", offline=True),
)
"""One that does not answer, one that is not to be asked."""

MISSPELT = 'net: "net.prototxt"\nbase_lr: 0.01\nlr_polcy: "fixed"\nmax_iter: 4000\n'
NET = 'name: "sketch"\nlayer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 } } }\n'


async def until(what: str, condition: Callable[[], Awaitable[bool]], patience: float = PATIENCE) -> None:
    """Poll until the condition holds. Raises TimeoutError."""
    deadline = time.monotonic() + patience
    while not await condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {patience:.0f} s: {what}")
        await asyncio.sleep(0.2)


async def train(link: Link, session: SessionInfo, iterations: int) -> None:
    """Start a session and wait until it has come so far."""
    await link.call(StartSession(session=session.id), SessionReply)

    async def far_enough() -> bool:
        now = (await link.call(GetSession(session=session.id), SessionReply)).session
        if now.state in (State.FAILED, State.INVALID):
            raise RuntimeError(f"{now.name}: {now.problems}")
        return now.iteration >= iterations or now.state is State.FINISHED

    await until(f"{session.name} at iteration {iterations}", far_enough)


async def pause(link: Link, session: SessionInfo) -> None:
    """Pause and wait until it is."""
    await link.call(PauseSession(session=session.id), SessionReply)

    async def rests() -> bool:
        now = (await link.call(GetSession(session=session.id), SessionReply)).session
        return now.state not in (State.RUNNING, State.PAUSING)

    await until(f"{session.name} paused", rests)


def changed(session: SessionInfo, old: str, new: str) -> None:
    """Another value in its solver."""
    solver = Path(session.folder, "solver.prototxt")
    text = solver.read_text()
    assert old in text, text
    solver.write_text(text.replace(old, new))


def databases(root: Path) -> list[Path]:
    """Those that templates have made."""
    return sorted(path.parent for path in (root / "datasets").rglob("data.mdb"))


async def furnish(link: Link, root: Path) -> SessionInfo:
    """Sessions as they come to be in a day's work, and what they read; the last one is left running."""

    async def new(call: NewSession | CloneSession) -> SessionInfo:
        return (await link.call(call, SessionReply)).session

    await new(NewSession(name="sketch", solver=MISSPELT, net=NET))
    first = await new(NewSession(name="first-try", template="lenet-digits"))
    await train(link, first, 200)
    await pause(link, first)
    await new(NewSession(name="autoencoder", template="autoencoder"))
    finer = await new(CloneSession(session=first.id, name="finer", weights=True))
    changed(finer, "base_lr: 0.01", "base_lr: 0.001")
    changed(finer, "power: 0.75", "power: 0.5")
    await train(link, finer, 300)
    await pause(link, finer)
    for path in databases(root):
        await link.call(AddDataset(path=str(path)), DatasetReply)
    shown = await new(NewSession(name="lenet-digits", template="lenet-digits"))
    changed(shown, "max_iter: 2000", "max_iter: 10000")
    await train(link, shown, 420)
    await link.call(SnapshotSession(session=shown.id), SnapshotReply)
    return shown
