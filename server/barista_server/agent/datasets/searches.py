"""Searches for datasets that are under way, or were asked for of late."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing

from barista_server.agent.datasets.apart import answers
from barista_server.agent.datasets.tasks import Looking, Task
from barista_server.agent.errors import CallError
from barista_server.api.datasets import Found, SearchState

MOST = 8
"""Searches that are remembered."""
MOST_FOUND = 5000


class _Search:
    def __init__(self, number: str) -> None:
        self.number = number
        self.looked = 0
        self.found: list[Found] = []
        self.note = ""
        self.task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        return self.task is not None and not self.task.done()


class Searches:
    """``listed`` tells the number of a dataset at a path, or ''."""

    def __init__(self, listed: Callable[[str], str]) -> None:
        self._searches: dict[str, _Search] = {}
        self._count = 0
        self._listed = listed

    def begin(self, tops: list[str], roots: list[str]) -> SearchState:
        """Search below some folders, one after the other. Raises CallError if too many searches run."""
        if sum(one.running for one in self._searches.values()) >= MOST:
            raise CallError("refused", f"{MOST} searches are under way", "Wait for one, or cancel one.")
        self._count += 1
        one = _Search(str(self._count))
        self._searches[one.number] = one
        one.task = asyncio.create_task(self._run(one, tops, roots))
        done = [number for number, other in self._searches.items() if not other.running]
        for number in done[: max(0, len(self._searches) - MOST)]:
            del self._searches[number]
        return self.state(one.number)

    def state(self, number: str) -> SearchState:
        """Raises CallError."""
        one = self._searches.get(number)
        if one is None:
            raise CallError("not-found", f"there is no search {number} any more", "Begin a new one.")
        return SearchState(
            search=number, running=one.running, looked=one.looked, found=[*one.found], note=one.note
        )

    async def cancel(self, number: str) -> SearchState:
        """Stop it; what was found is told. Raises CallError."""
        self.state(number)
        one = self._searches[number]
        if one.running and one.task is not None:
            one.task.cancel()
            await asyncio.wait([one.task])
            one.note = "cancelled"
        return self.state(number)

    async def close(self) -> None:
        """Stop all."""
        for number in list(self._searches):
            await self.cancel(number)

    async def _run(self, one: _Search, tops: list[str], roots: list[str]) -> None:
        for top in tops:
            before = one.looked
            try:
                async with aclosing(answers(Task("search", top, roots=roots))) as told:
                    async for answer in told:
                        if isinstance(answer, Looking):
                            one.looked = before + answer.folders
                            one.note = answer.note or one.note
                            self._take(one, answer)
            except (CallError, OSError) as error:
                one.note = str(error)

    def _take(self, one: _Search, answer: Looking) -> None:
        there = {found.path for found in one.found}
        for path, kind, size in answer.found:
            if len(one.found) >= MOST_FOUND:
                one.note = f"only the first {MOST_FOUND} are told"
                return
            if path not in there:
                one.found.append(Found(path=path, kind=kind, size=size, listed=self._listed(path)))
