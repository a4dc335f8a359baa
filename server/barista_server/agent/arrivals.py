"""The calls that take in files, and what becomes of them: sessions and datasets of this root."""

from __future__ import annotations

import asyncio
import re
import secrets
import shutil
import socket
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from barista_server.agent import adopting, files, named, plainfolder
from barista_server.agent.errors import CallError
from barista_server.agent.inspection import inspect
from barista_server.agent.session import LIVE, Host, Session
from barista_server.agent.settings import chosen_caffe, read_defaults, valid_device, without_gpu
from barista_server.agent.slurm.commands import there as slurm_is_there
from barista_server.agent.store import Folder, Meta, Store
from barista_server.api import messages as m
from barista_server.api.text import clean_name
from barista_server.copying.incoming import Incoming

if TYPE_CHECKING:
    from barista_server.agent.client import Client
    from barista_server.agent.datasets.service import Datasets
    from barista_server.agent.exports import Exports

Calls = dict[type, Callable[[Any, "Client"], Awaitable[m.Result]]]
Work = Callable[..., Awaitable[Any]]

_KEY = re.compile(r"[0-9a-f]{16,64}")
OLD = 14 * 86400.0
"""Seconds after which what is half there is thrown away."""


class _Done(msgspec.Struct):
    """``KEY.done``: an import that was finished, for a client that lost the answer."""

    attempt: str
    path: str
    session: str
    notes: list[str]


@dataclass
class _Arrival:
    """One import that a client is at."""

    call: m.OpenImport
    client: Client
    incoming: Incoming
    inputs: list[m.InputFound]
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """First come, first served: pieces are written in the order in which they were sent."""


