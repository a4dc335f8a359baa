"""The call that makes a session from another one, with the weights of a snapshot or without."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import shutil
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from barista_server.agent import files
from barista_server.agent.compose import edited, quote, unquote
from barista_server.agent.errors import CallError
from barista_server.agent.names import Named, valid_name
from barista_server.agent.session import LIVE, Host, Session
from barista_server.agent.settings import chosen_caffe, valid_device, without_gpu
from barista_server.agent.snapshots import is_snapshot
from barista_server.agent.store import MOST_ANCESTORS, Folder, Meta, Store
from barista_server.api import messages as m

if TYPE_CHECKING:
    from barista_server.agent.client import Client

Calls = dict[type, Callable[[Any, "Client"], Awaitable[m.Result]]]

PRETRAINED = "pretrained"
"""Folder of the weights that a clone starts from, where no reset takes them for a snapshot of its own."""
_NOT_SHARED = ("journal.jsonl", "runs", "edits", PRETRAINED)
_NUMBER = re.compile(r"-\d+$")


class _Weights(NamedTuple):
    """A model in the parent's folder; ``iteration`` None: what the parent itself starts from."""

    path: Path
    iteration: int | None


def calls(
    host: Host,
    store: Store,
    find: Callable[[Any], Session],
    add: Callable[[Folder], Awaitable[Session]],
    all_: Callable[[], Iterable[Named]],
) -> Calls:
    """Those this module answers; ``add`` takes a folder among the sessions, ``all_`` tells all there are."""

    async def clone(call: m.CloneSession, client: Client) -> m.Result:
        parent = find(call)
        meta = await _meta(call, parent.meta, host)
        taken = {one.meta.name for one in all_()}
        meta.name = valid_name(call.name, "the session ") if call.name else free_name(meta.name, taken)
        weights = await _chosen(parent, call) if call.weights else None
        meta.parent = parent.id
        meta.lineage = [_ancestor(parent, weights), *parent.meta.lineage][:MOST_ANCESTORS]
        ready = store.sessions / f".clone-{secrets.token_hex(8)}"
        try:
            await asyncio.to_thread(_fill, ready, parent.folder.path, meta, weights)
            facts = msgspec.to_builtins(meta)
            del facts["id"], facts["created"]
            folder = await host.disk(store.adopt, ready, meta, "created", facts)
        except BaseException:
            await asyncio.to_thread(shutil.rmtree, ready, True)
            raise
        session = await add(folder)
        what = f"with its weights of iteration {weights.iteration}" if weights else "settings only"
        session.tell(f"created: {meta.name}, a clone of {parent.meta.name} ({what})")
        return m.SessionReply(session=session.info())

    return {m.CloneSession: clone}


def free_name(name: str, taken: set[str]) -> str:
    """``lenet-2`` for a clone of ``lenet``, ``lenet-3`` for the next, also of ``lenet-2``."""
    stem, number = _NUMBER.sub("", name) or name, 2
    while f"{stem}-{number}" in taken:
        number += 1
    return f"{stem}-{number}"


async def _meta(call: m.CloneSession, parent: Meta, host: Host) -> Meta:
    """The parent's choices but for those that were made anew. Raises CallError."""
    meta = msgspec.structs.replace(parent, id="", created=time.time(), weights="")
    if call.caffe:
        meta.caffe = (await chosen_caffe(host.caffes, call.caffe)).name
    if call.device:
        meta.device = valid_device(call.device)
    return meta


def _ancestor(parent: Session, weights: _Weights | None) -> m.Ancestor:
    return m.Ancestor(
        id=parent.id,
        name=parent.meta.name,
        created=parent.meta.created,
        how="weights" if weights else "settings",
        iteration=weights.iteration if weights else None,
    )


async def _chosen(parent: Session, call: m.CloneSession) -> _Weights:
    """The model to start from. Raises CallError, OSError."""
    await parent.look(settled=parent.state not in LIVE)
    good = parent.shelf.good
    wanted = [one for one in good if call.snapshot in (None, one.iteration)]
    if wanted:
        return _Weights(parent.folder.path / wanted[-1].model, wanted[-1].iteration)
    if call.snapshot is None and parent.meta.weights:
        return _Weights(parent.folder.path / parent.meta.weights, None)
    if call.snapshot is not None:
        there = ", ".join(str(one.iteration) for one in good) or "none"
        raise CallError(
            "not-found", f"has no good snapshot of iteration {call.snapshot}", f"There are: {there}."
        )
    hint = "Take one: barista snapshot NAME. Or clone net and solver alone: --settings-only"
    raise CallError("not-found", "has no good snapshot yet", hint)


def _fill(ready: Path, parent: Path, meta: Meta, weights: _Weights | None) -> None:
    """Make the folder all but its session.json. Blocks. Raises CallError, OSError."""
    ready.mkdir()
    for path in sorted(parent.iterdir()):
        name = path.name
        if name in _NOT_SHARED or name.startswith((".", "session.json")) or is_snapshot(name):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.copytree(path, ready / name, symlinks=True)
        elif path.is_file() or path.is_symlink():
            shutil.copy2(path, ready / name, follow_symlinks=False)
    for name in ("solver.prototxt", "net.prototxt"):
        _own_paths(ready / name, parent)
    if weights is not None:
        meta.weights = _copy_weights(weights.path, ready)
    if meta.device == "cpu":
        without_gpu(ready / "solver.prototxt")


def _own_paths(path: Path, parent: Path) -> None:
    """What is named by its path in the parent's folder was copied along, and is named by its own."""
    try:
        text = path.read_text("utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        # What is wrong with it is told by the check.
        return
    there = f"{parent}/"
    after = edited(
        text,
        lambda value: (
            quote(named.removeprefix(there)) if (named := unquote(value.text)).startswith(there) else None
        ),
    )
    if after != text:
        files.write(path, after.encode())


def _copy_weights(source: Path, ready: Path) -> str:
    """Where the copy is, relative. No link: caffe writes a snapshot of the same name into the same file."""
    # caffe takes a comma for the end of a file's name.
    name = f"{PRETRAINED}/{source.name.replace(',', '_')}"
    (ready / PRETRAINED).mkdir()
    before = source.stat()
    shutil.copyfile(source, ready / name)
    after = source.stat()
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise CallError("changed", f"wrote {source.name} anew while it was copied", "Clone it again.")
    with (ready / name).open("rb+") as file:
        os.fsync(file.fileno())
    return name
