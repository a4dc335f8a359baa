"""The content id: one number for the same data wherever it lies, however it is stored (docs/datasets.md).

A dataset is a sequence of records (key, value). Each is framed by the lengths of both, long values by their
hashes; records in a row make a segment, up to and with the one that brings it to SEGMENT bytes; the id is the
BLAKE3 hash of a head and of all segments' hashes. So segments can be hashed side by side, and hashing goes on
where it stopped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

Record = tuple[Any, Any]
"""Key and value, as bytes or buffers that stay valid until the source is closed."""

SEGMENT = 16 << 20
"""Bytes, frames included, long values in full."""
LONG = 16 << 10
"""Keys and values of so many bytes and more are hashed by themselves, and their hashes stand in their places:
so they need not be copied, and are where BLAKE3 is fastest.
"""
VERSION = 1
FRAME = 16
"""Bytes of two lengths."""


@dataclass(frozen=True, slots=True)
class Segment:
    """digest of the segment; records: number of those so far, its own included; last: the last one's key;
    size: bytes hashed so far.
    """

    digest: bytes
    records: int
    last: bytes
    size: int


class Part(Protocol):
    """Records that make a segment: their bytes, frames included, how many they are, the last one's key."""

    @property
    def size(self) -> int: ...
    @property
    def records(self) -> int: ...
    @property
    def last(self) -> bytes: ...

    def digest(self) -> bytes:
        """Called in a thread."""


def segments(
    records: Iterable[Record], after: Segment | None = None, batch: int = 1, threads: int = 2
) -> Iterator[Segment]:
    """The segments of records in order. `after`: the last one known, `records` go on behind it. So many
    records at a time are taken from them: the more the faster, but they are held.
    """
    return hashed(_parts(iter(records), batch), after, threads)


def hashed(parts: Iterable[Part], after: Segment | None = None, threads: int = 2) -> Iterator[Segment]:
    """The segments that parts make, in order; some are hashed while others are taken."""
    count, size = (after.records, after.size) if after else (0, 0)
    waiting: deque[tuple[Part, Future[bytes]]] = deque()
    with ThreadPoolExecutor(threads, "hash") as pool:

        def oldest() -> Segment:
            nonlocal count, size
            part, digest = waiting.popleft()
            count, size = count + part.records, size + part.size
            return Segment(digest.result(), count, part.last, size)

        for part in parts:
            waiting.append((part, pool.submit(part.digest)))
            if len(waiting) > threads + 1:
                yield oldest()
        while waiting:
            yield oldest()


@dataclass(frozen=True, slots=True)
class _Part:
    pieces: list[Any]
    """Frame, key and value of each record."""
    size: int
    records: int
    last: bytes

    def digest(self) -> bytes:
        return digest_of(self.pieces)


def _parts(records: Iterator[Record], batch: int) -> Iterator[_Part]:
    pieces: list[Any] = []
    size = 0
    while taken := list(islice(records, batch)):
        framed, ends = _framed(taken)
        first, before = 0, 0
        while first < len(taken):
            # Up to the record that fills the segment, as far as it is among these.
            stop = min(len(taken), int(np.searchsorted(ends, before + SEGMENT - size)) + 1)
            pieces += framed[3 * first : 3 * stop]
            size += int(ends[stop - 1]) - before
            first, before = stop, int(ends[stop - 1])
            if size >= SEGMENT:
                yield _Part(pieces, size, len(pieces) // 3, bytes(pieces[-2]))
                pieces, size = [], 0
    if pieces:
        yield _Part(pieces, size, len(pieces) // 3, bytes(pieces[-2]))


def _framed(records: list[Record]) -> tuple[list[Any], NDArray[np.int64]]:
    """Frame, key and value of each record, and the bytes up to the end of each. No work record by record in
    Python: databases have millions of small ones.
    """
    keys, values = zip(*records, strict=True)
    lengths = np.array([list(map(len, keys)), list(map(len, values))], "<u8").T
    frames = lengths.tobytes()
    pieces: list[Any] = [None] * (3 * len(records))
    pieces[0::3] = [frames[at : at + FRAME] for at in range(0, len(frames), FRAME)]
    pieces[1::3] = keys
    pieces[2::3] = values
    return pieces, np.cumsum(lengths.sum(1).astype(np.int64) + FRAME)


def digest_of(pieces: list[Any]) -> bytes:
    """Of a segment with this frame, key and value of each of its records."""
    if max(map(len, pieces[2::3])) >= LONG:
        pieces = [_hashed(piece) if len(piece) >= LONG else piece for piece in pieces]
    return _hashed(b"".join(pieces))


def _hashed(data: Any) -> bytes:
    whole = blake3()
    whole.update(data)  # here, not above: only this lets other threads go on
    digest: bytes = whole.digest()
    return digest


def content_id(kind: str, digests: Iterable[bytes], records: int) -> str:
    """64 hex digits."""
    whole = blake3(f"barista dataset {VERSION} {kind} {records}\n".encode())
    whole.update(b"".join(digests))
    found: str = whole.hexdigest()
    return found
