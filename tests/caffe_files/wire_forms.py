"""Protobuf's binary form made by hand, also as no library would write it."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from hypothesis import strategies as st

from barista_server.caffe.wire import BYTES, END_GROUP, FIXED32, FIXED64, GROUP, VARINT, encode_varint


def tag(number: int, kind: int) -> bytes:
    return encode_varint(number << 3 | kind)


def field(number: int, body: bytes) -> bytes:
    return tag(number, BYTES) + encode_varint(len(body)) + body


def varint(number: int, value: int) -> bytes:
    return tag(number, VARINT) + encode_varint(value & (2**64 - 1))


def floats(values: Sequence[float], number: int = 5) -> bytes:
    return field(number, struct.pack(f"<{len(values)}f", *values))


def single_floats(values: Sequence[float], number: int = 5) -> bytes:
    return b"".join(tag(number, FIXED32) + struct.pack("<f", value) for value in values)


def shape(*dims: int) -> bytes:
    return field(7, field(1, b"".join(encode_varint(dim & (2**64 - 1)) for dim in dims)))


def group(number: int, body: bytes) -> bytes:
    return tag(number, GROUP) + body + tag(number, END_GROUP)


_NUMBERS = st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 50, 100, 1001, 2**29 - 1])
_SCALARS = st.one_of(
    st.builds(varint, _NUMBERS, st.one_of(st.integers(0, 9), st.integers(0, 2**64 - 1))),
    st.builds(lambda n, v: tag(n, FIXED32) + v, _NUMBERS, st.binary(min_size=4, max_size=4)),
    st.builds(lambda n, v: tag(n, FIXED64) + v, _NUMBERS, st.binary(min_size=8, max_size=8)),
    st.builds(lambda n, v, k: (tag(n, FIXED32) + v) * k, _NUMBERS, st.just(b"\0\0\x80?"), st.integers(1, 40)),
    st.builds(field, _NUMBERS, st.binary(max_size=12)),
    st.builds(floats, st.lists(st.floats(width=32), max_size=6), _NUMBERS),
    st.builds(lambda dims: shape(*dims), st.lists(st.integers(0, 4), max_size=3)),
)

messages: st.SearchStrategy[bytes] = st.recursive(
    st.lists(_SCALARS, max_size=4).map(b"".join),
    lambda inner: st.lists(
        st.one_of(_SCALARS, st.builds(field, _NUMBERS, inner), st.builds(group, _NUMBERS, inner)), max_size=5
    ).map(b"".join),
    max_leaves=12,
)
"""Messages with fields of every kind, of numbers that mean something to Caffe and others, well nested."""
