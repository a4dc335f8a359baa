"""Protobuf's wire format walked in an open file, without parsing it: where each field lies.

Every length is checked against what surrounds it. Bytes are read as they are asked for, never mapped: a file
that another program shortens meanwhile gives an error, not a SIGBUS.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from barista_server.caffe.errors import WeightsError

VARINT, FIXED64, BYTES, GROUP, END_GROUP, FIXED32 = range(6)
"""Wire types."""

MOST_DEPTH = 100
"""Messages and groups inside each other; protobuf's own limit."""
MOST_FIELDS = 500_000
"""Fields walked in one file, a run of unpacked numbers counted once. Real models have some thousands."""
MOST_BYTES = 2**31 - 1
"""Protobuf's limit for one field, and Caffe's for a whole file."""

_WINDOW = 16 << 10
_RUN = 1 << 18
"""Unpacked numbers looked at in one go."""
_FIXED = {FIXED32: 4, FIXED64: 8}


@dataclass(frozen=True, slots=True)
class Field:
    """A field whose value is the bytes start..end (of BYTES without the length); tag is where it begins.

    value: the number, for VARINT. run: how many unpacked fields of the same short tag follow each other
    without a gap, this one included; end is that of the last.
    """

    number: int
    kind: int
    tag: int
    start: int
    end: int
    value: int = 0
    run: int = 1

    @property
    def size(self) -> int:
        """Bytes of the value, or of the whole run from its first value on."""
        return self.end - self.start


class WireFile:
    """A regular file, read by position. Raises WeightsError with path and byte offset for all that is cut."""

    def __init__(self, path: str | Path) -> None:
        """Raises OSError, WeightsError for what is no regular file."""
        self.path = str(path)
        # O_NONBLOCK: to open a pipe must not wait for somebody who writes into it.
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        about = os.fstat(self._file)
        self.size = about.st_size
        self._window, self._at, self._fields = b"", 0, 0
        if not stat.S_ISREG(about.st_mode):
            self.close()
            raise WeightsError(f"{path}: is no regular file")

    def close(self) -> None:
        """Give the file up; what was read stays."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def error(self, text: str, offset: int, where: str = "") -> WeightsError:
        """An error that names file, place and byte."""
        return WeightsError(f"{self.path}: {f'{where}: ' if where else ''}{text} (at byte {offset})")

    def take(self, start: int, end: int) -> bytes:
        """The bytes start..end, all of them."""
        if self._at <= start and end <= self._at + len(self._window):
            return self._window[start - self._at : end - self._at]
        out = bytearray(end - start)
        self.read_into(memoryview(out), start)
        return bytes(out)

    def read_into(self, out: memoryview, start: int) -> None:
        """Fill `out` from byte `start` on."""
        done = 0
        while done < len(out):
            got = os.preadv(self._file, [out[done:]], start + done)
            if not got:
                raise self.error("truncated while it was read", start + done)
            done += got

    def read_through(self) -> None:
        """Read every byte and keep none. Raises OSError."""
        held = memoryview(bytearray(1 << 20))
        at = 0
        while at < self.size:
            self.read_into(held[: self.size - at], at)
            at += len(held)

    def fields(self, start: int, end: int, depth: int = 1) -> Iterator[Field]:
        """The fields of the message that fills start..end, groups skipped. Raises OSError, WeightsError."""
        at = start
        while at < end:
            field = self._field(at, end)
            if field.kind == END_GROUP:
                raise self.error("not a Caffe file, a group ends that never began", at)
            if field.kind == GROUP:
                field = Field(field.number, GROUP, at, field.start, self._group_end(field, end, depth))
            yield field
            at = field.end

    def varint(self, at: int, end: int, most: int = 10) -> tuple[int, int]:
        """The base-128 number at `at`, and where it ends."""
        value = shift = 0
        for place in range(at, min(end, at + most)):
            byte = self._byte(place)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & 0xFFFF_FFFF_FFFF_FFFF, place + 1
            shift += 7
        if at + most > end:
            raise self.error("truncated within a number", at)
        raise self.error("not a Caffe file, a number has no end", at)

    def _byte(self, at: int) -> int:
        if not self._at <= at < self._at + len(self._window):
            self._at, self._window = at, os.pread(self._file, _WINDOW, at)
            if not self._window:
                raise self.error("truncated while it was read", at)
        return self._window[at - self._at]

    def _field(self, at: int, end: int) -> Field:
        self._fields += 1
        if self._fields > MOST_FIELDS:
            raise self.error(f"more than {MOST_FIELDS} fields, which no Caffe file has", at)
        tag, start = self.varint(at, end, 5)
        number, kind = tag >> 3, tag & 7
        if number == 0 or tag > 0xFFFF_FFFF or kind > FIXED32:
            raise self.error("not a Caffe file, no field begins here", at)
        if kind == VARINT:
            value, stop = self.varint(start, end)
            return Field(number, kind, at, start, stop, value)
        if kind == BYTES:
            size, start = self.varint(start, end, 5)
            if size > MOST_BYTES:
                raise self.error(f"a field of {size} bytes, over protobuf's limit of 2 GiB", at)
        else:
            size = _FIXED.get(kind, 0)
        if size > end - start:
            raise self.error(f"truncated, or a length that lies: {size} bytes of {end - start} left", at)
        if size and kind != BYTES and start == at + 1:
            run = self._run(tag, at, size + 1, end)
            return Field(number, kind, at, start, at + run * (size + 1), run=run)
        return Field(number, kind, at, start, start + size)

    def _run(self, tag: int, at: int, stride: int, end: int) -> int:
        """How often in a row a field with this one-byte tag stands at `at`."""
        count, more = 0, (end - at) // stride
        ask = 16  # most fields stand alone
        while count < more:
            piece = min(ask, more - count)
            begin = at + count * stride
            tags = np.frombuffer(self.take(begin, begin + piece * stride), np.uint8)[::stride]
            others = np.flatnonzero(tags != tag)
            if len(others):
                return count + int(others[0])
            count, ask = count + piece, min(4 * ask, _RUN)  # so that no more is read than four times the run
        return count

    def _group_end(self, group: Field, end: int, depth: int) -> int:
        """Where the group's end tag ends."""
        open_groups = [group.number]
        at = group.start
        while open_groups:
            if depth + len(open_groups) > MOST_DEPTH + 1:
                raise self.error(f"messages nested deeper than {MOST_DEPTH}", at)
            if at >= end:
                raise self.error("truncated within a group", group.tag)
            field = self._field(at, end)
            at = field.end
            if field.kind == GROUP:
                open_groups.append(field.number)
            elif field.kind == END_GROUP and open_groups.pop() != field.number:
                raise self.error("not a Caffe file, another group ends than began", field.tag)
        return at


def signed(value: int, bits: int) -> int:
    """A varint as protobuf's int32 or int64."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def encode_varint(value: int) -> bytes:
    """A number as protobuf writes it, base 128."""
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def encode_field(number: int, body: bytes) -> bytes:
    """A length-delimited field."""
    return encode_varint(number << 3 | BYTES) + encode_varint(len(body)) + body
