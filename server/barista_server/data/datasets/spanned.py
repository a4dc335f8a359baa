"""Segments of records that lie in a mapped file, put together without looking at each record in Python."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from barista_server.data.datasets.content import FRAME, LONG, SEGMENT, digest_of
from barista_server.data.lmdb_spans import Positions, Spans

_GROUP = 1 << 20
"""Bytes that are put together at a time: few enough to be in a processor's cache when they are hashed."""
_WORTH = 64
"""Records of one length in a group, on average, from which on it pays to copy them together."""

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class SpannedPart:
    """``spans`` of ``data`` that make a segment of ``size`` bytes."""

    data: Bytes
    spans: Spans
    size: int

    @property
    def records(self) -> int:
        return len(self.spans.key)

    @property
    def last(self) -> bytes:
        at, size = int(self.spans.key[-1]), int(self.spans.key_size[-1])
        return self.data[at : at + size].tobytes()

    def digest(self) -> bytes:
        sizes = self.spans.key_size << 32 | self.spans.value_size
        kinds = sizes[:1] if (sizes == sizes[0]).all() else np.unique(sizes)
        groups = -(-self.size // _GROUP)
        if self.spans.value_size.max() >= LONG or len(kinds) * groups * _WORTH > self.records:
            return digest_of(self._pieces())
        whole = blake3()
        ends = np.cumsum(_sizes(self.spans))
        stops = np.searchsorted(ends, np.arange(1, groups) * _GROUP).tolist()
        room = np.empty((2, _GROUP + 2 * LONG), np.uint8)
        for start, stop in zip([0, *stops], [*stops, self.records], strict=True):
            group = self.spans.part(start, stop)
            if len(kinds) == 1:
                together = _records(self.data, group, room[0]).reshape(-1)
            else:
                together = _mixed(self.data, group, sizes[start:stop], kinds, room)
            whole.update(memoryview(together))  # type: ignore[arg-type]
        found: bytes = whole.digest()
        return found

    def _pieces(self) -> list[memoryview | bytes]:
        """Frame, key and value of each record."""
        frames = np.stack((self.spans.key_size, self.spans.value_size), 1).astype("<u8").tobytes()
        data = memoryview(self.data)  # type: ignore[arg-type]
        bounds = zip(*(column.tolist() for column in self.spans), strict=True)
        pieces: list[memoryview | bytes] = []
        for number, (key, key_size, value, value_size) in enumerate(bounds):
            pieces.append(frames[number * FRAME : (number + 1) * FRAME])
            pieces.append(data[key : key + key_size])
            pieces.append(data[value : value + value_size])
        return pieces


def _records(data: Bytes, spans: Spans, room: Bytes) -> Bytes:
    """(n, bytes of each): records of one length with their frames, in ``room``."""
    count, key_size, value_size = len(spans.key), int(spans.key_size[0]), int(spans.value_size[0])
    whole = FRAME + key_size + value_size
    records = room[: count * whole].reshape(count, whole)
    records[:, :FRAME] = np.array([key_size, value_size], "<u8").view(np.uint8)
    if (spans.value - spans.key == key_size).all():
        _copy(data, spans.key, records[:, FRAME:])
    else:
        _copy(data, spans.key, records[:, FRAME : FRAME + key_size])
        _copy(data, spans.value, records[:, FRAME + key_size :])
    return records


def _copy(data: Bytes, places: Positions, into: Bytes) -> None:
    """The bytes from each place on, a row each: as one value, as numpy copies a fixed size fastest."""
    if size := into.shape[1]:
        whole = np.dtype((np.void, size))
        windows = np.ndarray((len(data) - size + 1,), whole, data, strides=(1,))
        into.view(whole)[:, 0] = windows[places]


def _mixed(data: Bytes, spans: Spans, sizes: Positions, kinds: Positions, room: Bytes) -> Bytes:
    """Records of a few lengths, ``kinds`` of ``sizes``, with their frames one after another, in ``room``."""
    ends = np.cumsum(_sizes(spans))
    begins = ends - _sizes(spans)
    for kind in kinds:
        which = np.flatnonzero(sizes == kind)
        if len(which):
            records = _records(data, Spans(*(column[which] for column in spans)), room[1])
            _windows(room[0], records.shape[1])[begins[which]] = records
    return room[0, : int(ends[-1])]


def _windows(data: Bytes, size: int) -> Bytes:
    """The bytes from each place on."""
    return np.ndarray((len(data) - size + 1, size), np.uint8, data, strides=(1, 1))


def _sizes(spans: Spans) -> Positions:
    return spans.key_size + spans.value_size + FRAME


def parts(data: Bytes, found: Iterable[Spans], skipped: int = 0) -> Iterator[SpannedPart]:
    """What makes the segments behind the first ``skipped`` records."""
    waiting: list[Spans] = []
    size = 0
    for spans in found:
        if skipped >= len(spans.key):
            skipped -= len(spans.key)
            continue
        rest = spans.part(skipped, len(spans.key))
        skipped = 0
        ends = np.cumsum(_sizes(rest))
        first, before = 0, 0
        while first < len(rest.key):
            # Up to the record that fills the segment, as far as it is among these.
            stop = min(len(rest.key), int(np.searchsorted(ends, before + SEGMENT - size)) + 1)
            waiting.append(rest.part(first, stop))
            size += int(ends[stop - 1]) - before
            first, before = stop, int(ends[stop - 1])
            if size >= SEGMENT:
                yield SpannedPart(data, _joined(waiting), size)
                waiting, size = [], 0
    if waiting:
        yield SpannedPart(data, _joined(waiting), size)


def _joined(spans: list[Spans]) -> Spans:
    return Spans(*(np.concatenate(columns) for columns in zip(*spans, strict=True)))
