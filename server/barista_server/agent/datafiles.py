"""Which files a dataset consists of, for a copy: a database's, a file, or a list with all that it names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from barista_server.agent.datasets.registry import Entry
from barista_server.api.messages import Parcel
from barista_server.copying.names import ParcelError, odd
from barista_server.copying.outgoing import Leaf, Outgoing

_NOT_COPIED = ("LOCK", "LOG", "LOG.old", "lock.mdb")
"""Of databases: what their users write for each other."""


def parcel(entry: Entry, roots: Sequence[str], origin: str) -> tuple[Outgoing, Parcel]:
    """Blocks. Raises ParcelError, OSError."""
    path = Path(entry.path)
    main = ""
    if entry.kind == "lmdb":
        leaves = [Leaf("data.mdb", _within(path / "data.mdb", roots))]
    elif entry.kind == "leveldb":
        names = sorted(one.name for one in path.iterdir() if one.name not in _NOT_COPIED and one.is_file())
        leaves = [Leaf(name, _within(path / name, roots)) for name in names]
    elif entry.kind == "hdf5":
        main = path.name
        leaves = [Leaf(main, _within(path, roots))]
    else:
        main = path.name
        leaves = _listed(entry, roots)
    if why := odd(main) if main else "":
        raise ParcelError(f"{path} cannot be copied: {why}", "Rename it, and say so: barista input locate")
    out = Outgoing(leaves)
    folders = sorted({str(parent) for leaf in leaves for parent in PurePosixPath(leaf.path).parents} - {"."})
    found = Parcel(
        kind="dataset",
        name=entry.name,
        origin=origin,
        files=out.files,
        folders=folders,
        dataset=entry.kind,
        main=main,
        content="" if entry.changed else entry.content,
    )
    return out, found


def _listed(entry: Entry, roots: Sequence[str]) -> list[Leaf]:
    """The list, and all it names; names that start at the root or leave its folder become such in files/."""
    path = _within(Path(entry.path), roots)
    base = Path(entry.base) if entry.base else Path(entry.path).parent
    text = path.read_text("utf-8", "surrogateescape")
    images = entry.kind == "image-list"
    lines = text.split("\n") if images else text.split()
    taken: dict[str, str] = {}
    leaves: list[Leaf] = []
    written = []
    for line in lines:
        name, blank, label = line.rpartition(" ") if images else (line, "", "")
        if images and not blank:
            name, label = line, ""
        if name and name not in taken:
            plain = not odd(name) and name != path.name
            taken[name] = name if plain else f"files/{len(taken):06}{_suffix(name)}"
            leaves.append(Leaf(taken[name], _within(base / name, roots)))
        written.append(f"{taken.get(name, name)}{blank}{label}")
    listed = "\n".join(written) + ("" if images else "\n")
    return [Leaf(path.name, content=listed.encode("utf-8", "surrogateescape")), *leaves]


def _suffix(name: str) -> str:
    suffix = PurePosixPath(name).suffix
    return suffix if suffix.isascii() and suffix.isprintable() and len(suffix) < 10 else ""


def _within(path: Path, roots: Sequence[str]) -> Path:
    """The file, links followed, if it lies in a declared folder."""
    place = path.resolve()
    if not any(place.is_relative_to(root) for root in roots):
        hint = f"On that machine: barista input roots add {place.parent}"
        raise ParcelError(f"{path} lies outside of the declared folders", hint, "forbidden")
    return place
