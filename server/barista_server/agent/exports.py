"""The calls that hand out files: of sessions and datasets, piece by piece."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from barista_server.agent import datafiles, named
from barista_server.agent.errors import CallError
from barista_server.agent.session import Session
from barista_server.agent.snapshots import is_snapshot
from barista_server.api import messages as m
from barista_server.copying.names import ParcelError, odd
from barista_server.copying.outgoing import Leaf, Outgoing, scan

if TYPE_CHECKING:
    from barista_server.agent.client import Client
    from barista_server.agent.datasets.registry import Entry
    from barista_server.agent.datasets.service import Datasets

T = TypeVar("T")
Calls = dict[type, Callable[[Any, "Client"], Awaitable[m.Result]]]

MOST_EXPORTS = 8
"""Of one client at a time."""
_LOGS = ("caffe.log", "journal.jsonl")
BROUGHT = "brought"
"""Folder of files that came along from outside of the session's."""
_OWN = ("starting.lock", "exit.json.part")
"""Files of a run that mean something on this machine only; the last keeps the place of one that goes on."""


class Exports:
    """What clients are copying. ``work`` runs what blocks in threads of its own, so that no disk holds up
    others.
    """

    def __init__(self, root: Path, find: Callable[[Any], Session], datasets: Datasets) -> None:
        self._root, self._find, self._datasets = root, find, datasets
        self._open: dict[Client, dict[str, Outgoing]] = {}
        self._threads = ThreadPoolExecutor(2, "copying")
        self._hashers = ThreadPoolExecutor(2, "checking")
        """Others: a large file is hashed for minutes, and no piece is to wait for that."""

    def calls(self) -> Calls:
        """Those that this class answers."""
        return {
            m.ExportSession: self._session,
            m.ExportDataset: self._dataset,
            m.ReadChunk: self._read,
            m.HashFiles: self._hash,
            m.CloseExport: self._close,
        }

    def forget(self, client: Client) -> None:
        """A client is gone."""
        self._open.pop(client, None)

    def close(self) -> None:
        """Let go of the threads."""
        for pool in (self._threads, self._hashers):
            pool.shutdown(wait=False, cancel_futures=True)

    async def work(self, function: Callable[..., T], *arguments: object) -> T:
        """Off the event loop. Raises CallError, OSError."""
        return await self._in(self._threads, function, *arguments)

    async def hash(self, function: Callable[..., T], *arguments: object) -> T:
        """The same for what may take minutes."""
        return await self._in(self._hashers, function, *arguments)

    @staticmethod
    async def _in(pool: ThreadPoolExecutor, function: Callable[..., T], *arguments: object) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, function, *arguments)
        except ParcelError as error:
            raise CallError(error.code, str(error), error.hint) from None

    async def _session(self, call: m.ExportSession, client: Client) -> m.Result:
        session = self._find(call)
        await session.look(settled=session.state not in (m.State.RUNNING, m.State.PAUSING))
        chosen = _chosen(session, call)
        origin, entries = self._origin("sessions", session.id), self._datasets.entries
        # A file that the net names is not read for somebody who may read only below declared folders.
        roots = ["/"] if client.local else await self._datasets.roots()

        def make() -> tuple[Outgoing, m.Parcel]:
            if not call.folder:
                return _snapshots_parcel(session, chosen, origin)
            return _session_parcel(session, chosen, origin, entries, roots)

        return self._opened(client, *await self.work(make))

    async def _dataset(self, call: m.ExportDataset, client: Client) -> m.Result:
        entry = self._datasets.find(call.dataset)
        roots = await self._datasets.roots()
        origin = self._origin("datasets", entry.id)
        return self._opened(client, *await self.work(datafiles.parcel, entry, roots, origin))

    def _origin(self, *what: str) -> str:
        return f"{socket.gethostname()}:{'/'.join([str(self._root), *what])}"

    async def hand_out(self, client: Client, leaves: Sequence[Leaf], name: str, session: Session) -> m.Export:
        """Files that were made for somebody of a session. Raises CallError, OSError."""
        out = await self.work(Outgoing, leaves)
        origin = self._origin("sessions", session.id, name)
        parcel = m.Parcel(kind="deployment", name=name, origin=origin, files=out.files)
        return self._opened(client, out, parcel)

    def _opened(self, client: Client, out: Outgoing, parcel: m.Parcel) -> m.Export:
        mine = self._open.setdefault(client, {})
        if len(mine) >= MOST_EXPORTS:
            raise CallError("refused", f"{len(mine)} copies are open on this connection: close one first")
        handle = secrets.token_hex(8)
        mine[handle] = out
        return m.Export(handle=handle, parcel=parcel)

    def _mine(self, call: Any, client: Client) -> Outgoing:
        found = self._open.get(client, {}).get(call.handle)
        if found is None:
            raise CallError("not-found", "this copy is not open on this connection")
        return found

    async def _read(self, call: m.ReadChunk, client: Client) -> m.Result:
        out = self._mine(call, client)
        return m.Chunk(data=await self.work(out.read, call.file, call.offset, call.size))

    async def _hash(self, call: m.HashFiles, client: Client) -> m.Result:
        out = self._mine(call, client)

        def hashed() -> m.FileHashes:
            found = [(index, *out.hash(index)) for index in call.files]
            grown = [index for index, _, more in found if more]
            return m.FileHashes(hashes=[digest for _, digest, _ in found], grown=grown)

        return await self.hash(hashed)

    async def _close(self, call: m.CloseExport, client: Client) -> m.Result:
        self._open.get(client, {}).pop(call.handle, None)
        return m.Done()


