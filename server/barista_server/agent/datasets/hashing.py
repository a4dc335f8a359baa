"""Content ids found in the background, one at a time, each by a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from barista_server.agent.datasets.apart import answers
from barista_server.agent.datasets.registry import Entry
from barista_server.agent.datasets.tasks import Hashed, Progress, Resumed, Task
from barista_server.agent.errors import CallError
from barista_server.api.datasets import Job

_OF_LATE = 5.0
"""Seconds that rate and time to go are taken from."""


@dataclass
class _Pace:
    """Where hashing stood when, of late."""

    points: deque[tuple[float, int, float]] = field(default_factory=deque)

    def take(self, size: int, share: float) -> tuple[float, float | None]:
        """Bytes per second and seconds to go."""
        now = time.monotonic()
        self.points.append((now, size, share))
        while len(self.points) > 2 and now - self.points[0][0] > _OF_LATE:
            self.points.popleft()
        begin, size_then, share_then = self.points[0]
        if now <= begin:
            return 0.0, None
        speed = (share - share_then) / (now - begin)
        return (size - size_then) / (now - begin), (1 - share) / speed if speed > 0 else None


class Hashing:
    """``jobs``: what is hashed, or waits for it, by the dataset's number.

    ``done`` is called with the result, ``failed`` with the reason; both belong to the job and end with it.
    """

    def __init__(
        self,
        folder: Path,
        roots: Callable[[], list[str]],
        changed: Callable[[Entry], None],
        done: Callable[[Entry, Hashed], Awaitable[None]],
        failed: Callable[[Entry, CallError], Awaitable[None]],
    ) -> None:
        self.jobs: dict[str, Job] = {}
        self._folder = folder
        self._roots, self._changed, self._done, self._failed = roots, changed, done, failed
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._turn = asyncio.Lock()

    def begin(self, entry: Entry) -> None:
        """Hash it when its turn has come."""
        self.jobs[entry.id] = Job(what="waiting")
        self._tasks[entry.id] = asyncio.create_task(self._run(entry))
        self._changed(entry)

    async def cancel(self, number: str) -> bool:
        """Stop; False if it is not being hashed."""
        task = self._tasks.get(number)
        if task is None:
            return False
        task.cancel()
        await asyncio.wait([task])
        return True

    async def close(self) -> None:
        """Stop all."""
        for number in list(self._tasks):
            await self.cancel(number)

    def part(self, number: str) -> Path:
        """The file that keeps what was hashed so far."""
        return self._folder / f"{number}.part"

    def forget(self, number: str) -> None:
        """Nothing is to be gone on with. Blocks."""
        with contextlib.suppress(OSError):
            self.part(number).unlink(missing_ok=True)

    async def _run(self, entry: Entry) -> None:
        try:
            async with self._turn:
                result = await self._hash(entry)
                await asyncio.to_thread(self.forget, entry.id)
            self._leave(entry)
            await self._done(entry, result)
        except CallError as error:
            self._leave(entry)
            await self._failed(entry, error)
        except OSError as error:
            self._leave(entry)
            await self._failed(entry, CallError("disk", f"{entry.path}: {error.strerror or error}"))
        finally:
            self._leave(entry)

    async def _hash(self, entry: Entry) -> Hashed:
        await asyncio.to_thread(self._folder.mkdir, exist_ok=True)
        task = Task(
            "hash", entry.path, entry.kind, entry.base,
            roots=await asyncio.to_thread(self._roots), part=str(self.part(entry.id)),
        )  # fmt: skip
        pace = _Pace()
        job = Job(what="hashing")
        async with aclosing(answers(task)) as told:
            async for answer in told:
                if isinstance(answer, Hashed):
                    return answer
                if isinstance(answer, Resumed):
                    job = Job(what="hashing", bytes=answer.size, resumed=answer.size, note=answer.note)
                elif isinstance(answer, Progress):
                    rate, eta = pace.take(answer.size, answer.share)
                    job = msgspec.structs.replace(
                        job, bytes=answer.size, share=answer.share, rate=rate, eta=eta
                    )
                self.jobs[entry.id] = job
                self._changed(entry)
        hint = "Hash it again; if that fails too, the end of agent.log in the root says why."
        raise CallError("invalid", f"{entry.path}: hashing it failed", hint)

    def _leave(self, entry: Entry) -> None:
        if self._tasks.get(entry.id) is asyncio.current_task():
            del self._tasks[entry.id], self.jobs[entry.id]
