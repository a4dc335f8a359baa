"""The content id: one number for the same data wherever it lies, however it is stored (docs/datasets.md).

A dataset is a sequence of records (key, value). Each is framed by the lengths of both; records in a row make
a segment, up to and with the one that brings it to SEGMENT bytes; the id is the BLAKE3 hash of a head and of
all segments' hashes. So segments can be hashed side by side, and hashing goes on where it stopped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from struct import Struct
from typing import Any

from blake3 import blake3

Record = tuple[Any, Any]
"""Key and value, as bytes or buffers that stay valid until the source is closed."""

SEGMENT = 16 << 20
"""Bytes, frames included."""
VERSION = 1
_FRAME = Struct("<QQ")
_COPIED = 64 << 10
"""Records that are smaller on average are joined before they are hashed: a call has its price."""


@dataclass(frozen=True, slots=True)
class Segment:
    """digest of the segment; records: number of those so far, its own included; last: the last one's key;
    size: bytes hashed so far.
    """

    digest: bytes
    records: int
    last: bytes
    size: int


@dataclass(frozen=True, slots=True)
class _Part:
    pieces: list[Any]
    size: int
    records: int
    last: bytes


def segments(records: Iterable[Record], after: Segment | None = None, threads: int = 2) -> Iterator[Segment]:
    """The segments of records in order. `after`: the last one known, `records` go on behind it."""
    count, size = (after.records, after.size) if after else (0, 0)
    waiting: deque[tuple[_Part, Future[bytes]]] = deque()
    with ThreadPoolExecutor(threads, "hash") as pool:

        def oldest() -> Segment:
            nonlocal count, size
            part, digest = waiting.popleft()
            count, size = count + part.records, size + part.size
            return Segment(digest.result(), count, part.last, size)

        for part in _parts(records):
            waiting.append((part, pool.submit(_digest, part)))
            if len(waiting) > threads + 1:
                yield oldest()
        while waiting:
            yield oldest()


def _parts(records: Iterable[Record]) -> Iterator[_Part]:
    pieces: list[Any] = []
    size, count = 0, 0
    key: Any = b""
    pack, overhead = _FRAME.pack, _FRAME.size
    for key, value in records:
        length = len(value)
        pieces += (pack(len(key), length), key, value)
        size += overhead + len(key) + length
        count += 1
        if size >= SEGMENT:
            yield _Part(pieces, size, count, bytes(key))
            pieces, size, count = [], 0, 0
    if pieces:
        yield _Part(pieces, size, count, bytes(key))


def _digest(part: _Part) -> bytes:
    whole = blake3()
    if part.size < _COPIED * part.records:
        whole.update(b"".join(part.pieces))
    else:
        for piece in part.pieces:
            whole.update(piece)
    digest: bytes = whole.digest()
    return digest


def content_id(kind: str, digests: Iterable[bytes], records: int) -> str:
    """64 hex digits."""
    whole = blake3(f"barista dataset {VERSION} {kind} {records}\n".encode())
    whole.update(b"".join(digests))
    found: str = whole.hexdigest()
    return found
