"""The ends of a copy: a host, by its link, or a folder of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from barista_server.api.deploy import ExportDeploy
from barista_server.api.link import CallFailed, Link, LinkError
from barista_server.api.messages import Done
from barista_server.api.transfers import (
    Arrived,
    CheckFiles,
    Chunk,
    CloseExport,
    Export,
    ExportDataset,
    ExportSession,
    FileHashes,
    FinishImport,
    HashFiles,
    ImportState,
    OpenImport,
    Parcel,
    ReadChunk,
    WriteChunk,
)
from barista_server.copying.incoming import Incoming, sync
from barista_server.copying.names import ParcelError, check
from barista_server.copying.outgoing import Outgoing, folder_parcel

T = TypeVar("T")

LONG = 6 * 3600.0
"""Seconds that hashing a very large file may take."""
SLOW = 600.0
"""Seconds for one piece: a window of them may be ahead of it on a slow link."""


class HostSource:
    """A session or a dataset of a host, or what it has deployed."""

    def __init__(self, link: Link, call: ExportSession | ExportDataset | ExportDeploy) -> None:
        self._link, self._call = link, call
        self._handle = ""

    async def open(self) -> Parcel:
        """Raises ParcelError for names that are made nowhere: a host is not believed either."""
        export = await self._link.call(self._call, Export, LONG)
        self._handle = export.handle
        check(export.parcel)
        return export.parcel

    async def read(self, file: int, offset: int, size: int) -> bytes:
        call = ReadChunk(handle=self._handle, file=file, offset=offset, size=size)
        return (await self._link.call(call, Chunk, SLOW)).data

    async def hashes(self, files: list[int]) -> FileHashes:
        return await self._link.call(HashFiles(handle=self._handle, files=files), FileHashes, LONG)

    async def close(self) -> None:
        if self._handle and not self._link.closed:
            # Best effort: it is closed with the link anyway.
            with contextlib.suppress(CallFailed, LinkError):
                await self._link.call(CloseExport(handle=self._handle), Done)


class HostTarget:
    """A host that takes it in. ``attempt`` stays the same for all tries of one command."""

    def __init__(
        self,
        link: Link,
        attempt: str,
        name: str = "",
        caffe: str = "",
        device: str = "",
        startable: bool = False,
    ) -> None:
        self._link, self._attempt = link, attempt
        self._name, self._caffe, self._device, self._startable = name, caffe, device, startable
        self._handle = ""

    async def open(self, parcel: Parcel) -> ImportState:
        call = OpenImport(
            key=key_of(parcel),
            parcel=parcel,
            attempt=self._attempt,
            name=self._name,
            caffe=self._caffe,
            device=self._device,
        )
        state = await self._link.call(call, ImportState, SLOW)
        self._handle = state.handle
        return state

    async def write(self, file: int, offset: int, data: bytes) -> None:
        call = WriteChunk(handle=self._handle, file=file, offset=offset, data=data)
        await self._link.call(call, Done, SLOW)

    async def check(self, files: list[int], hashes: list[str]) -> None:
        await self._link.call(CheckFiles(handle=self._handle, files=files, hashes=hashes), Done, LONG)

    async def finish(self) -> Arrived:
        call = FinishImport(handle=self._handle, startable=self._startable)
        return await self._link.call(call, Arrived, LONG)

    async def close(self) -> None:
        """The host lets go of it with the link, or when it is begun anew."""


class FolderSource:
    """A session's folder on this machine, that no agent need know."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self._out: Outgoing | None = None

    async def open(self) -> Parcel:
        origin = f"{socket.gethostname()}:{self._folder}"
        self._out, parcel = await asyncio.to_thread(folder_parcel, self._folder, self._name, origin)
        check(parcel)
        return parcel

    async def read(self, file: int, offset: int, size: int) -> bytes:
        assert self._out is not None
        return await asyncio.to_thread(self._out.read, file, offset, size)

    async def hashes(self, files: list[int]) -> FileHashes:
        assert self._out is not None
        found = [await asyncio.to_thread(self._out.hash, file) for file in files]
        grown = [file for file, (_, more) in zip(files, found, strict=True) if more]
        return FileHashes(hashes=[digest for digest, _ in found], grown=grown)

    async def close(self) -> None:
        """Nothing stays open."""


class FolderTarget:
    """A folder on this machine. Single files are put into ``folder``, anything else into one below it.

    What is half there lies in ``.barista-KEY.part`` in it.
    """

    def __init__(self, folder: Path, name: str = "") -> None:
        self._folder, self._name = folder, name
        self._incoming: Incoming | None = None
        self._thread = ThreadPoolExecutor(1, "copying")
        """One: pieces are written in the order in which they come, also if nobody waits for them."""

    async def open(self, parcel: Parcel) -> ImportState:
        for place in self._places(parcel):
            if place.exists() or place.is_symlink():
                raise ParcelError(f"{place} is there already", "Name another folder (-o DIR).", "refused")
        await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
        staging = self.staging(parcel)
        loop = asyncio.get_running_loop()
        self._incoming = await loop.run_in_executor(self._thread, Incoming, staging, parcel)
        return ImportState(handle="", at=self._incoming.at)

    def staging(self, parcel: Parcel) -> Path:
        """Where it lies until it is whole."""
        return self._folder / f".barista-{key_of(parcel)[:16]}.part"

    def _places(self, parcel: Parcel) -> list[Path]:
        if parcel.kind == "snapshots":
            return [self._folder / file.path for file in parcel.files]
        return [self._folder / (self._name or plain(parcel.name))]

    async def write(self, file: int, offset: int, data: bytes) -> None:
        await self._work(lambda incoming: incoming.write(file, offset, data))

    async def check(self, files: list[int], hashes: list[str]) -> None:
        for file, digest in zip(files, hashes, strict=True):
            await self._work(lambda incoming, file=file, digest=digest: incoming.check(file, digest))  # type: ignore[misc]

    async def finish(self) -> Arrived:
        await self._work(self._place)
        assert self._incoming is not None
        places = self._places(self._incoming.parcel)
        return Arrived(path=str(self._folder if len(places) > 1 else places[0]))

    def _place(self, incoming: Incoming) -> None:
        incoming.need_all()
        incoming.settle()
        places = self._places(incoming.parcel)
        if incoming.parcel.kind == "snapshots":
            for file, place in zip(incoming.parcel.files, places, strict=True):
                (incoming.files / file.path).rename(place)
        else:
            incoming.files.rename(places[0])
        sync(self._folder)
        incoming.throw_away()

    async def _work(self, work: Callable[[Incoming], T]) -> T:
        assert self._incoming is not None
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, self._incoming)

    async def close(self) -> None:
        if self._incoming is not None:
            await self._work(lambda incoming: incoming.close())
        self._thread.shutdown(wait=False)


def key_of(parcel: Parcel) -> str:
    """The same for all tries to copy one thing."""
    return hashlib.sha256(f"{parcel.kind} {parcel.origin}".encode("utf-8", "replace")).hexdigest()[:32]


def new_attempt() -> str:
    """One for each command."""
    return secrets.token_hex(8)


def plain(name: str) -> str:
    """A session's name as one of a folder."""
    text = "".join(char if char.isalnum() or char in "._-+" else "-" for char in name).strip(".-")
    return text[:100] or "session"
