"""The head and the first record of an LMDB, read without mapping it.

A mapped file that is damaged or cut short ends the process that looks at it; training does so all the same,
but whoever judges files before should live on. The format is that of LMDB 0.9, little-endian, 64 bits.
"""

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

_MAGIC = 0xBEEFC0DE
# behind a page header of 16 bytes: magic, version, address, map size, the tables of free pages and of records
# (pad, flags, depth, branch, leaf and overflow pages, entries, root), last page, transaction
_META = struct.Struct("<16xIIQQ" + "IHHQQQQQ" * 2 + "QQ")
_NO_PAGE = 2**64 - 1
_PAGE = struct.Struct("<10xHHH")  # number, flags, end of the list of nodes, begin of the nodes
_NODE = struct.Struct(
    "<HHHH"
)  # for a branch the page in three parts, for a leaf size and flags; size of the key
_BRANCH, _LEAF = 1, 2
_BIG, _ELSEWISE = 1, 6
_SEVERAL = 0x04
"""Of a database: a key may have several values, which are kept otherwise."""
_MOST_LEVELS = 32


class _Meta(NamedTuple):
    page: int
    flags: int
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
        newest = _newest(stream)
    if newest is None:
        return None
    pages = file.stat().st_size // newest.page
    usable = pages > 1 and (newest.root == _NO_PAGE or pages > newest.root)
    return LmdbHead(newest.entries, pages > newest.last, usable)


def first_value(path: str | Path) -> bytes:
    """The value of the first record in the folder's database.

    Raises OSError, ValueError for a damaged one, LookupError if it has no records.
    """
    file = Path(path, "data.mdb")
    with file.open("rb") as stream:
        newest = _newest(stream)
        if newest is None:
            raise ValueError("no LMDB")
        if newest.root == _NO_PAGE:
            raise LookupError("no records")
        number = newest.root
        for _ in range(_MOST_LEVELS):
            page = _read(stream, number * newest.page, newest.page)
            flags, lower, _ = _PAGE.unpack_from(page)
            (at,) = struct.unpack_from("<H", page, _PAGE.size) if lower > _PAGE.size else (0,)
            if not _PAGE.size < at <= newest.page - _NODE.size:
                raise ValueError(f"page {number} is damaged")
            low, middle, high, key = _NODE.unpack_from(page, at)
            if flags & _BRANCH:
                number = low | middle << 16 | high << 32
                continue
            if not flags & _LEAF or high & _ELSEWISE:
                raise ValueError(f"page {number} is damaged")
            size, start = low | middle << 16, at + _NODE.size + key
            if not high & _BIG:
                return _part(page, start, size)
            (beyond,) = struct.unpack("<Q", _part(page, start, 8))
            return _read(stream, beyond * newest.page + _PAGE.size, size)
    raise ValueError("its pages go round in circles")


@dataclass(frozen=True, slots=True)
class LmdbRoot:
    """page: bytes of one; number: that of the root, None without records."""

    page: int
    number: int | None


def lmdb_root(path: str | Path, transaction: int) -> LmdbRoot | None:
    """Where the records begin that a transaction sees; None where they are in no plain tree of pages. Raises
    OSError.
    """
    with Path(path, "data.mdb").open("rb") as stream:
        metas = _metas(stream)
    for meta in metas:
        if meta.transaction == transaction and not meta.flags & _SEVERAL:
            return LmdbRoot(meta.page, None if meta.root == _NO_PAGE else meta.root)
    return None


def _part(page: bytes, start: int, size: int) -> bytes:
    if start + size > len(page):
        raise ValueError("a record goes beyond its page")
    return page[start : start + size]


def _read(stream: BinaryIO, start: int, size: int) -> bytes:
    if start + size > os.fstat(stream.fileno()).st_size:
        raise ValueError("a page is beyond the end of the file")
    stream.seek(start)
    return stream.read(size)


def _newest(stream: BinaryIO) -> _Meta | None:
    """The newer one of the two heads."""
    return max(_metas(stream), key=lambda meta: meta.transaction, default=None)


def _metas(stream: BinaryIO) -> list[_Meta]:
    """The two heads, as far as they are there."""
    first = _meta(stream.read(_META.size))
    if first is None:
        return []
    stream.seek(first.page)
    second = _meta(stream.read(_META.size))
    return [meta for meta in (first, second) if meta]


def _meta(data: bytes) -> _Meta | None:
    if len(data) < _META.size:
        return None
    magic, _, _, _, page, *_, flags, _, _, _, _, entries, root, last, transaction = _META.unpack(data)
    if magic != _MAGIC or page < _META.size:
        return None
    return _Meta(page, flags, entries, root, last, transaction)
