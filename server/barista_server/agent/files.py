"""Files that are whole or not there: write, flush, rename, flush the folder."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO, TypeVar

import msgspec

T = TypeVar("T")


def write(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data``; after a crash it is the old file or the new one. Raises OSError."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_json(path: Path, value: object) -> None:
    """Replace ``path`` by the JSON of a struct or dict. Raises OSError."""
    write(path, msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n")


def read_json(path: Path, kind: type[T]) -> T:
    """Raises FileNotFoundError, OSError, or ValueError when the content is damaged."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path}: {error}") from None


_KINDS = {
    stat.S_IFDIR: "it is a folder",
    stat.S_IFIFO: "it is a pipe",
    stat.S_IFSOCK: "it is a socket",
    stat.S_IFCHR: "it is a device",
    stat.S_IFBLK: "it is a device",
}


def stat_regular(path: Path) -> os.stat_result:
    """Size and times of a file, links followed. Raises OSError, also for what is no regular file."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        why = _KINDS.get(stat.S_IFMT(found.st_mode), "it is no file")
        raise OSError(errno.EINVAL, why, str(path))
    return found


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading without ever waiting for it, as a pipe would make one.

    Raises OSError, also for what is no regular file.
    """
    stat_regular(path)
    # It may have become another thing since: then this does not wait either.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no file", str(path))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def sync_folder(folder: Path) -> None:
    """Make renames in ``folder`` last."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
