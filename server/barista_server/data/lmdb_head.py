"""What the first pages of an LMDB tell, read without mapping it: a mapped file cut short ends the process."""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

_MAGIC = 0xBEEFC0DE
# behind a page header of 16 bytes: magic, version, address, map size, the tables of free pages and of records
# (pad, flags, depth, branch, leaf and overflow pages, entries, root), last page, transaction
_META = struct.Struct("<16xIIQQ" + "IHHQQQQQ" * 2 + "QQ")
_NO_PAGE = 2**64 - 1


class _Meta(NamedTuple):
    page: int
    entries: int
    root: int
    last: int
    transaction: int


@dataclass(frozen=True, slots=True)
class LmdbHead:
    """entries: number of records; whole: whether all pages are there; usable: whether the root page is."""

    entries: int
    whole: bool
    usable: bool


def lmdb_head(path: str | Path) -> LmdbHead | None:
    """The head of the database in the folder; None if its data.mdb is no LMDB. Raises OSError."""
    file = Path(path, "data.mdb")
    with file.open("rb") as stream:
        first = _meta(stream.read(_META.size))
        if first is None:
            return None
        stream.seek(first.page)
        second = _meta(stream.read(_META.size))
    newest = max((meta for meta in (first, second) if meta), key=lambda meta: meta.transaction)
    pages = file.stat().st_size // newest.page
    usable = pages > 1 and (newest.root == _NO_PAGE or pages > newest.root)
    return LmdbHead(newest.entries, pages > newest.last, usable)


def _meta(data: bytes) -> _Meta | None:
    if len(data) < _META.size:
        return None
    magic, _, _, _, page, *_, entries, root, last, transaction = _META.unpack(data)
    if magic != _MAGIC or page < _META.size:
        return None
    return _Meta(page, entries, root, last, transaction)
