"""The imported logs of one root: taking in, giving up, bringing back."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from barista_server.agent import files
from barista_server.agent.errors import CallError
from barista_server.agent.hub import Hub
from barista_server.agent.imported import Imported, read_meta
from barista_server.agent.names import valid_name
from barista_server.agent.seen import held
from barista_server.agent.store import LogMeta, Store
from barista_server.api import messages as m
from barista_server.api.text import MOST_NAME, clean_name

T = TypeVar("T")

WAIT = 1.0
"""Seconds an import may take until it is answered while the log is still being read."""
THREADS = 4
"""Logs read at once: one on a disk that hangs holds up no other."""

_SUFFIXES = re.compile(r"(?:\.(?:log|txt|out|INFO|WARNING|ERROR|FATAL))+$", re.IGNORECASE)
_GLOG = re.compile(r"(.+?)\..+\.log\.[A-Z]+\.(\d{8}-\d{6})\.\d+")
_COMMON = {"caffe", "caffe_output", "log", "logs", "nohup", "out", "output", "screenlog", "train", "training"}
"""Names that tell nothing without the folder."""

log = logging.getLogger("barista.agent")


class Imports:
    """Keeps ``logs``, by id."""

    def __init__(self, hub: Hub, store: Store, disk: Callable[..., Any]) -> None:
        self.logs: dict[str, Imported] = {}
        self._hub = hub
        self._store = store
        self._disk = disk
        self._readers = ThreadPoolExecutor(THREADS, "logs")
        self._importing = asyncio.Lock()

    async def load(self) -> None:
        """Take up the logs imported earlier. Raises OSError."""
        for folder in await self._disk(self._store.open_logs):
            try:
                await self._add(folder, await self._disk(read_meta, folder))
            except (OSError, ValueError) as error:
                log.error("log %s cannot be loaded: %s", folder, error)
                text = f"imported log {folder.name} cannot be loaded: {error}"
                self._hub.notice("Agent", text, "error")

    async def close(self) -> None:
        """Let go of everything."""
        for one in self.logs.values():
            await one.unload()
        self._readers.shutdown(wait=False, cancel_futures=True)

    async def take(self, call: m.ImportLog, taken: set[str]) -> Imported:
        """Import a log. ``taken``: names in use. Raises CallError, OSError."""
        path = await self._work(_checked, call.path)
        name = valid_name(call.name, "the log ") if call.name else _free(_name_of(path), taken)
        async with self._importing:
            self._refuse_a_second(path)
            meta = LogMeta(id="", name=name, created=time.time(), path=str(path))
            folder = await self._disk(self._store.import_log, meta)
            one = await self._add(folder, meta)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WAIT):
                await one.known.wait()
        one.tell(f"imported: {path}")
        return one

    async def delete(self, one: Imported, call: m.DeleteSession) -> m.TrashReply:
        """Take it off the list; the file stays as it is. Raises OSError."""
        async with held(one, call):
            trash, count, size = await self._disk(self._store.delete_log, one.folder)
            del self.logs[one.id]
            await one.unload()
        self._hub.removed(one.id)
        one.tell(f"{one.meta.name} is off the list; {one.path} stays as it is")
        return m.TrashReply(trash=trash, session=one.id, files=count, size=size, kind="log")

    async def restore(self, trashed: Path, number: str) -> Imported:
        """Bring it back. Raises CallError, OSError."""
        try:
            meta = await self._disk(read_meta, trashed)
        except ValueError as error:
            raise CallError("invalid", f"what is left of it cannot be read: {error}") from None
        async with self._importing:
            self._refuse_a_second(Path(meta.path))
            folder = await self._disk(self._store.restore_log, trashed, number)
            return await self._add(folder, read_meta(folder))

    async def rename(self, one: Imported, call: m.RenameSession) -> None:
        """Raises CallError, OSError."""
        wanted = valid_name(call.name)
        async with held(one, call):
            meta = LogMeta(one.id, wanted, one.meta.created, one.meta.path)
            await self._disk(files.write_json, one.folder / "log.json", meta)
            one.meta = meta
        one.changed()

    async def _add(self, folder: Path, meta: LogMeta) -> Imported:
        one = Imported(self._hub, folder, meta, self._work)
        await one.remember()
        self.logs[one.id] = one
        one.begin()
        one.changed()
        return one

    def _refuse_a_second(self, path: Path) -> None:
        for one in self.logs.values():
            if one.path == path:
                text = f"{path} is imported already: it is {one.id}, {one.meta.name}"
                raise CallError("refused", text, f"Look at that one, or delete {one.id} first.")
        sessions = self._store.sessions.resolve()
        if path.is_relative_to(sessions):
            number = path.relative_to(sessions).parts[0]
            raise CallError("refused", f"{path} belongs to session {number}, which shows it already")

    async def _work(self, function: Callable[..., T], *arguments: object) -> T:
        work = partial(function, *arguments)
        return await asyncio.get_running_loop().run_in_executor(self._readers, work)


def _checked(given: str) -> Path:
    """The one name of a file that can be read: folders without links, the file's own link kept, since glog
    points it to its newest log. Blocks. Raises CallError.
    """
    path = Path(given)
    if not path.is_absolute() or "\0" in given:
        raise CallError("invalid", f"'{given}' is not the whole path of a file", "Begin it with a slash.")
    try:
        path = path.parent.resolve() / path.name
        files.open_regular(path).close()
    except (FileNotFoundError, NotADirectoryError):
        where = _nearest(path)
        hint = f"There is {where}, and nothing called {path.relative_to(where).parts[0]} in it."
        raise CallError("not-found", f"there is no file {path}", hint) from None
    except PermissionError:
        text = f"{path} may not be read by this user"
        raise CallError("invalid", text, f"Allow it, for instance: chmod a+r {path}") from None
    except (OSError, RuntimeError) as error:
        # The latter for links that lead in a circle.
        text = f"{path} is no log that can be read: {getattr(error, 'strerror', None) or error}"
        raise CallError("invalid", text, "Name a regular file.") from None
    return path


def _nearest(path: Path) -> Path:
    """The last folder on the way that is there."""
    return next(parent for parent in path.parents if parent.is_dir())


def _name_of(path: Path) -> str:
    """After the file; where that says nothing, after its folder too."""
    glog = _GLOG.fullmatch(path.name)
    name = f"{glog[1]} {glog[2]}" if glog else _SUFFIXES.sub("", path.name) or path.name
    if name.lower() in _COMMON and path.parent.name:
        name = f"{path.parent.name}/{name}"
    return clean_name(name)[:MOST_NAME] or "log"


def _free(stem: str, taken: set[str]) -> str:
    name, number = stem, 1
    while name in taken:
        number += 1
        name = f"{stem}-{number}"
    return name
