"""Files as they arrive: each beside its place as .part, checked, renamed; whoever made it places the whole.

A folder ``staging`` holds ``parcel.msgpack`` and ``files/``; it outlives everything, and is gone on with.
All of it blocks and may raise OSError, or ParcelError.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec

from barista_server.api.transfers import MOST_CHUNK, Parcel, ParcelFile
from barista_server.copying import names
from barista_server.copying.names import PART, ParcelError
from barista_server.copying.outgoing import digest_of

SPARE = 16 << 20
"""Bytes of a disk that a copy leaves free."""


class Incoming:
    """``at``: for each file the byte it stands at, -1 once it was checked."""

    def __init__(self, staging: Path, parcel: Parcel) -> None:
        names.check(parcel)
        self.staging = staging
        self.files = staging / "files"
        self.parcel = parcel
        self.at: list[int] = []
        self._open: tuple[int, int] | None = None
        """Number of the file that is written to, and its descriptor."""
        self._begin()

    def _begin(self) -> None:
        self.staging.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.files.mkdir(exist_ok=True)
        known = self._known()
        new = {file.path: file for file in self.parcel.files}
        for path, file in known.items():
            if new.get(path) != file:
                self._forget(path)
        self._need_room(known)
        note = self.staging / "parcel.msgpack"
        part = note.with_suffix(PART)
        part.write_bytes(msgspec.msgpack.encode(self.parcel.files))
        part.replace(note)
        for folder in self.parcel.folders:
            (self.files / folder).mkdir(parents=True, exist_ok=True)
        self.at = [self._stands(file) for file in self.parcel.files]

    def _known(self) -> dict[str, ParcelFile]:
        """Files of the try before."""
        try:
            data = (self.staging / "parcel.msgpack").read_bytes()
            return {file.path: file for file in msgspec.msgpack.decode(data, type=list[ParcelFile])}
        except (FileNotFoundError, msgspec.DecodeError):
            shutil.rmtree(self.files)
            self.files.mkdir()
            return {}

    def _forget(self, path: str) -> None:
        for place in (self.files / path, self._part(path)):
            if place.is_symlink() or place.is_file():
                place.unlink()

    def _stands(self, file: ParcelFile) -> int:
        try:
            if (self.files / file.path).stat().st_size == file.size:
                return -1
        except (FileNotFoundError, NotADirectoryError):
            pass
        try:
            return min(self._part(file.path).stat().st_size, file.size)
        except (FileNotFoundError, NotADirectoryError):
            return 0

    def _need_room(self, known: dict[str, ParcelFile]) -> None:
        stands = [self._stands(file) if file.path in known else 0 for file in self.parcel.files]
        need = sum(
            end - begin
            for file, at in zip(self.parcel.files, stands, strict=True)
            for begin, end in names.left(file, at)
        )
        free = shutil.disk_usage(self.staging).free
        if need and need + SPARE > free:
            text = f"{need:,} bytes are to come, and the disk of {self.staging.parent} has {free:,} free"
            raise ParcelError(text, "Make room there, then do the same again: it goes on.", "disk")

    @property
    def total(self) -> int:
        """Bytes of all files, holes left out."""
        return sum(map(names.weight, self.parcel.files))

    def write(self, index: int, offset: int, data: bytes) -> None:
        """The next bytes of a file. After an error it stands where it stood."""
        file = self._file(index)
        due = next(iter(names.left(file, self.at[index])), None)
        if due is None or offset != due[0] or not 0 < len(data) <= min(MOST_CHUNK, due[1] - due[0]):
            where = "is there in full" if due is None else f"goes on at {due[0]}"
            raise ParcelError(f"{file.path} {where}, not at {offset}", code="refused")
        descriptor = self._descriptor(index)
        try:
            done = 0
            while done < len(data):
                done += os.pwrite(descriptor, data[done:], offset + done)
        except OSError:
            os.ftruncate(descriptor, self.at[index])
            raise
        self.at[index] = offset + len(data)

    def check(self, index: int, digest: str) -> None:
        """Take a file whose hash is right for whole; another one is thrown away."""
        file = self._file(index)
        if self.at[index] < 0:
            return
        if names.left(file, self.at[index]):
            raise ParcelError(f"{file.path} is not there in full yet", code="refused")
        descriptor = self._descriptor(index)
        os.ftruncate(descriptor, file.size)
        part = self._part(file.path)
        if digest_of(descriptor, file) != digest:
            self.close()
            part.unlink()
            self.at[index] = 0
            text = f"{file.path} did not arrive as it was sent"
            raise ParcelError(text, "Do the same again: only that file is copied anew.", "damaged")
        os.utime(descriptor, ns=(file.mtime, file.mtime))
        os.fsync(descriptor)
        self.close()
        part.rename(self.files / file.path)
        self.at[index] = -1

    def need_all(self) -> None:
        """Raises ParcelError unless each file was checked."""
        open_ = [file.path for file, at in zip(self.parcel.files, self.at, strict=True) if at >= 0]
        if open_:
            raise ParcelError(f"{len(open_)} files are not there yet, as {open_[0]}", code="refused")

    def settle(self) -> None:
        """Make what was renamed last."""
        for folder in ["", *self.parcel.folders]:
            sync(self.files / folder)

    def close(self) -> None:
        """Let go of the file that is written to."""
        if self._open is not None:
            os.close(self._open[1])
            self._open = None

    def throw_away(self) -> None:
        """Remove all that is half there."""
        self.close()
        shutil.rmtree(self.staging, ignore_errors=True)

    def _file(self, index: int) -> ParcelFile:
        if not 0 <= index < len(self.parcel.files):
            raise ParcelError(f"there is no file {index}")
        return self.parcel.files[index]

    def _part(self, path: str) -> Path:
        place = self.files / path
        return place.with_name(place.name + PART)

    def _descriptor(self, index: int) -> int:
        if self._open is not None and self._open[0] == index:
            return self._open[1]
        self.close()
        part = self._part(self.parcel.files[index].path)
        part.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        self._open = (index, descriptor)
        return descriptor


def sync(folder: Path) -> None:
    """Make renames in a folder last."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