class Arrivals:
    """What is being imported. ``add`` takes a folder among the sessions, ``all_`` tells all there are; what
    blocks is run where ``exports`` does that.
    """

    def __init__(
        self,
        host: Host,
        store: Store,
        datasets: Datasets,
        exports: Exports,
        add: Callable[[Folder], Awaitable[Session]],
        all_: Callable[[], list[Any]],
        find: Callable[[Any], Session],
    ) -> None:
        self._host, self._store, self._datasets = host, store, datasets
        self._add, self._all, self._find = add, all_, find
        self._work: Work = exports.work
        self._hash: Work = exports.hash
        self._folder = host.root / "incoming"
        self._open: dict[str, _Arrival] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        """By key: whoever lost a link finds out what became of it, not what is about to."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def load(self) -> None:
        """Throw away what nobody has gone on with for long."""
        await self._work(_clear, self._folder)

    def forget(self, client: Client) -> None:
        """A client is gone; what is half there stays."""
        for handle, one in self._open.items():
            if one.client is client:
                task = asyncio.create_task(self._let_go(handle, one))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    def calls(self) -> Calls:
        """Those that this class answers."""
        return {
            m.OpenImport: self._begin,
            m.WriteChunk: self._write,
            m.CheckFiles: self._check,
            m.FinishImport: self._finish,
            m.CancelImport: self._cancel,
            m.NoteMove: self._note_move,
        }

    # ------------------------------------------------------------------------------------------- file by file

    async def _begin(self, call: m.OpenImport, client: Client) -> m.Result:
        if not _KEY.fullmatch(call.key) or call.parcel.kind == "snapshots":
            raise CallError("invalid", "this is nothing that a host takes in: a session or a dataset is")
        if call.device:
            call = msgspec.structs.replace(call, device=valid_device(call.device))
        async with self._turns[call.key]:
            if done := await self._finished(call):
                return m.ImportState(handle="", at=[], finished=done)
            # Somebody does the same again: the link of the earlier try is dead, or about to be.
            await self._end(call.key)
            inputs = await self._work(named.match, call.parcel.inputs, self._datasets.entries)
            incoming = await self._work(Incoming, self._folder / call.key, call.parcel)
            handle = secrets.token_hex(8)
            self._open[handle] = _Arrival(call, client, incoming, inputs)
        caffe = await self._caffe(call.caffe or call.parcel.caffe)
        return m.ImportState(handle=handle, at=incoming.at, inputs=inputs, caffe=caffe)

    async def _caffe(self, name: str) -> str:
        """``name`` if there is one here that works; else ''."""
        try:
            found = await asyncio.to_thread(self._host.caffes.get, name) if name else None
        except KeyError:
            return ""
        return found.name if found and found.problem is None else ""

    async def _finished(self, call: m.OpenImport) -> m.Arrived | None:
        """What became of this very attempt, if it was finished."""
        note = self._folder / f"{call.key}.done"
        try:
            done = await self._work(files.read_json, note, _Done)
        except (FileNotFoundError, ValueError):
            return None
        if done.attempt != call.attempt:
            await self._work(note.unlink)
            return None
        session = next((one for one in self._all() if one.id == done.session), None)
        return m.Arrived(path=done.path, session=session.info() if session else None, notes=done.notes)

    def _mine(self, handle: str) -> _Arrival:
        found = self._open.get(handle)
        if found is None:
            raise CallError("not-found", "this import was ended, or begun anew by somebody else")
        return found

    async def _write(self, call: m.WriteChunk, client: Client) -> m.Result:
        arrival = self._mine(call.handle)
        async with arrival.lock:
            self._mine(call.handle)
            await self._work(arrival.incoming.write, call.file, call.offset, call.data)
        return m.Done()

    async def _check(self, call: m.CheckFiles, client: Client) -> m.Result:
        arrival = self._mine(call.handle)
        for index, digest in zip(call.files, call.hashes, strict=False):
            async with arrival.lock:
                self._mine(call.handle)
                await self._hash(arrival.incoming.check, index, digest)
        return m.Done()

    async def _cancel(self, call: m.CancelImport, client: Client) -> m.Result:
        if not _KEY.fullmatch(call.key):
            raise CallError("invalid", "this is no import")
        async with self._turns[call.key]:
            await self._end(call.key)
            await self._work(shutil.rmtree, self._folder / call.key, True)
        return m.Done()

    async def _end(self, key: str) -> None:
        """Nobody is at it any more, once what is being done to it is done."""
        for handle, one in [(handle, one) for handle, one in self._open.items() if one.call.key == key]:
            await self._let_go(handle, one)

    async def _let_go(self, handle: str, arrival: _Arrival) -> None:
        async with arrival.lock:
            if self._open.pop(handle, None) is not None:
                await self._work(arrival.incoming.close)

    # ---------------------------------------------------------------------------------------------- the whole

    async def _finish(self, call: m.FinishImport, client: Client) -> m.Result:
        arrival = self._mine(call.handle)
        async with self._turns[arrival.call.key], arrival.lock:
            self._mine(call.handle)
            await self._work(arrival.incoming.need_all)
            await self._work(arrival.incoming.settle)
            if arrival.call.parcel.kind == "dataset":
                path = await self._work(self._place_dataset, arrival)
                arrived = m.Arrived(path=str(path))
            else:
                arrived = await self._place_session(arrival, call.startable)
            done = _Done(
                arrival.call.attempt,
                arrived.path,
                arrived.session.id if arrived.session else "",
                arrived.notes,
            )
            await self._work(self._tidy, arrival, done)
            self._open.pop(call.handle, None)
        return arrived

    def _tidy(self, arrival: _Arrival, done: _Done) -> None:
        """Best effort: all is in place."""
        try:
            files.write_json(self._folder / f"{arrival.call.key}.done", done)
        except OSError:
            pass
        arrival.incoming.throw_away()

    def _place_dataset(self, arrival: _Arrival) -> Path:
        parcel = arrival.call.parcel
        wanted = (
            re.sub(r"[^\w.+-]+", "-", clean_name(arrival.call.name or parcel.name)).strip(".-") or "dataset"
        )
        folder = self._host.root / "datasets"
        folder.mkdir(exist_ok=True)
        target, number = folder / wanted[:100], 1
        while target.exists():
            number += 1
            target = folder / f"{wanted[:100]}-{number}"
        if parcel.dataset == "hdf5-list" and parcel.main:
            # Caffe takes relative names from its own folder, not from the list's.
            names = (arrival.incoming.files / parcel.main).read_text("utf-8", "surrogateescape").split()
            text = "".join(f"{target / name}\n" for name in names)
            files.write(arrival.incoming.files / parcel.main, text.encode("utf-8", "surrogateescape"))
        arrival.incoming.close()
        arrival.incoming.files.chmod(0o755)
        arrival.incoming.files.rename(target)
        files.sync_folder(folder)
        return target / parcel.main if parcel.main else target

    async def _place_session(self, arrival: _Arrival, startable: bool) -> m.Arrived:
        call, parcel = arrival.call, arrival.call.parcel
        ready = arrival.incoming.staging / "ready"
        taken = {one.meta.name for one in self._all()}
        try:
            meta, notes = await self._work(_make_ready, arrival, ready, taken, self._store.sessions)
            if not meta.caffe:
                # A folder that never was a session of ours: as a new one.
                defaults = await self._work(read_defaults, self._host.root)
                meta.caffe = (await chosen_caffe(self._host.caffes, defaults.caffe)).name
                meta.device = call.device or defaults.device
            if meta.launcher == "slurm" and not slurm_is_there():
                meta.launcher = "process"
                notes.append("Slurm is not there: it is a process of that machine now")
            if not await self._caffe(meta.caffe):
                if call.caffe or startable:
                    text = f"there is no caffe '{meta.caffe}' that works on this machine"
                    raise CallError("not-found", text, "Take one that is there with --caffe NAME.")
                notes.append(
                    f"the caffe '{meta.caffe}' is not there: choose one with barista set NAME --caffe"
                )
            if startable:
                found = await self._work(inspect, Folder(ready), meta)
                if found.defects:
                    raise CallError("invalid", "could not be started here as it is:", None, found.defects)
            facts = {"origin": parcel.origin, "name": meta.name, "notes": notes}
            folder = await self._host.disk(self._store.adopt, ready, meta, "adopted", facts)
        finally:
            await self._work(shutil.rmtree, ready, True)
        session = await self._add(folder)
        session.tell(f"arrived from {parcel.origin}: {meta.name}")
        return m.Arrived(path=str(folder.path), session=session.info(), notes=notes)

    async def _note_move(self, call: m.NoteMove, client: Client) -> m.Result:
        session = self._find(call)
        async with session.lock:
            if session.state in LIVE:
                raise CallError("refused", "runs: it was started meanwhile")
            await session.note("moved away", to=call.to, number=call.number)
        session.tell(f"moved to {call.to}, where it is session {call.number}")
        return m.Done()


def _make_ready(arrival: _Arrival, ready: Path, taken: set[str], sessions: Path) -> tuple[Meta, list[str]]:
    """What is staged, as a session of this root under another name. Blocks. Raises CallError, OSError."""
    call, staged = arrival.call, arrival.incoming.files
    shutil.rmtree(ready, ignore_errors=True)
    adopting.duplicate(staged, ready)
    plainfolder.make_fit(ready, _base(call.parcel.origin), call.device or "cpu")
    adopting.need_files(ready)
    name = call.name or call.parcel.name
    meta, notes = adopting.meta_of(ready, name, taken, call.parcel.origin, sessions)
    meta.caffe = call.caffe or meta.caffe or call.parcel.caffe
    meta.device = valid_device(call.device or meta.device)
    adopting.disown_runs(ready)
    notes += plainfolder.own_models(ready) + plainfolder.take_logs(ready)
    notes += named.rewrite(ready, call.parcel.inputs, arrival.inputs)
    if call.device == "cpu":
        without_gpu(ready / "solver.prototxt")
    if why := adopting.damaged_newest(ready):
        raise CallError(
            "invalid", f"its newest snapshot is damaged: {why}", "Copy again with --all-snapshots."
        )
    return meta, notes


def _base(origin: str) -> Path | None:
    """The folder it was copied from, if that is on this machine."""
    host, _, place = origin.partition(":")
    return Path(place) if host == socket.gethostname() and Path(place).is_dir() else None


def _clear(folder: Path) -> None:
    try:
        found = list(folder.iterdir())
    except FileNotFoundError:
        return
    for path in found:
        note = path / "parcel.msgpack" if path.is_dir() else path
        try:
            age = time.time() - note.stat().st_mtime
        except FileNotFoundError:
            age = time.time() - path.stat().st_mtime
        if age > OLD:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
