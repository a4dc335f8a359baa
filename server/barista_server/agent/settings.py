"""What a person chooses: caffe and device of a session that does not run, and of those to come."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from barista_server.agent import files
from barista_server.agent.compose import prepare_solver
from barista_server.agent.errors import CallError
from barista_server.agent.seen import held
from barista_server.agent.slurm.options import checked
from barista_server.api import messages as m

if TYPE_CHECKING:
    from barista_server.agent.caffes import Caffes
    from barista_server.agent.client import Client
    from barista_server.agent.session import Session

Calls = dict[type, Callable[[Any, "Client"], Awaitable[m.Result]]]

LIVE = (m.State.RUNNING, m.State.PAUSING)


def read_defaults(root: Path) -> m.Defaults:
    """``<root>/defaults.json``. Blocks. Raises CallError when it is damaged, OSError."""
    try:
        return files.read_json(root / "defaults.json", m.Defaults)
    except FileNotFoundError:
        return m.Defaults()
    except ValueError as error:
        hint = "Correct the file, or remove it and choose again: barista set --defaults"
        raise CallError("invalid", f"this host's defaults cannot be read: {error}", hint) from None


async def chosen_caffe(caffes: Caffes, name: str) -> m.CaffeInfo:
    """By name; empty: the first that trains. Raises CallError when there is none of that name, OSError."""
    try:
        return await caffes.choose(name)
    except KeyError:
        there = ", ".join(one.name for one in await asyncio.to_thread(caffes.find))
        text = f"there is no caffe '{name}' on this machine"
        raise CallError("not-found", text, f"There are: {there}.") from None


def valid_device(device: str) -> str:
    """As caffe's ``--gpu`` takes it. Raises CallError."""
    parts = [part.strip() for part in device.split(",")]
    if device in ("cpu", "all") or all(part.isdecimal() and part.isascii() for part in parts):
        return ",".join(dict.fromkeys(parts))
    raise CallError("invalid", f"'{device}' is no device", "A device is cpu, 0, 0,1 or all.")


def calls(find: Callable[[Any], Session], settled: Callable[[], Awaitable[None]]) -> Calls:
    """The calls about one session; ``settled`` has the queue look again at who may start."""

    async def configure(call: m.ConfigureSession, client: Client) -> m.Result:
        session = find(call)
        async with held(session, call):
            await _configure(session, call)
        await settled()
        return m.SessionReply(session=session.info())

    return {m.ConfigureSession: configure}


async def _configure(session: Session, call: m.ConfigureSession) -> None:
    """Write the new choice down, then believe it. Raises CallError, OSError."""
    acts = (call.caffe, call.device, call.launcher, call.slurm) != (None,) * 4
    if acts and (session.state in LIVE or session.underway is not None):
        raise CallError("refused", "is running: pause it first")
    changed: dict[str, Any] = {}
    if call.caffe is not None:
        found = await chosen_caffe(session.host.caffes, call.caffe)
        changed["caffe"] = found.name
    if call.device is not None:
        changed["device"] = valid_device(call.device)
    if call.auto_resume is not None:
        changed["auto_resume"] = call.auto_resume
    if call.launcher is not None:
        changed["launcher"] = call.launcher
    if call.slurm is not None:
        changed["slurm"] = checked(call.slurm)
    meta = msgspec.structs.replace(session.meta, **changed)
    changed = {name: value for name, value in changed.items() if getattr(session.meta, name) != value}
    if not changed:
        return
    if changed.get("device") == "cpu":
        await session.host.disk(without_gpu, session.folder.solver)
    await session.host.disk(session.folder.save, meta)
    session.meta = meta
    await session.note("configured", **msgspec.to_builtins(changed))
    session.tell("; ".join(f"{name.replace('_', '-')}: {_words(value)}" for name, value in changed.items()))
    await session.check(again=True)
    session.changed()


def _words(value: object) -> str:
    if not isinstance(value, m.SlurmOptions):
        return str(value)
    said = msgspec.to_builtins(value)
    return " ".join(f"{name}={text}" for name, text in said.items()) or "as Slurm has it"


def without_gpu(path: Path) -> None:
    """A solver that says GPU would have its way without ``--gpu``."""
    try:
        before = path.read_text("utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        # What is wrong with it is told by the check.
        return
    after = prepare_solver(before, "", "cpu")
    if after != before:
        files.write(path, after.encode())


def default_calls(root: Path, caffes: Caffes, disk: Callable[..., Awaitable[Any]]) -> Calls:
    """The calls about the host as a whole."""

    async def get(call: m.GetDefaults, client: Client) -> m.Result:
        found: m.Defaults = await disk(read_defaults, root)
        return found

    async def put(call: m.SetDefaults, client: Client) -> m.Result:
        try:
            now: m.Defaults = await disk(read_defaults, root)
        except CallError:
            # Choosing again is how a damaged file is mended.
            now = m.Defaults()
        if call.caffe:
            await chosen_caffe(caffes, call.caffe)
        caffe = now.caffe if call.caffe is None else call.caffe
        device = now.device if call.device is None else valid_device(call.device or "cpu")
        now = m.Defaults(
            caffe=caffe,
            device=device,
            launcher=call.launcher or now.launcher,
            slurm=now.slurm if call.slurm is None else checked(call.slurm),
        )
        await disk(files.write_json, root / "defaults.json", now)
        return now

    return {m.GetDefaults: get, m.SetDefaults: put}