def _chosen(session: Session, call: m.ExportSession) -> list[m.Snapshot]:
    """The verified snapshots asked for. Raises CallError."""
    good = session.shelf.good
    if call.iteration is not None:
        found = [one for one in good if one.iteration == call.iteration]
        if not found:
            there = ", ".join(str(one.iteration) for one in good) or "none"
            text = f"has no good snapshot of iteration {call.iteration}"
            raise CallError("not-found", text, f"There are: {there}.")
        return found[-1:]
    chosen = {"none": [], "newest": good[-1:], "all": good}[call.snapshots]
    if not chosen and not call.folder:
        raise CallError("not-found", "has no good snapshot yet", "Take one: barista snapshot NAME")
    return chosen


def _snapshots_parcel(session: Session, chosen: list[m.Snapshot], origin: str) -> tuple[Outgoing, m.Parcel]:
    names = sorted({name for one in chosen for name in (one.model, one.state)})
    out = Outgoing([Leaf(name, session.folder.path / name) for name in names])
    return out, m.Parcel(kind="snapshots", name=session.meta.name, origin=origin, files=out.files)


def _session_parcel(
    session: Session, chosen: list[m.Snapshot], origin: str, entries: Sequence[Entry], roots: Sequence[str]
) -> tuple[Outgoing, m.Parcel]:
    folder = session.folder.path
    snapshots = {name for one in chosen for name in (one.model, one.state)}

    def wanted(path: str) -> bool:
        name = path.rpartition("/")[2]
        if "/" not in path and is_snapshot(path):
            return path in snapshots
        return name not in _OWN and not (name.startswith(".") and name.endswith(".part"))

    leaves, folders, left_out = scan(folder, wanted, lambda path: path.rpartition("/")[2] in _LOGS)
    inputs = named.named(folder, entries)
    brought = _brought(folder, roots, {leaf.path for leaf in leaves})
    inputs = [
        msgspec.structs.replace(one, brought=brought[one.path].path) if one.path in brought else one
        for one in inputs
    ]
    out = Outgoing([*leaves, *brought.values()])
    if brought and BROUGHT not in folders:
        folders.append(BROUGHT)
    parcel = m.Parcel(
        kind="session",
        name=session.meta.name,
        origin=origin,
        files=out.files,
        folders=folders,
        left_out=left_out,
        caffe=session.meta.caffe,
        device=session.meta.device,
        inputs=inputs,
    )
    return out, parcel


def _brought(folder: Path, roots: Sequence[str], taken: set[str]) -> dict[str, Leaf]:
    """Single files outside of the folder that come along, by the path they are named by."""
    found: dict[str, Leaf] = {}
    for path in named.single(folder):
        place = Path(path).resolve()
        if not place.is_file() or not any(place.is_relative_to(root) for root in roots):
            continue
        name, number = f"{BROUGHT}/{place.name}", 1
        while name in taken:
            number += 1
            name = f"{BROUGHT}/{number}-{place.name}"
        if not odd(name):
            taken.add(name)
            found[path] = Leaf(name, place)
    return found
