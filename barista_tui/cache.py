"""The last known list, kept so that the next start paints it at once. Losing it costs nothing."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

import msgspec

from barista_server.api.messages import SessionInfo

MAX_SIZE = 4 * 1024 * 1024


def _path(place: str) -> Path:
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    key = hashlib.sha256(place.encode(errors="surrogateescape")).hexdigest()[:16]
    return base / "barista" / f"{key}.list"


def load(place: str) -> list[SessionInfo]:
    """The remembered list of a root folder or host; empty where there is none or it cannot be read."""
    path = _path(place)
    try:
        if path.stat().st_size > MAX_SIZE:
            return []
        return msgspec.msgpack.decode(path.read_bytes(), type=list[SessionInfo])
    except (OSError, msgspec.MsgspecError):
        return []


def save(place: str, sessions: list[SessionInfo]) -> None:
    """Remember the list. What cannot be written is not remembered."""
    path = _path(place)
    temporary = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(msgspec.msgpack.encode(sessions))
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
