"""The list of datasets, kept in ``<root>/datasets.json``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal

import msgspec

from barista_server.agent import files
from barista_server.api.datasets import DatasetFacts, DatasetKind

MOST_REMOVED = 50
"""So many of those taken off are remembered."""

Purpose = Literal["", "add", "verify", "rehash"]


class Entry(msgspec.Struct, omit_defaults=True):
    """A dataset. ``stamp`` is that of the files that ``content`` was found of; ``todo``: why it is to be
    hashed, if a hash was begun and has not ended.
    """

    id: str
    name: str
    path: str
    kind: DatasetKind
    facts: DatasetFacts
    base: str = ""
    content: str = ""
    stamp: str = ""
    changed: bool = False
    todo: Purpose = ""
    problem: str | None = None
    created: float = 0.0

    @property
    def meta(self) -> Entry:
        """Itself: it has a name and a time."""
        return self


class Removed(msgspec.Struct):
    """``place`` is where it stood."""

    entry: Entry
    place: int


class _List(msgspec.Struct):
    last: int = 0
    datasets: list[Entry] = []
    removed: list[Removed] = []


class Registry:
    """Every method may raise OSError, and blocks."""

    def __init__(self, root: Path) -> None:
        self._file = root / "datasets.json"
        self._list = _List()

    @property
    def entries(self) -> list[Entry]:
        """In the person's order."""
        return self._list.datasets

    def load(self) -> str:
        """Read the list; what is damaged is set aside, and that is said."""
        try:
            self._list = files.read_json(self._file, _List)
        except FileNotFoundError:
            pass
        except ValueError as error:
            aside = self._file.with_name(f"datasets.json.damaged-{int(time.time())}")
            self._file.replace(aside)
            return f"the list of datasets is empty: {error}; it was kept as {aside.name}"
        return ""

    def save(self) -> None:
        """Write it as it is now."""
        files.write_json(self._file, self._list)

    def add(self, entry: Entry) -> None:
        """At the end, with the next number."""
        self._list.last += 1
        entry.id = str(self._list.last)
        self._change([*self.entries, entry])

    def remove(self, entry: Entry) -> None:
        """Take it off; it is remembered."""
        removed = Removed(entry, self.entries.index(entry))
        rest = [one for one in self.entries if one is not entry]
        self._change(rest, [*self._list.removed, removed][-MOST_REMOVED:])

    def restore(self, number: str) -> Entry | None:
        """Put it back where it stood. None: nothing of that number was taken off."""
        found = next((one for one in self._list.removed if one.entry.id == number), None)
        if found is None:
            return None
        entries = [*self.entries]
        entries.insert(found.place, found.entry)
        self._change(entries, [one for one in self._list.removed if one is not found])
        return found.entry

    def removed(self) -> list[Entry]:
        """Those that can be put back, newest last."""
        return [one.entry for one in self._list.removed]

    def move(self, entry: Entry, places: int) -> None:
        """Up or down, as far as there are places."""
        rest = [one for one in self.entries if one is not entry]
        at = min(max(self.entries.index(entry) + places, 0), len(rest))
        self._change([*rest[:at], entry, *rest[at:]])

    def _change(self, datasets: list[Entry], removed: list[Removed] | None = None) -> None:
        before = self._list
        self._list = _List(before.last, datasets, before.removed if removed is None else removed)
        try:
            self.save()
        except OSError:
            self._list = before
            raise
