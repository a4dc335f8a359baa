"""The calls about datasets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from barista_server.agent.datasets import roots as places
from barista_server.agent.datasets.apart import ask
from barista_server.agent.datasets.hashing import Hashing
from barista_server.agent.datasets.listing import Listing
from barista_server.agent.datasets.lists import Lists
from barista_server.agent.datasets.registry import Entry, Purpose
from barista_server.agent.datasets.roots import Roots
from barista_server.agent.datasets.searches import Searches
from barista_server.agent.datasets.tasks import Hashed, Looked, Task
from barista_server.agent.errors import CallError
from barista_server.agent.names import valid_name
from barista_server.api import messages as m
from barista_server.api.text import MOST_NAME, clean_name

if TYPE_CHECKING:
    from barista_server.agent.client import Client
    from barista_server.agent.hub import Hub

CALLER = "Datasets"
AT_ONCE = 2
"""Datasets looked into at a time."""


class Datasets:
    """The datasets of one root."""

    def __init__(self, root: Path, hub: Hub, disk: Callable[..., Any]) -> None:
        self._hub, self._disk = hub, disk
        self._roots = Roots(root)
        self._hashing = Hashing(
            root / "dataset-hashes", self._roots.all, self._tell, self._hashed, self._failed
        )
        self._list = Listing(root, self._hashing.jobs)
        self._searches = Searches(self._list.number_at)
        self._lock = asyncio.Lock()
        self._looking = asyncio.Semaphore(AT_ONCE)

    async def load(self) -> None:
        """Read the list and go on hashing. Raises OSError."""
        if said := await self._disk(self._list.registry.load):
            self._hub.notice(CALLER, said, "error")
        for entry in self._list.registry.entries:
            if entry.todo:
                self._hashing.begin(entry)

    async def close(self) -> None:
        """Stop what is being done; hashing goes on with the next agent."""
        await self._hashing.close()
        await self._searches.close()

    @property
    def busy(self) -> bool:
        """Something is being hashed."""
        return bool(self._hashing.jobs)

    @property
    def entries(self) -> list[Entry]:
        """All on the list, as they are."""
        return list(self._list.registry.entries)

    def find(self, wanted: str) -> Entry:
        """By number, name or content id. Raises CallError."""
        return self._list.find(wanted)

    async def roots(self) -> list[str]:
        """Folders that files may be read below. Raises OSError."""
        found: list[str] = await self._disk(self._roots.all)
        return found

    def forget(self, client: Client) -> None:
        """A client is gone."""
        self._list.listeners.discard(client)

    def calls(self) -> dict[type, Callable[[Any, Client], Awaitable[m.Result]]]:
        """Those that this class answers."""
        return {
            **Lists(self._check).calls(),
            m.ListDatasets: self._ls,
            m.FollowDatasets: self._follow,
            m.GetDataset: self._get,
            m.AddDataset: self._add,
            m.RenameDataset: self._rename,
            m.RemoveDataset: self._remove,
            m.RestoreDataset: self._restore,
            m.MoveDataset: self._move,
            m.RelocateDataset: self._relocate,
            m.ReloadDataset: self._reload,
            m.HashDataset: self._hash,
            m.CancelHash: self._cancel,
            m.GetSamples: self._samples,
            m.GetThumbnails: self._thumbnails,
            m.GetLabelHistogram: self._histogram,
            m.ListDatasetRoots: self._ls_roots,
            m.DeclareRoot: self._declare,
            m.UndeclareRoot: self._undeclare,
            m.SearchDatasets: self._search,
            m.GetSearch: self._get_search,
            m.CancelSearch: self._cancel_search,
        }

    # ------------------------------------------------------------------------------------------------ looking

    async def _ls(self, call: m.ListDatasets, client: Client) -> m.Result:
        await self._list.glance()
        return m.DatasetList(datasets=self._list.all())

    async def _follow(self, call: m.FollowDatasets, client: Client) -> m.Result:
        await self._list.glance()
        self._list.listeners.add(client)
        return m.DatasetList(datasets=self._list.all())

    async def _get(self, call: m.GetDataset, client: Client) -> m.Result:
        await self._list.glance()
        return self._reply(self._list.find(call.dataset))

    async def _samples(self, call: m.GetSamples, client: Client) -> m.Result:
        count = min(max(call.count, 0), m.MOST_SAMPLES)
        return await self._ask(call, m.Samples, Task("samples", "", start=max(0, call.start), count=count))

    async def _thumbnails(self, call: m.GetThumbnails, client: Client) -> m.Result:
        count, side = min(max(call.count, 0), m.MOST_SAMPLES), min(max(call.side, 1), m.MOST_SIDE)
        task = Task("thumbnails", "", start=max(0, call.start), count=count, side=side)
        return await self._ask(call, m.Thumbnails, task)

    async def _histogram(self, call: m.GetLabelHistogram, client: Client) -> m.Result:
        task = Task("histogram", "", whole=call.whole)
        if call.whole:
            return await self._ask(call, m.LabelHistogram, task, None)
        return await self._ask(call, m.LabelHistogram, task)

    async def _ask(self, call: Any, kind: type[m.Result], task: Task, *longest: float | None) -> m.Result:
        entry = self._list.find(call.dataset)
        task.path, task.kind, task.base = entry.path, entry.kind, entry.base
        task.roots = await self._disk(self._roots.all)
        async with self._looking:
            found: m.Result = await ask(task, kind, *longest)
            return found

    # ----------------------------------------------------------------------------------------------- changing

    async def _add(self, call: m.AddDataset, client: Client) -> m.Result:
        name = valid_name(call.name, "the dataset ") if call.name else ""
        looked, base = await self._look(call.path, call.base, call.kind or None, client)
        async with self._lock:
            self._list.refuse_a_second(looked.path)
            await self._declare_for(looked, base, client)
            if not name:
                name = self._list.free(clean_name(Path(looked.path).name)[:MOST_NAME] or "dataset")
            entry = Entry("", name, looked.path, looked.facts.kind, looked.facts, base, todo="add")
            entry.created = time.time()
            await self._disk(self._list.registry.add, entry)
        self._hashing.begin(entry)
        return self._reply(entry)

    async def _rename(self, call: m.RenameDataset, client: Client) -> m.Result:
        entry = self._list.find(call.dataset)
        await self._change(entry, name=valid_name(call.name, "the dataset "))
        return self._reply(entry)

    async def _remove(self, call: m.RemoveDataset, client: Client) -> m.Result:
        entry = self._list.find(call.dataset)
        async with self._lock:
            await self._hashing.cancel(entry.id)
            reply = self._reply(entry)
            await self._disk(self._list.registry.remove, entry)
        self._list.tell(m.DatasetRemoved(dataset=entry.id))
        return reply

    async def _restore(self, call: m.RestoreDataset, client: Client) -> m.Result:
        registry = self._list.registry
        async with self._lock:
            gone = next((one for one in registry.removed() if one.id == call.dataset), None)
            if gone is None:
                there = ", ".join(f"{one.id} ({one.name})" for one in registry.removed()[-5:])
                hint = f"Taken off were: {there}." if there else "None was taken off."
                raise CallError("not-found", f"no dataset {call.dataset} was taken off the list", hint)
            self._list.refuse_a_second(gone.path)
            if gone.content:
                self._list.refuse_the_same(gone.content)
            entry = await self._disk(registry.restore, call.dataset)
        if entry.todo:
            self._hashing.begin(entry)
        self._tell(entry)
        return self._reply(entry)

    async def _move(self, call: m.MoveDataset, client: Client) -> m.Result:
        entry = self._list.find(call.dataset)
        async with self._lock:
            await self._disk(self._list.registry.move, entry, call.places)
        for one in self._list.registry.entries:
            self._tell(one)
        return m.DatasetList(datasets=self._list.all())

    async def _relocate(self, call: m.RelocateDataset, client: Client) -> m.Result:
        entry = self._list.find(call.dataset)
        looked, base = await self._look(call.path, call.base, None, client)
        if looked.facts.kind != entry.kind:
            text = f"{looked.path} is of another kind: {looked.facts.kind} instead of {entry.kind}"
            raise CallError("refused", text, "Add it as a dataset of its own.")
        async with self._lock:
            self._list.refuse_a_second(looked.path, entry)
            await self._declare_for(looked, base, client)
            await self._hashing.cancel(entry.id)
        todo: Purpose = "verify" if entry.content else "add"
        await self._change(entry, path=looked.path, base=base, facts=looked.facts, todo=todo, problem=None)
        self._hashing.begin(entry)
        return self._reply(entry)

    async def _reload(self, call: m.ReloadDataset, client: Client) -> m.Result:
        entry = self._list.find(call.dataset)
        task = Task("look", entry.path, entry.kind, entry.base, roots=await self._disk(self._roots.all))
        try:
            async with self._looking:
                looked = await ask(task, Looked)
        except CallError as error:
            await self._change(entry, problem=error.text)
            raise
        changed = bool(entry.stamp) and looked.stamp != entry.stamp
        self._list.seen(entry)
        await self._change(entry, facts=looked.facts, changed=changed, problem=None)
        return self._reply(entry)

    async def _hash(self, call: m.HashDataset, client: Client) -> m.Result:
        entry = self._list.find(call.dataset)
        await self._list.glance()
        known = entry.content and not entry.changed and not entry.todo
        if entry.id in self._hashing.jobs or (known and not call.again):
            return self._reply(entry)
        await self._change(entry, todo="rehash" if entry.content else "add", problem=None)
        self._hashing.begin(entry)
        return self._reply(entry)

    async def _cancel(self, call: m.CancelHash, client: Client) -> m.Result:
        entry = self._list.find(call.dataset)
        if not await self._hashing.cancel(entry.id):
            raise CallError("refused", f"{entry.name} is not being hashed")
        await self._change(entry, todo="")
        return self._reply(entry)

    async def _hashed(self, entry: Entry, result: Hashed) -> None:
        """A hash has ended well."""
        purpose = entry.todo
        if entry.kind in ("lmdb", "leveldb"):
            entry.facts = msgspec.structs.replace(entry.facts, samples=result.records)
        twin = next((one for one in self._list.registry.entries
                     if one is not entry and one.content == result.content), None)  # fmt: skip
        if twin is not None and not entry.content:
            async with self._lock:
                entry.todo = ""
                await self._disk(self._list.registry.remove, entry)
            reason = f"{entry.path} holds the same data as {twin.id}, {twin.name} ({twin.path})"
            self._hub.notice(CALLER, f"{reason}: it is off the list again", "error")
            self._list.tell(m.DatasetRemoved(dataset=entry.id, reason=reason))
            return
        if purpose == "verify" and result.content != entry.content:
            text = f"the data at its new place is other data: {result.content[:12]}, not {entry.content[:12]}"
            self._hub.notice(CALLER, f"{entry.name}: {text}", "error")
            await self._change(entry, todo="", changed=True, stamp="", problem=text)
            return
        if entry.content and result.content != entry.content:
            self._hub.notice(CALLER, f"{entry.name} has other content now: {result.content[:12]}")
        await self._change(
            entry, todo="", content=result.content, stamp=result.stamp, changed=False, problem=None
        )

    async def _failed(self, entry: Entry, error: CallError) -> None:
        self._hub.notice(CALLER, f"{entry.name} could not be hashed: {error.text}", "error")
        await self._change(entry, todo="", problem=error.text)

    # ------------------------------------------------------------------------------------------ roots, search

    async def _ls_roots(self, call: m.ListDatasetRoots, client: Client) -> m.Result:
        return m.DatasetRoots(roots=await self._disk(self._roots.all), own=self._roots.own)

    async def _declare(self, call: m.DeclareRoot, client: Client) -> m.Result:
        _from_here(client)
        path = await asyncio.to_thread(places.absolute, call.path)
        if not await asyncio.to_thread(path.exists):
            raise CallError("not-found", f"there is no {path}", "Name a folder of that host; make it first.")
        await self._disk(self._roots.add, path)
        return await self._ls_roots(m.ListDatasetRoots(), client)

    async def _undeclare(self, call: m.UndeclareRoot, client: Client) -> m.Result:
        _from_here(client)
        await self._disk(self._roots.remove, await asyncio.to_thread(places.absolute, call.path))
        return await self._ls_roots(m.ListDatasetRoots(), client)

    async def _search(self, call: m.SearchDatasets, client: Client) -> m.Result:
        roots = await self._disk(self._roots.all)
        if not call.below:
            return self._searches.begin(roots, roots)
        top = await asyncio.to_thread(places.absolute, call.below)
        await self._check(top, client, opens=top)
        if not await asyncio.to_thread(top.is_dir):
            hint = "Name one of that host, or none: then all declared folders are searched."
            raise CallError("not-found", f"there is no folder {top}", hint)
        return self._searches.begin([str(top)], [*roots, str(top)])

    async def _get_search(self, call: m.GetSearch, client: Client) -> m.Result:
        return self._searches.state(call.search)

    async def _cancel_search(self, call: m.CancelSearch, client: Client) -> m.Result:
        return await self._searches.cancel(call.search)

    # --------------------------------------------------------------------------------------------- underneath

    async def _look(
        self, path: str, base: str, kind: m.DatasetKind | None, client: Client
    ) -> tuple[Looked, str]:
        """What is at a place that a client names, and the folder of a list's names. Raises CallError."""
        place = await asyncio.to_thread(places.absolute, path)
        folder = await asyncio.to_thread(places.absolute, base) if base else None
        for one in (place, folder):
            if one is not None:
                await self._check(one, client)
        own = [str(one) for one in (place, folder) if one is not None]
        if client.local and place.is_file():
            own.append(str(place.parent))
        roots = [*await self._disk(self._roots.all), *own]
        task = Task("look", str(place), kind, str(folder or ""), roots=roots)
        async with self._looking:
            return await ask(task, Looked), task.base

    async def _check(self, path: Path, client: Client, opens: Path | None = None) -> None:
        if not client.local and not await self._disk(self._roots.hold, path):
            hint = f"On that machine: barista input roots add {opens or path.parent}"
            raise CallError("forbidden", f"{path} lies outside of the declared folders", hint)

    async def _declare_for(self, looked: Looked, base: str, client: Client) -> None:
        if not client.local:
            return
        place = Path(looked.path)
        await self._disk(self._roots.add, place.parent if looked.facts.kind.endswith("-list") else place)
        if base:
            await self._disk(self._roots.add, Path(base))

    async def _change(self, entry: Entry, **fields: Any) -> None:
        """Set fields and keep them; on a disk that is full they are as before. Raises OSError."""
        before = {name: getattr(entry, name) for name in fields}
        for name, value in fields.items():
            setattr(entry, name, value)
        try:
            await self._disk(self._list.registry.save)
        except OSError:
            for name, value in before.items():
                setattr(entry, name, value)
            raise
        self._tell(entry)

    def _tell(self, entry: Entry) -> None:
        self._list.tell(m.DatasetChanged(dataset=self._list.info(entry)))

    def _reply(self, entry: Entry) -> m.DatasetReply:
        return m.DatasetReply(dataset=self._list.info(entry))


def _from_here(client: Client) -> None:
    if not client.local:
        text = "which folders are open for datasets is told on the agent's own machine"
        raise CallError("forbidden", text, "Log in there: barista input roots add DIR")
