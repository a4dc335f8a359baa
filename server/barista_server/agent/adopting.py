"""Making a session's folder that comes from elsewhere one of this root's own: what both a copy from another
host and a folder that was packed and unpacked again go through. Blocks; raises OSError, CallError.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import time
from pathlib import Path
from typing import TypeVar

import msgspec

from barista_server.agent import files
from barista_server.agent.errors import CallError
from barista_server.agent.snapshots import check, pairs_in
from barista_server.agent.store import MOST_ANCESTORS, Command, Folder, Meta, Process
from barista_server.api.text import MOST_NAME, clean_name
from barista_server.api.things import Ancestor

T = TypeVar("T")


def duplicate(source: Path, target: Path) -> None:
    """The same files under another name, without copying where links do. Files are written by replacing them,
    so that the source stays as it is; the journal, which is appended to, is copied.
    """
    for folder, _, names in os.walk(source):
        own = target / Path(folder).relative_to(source)
        own.mkdir(mode=0o755)
        for name in names:
            place = Path(folder, name)
            if name != "journal.jsonl":
                try:
                    (own / name).hardlink_to(place)
                    continue
                except OSError:
                    pass
            shutil.copy2(place, own / name)


def meta_of(folder: Path, name: str, taken: set[str], origin: str, sessions: Path) -> tuple[Meta, list[str]]:
    """What session.json says, made fit for this root under a name that none has; and what was changed.

    ``origin``: ``host:folder`` it was copied from; ``sessions``: where this root has its own.
    """
    notes: list[str] = []
    try:
        meta = files.read_json(folder / "session.json", Meta)
    except FileNotFoundError:
        meta = Meta(id="", name="", created=time.time())
    except ValueError as error:
        notes.append(f"session.json is damaged, name and choices are new: {error}")
        meta = Meta(id="", name="", created=time.time())
    _descend(meta, origin, sessions)
    wanted = clean_name(name or meta.name)[:MOST_NAME] or "session"
    meta.name, number = wanted, 1
    while meta.name in taken:
        number += 1
        meta.name = f"{wanted}-{number}"
    if meta.name != wanted:
        notes.append(f"it is called {meta.name} here: there is a {wanted} already")
    return meta, notes


def _descend(meta: Meta, origin: str, sessions: Path) -> None:
    """Have it come from the session it is a copy of; ids of another root are told with their place."""
    if not meta.id:
        return
    host, _, folder = origin.partition(":")
    here = host == socket.gethostname() and Path(folder) == sessions / meta.id
    meta.parent = meta.id if here else None
    one = Ancestor(id=meta.id, name=meta.name, created=meta.created, place="" if here else origin)
    before = meta.lineage
    if not here:
        around = origin.rpartition("/")[0]
        before = [
            each if each.place else msgspec.structs.replace(each, place=f"{around}/{each.id}")
            for each in before
        ]
    meta.lineage = [one, *before][:MOST_ANCESTORS]


def need_files(folder: Path) -> None:
    """Raises CallError unless it looks like a session's folder."""
    missing = [name for name in ("solver.prototxt", "net.prototxt") if not (folder / name).is_file()]
    if missing:
        hint = "To make a session of prototxt files: barista new SOLVER.prototxt"
        raise CallError("invalid", f"it is no session's folder: {', '.join(missing)} is missing", hint)


def disown_runs(folder: Path) -> None:
    """Processes that its runs name are another root's: they are never to be found, adopted or signalled."""
    for path in Folder(folder).runs():
        nonce = secrets.token_hex(16)
        if (command := _whole(path / "command.json", Command)) is not None:
            files.write_json(path / "command.json", msgspec.structs.replace(command, nonce=nonce))
        if (process := _whole(path / "process.json", Process)) is not None:
            process = msgspec.structs.replace(process, nonce=nonce, boot_id="elsewhere")
            files.write_json(path / "process.json", process)


def _whole(path: Path, kind: type[T]) -> T | None:
    """A file of a run; a damaged one is removed, as nobody can tell which processes it means."""
    try:
        return files.read_json(path, kind)
    except FileNotFoundError:
        return None
    except ValueError:
        path.unlink()
        return None


def damaged_newest(folder: Path) -> str:
    """Why nothing can go on from the newest snapshot; empty if it is good, or there is none."""
    found = sorted(pairs_in(folder), key=lambda pair: (max(pair.stamp()[1::2]), pair.iteration))
    if not found:
        return ""
    iteration, problem = check(found[-1].model, found[-1].state)
    if not problem and iteration != found[-1].iteration:
        problem = f"{found[-1].state.name} holds iteration {iteration}"
    return problem
