"""Lists of HDF5 files: read, filled and written for clients, within the declared folders."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from barista_server.agent.client import Client
from barista_server.agent.datasets import roots as places
from barista_server.agent.errors import CallError
from barista_server.api import messages as m
from barista_server.data import file_lists

PATIENCE = 10.0
"""Seconds to walk through a folder."""

Check = Callable[[Path, Client], Awaitable[None]]
"""Raises CallError where a client may not reach."""


class Lists:
    """``check`` says which places a client may reach."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._lock = asyncio.Lock()

    def calls(self) -> dict[type, Callable[[Any, Client], Awaitable[m.Result]]]:
        """Those that this class answers."""
        return {m.ReadFileList: self._read, m.FindHdf5Files: self._find, m.WriteFileList: self._write}

    async def _read(self, call: m.ReadFileList, client: Client) -> m.Result:
        return await asyncio.to_thread(_read, await self._place(call.path, client))

    async def _find(self, call: m.FindHdf5Files, client: Client) -> m.Result:
        path = await self._place(call.path, client)
        try:
            found, note = await asyncio.to_thread(file_lists.below, path, m.MOST_LIST_BYTES, PATIENCE)
        except OSError as error:
            raise CallError("not-found", f"{path}: {error.strerror}") from None
        return m.Hdf5Files(paths=found, note=note)

    async def _write(self, call: m.WriteFileList, client: Client) -> m.Result:
        path = await self._place(call.path, client)
        lines = file_lists.tidy(call.lines)
        if not lines:
            raise CallError("invalid", "a list without files is no dataset", "Add a file.")
        if hostile := next((line for line in lines if not file_lists.is_plain(line)), None):
            hint = "Rename the file, and write its new name."
            raise CallError("invalid", f"a name has control characters: {hostile!r}", hint)
        if sum(len(line) + 1 for line in lines) > m.MOST_LIST_BYTES:
            text = f"the list has more than {m.MOST_LIST_BYTES:,} characters"
            raise CallError("invalid", text, "Make two lists of it.")
        async with self._lock:
            return await asyncio.to_thread(_write, path, lines, call.stamp)

    async def _place(self, given: str, client: Client) -> Path:
        """Where it leads, if the client may reach that. Raises CallError."""
        path = await asyncio.to_thread(places.absolute, given)
        await self._check(path, client)
        return path


def _read(path: Path) -> m.FileList:
    try:
        lines, stamp = file_lists.read(path, m.MOST_LIST_BYTES)
    except OSError as error:
        hint = "Name a text file of that host which the agent's user may read."
        raise CallError("not-found", f"{path} cannot be read: {error.strerror}", hint) from None
    except ValueError as error:
        raise CallError("invalid", f"{path} is no list of files: {error}") from None
    return m.FileList(path=str(path), lines=lines, stamp=stamp)


def _write(path: Path, lines: list[str], stamp: str) -> m.FileList:
    there = path.exists()
    if there and not stamp:
        raise CallError("refused", f"{path} is there already", "Open it first, or choose another name.")
    if there and stamp != file_lists.stamp(path):
        raise CallError("changed", f"{path} was changed meanwhile", "Open it again, or choose another name.")
    try:
        file_lists.write(path, lines)
    except OSError as error:
        raise CallError("refused", f"{path} was not written: {error.strerror}") from None
    return _read(path)
