"""Data that a session's files name outside of its folder: what it is, where it is on another host, and the
files written anew with those places. Blocks on the disk; may raise OSError.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from barista_server.agent import files
from barista_server.agent.compose import Value, edited, quote, unquote, values
from barista_server.agent.datasets.registry import Entry
from barista_server.api.transfers import InputFound, ParcelInput

_LISTS = "hdf5_data_param.source"
_DATA = ("data_param.source", "window_data_param.source", _LISTS)
_PLAIN = ("mean_file", "label_map_file", "name_size_file")
_ROOT = "image_data_param.root_folder"


def named(folder: Path, entries: Sequence[Entry]) -> list[ParcelInput]:
    """What net and solver name by absolute path, with what the list of datasets knows of it."""
    found = dict.fromkeys([*_in_net(folder), *_in_solver(folder)])
    lists = [(entry, _items(entry)) for entry in entries if entry.kind == "hdf5-list"] if found else []
    return [_known(path, entries, lists) for path in found]


def single(folder: Path) -> list[str]:
    """Those of them that are no data to train on but a file to go with it: a mean, weights."""
    net = (value for value in values(_text(folder / "net.prototxt")) if _is_file(value))
    plain = [unquote(value.text) for value in net if value.path.rpartition(".")[2] in _PLAIN]
    return [path for path in dict.fromkeys([*plain, *_in_solver(folder)]) if path.startswith("/")]


def _items(entry: Entry) -> list[str]:
    """Files of a list of HDF5 files, in order."""
    base = Path(entry.base or _base(entry.path))
    try:
        return [_resolved(str(base / name)) for name in _text(Path(entry.path)).split()]
    except OSError:
        return []


def _known(path: str, entries: Sequence[Entry], lists: Sequence[tuple[Entry, list[str]]]) -> ParcelInput:
    place = _resolved(path)
    for entry, items in lists:
        if place in items:
            content = "" if entry.changed else entry.content
            return ParcelInput(
                path=path, content=content, dataset=entry.id, name=entry.name, item=items.index(place)
            )
    for entry in entries:
        if place in (entry.path, f"{entry.path}/data.mdb"):
            content = "" if entry.changed else entry.content
            return ParcelInput(
                path=path, content=content, dataset=entry.id, name=entry.name, base=entry.base or _base(path)
            )
    return ParcelInput(path=path)


def _in_net(folder: Path) -> Iterable[str]:
    for value in values(_text(folder / "net.prototxt")):
        if not _is_file(value):
            continue
        path = unquote(value.text)
        if path.startswith("/"):
            yield path
        elif value.path.endswith(_LISTS) and (listed := _list(folder, path)):
            yield from (name for name in listed.split() if name.startswith("/"))


def _in_solver(folder: Path) -> Iterable[str]:
    for value in values(_text(folder / "solver.prototxt")):
        if value.path in ("weights", "train_net", "test_net"):
            parts = (part.strip() for part in unquote(value.text).split(","))
            yield from (part for part in parts if part.startswith("/"))


def _is_file(value: Value) -> bool:
    quoted = value.text.startswith(("'", '"'))
    return quoted and (value.path.endswith(_DATA) or value.path.rpartition(".")[2] in _PLAIN)


def match(inputs: Sequence[ParcelInput], entries: Sequence[Entry]) -> list[InputFound]:
    """Where they are on this host: by content id, else what lies at the same path."""
    return [_match(one, entries) for one in inputs]


def _match(wanted: ParcelInput, entries: Sequence[Entry]) -> InputFound:
    if wanted.brought:
        return InputFound(path=wanted.path, there=wanted.brought)
    for entry in entries:
        same = wanted.content and entry.content == wanted.content and not entry.changed
        if same and wanted.item >= 0:
            if wanted.item < len(items := _items(entry)) and Path(items[wanted.item]).exists():
                return InputFound(path=wanted.path, there=items[wanted.item], same=True)
        elif same and Path(entry.path).exists():
            base = entry.base or _base(entry.path)
            return InputFound(path=wanted.path, there=entry.path, base=base, same=True)
    if not Path(wanted.path).exists():
        return InputFound(path=wanted.path)
    place = _resolved(wanted.path)
    other = next((one for one in entries if one.path == place and one.content and wanted.content), None)
    if other is not None:
        problem = f"other data is there: {other.content[:12]}, not {wanted.content[:12]}"
        return InputFound(path=wanted.path, problem=problem)
    return InputFound(path=wanted.path, there=wanted.path, base=wanted.base)


def rewrite(folder: Path, inputs: Sequence[ParcelInput], found: Sequence[InputFound]) -> list[str]:
    """Have the files in ``folder`` name the places on this host; what was changed, a sentence each."""
    places = {one.path: one.there for one in found if one.there and one.there != one.path}
    if not places:
        return []
    bases = {
        one.base.rstrip("/"): its.base
        for one, its in zip(inputs, found, strict=True)
        if one.path in places and one.base and its.base
    }

    def edit(value: Value) -> str | None:
        before = unquote(value.text)
        if value.path.endswith(_ROOT):
            base = bases.get(before.rstrip("/"))
            return quote(base.rstrip("/") + "/") if base else None
        if not _is_file(value):
            return None
        if value.path.endswith(_LISTS) and (listed := _list(folder, before)):
            _rewrite_list(folder / before, listed, places)
        return quote(places[before]) if before in places else None

    def edit_solver(value: Value) -> str | None:
        if value.path not in ("weights", "train_net", "test_net"):
            return None
        parts = [part.strip() for part in unquote(value.text).split(",")]
        after = [places.get(part, part) for part in parts]
        return quote(",".join(after)) if after != parts else None

    for name, how in (("net.prototxt", edit), ("solver.prototxt", edit_solver)):
        before = _text(folder / name)
        if (after := edited(before, how)) != before:
            files.write(folder / name, after.encode("utf-8", "surrogateescape"))
    return [f"{old} is {new} here" for old, new in places.items()]


def _rewrite_list(path: Path, listed: str, places: Mapping[str, str]) -> None:
    after = "".join(f"{places.get(name, name)}\n" for name in listed.split())
    if after.split() != listed.split():
        files.write(path, after.encode("utf-8", "surrogateescape"))


def _list(folder: Path, relative: str) -> str:
    """A list of files in the session's own folder; empty if it is elsewhere or not there."""
    path = folder / relative
    if relative.startswith("/") or ".." in Path(relative).parts or path.is_symlink() or not path.is_file():
        return ""
    return _text(path)


def _text(path: Path) -> str:
    try:
        with files.open_regular(path) as file:
            return file.read().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return ""


def _base(path: str) -> str:
    return str(Path(path).parent)


def _resolved(path: str) -> str:
    try:
        return str(Path(path).resolve())
    except (OSError, RuntimeError):
        return path
