"""Breaks a process at its N-th step that changes files: it is killed, or the step fails as on a full disk."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import stat
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

Mode = Literal["kill", "fail"]

_CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.truncate", "subprocess.Popen"}
_FREES = {"os.remove", "os.rmdir"}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Breaker:
    """Not to be taken out of a process again: only for one that ends soon. ``at`` 0 breaks nothing."""

    def __init__(self, root: Path, at: int, mode: Mode) -> None:
        self.armed = False
        self.steps = 0
        self.broke = ""
        """The step that failed."""
        self._root = str(root)
        self._at = at
        self._mode = mode
        self._fsync, self._write = os.fsync, os.write
        os.fsync = self._syncing  # type: ignore[assignment]
        os.write = self._writing  # type: ignore[assignment]
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.armed:
            return
        if event == "open":
            path, _, flags = arguments
            if isinstance(flags, int) and flags & _WRITES and self._is_ours(path):
                self._step(f"open {path}")
        elif event in _CHANGES:
            self._step(f"{event} {arguments[0]}", frees=event in _FREES)

    def _is_ours(self, path: object) -> bool:
        return isinstance(path, str | bytes | os.PathLike) and os.fsdecode(path).startswith(self._root)

    def _syncing(self, descriptor: int) -> None:
        if self.armed:
            self._step("fsync")
        self._fsync(descriptor)

    def _writing(self, descriptor: int, data: bytes) -> int:
        if self.armed and stat.S_ISREG(os.fstat(descriptor).st_mode):
            if self.steps + 1 == self._at and self._mode == "kill":
                # Torn in the middle.
                self._write(descriptor, data[: len(data) // 2])
            self._step("write")
        return self._write(descriptor, data)

    def _step(self, what: str, frees: bool = False) -> None:
        self.steps += 1
        if self.steps != self._at:
            return
        if self._mode == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if not frees:
            self.broke = what
            raise OSError(errno.ENOSPC, "No space left on device", what)


class Child:
    """A process of its own that runs ``work``; several go on at a time."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._told, tell = os.pipe()
        self._pid = os.fork()
        if self._pid:
            os.close(tell)
            return
        code = 1
        try:
            found = work()
            text = asyncio.run(found) if asyncio.iscoroutine(found) else found
            os.write(tell, str(text).encode())
            code = 0
        except BaseException:
            os.write(tell, traceback.format_exc().encode()[-4000:])
        finally:
            os._exit(code)

    def end(self) -> tuple[int, str]:
        """Wait for it: its status, and what the work returned, or died of."""
        with os.fdopen(self._told, "rb") as pipe:
            text = pipe.read().decode()
        return os.waitpid(self._pid, 0)[1], text
