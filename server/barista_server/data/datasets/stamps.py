"""Which files a dataset has, and whether they changed: without any library, and without reading them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from barista_server.api.datasets import DatasetKind


def is_there(path: Path, kind: DatasetKind) -> bool:
    """Whether there is something at the place that may be of the kind. Looks at names only."""
    if kind == "lmdb":
        return (path / "data.mdb").is_file()
    if kind == "leveldb":
        return (path / "CURRENT").is_file()
    return path.is_file()


def stamp(files: Sequence[Path]) -> str:
    """Sizes, times and inodes of files, as 32 hex digits: another one means that they may have changed."""
    found: list[object] = []
    for path in files:
        about = path.stat()
        found.append([path.name, about.st_size, about.st_mtime_ns, about.st_ino])
    return hashlib.blake2b(json.dumps(found).encode(), digest_size=16).hexdigest()


def own_files(path: Path, kind: DatasetKind) -> list[Path]:
    """Files of a database, in order, or the file itself; of a list without those that it names. OSError."""
    if kind == "lmdb":
        return [path / "data.mdb"]
    if kind == "leveldb":
        names = sorted(path.iterdir())
        return [
            one for one in names if one.suffix in (".ldb", ".sst") or (one.suffix == ".log" and _filled(one))
        ]
    return [path]


def _filled(path: Path) -> bool:
    return path.stat().st_size > 0
