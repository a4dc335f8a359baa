"""The calls about caffe builds: what there is, what each is, and, for admins, what may be run."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from barista_server.agent import files
from barista_server.agent.builds.places import EMBEDDED
from barista_server.agent.caffes import Caffes, Entry, started
from barista_server.agent.errors import CallError
from barista_server.agent.names import valid_name
from barista_server.api import messages as m

if TYPE_CHECKING:
    from barista_server.agent.client import Client
    from barista_server.agent.hub import Hub
    from barista_server.agent.session import Session

Calls = dict[type, Callable[[Any, "Client"], Awaitable[m.Result]]]


class Builds:
    """``sessions``: those that may have chosen one by its name."""

    def __init__(
        self,
        root: Path,
        caffes: Caffes,
        sessions: Callable[[], list[Session]],
        hub: Hub,
    ) -> None:
        self._root, self._caffes, self._sessions, self._hub = root, caffes, sessions, hub
        self._lock = asyncio.Lock()

    def calls(self) -> Calls:
        """The calls this class answers."""
        return {
            m.ListCaffes: self._list,
            m.CheckCaffes: self._check,
            m.AddCaffe: self._add,
            m.RemoveCaffe: self._remove,
            m.RenameCaffe: self._rename,
        }

    async def _list(self, call: m.ListCaffes, client: Client) -> m.Result:
        return m.CaffeList(caffes=await asyncio.to_thread(self._caffes.find))

    async def _check(self, call: m.CheckCaffes, client: Client) -> m.Result:
        try:
            return m.CaffeList(caffes=await self._caffes.check(call.names, call.again))
        except KeyError as error:
            raise await self._no_such(error.args[0]) from None

    async def _add(self, call: m.AddCaffe, client: Client) -> m.Result:
        _only_admins(client)
        name, argv = _name(call.name), _argv(call.argv)
        async with self._lock:
            entries = await self._entries()
            if any(entry.name == name for entry in entries):
                hint = f"Take it off first: barista caffes rm {name}; or choose another name."
                raise CallError("refused", f"there is a caffe '{name}' already", hint)
            info = await asyncio.to_thread(started, m.CaffeInfo(name=name, argv=argv))
            if info.problem is not None:
                raise CallError("invalid", info.problem, "Give the path of the program on that machine.")
            if not call.unchecked:
                check = await self._caffes.checks.make(argv)
                if check.problem is not None:
                    raise CallError("untrained", f"{argv[0]} {check.problem}", check.hint)
            entries.insert(len(entries) if call.place is None else max(0, call.place), Entry(name, argv))
            await asyncio.to_thread(self._caffes.write, entries)
        self._notice(f"caffe '{name}' was added: {' '.join(argv)}")
        return await self._list(m.ListCaffes(), client)

    async def _remove(self, call: m.RemoveCaffe, client: Client) -> m.Result:
        _only_admins(client)
        async with self._lock:
            entries = await self._entries()
            await self._added(entries, call.name)
            await asyncio.to_thread(self._caffes.write, [one for one in entries if one.name != call.name])
        left = [one.meta.name for one in self._sessions() if one.meta.caffe == call.name]
        others = f"; chosen by {', '.join(left[:5])}" if left else ""
        self._notice(f"caffe '{call.name}' was taken off the list{others}")
        return await self._list(m.ListCaffes(), client)

    async def _rename(self, call: m.RenameCaffe, client: Client) -> m.Result:
        _only_admins(client)
        name = _name(call.to)
        async with self._lock:
            entries = await self._entries()
            await self._added(entries, call.name)
            if any(one.name == name for one in await asyncio.to_thread(self._caffes.find)):
                raise CallError("refused", f"there is a caffe '{name}' already", "Choose another name.")
            renamed = [Entry(name, one.argv) if one.name == call.name else one for one in entries]
            await asyncio.to_thread(self._caffes.write, renamed)
            await self._follow(call.name, name)
        self._notice(f"caffe '{call.name}' is called '{name}' now")
        return await self._list(m.ListCaffes(), client)

    async def _follow(self, old: str, new: str) -> None:
        """Sessions and the host's defaults mean the same executable as before."""
        for session in self._sessions():
            if session.meta.caffe == old:
                async with session.lock:
                    meta = msgspec.structs.replace(session.meta, caffe=new)
                    await session.host.disk(session.folder.save, meta)
                    session.meta = meta
                    await session.note("configured", caffe=new)
                    session.changed()
        await asyncio.to_thread(_follow_defaults, self._root / "defaults.json", old, new)

    def _notice(self, text: str) -> None:
        self._hub.notice("Agent", text, "text")

    async def _entries(self) -> list[Entry]:
        try:
            return await asyncio.to_thread(self._caffes.entries)
        except ValueError as error:
            raise CallError("invalid", str(error), "Correct the file, or remove it.") from None

    async def _added(self, entries: list[Entry], name: str) -> None:
        """Only what a person added can be changed. Raises CallError."""
        if any(entry.name == name for entry in entries):
            return
        found = {info.name: info for info in await asyncio.to_thread(self._caffes.find)}
        if name not in found:
            raise await self._no_such(name)
        hint = "Add it under a name of its own: barista caffes add NAME -- " + " ".join(found[name].argv)
        raise CallError("refused", f"'{name}' was not added by anybody: it is there while its file is", hint)

    async def _no_such(self, name: str) -> CallError:
        there = ", ".join(one.name for one in await asyncio.to_thread(self._caffes.find))
        return CallError("not-found", f"there is no caffe '{name}' on this machine", f"There are: {there}.")


def _only_admins(client: Client) -> None:
    """What is on the list is run on this host, whoever asks for it. Raises CallError."""
    if not client.admin:
        text = "this key may choose among the caffes of this host, but not say what is run on it"
        hint = 'Do it on the host itself, by a login there, or with a key that has barista-role="admin".'
        raise CallError("forbidden", text, hint)


def _name(name: str) -> str:
    if name == EMBEDDED:
        raise CallError(
            "invalid", f"'{EMBEDDED}' is the one that comes with the agent", "Choose another name."
        )
    return valid_name(name, "the caffe ")


def _argv(argv: list[str]) -> list[str]:
    """With the program's own path: what the PATH is may be another matter at the next start."""
    if not argv or not argv[0]:
        raise CallError(
            "invalid", "nothing is to be run", "Give the command: barista caffes add NAME -- PATH"
        )
    if any("\0" in word for word in argv):
        raise CallError("invalid", "a command has no NUL in it")
    if "/" in argv[0] and not argv[0].startswith("/"):
        raise CallError("invalid", f"'{argv[0]}' is no absolute path", "Give it from the root on: /opt/...")
    return [shutil.which(argv[0]) or argv[0], *argv[1:]]


def _follow_defaults(path: Path, old: str, new: str) -> None:
    try:
        now = files.read_json(path, m.Defaults)
    except (ValueError, FileNotFoundError):
        return
    if now.caffe == old:
        files.write_json(path, msgspec.structs.replace(now, caffe=new))
