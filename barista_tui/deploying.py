"""Deploying a session: its host makes the net and checks it, the files are fetched like any other copy.

No screen here and nothing printed: a :class:`~barista_tui.moving.Report` is told.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from msgspec import Struct, field

from barista_server.api.deploy import (
    CancelDeploy,
    DeployCheck,
    DeployFacts,
    DeploySession,
    DeployState,
    ExportDeploy,
    GetDeploy,
)
from barista_server.api.link import CallFailed, Link, LinkError
from barista_server.api.messages import Done
from barista_server.copying.names import ParcelError
from barista_tui.moving import LOOK, Report
from barista_tui.target import Target as Host
from barista_tui.transfer import Outcome, Source, Target
from barista_tui.transfer_ends import FolderTarget, HostSource
from barista_tui.transfer_tries import links, persistently

ARCHIVES = (".tar.gz", ".tgz")
STEPS = {"making": "the net is made", "checking": "both nets are run on one sample", "ready": "it is made"}


class DeployWish(Struct, frozen=True):
    """What is to be deployed; see :class:`DeploySession`."""

    session: str
    iteration: int | None = None
    batch: int | None = None
    outputs: tuple[str, ...] = ()
    inputs: dict[str, list[int]] = field(default_factory=dict)
    check: bool = True


class Deployed(Struct, frozen=True):
    """``path``: the folder or archive."""

    path: Path
    facts: DeployFacts
    outcome: Outcome


def input_shape(given: str) -> tuple[str, list[int]]:
    """``data=3x227x227``: an input and its shape without the batch. Raises ValueError."""
    name, _, text = given.rpartition("=")
    sizes = text.split("x")
    if not name or not all(size.isdecimal() and int(size) for size in sizes):
        raise ValueError(f"{given}: a name and sizes, as in data=3x227x227")
    return name, [int(size) for size in sizes]


def is_archive(path: Path) -> bool:
    """By its name."""
    return path.name.endswith(ARCHIVES)


def wrong_archive(path: Path) -> str:
    """Why it is none though it is called like one; empty: it is one, or a folder."""
    called = path.name.endswith((".tar", ".zip", ".gz")) and not is_archive(path)
    return "Archives end in .tar.gz or .tgz" if called else ""


async def deploy(host: Host, wish: DeployWish, into: Path | None, report: Report) -> Deployed:
    """Into a folder that is not there yet, or an archive; None: a folder here, after session and iteration.
    Raises CallFailed, LinkError, OSError, ParcelError.
    """
    if into is not None:
        _need_free(into)
    state = await _made(host, wish, report)
    assert state.facts is not None
    place = into or Path.cwd() / state.facts.name
    try:
        _need_free(place)
        if not is_archive(place):
            return Deployed(place, state.facts, await _fetch(host, state.deploy, place, report))
        inner = place.parent / f".{place.name}.{secrets.token_hex(4)}.part"
        try:
            outcome = await _fetch(host, state.deploy, inner, report)
            await asyncio.to_thread(_pack, inner, place)
        finally:
            await asyncio.to_thread(shutil.rmtree, inner, True)
        return Deployed(place, state.facts, outcome)
    finally:
        await asyncio.shield(_forget(host, state.deploy))


def _need_free(place: Path) -> None:
    if place.exists() or place.is_symlink():
        raise ParcelError(f"{place} is there already", "Name another one (-o).", "refused")


async def _made(host: Host, wish: DeployWish, report: Report) -> DeployState:
    """Wait until it is made and checked; ended with whoever waits."""
    call = DeploySession(
        session=wish.session,
        iteration=wish.iteration,
        batch=wish.batch,
        outputs=list(wish.outputs),
        inputs=wish.inputs,
        check=wish.check,
    )
    async with links(host) as (link,):
        state = await link.call(call, DeployState)
        step = ""
        try:
            while state.step != "ready":
                if state.step != step:
                    step = state.step
                    report.say(STEPS[step])
                await asyncio.sleep(LOOK)
                state = await link.call(GetDeploy(deploy=state.deploy), DeployState)
        except BaseException:
            with suppress(CallFailed, LinkError):
                await asyncio.shield(_cancel(link, state.deploy))
            raise
        return state


async def _cancel(link: Link, deploy: str) -> None:
    await link.call(CancelDeploy(deploy=deploy), Done)


async def _forget(host: Host, deploy: str) -> None:
    """Best effort: the agent forgets it by itself after a while."""
    with suppress(CallFailed, LinkError):
        async with links(host) as (link,):
            await _cancel(link, deploy)


async def _fetch(host: Host, deploy: str, place: Path, report: Report) -> Outcome:
    @asynccontextmanager
    async def ends() -> AsyncIterator[tuple[Source, Target]]:
        async with links(host) as (link,):
            yield HostSource(link, ExportDeploy(deploy=deploy)), FolderTarget(place.parent, place.name)

    return await persistently(ends, report.tell, report.lost)


def _pack(folder: Path, place: Path) -> None:
    """The folder's files in an archive, in a folder named after it. Blocks."""
    name = place.name
    for ending in ARCHIVES:
        name = name.removesuffix(ending)
    part = place.with_name(f".{place.name}.part")
    try:
        with tarfile.open(part, "w:gz", compresslevel=1) as archive:
            archive.add(folder, name, filter=_nobodys)
        part.replace(place)
    finally:
        part.unlink(missing_ok=True)


def _nobodys(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Whose the files were here is nobody's business there."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o755 if entry.isdir() else 0o644
    return entry


def check_words(check: DeployCheck) -> str:
    """One line on what the check came to."""
    if check.state == "unchecked":
        return f"not checked: {check.why}"
    sample = "data of the training" if check.sample == "data" else "random numbers"
    why = f" ({check.why})" if check.why else ""
    return f"checked on {sample}{why}: greatest difference {check.difference:.2g} in {check.blob}"
