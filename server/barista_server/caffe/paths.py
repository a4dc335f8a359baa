"""Files that a net or a solver names and that are not there."""

from collections.abc import Iterator
from pathlib import Path

from barista_server.caffe.faults import Fault


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


def where_else(name: str, path: Path) -> str:
    """What to do about a path that is not there."""
    hint = f"correct the path, or put it at {path}"
    if Path(name).is_absolute() and not path.parent.exists():
        hint += "; it may be on another host, as its folder is not here either"
    return hint


def repr_path(name: str) -> str:
    """The path in quotes, as messages show it."""
    return f"'{name}'"
