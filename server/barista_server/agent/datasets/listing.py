"""The list as clients see it: who is there, who changed, who is told."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from barista_server.agent.datasets.registry import Entry, Registry
from barista_server.agent.errors import CallError
from barista_server.agent.names import find_named
from barista_server.api.messages import DatasetChanged, DatasetInfo, DatasetRemoved, Event, Job
from barista_server.data.datasets.stamps import is_there, own_files, stamp

if TYPE_CHECKING:
    from barista_server.agent.client import Client

PATIENCE = 2.0
"""Seconds that a look at all files may take; of a disk that hangs the last known state is told."""
_CONTENT_DIGITS = 8


class Listing:
    """The registry with what is known beyond it. ``jobs`` by number."""

    def __init__(self, root: Path, jobs: dict[str, Job]) -> None:
        self.registry = Registry(root)
        self.listeners: set[Client] = set()
        self._jobs = jobs
        self._missing: set[str] = set()
        self._glancing: asyncio.Task[None] | None = None

    def all(self) -> list[DatasetInfo]:
        """In the person's order."""
        return [self.info(entry) for entry in self.registry.entries]

    def info(self, entry: Entry) -> DatasetInfo:
        """All that clients are told of one."""
        return DatasetInfo(
            id=entry.id,
            name=entry.name,
            path=entry.path,
            facts=entry.facts,
            base=entry.base,
            content=entry.content,
            alive=entry.id not in self._missing,
            changed=entry.changed,
            problem=entry.problem,
            job=self._jobs.get(entry.id),
        )

    def tell(self, what: DatasetChanged | DatasetRemoved) -> None:
        """Send it to all who follow."""
        for one in self.listeners:
            one.take(Event(sequence=0, what=what))

    def find(self, wanted: str) -> Entry:
        """By number, unique name, unique beginning of either number or content id. Raises CallError."""
        if len(wanted) >= _CONTENT_DIGITS:
            same = [one for one in self.registry.entries if one.content.startswith(wanted)]
            if len(same) == 1:
                return same[0]
        return find_named(self.registry.entries, wanted, "dataset")

    def seen(self, entry: Entry) -> None:
        """It was read just now."""
        self._missing.discard(entry.id)

    def number_at(self, path: str) -> str:
        """Of the dataset at a path, or ''."""
        return next((one.id for one in self.registry.entries if one.path == path), "")

    def free(self, stem: str) -> str:
        """A name that none has."""
        taken = {one.name for one in self.registry.entries}
        name, number = stem, 1
        while name in taken:
            number += 1
            name = f"{stem}-{number}"
        return name

    def refuse_a_second(self, path: str, but: Entry | None = None) -> None:
        """Raises CallError if the path is on the list."""
        for one in self.registry.entries:
            if one.path == path and one is not but:
                raise CallError("refused", f"{path} is on the list already: it is {one.id}, {one.name}")

    def refuse_the_same(self, content: str) -> None:
        """Raises CallError if the content is on the list."""
        for one in self.registry.entries:
            if one.content == content:
                raise CallError("refused", f"the same data is on the list already: {one.id}, {one.name}")

    async def glance(self) -> None:
        """See which are there and which changed, as far as that is quick: lists only at a reload."""
        if self._glancing is None or self._glancing.done():
            self._glancing = asyncio.create_task(self._glance())
        await asyncio.wait([self._glancing], timeout=PATIENCE)

    async def _glance(self) -> None:
        for entry, there, changed in await asyncio.to_thread(_looked_at, [*self.registry.entries]):
            was = self.info(entry)
            (self._missing.discard if there else self._missing.add)(entry.id)
            if changed is not None:
                entry.changed = changed
            if self.info(entry) != was:
                self.tell(DatasetChanged(dataset=self.info(entry)))


def _looked_at(entries: list[Entry]) -> list[tuple[Entry, bool, bool | None]]:
    """Whether it is there; whether it changed, None if that cannot be said."""
    found: list[tuple[Entry, bool, bool | None]] = []
    for entry in entries:
        path, changed = Path(entry.path), None
        there = is_there(path, entry.kind)
        if there and entry.stamp and not entry.kind.endswith("-list"):
            try:
                changed = stamp(own_files(path, entry.kind)) != entry.stamp
            except OSError:
                there = False
        found.append((entry, there, changed))
    return found
