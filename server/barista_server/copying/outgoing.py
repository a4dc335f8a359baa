"""Files as they are read for a copy: found, read in pieces, hashed, and noticed to change meanwhile.

All of it blocks and may raise OSError, or ParcelError.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from blake3 import blake3

from barista_server.api.transfers import MOST_CHUNK, Parcel, ParcelFile
from barista_server.copying.names import MOST_EXTENTS, ParcelError, clash, odd, pieces

BLOCK = 1 << 20
"""Bytes hashed at a time."""
_HEAD = 8192
"""Bytes that tell whether an LMDB was written to: its two meta pages. Its file's time need not."""
_SPARSE = 1 << 20
"""Smaller files are copied with their holes."""


@dataclass(frozen=True)
class Leaf:
    """A file to copy: where it is, or its whole content, and its time (ns), where that is made for the
    copy.
    """

    path: str
    place: Path | None = None
    content: bytes = b""
    grows: bool = False
    time: int = 0


class Outgoing:
    """The files of one export."""

    def __init__(self, leaves: Sequence[Leaf]) -> None:
        self._leaves = list(leaves)
        self._stamps: list[tuple[int, int, int, bytes] | None] = []
        self.files: list[ParcelFile] = []
        for leaf in leaves:
            self._look(leaf)

    def _look(self, leaf: Leaf) -> None:
        if leaf.place is None:
            self._stamps.append(None)
            self.files.append(ParcelFile(path=leaf.path, size=len(leaf.content), mtime=leaf.time))
            return
        with _opened(leaf.place) as file:
            about = os.fstat(file.fileno())
            extents = _extents(file.fileno(), about)
            head = _head(leaf.place, file.fileno())
        self._stamps.append((about.st_ino, about.st_size, about.st_mtime_ns, head))
        self.files.append(
            ParcelFile(
                path=leaf.path,
                size=about.st_size,
                mtime=about.st_mtime_ns,
                extents=extents,
                grows=leaf.grows,
            )
        )

    def read(self, index: int, offset: int, size: int) -> bytes:
        """Just so many bytes."""
        leaf, file = self._at(index)
        if not (offset >= 0 and 0 < size <= MOST_CHUNK and offset + size <= file.size):
            raise ParcelError(f"{file.path} has no {size} bytes at {offset}")
        if leaf.place is None:
            return leaf.content[offset : offset + size]
        with self._same(leaf, index) as opened:
            data = os.pread(opened.fileno(), size, offset)
        if len(data) != size:
            raise self._changed(leaf)
        return data

    def hash(self, index: int) -> tuple[str, bool]:
        """blake3 of what is no hole, and whether it has grown since."""
        leaf, file = self._at(index)
        if leaf.place is None:
            return blake3(leaf.content).hexdigest(), False
        with self._same(leaf, index, thorough=True) as opened:
            digest = digest_of(opened.fileno(), file)
            grown = os.fstat(opened.fileno()).st_size > file.size
        # Once more: it may have been written to while it was read.
        self._same(leaf, index, thorough=True).close()
        return digest, grown

    def _at(self, index: int) -> tuple[Leaf, ParcelFile]:
        if not 0 <= index < len(self._leaves):
            raise ParcelError(f"there is no file {index}")
        return self._leaves[index], self.files[index]

    def _same(self, leaf: Leaf, index: int, thorough: bool = False) -> _opened:
        """The file, opened, if it is as it was."""
        stamp = self._stamps[index]
        assert leaf.place is not None and stamp is not None
        try:
            opened = _opened(leaf.place)
        except FileNotFoundError:
            text = f"{leaf.place} was taken away while it was copied"
            raise ParcelError(text, "Copy again: it goes on with what is there.", "changed") from None
        about = os.fstat(opened.fileno())
        number, size, time, head = stamp
        if leaf.grows:
            same = about.st_ino == number and about.st_size >= size
        else:
            same = (about.st_ino, about.st_size, about.st_mtime_ns) == (number, size, time)
        if not same or (thorough and _head(leaf.place, opened.fileno()) != head):
            opened.close()
            raise self._changed(leaf)
        return opened

    @staticmethod
    def _changed(leaf: Leaf) -> ParcelError:
        text = f"{leaf.place} was written to while it was copied"
        return ParcelError(
            text, "Copy again when nobody writes to it: only that file is read anew.", "changed"
        )


