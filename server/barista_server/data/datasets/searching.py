"""Datasets below a folder."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from barista_server.api.datasets import DatasetKind
from barista_server.data.datasets.kinds import database_kind, file_kind

DEEPEST = 12
LONGEST = 120.0
"""Seconds."""
MOST_FOLDERS = 100_000
_LISTS = (".txt", ".list", ".lst")
_HDF5 = (".h5", ".hdf5", ".hdf", ".he5")
_SMALLEST = 8


@dataclass(frozen=True, slots=True)
class Step:
    """folders looked into so far; found: path, kind, bytes; note: why it does not look on."""

    folders: int
    found: tuple[Path, DatasetKind, int] | None = None
    note: str = ""


def search(top: Path) -> Iterator[Step]:
    """Look into folders, near ones first. Links are not followed, hidden folders are left out, what may not
    be read is passed over. One step a folder, and one a dataset.
    """
    waiting = deque([(top, 0)])
    folders, deep, end = 0, False, time.monotonic() + LONGEST
    while waiting:
        folder, depth = waiting.popleft()
        folders += 1
        try:
            kind = database_kind(folder)
            if kind is not None:
                yield Step(folders, (folder, kind, _size(folder)))
                continue
            with os.scandir(folder) as entries:
                inside = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in inside:
            if entry.name.startswith(".") or entry.is_symlink():
                continue
            if entry.is_dir(follow_symlinks=False):
                deep |= depth == DEEPEST
                if depth < DEEPEST:
                    waiting.append((Path(entry.path), depth + 1))
            elif (found := _file(entry)) is not None:
                yield Step(folders, found)
        yield Step(folders)
        if folders >= MOST_FOLDERS or time.monotonic() > end:
            yield Step(folders, None, f"it ended after {folders} folders: search below one of them")
            return
    if deep:
        yield Step(folders, None, f"folders deeper than {DEEPEST} were left out")


def _file(entry: os.DirEntry[str]) -> tuple[Path, DatasetKind, int] | None:
    if not entry.name.lower().endswith(_LISTS + _HDF5):
        return None
    try:
        size = entry.stat(follow_symlinks=False).st_size
        if not entry.is_file(follow_symlinks=False) or size < _SMALLEST:
            return None
        kind = file_kind(Path(entry.path))
    except OSError:
        return None
    return None if kind is None else (Path(entry.path), kind, size)


def _size(folder: Path) -> int:
    return sum(one.stat().st_size for one in folder.iterdir() if one.is_file())
