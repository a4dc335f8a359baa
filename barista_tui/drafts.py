"""Texts that were typed in the editor and not saved: kept on this machine until they are."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

import msgspec
from platformdirs import user_state_path

LARGEST = 16 << 20


class Draft(msgspec.Struct, frozen=True):
    """``seen``: the revision of the text that was edited."""

    text: str
    seen: str


def _path(place: str, session: str, file: str) -> Path:
    key = hashlib.sha256(f"{place}\0{session}\0{file}".encode(errors="surrogateescape")).hexdigest()[:16]
    return user_state_path("barista", appauthor=False) / "drafts" / f"{file}-{key}.json"


def load(place: str, session: str, file: str) -> Draft | None:
    """What was left of a session's file; place: the root folder or host. None where there is nothing."""
    path = _path(place, session, file)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Draft) if path.stat().st_size <= LARGEST else None
    except (OSError, msgspec.MsgspecError):
        return None


def save(place: str, session: str, file: str, draft: Draft) -> None:
    """Keep it. Raises OSError."""
    path = _path(place, session, file)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}")
    temporary.touch(mode=0o600)
    temporary.write_bytes(msgspec.json.encode(draft))
    temporary.replace(path)


def drop(place: str, session: str, file: str) -> None:
    """It was saved, or given up."""
    with contextlib.suppress(OSError):
        _path(place, session, file).unlink(missing_ok=True)
