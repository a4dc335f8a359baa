"""What lies in the trash, and how it goes for good."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from barista_server.agent import files
from barista_server.agent.store import Folder, LogMeta, Meta, Store
from barista_server.api import messages as m

if TYPE_CHECKING:
    from barista_server.agent.client import Client
    from barista_server.agent.hub import Hub
    from barista_server.agent.imported import Work
    from barista_server.agent.session import Session


def calls(
    store: Store, sessions: Mapping[str, Session], hub: Hub, disk: Work
) -> dict[type, Callable[[Any, Client], Awaitable[m.Result]]]:
    """The calls about the trash; ``sessions``: by number, those whose runs may lie there."""

    def known() -> dict[str, str]:
        return {number: session.meta.name for number, session in sessions.items()}

    async def listed(call: m.ListTrash, client: Client) -> m.Result:
        return m.TrashList(items=await asyncio.to_thread(look, store, known()))

    async def empty(call: m.EmptyTrash, client: Client) -> m.Result:
        wanted = set(call.trash)
        items = [one for one in await asyncio.to_thread(look, store, known()) if one.trash in wanted]
        # Out of the way first, as a restore may come: what is half gone must not come back.
        moved = [await disk(_aside, store, one.trash) for one in items]
        gone = [one for one, path in zip(items, moved, strict=True) if path is not None]
        for path in filter(None, moved):
            await asyncio.to_thread(shutil.rmtree, path)
        if gone:
            size = sum(one.size for one in gone)
            hub.notice("Agent", f"deleted for good: {len(gone)} of the trash, {size} bytes", "text")
        return m.TrashList(items=gone)

    return {m.ListTrash: listed, m.EmptyTrash: empty}


def look(store: Store, names: Mapping[str, str]) -> list[m.TrashItem]:
    """Oldest first. ``names`` of the sessions that are there. Blocks. Raises OSError."""
    items = []
    for trash in store.trashed():
        try:
            path, session, what = store.find_trash(trash)
            count, size = Folder(path).size()
        except (KeyError, FileNotFoundError):
            continue  # it was brought back just now
        log = (path / "log.json").exists()
        items.append(
            m.TrashItem(
                trash=trash,
                session=session,
                name=_name(path, log) or names.get(session, ""),
                what=cast(Literal["delete", "reset"], what),
                time=time.mktime(time.strptime(trash.split("-")[0], "%Y%m%dT%H%M%S")),
                files=count,
                size=size,
                kind="log" if log else "session",
            )
        )
    return items


def _name(path: Path, log: bool) -> str:
    """What it was called; empty for what is a reset's, or cannot be read."""
    try:
        if log:
            return files.read_json(path / "log.json", LogMeta).name
        return files.read_json(path / "session.json", Meta).name
    except (OSError, ValueError):
        return ""


def _aside(store: Store, trash: str) -> Path | None:
    """Where it lies now, under a name that the next start removes; None: it is not there any more."""
    path = store.trash / trash
    target = store.trash / f".{trash}"
    try:
        path.rename(target)
    except FileNotFoundError:
        return None
    files.sync_folder(store.trash)
    return target
