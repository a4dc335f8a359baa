"""Answers by which sessions are compared: their files, what tells these apart, what the sessions came to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec

from barista_server.agent.errors import CallError
from barista_server.agent.session import Session
from barista_server.api import messages as m

if TYPE_CHECKING:
    from barista_server.agent.client import Client
    from barista_server.agent.imported import Imported
    from barista_server.agent.reading import Reading
    from barista_server.agent.store import Folder


def calls(
    find: Callable[[Any], Session | Imported], find_session: Callable[[Any], Session], reading: Reading
) -> dict[type, Callable[[Any, Client], Awaitable[m.Result]]]:
    """The calls this module answers; ``find`` and ``find_session`` tell what a call is about."""

    async def get_files(call: m.GetFiles, client: Client) -> m.Result:
        return await asyncio.to_thread(_texts, find_session(call).folder)

    async def diff(call: m.DiffSettings, client: Client) -> m.Result:
        async def texts(which: str | m.Settings) -> m.Settings:
            if isinstance(which, m.Settings):
                return which
            session = find_session(m.GetFiles(session=which))
            files = await asyncio.to_thread(_texts, session.folder)
            return m.Settings(solver=files.solver, net=files.net, name=session.meta.name)

        return await asyncio.to_thread(_diff, await texts(call.old), await texts(call.new))

    async def summarize(call: m.SummarizeSession, client: Client) -> m.Result:
        one = find(call)
        found = await reading.results(one)
        if not isinstance(one, Session):
            return found
        return msgspec.structs.replace(found, **await asyncio.to_thread(_settings, one.folder))

    return {m.GetFiles: get_files, m.DiffSettings: diff, m.SummarizeSession: summarize}


def _texts(folder: Folder) -> m.SessionFiles:
    solver, net = (path.read_text("utf-8", "replace") for path in (folder.solver, folder.net))
    return m.SessionFiles(solver=solver, net=net)


def _settings(folder: Folder) -> dict[str, Any]:
    from barista_server.agent import summaries

    return summaries.settings(folder.path)


def _diff(old: m.Settings, new: m.Settings) -> m.SettingsDiff:
    """Raises CallError for texts that are no solver or net."""
    # Imported here: an agent that is never asked saves the memory.
    from barista_server.caffe.diff import Pair, diff
    from barista_server.caffe.errors import NetError
    from barista_server.caffe.prototxt import PrototxtError

    def pair(one: m.Settings) -> Pair:
        within = f"{one.name}: " if one.name else ""
        return Pair(one.solver, one.net, (f"{within}solver.prototxt", f"{within}net.prototxt"))

    try:
        found = diff(pair(old), pair(new))
    except PrototxtError as error:
        problem = m.Problem(text=error.message, file=error.path, line=error.line, hint=error.hint or None)
        raise CallError("invalid", "these cannot be compared as their files are:", None, [problem]) from None
    except NetError as error:
        problem = m.Problem(text=str(error), file=error.path, hint=error.hint or None)
        raise CallError("invalid", "these cannot be compared as their nets are:", None, [problem]) from None
    nets = [msgspec.convert(net, m.NetChanges, from_attributes=True) for net in found.nets]
    solver = [msgspec.convert(each, m.FieldChange, from_attributes=True) for each in found.solver]
    return m.SettingsDiff(same=found.same, solver=solver, nets=nets)