def scan(
    top: Path,
    wanted: Callable[[str], bool] = lambda path: True,
    grows: Callable[[str], bool] = lambda path: False,
) -> tuple[list[Leaf], list[str], list[str]]:
    """All below a folder that is ``wanted`` (asked with the relative path, of folders too): files, folders,
    and what is left out with the reason. Links are not followed.
    """
    leaves: list[Leaf] = []
    folders: list[str] = []
    left_out: list[str] = []
    todo = [""]
    while todo:
        inner = todo.pop()
        with os.scandir(top / inner) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        for entry in entries:
            path = f"{inner}/{entry.name}" if inner else entry.name
            if not wanted(path):
                continue
            if why := odd(path) or _no_file(entry):
                left_out.append(f"{ascii(path) if why.startswith('its name') else path}: {why}")
            elif entry.is_dir(follow_symlinks=False):
                folders.append(path)
                todo.append(path)
            else:
                leaves.append(Leaf(path, top / path, grows=grows(path)))
    if twice := clash([*(leaf.path for leaf in leaves), *folders]):
        hint = "Rename one: on some machines they would be one file."
        raise ParcelError(f"{twice[0]} and {twice[1]} in {top} differ in capitals only", hint)
    return leaves, folders, left_out


def folder_parcel(folder: Path, name: str, origin: str) -> tuple[Outgoing, Parcel]:
    """A session's folder that lies anywhere; of one that never was a session's, files alone: beside them may
    lie all of somebody's data.
    """
    whole = (folder / "session.json").exists() or (folder / "runs").is_dir()
    leaves, folders, left_out = scan(folder, lambda path: whole or not (folder / path).is_dir())
    out = Outgoing(leaves)
    return out, Parcel(
        kind="session", name=name, origin=origin, files=out.files, folders=folders, left_out=left_out
    )


def digest_of(descriptor: int, file: ParcelFile) -> str:
    """blake3 of what is no hole, as far as the file was long at first; hex."""
    whole = blake3()
    for begin, end in pieces(file):
        at = begin
        while at < end:
            data = os.pread(descriptor, min(BLOCK, end - at), at)
            if not data:
                break
            whole.update(data)
            at += len(data)
    return whole.hexdigest()


class _opened:
    """A regular file open for reading: never waited for, no link followed."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(
            path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC
        )
        if not stat.S_ISREG(os.fstat(self._descriptor).st_mode):
            self.close()
            raise ParcelError(f"{path} is no regular file")

    def fileno(self) -> int:
        return self._descriptor

    def close(self) -> None:
        os.close(self._descriptor)

    def __enter__(self) -> _opened:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _no_file(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink():
        return "it is a link"
    if entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False):
        return ""
    return "it is no regular file"


def _head(place: Path, descriptor: int) -> bytes:
    return os.pread(descriptor, _HEAD, 0) if place.name == "data.mdb" else b""


def _extents(descriptor: int, about: os.stat_result) -> list[tuple[int, int]]:
    """Where data is, for a file that has holes worth passing over; else nothing."""
    if about.st_size < _SPARSE or about.st_blocks * 512 > about.st_size * 9 // 10:
        return []
    found: list[tuple[int, int]] = []
    at = 0
    try:
        while at < about.st_size and len(found) < MOST_EXTENTS:
            begin = os.lseek(descriptor, at, os.SEEK_DATA)
            at = os.lseek(descriptor, begin, os.SEEK_HOLE)
            found.append((begin, min(at, about.st_size)))
    except OSError:
        # ENXIO: a hole up to the end. What cannot tell its holes is copied with them.
        return (found or [(0, 0)]) if at or _is_hole(descriptor) else []
    return found if at >= about.st_size else []


def _is_hole(descriptor: int) -> bool:
    try:
        return os.lseek(descriptor, 0, os.SEEK_HOLE) == 0
    except OSError:
        return False
