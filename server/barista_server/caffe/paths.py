"""Files that a net or a solver names and that are not there."""

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Protocol

from barista_server.caffe.faults import Fault


class Batched(Protocol):
    """What the settings of data layers have in common."""

    @property
    def batch_size(self) -> int: ...
    @property
    def source(self) -> str: ...


def missing(field: str, name: str, folder: Path, what: str = "") -> Iterator[Fault]:
    """The fault of a path that is not set or not there; relative ones start in the folder.

    what: how the message names the file; the quoted path if empty.
    """
    path = Path(folder, name)
    if not name:
        yield Fault(field, "source is not set")
        return
    try:
        there = path.exists()
    except (OSError, ValueError):  # a name too long, or with a zero byte
        there = False
    if not there:
        yield Fault(field, f"{what or repr_path(name)} does not exist", where_else(name, path))


def unreadable(block: str, param: Batched, folder: Path) -> Generator[Fault, None, bool]:
    """The faults of a data layer's batch_size and source; returns whether there is nothing there to read."""
    if not param.batch_size:
        yield Fault(f"{block}.batch_size", "batch_size must be positive", "add batch_size: 64")
    absent = list(missing(f"{block}.source", param.source, folder))
    yield from absent
    return bool(absent)


def where_else(name: str, path: Path) -> str:
    """What to do about a path that is not there."""
    hint = f"correct the path, or put it at {path}"
    if Path(name).is_absolute() and not path.parent.exists():
        hint += "; it may be on another host, as its folder is not here either"
    return hint


def repr_path(name: str) -> str:
    """The path in quotes, as messages show it."""
    return f"'{name}'"
