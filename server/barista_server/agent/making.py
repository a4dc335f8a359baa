"""The call that makes a session: from a template, or from the texts of a solver and a net."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from barista_server.agent import settings
from barista_server.agent.names import Named, valid_name
from barista_server.agent.session import Host, Session
from barista_server.agent.store import Folder, Meta, Store
from barista_server.api import messages as m

if TYPE_CHECKING:
    from barista_server.agent.client import Client
    from barista_server.agent.creation import Draft

Calls = dict[type, Callable[[Any, "Client"], Awaitable[m.Result]]]


def calls(
    host: Host,
    store: Store,
    add: Callable[[Folder], Awaitable[Session]],
    all_: Callable[[], Iterable[Named]],
) -> Calls:
    """Those this module answers; ``add`` takes a folder among the sessions, ``all_`` tells all there are."""

    async def new(call: m.NewSession, client: Client) -> m.Result:
        defaults: m.Defaults = await host.disk(settings.read_defaults, host.root)
        caffe = await settings.chosen_caffe(host.caffes, call.caffe or defaults.caffe)
        call = msgspec.structs.replace(call, device=call.device or defaults.device)
        draft = await asyncio.to_thread(_draft, call, host.root)
        name = valid_name(draft.name, "the session ")
        if not call.name:
            name = _free_name(name, {one.meta.name for one in all_()})
        meta = Meta(id="", name=name, created=time.time(), caffe=caffe.name, device=call.device)
        meta.launcher, meta.slurm = defaults.launcher, defaults.slurm
        folder = await host.disk(store.create, meta, draft.solver, draft.net, draft.beside)
        session = await add(folder)
        session.tell(f"created: {name}")
        return m.SessionReply(session=session.info())

    return {m.NewSession: new}


def _free_name(stem: str, taken: set[str]) -> str:
    name, number = stem, 1
    while name in taken:
        number += 1
        name = f"{stem}-{number}"
    return name


def _draft(call: m.NewSession, root: Path) -> Draft:
    # Imported in the thread that needs it: this loads the readers of Caffe's formats.
    from barista_server.agent.creation import draft

    return draft(call, root)
