"""The last known list, kept so that the next start paints it at once. Losing it costs nothing."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

import msgspec

from barista_server.api.messages import SessionInfo

MAX_SIZE = 4 * 1024 * 1024


class Remembered(msgspec.Struct, frozen=True):
    """A list as it was known at a time."""

    time: float
    sessions: list[SessionInfo]


def _path(place: str) -> Path:
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    key = hashlib.sha256(place.encode(errors="surrogateescape")).hexdigest()[:16]
    return base / "barista" / f"{key}.list"


def load(place: str) -> Remembered | None:
    """The remembered list of a root folder or host; None where there is none or it cannot be read."""
    path = _path(place)
    try:
        if path.stat().st_size > MAX_SIZE:
            return None
        return msgspec.msgpack.decode(path.read_bytes(), type=Remembered)
    except (OSError, msgspec.MsgspecError):
        return None


def save(place: str, sessions: list[SessionInfo], at: float) -> None:
    """Remember the list. What cannot be written is not remembered."""
    path = _path(place)
    temporary = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(msgspec.msgpack.encode(Remembered(at, sessions)))
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
