"""Which kind of dataset a path is, and a source for it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from barista_server.api.datasets import DatasetKind
from barista_server.caffe.errors import WeightsError
from barista_server.caffe.hdf5 import is_hdf5
from barista_server.data.datasets.source import Allowed, DatasetError, Source
from barista_server.data.datasets.stamps import own_files

_HEAD = 64 << 10
_PICTURES = (".bmp", ".gif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff",
             ".webp")  # fmt: skip
_HDF5 = (".h5", ".hdf5", ".hdf", ".he5")


def database_kind(folder: Path) -> DatasetKind | None:
    """What database the folder is, by the files in it. Raises OSError."""
    if (folder / "data.mdb").is_file():
        return "lmdb"
    if (folder / "CURRENT").is_file() and any(folder.glob("MANIFEST-*")):
        return "leveldb"
    return None


def file_kind(path: Path) -> DatasetKind | None:
    """What the regular file is: HDF5 by its content, lists by what the first line names. Raises OSError."""
    try:
        if is_hdf5(path):
            return "hdf5"
    except WeightsError:
        return None
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if b"\0" in head:
        return None
    line = next((one for one in head.decode("utf-8", "surrogateescape").split("\n") if one.strip()), "")
    words = line.split()
    if words and words[0].lower().endswith(_HDF5) and len(words) == 1:
        return "hdf5-list"
    name, blank, label = line.rpartition(" ")
    if blank and label.strip().lstrip("+-").isdecimal() and name.lower().endswith(_PICTURES):
        return "image-list"
    return None


def settle(path: Path, kind: DatasetKind | None) -> tuple[Path, DatasetKind]:
    """The dataset's own path and its kind, where `path` may also be a file of a database. Raises OSError,
    DatasetError.
    """
    if path.is_file() and (
        path.name == "data.mdb" or (path.name == "CURRENT" and database_kind(path.parent))
    ):
        path = path.parent
    if path.is_dir():
        found = database_kind(path)
        if found is None or (kind is not None and kind != found):
            wanted = kind or "LMDB (data.mdb) nor LevelDB (CURRENT)"
            raise DatasetError(f"{path} holds no {wanted}", "Name the folder that holds the database itself.")
        return path, found
    if not path.exists():
        raise FileNotFoundError(2, "there is no such file", str(path))
    if not path.is_file():
        raise DatasetError(f"{path} is no regular file")
    found = kind or file_kind(path)
    if found is None:
        hint = "If it is a list, say of what: --kind hdf5-list or image-list."
        raise DatasetError(f"{path} is no dataset of a kind that is known", hint)
    if found in ("lmdb", "leveldb"):
        raise DatasetError(f"{path} is a file; a database is a folder")
    return path, found


def open_source(path: Path, kind: DatasetKind, base: str = "", allowed: Allowed | None = None) -> Source:
    """A source for the dataset. `allowed` is asked for each file that a list names. Raises OSError,
    DatasetError.
    """
    if allowed is not None:
        for file in own_files(path, kind):
            allowed(file)
    if kind == "lmdb":
        from barista_server.data.datasets.databases import LmdbSource

        return LmdbSource(path)
    if kind == "leveldb":
        from barista_server.data.datasets.databases import LevelDbSource

        return LevelDbSource(path)
    folder = Path(base) if base else path.parent
    if kind == "image-list":
        from barista_server.data.datasets.images import ImageSource

        return ImageSource(path, folder, allowed)
    from barista_server.data.datasets.hdf5 import Hdf5Source, hdf5_list

    return Hdf5Source(path, hdf5_list(path, folder) if kind == "hdf5-list" else None, allowed)


def within(roots: Sequence[str]) -> Allowed:
    """Lets files pass that lie in one of the folders, all links followed."""
    tops = tuple(Path(root) for root in roots)

    @lru_cache(1024)
    def resolved(folder: Path) -> Path:
        return folder.resolve()

    def allowed(path: Path) -> None:
        place = path.resolve() if path.is_symlink() else resolved(path.parent) / path.name
        if path.name == ".." or not any(place == top or top in place.parents for top in tops):
            hint = f"On that machine: barista input roots add {place.parent}"
            raise DatasetError(f"{path} lies outside of the declared folders", hint)

    return allowed
