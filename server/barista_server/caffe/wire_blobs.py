"""Blobs in protobuf's binary form, found without reading their values."""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from barista_server.caffe.blobs import BLOCK, Array, Blob, checked_shape
from barista_server.caffe.blobshape import MAX_AXES
from barista_server.caffe.errors import WeightsError
from barista_server.caffe.wire import BYTES, FIXED32, FIXED64, VARINT, Field, WireFile, signed

_DATA, _DIFF, _SHAPE, _DOUBLE_DATA, _DOUBLE_DIFF, _RAW_TYPE, _RAW_DATA = 5, 6, 7, 8, 9, 10, 12
"""Fields of a BlobProto; 1 to 4 are the old four dims, 10 and 12 NVCaffe's."""
_RAW_TYPES = {0: "<f8", 1: "<f4", 2: "<f2"}
_REPEATED = {_DATA: ("<f4", FIXED32), _DIFF: ("<f4", FIXED32), _DOUBLE_DATA: ("<f8", FIXED64),
             _DOUBLE_DIFF: ("<f8", FIXED64)}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Values in a row: the first at byte start, each a stride after the one before."""

    start: int
    count: int
    stride: int


def wire_blob(file: WireFile, start: int, end: int, where: str, depth: int) -> Blob:
    """The blob in start..end. As protobuf merges fields: lists add up, of single values the last counts."""
    old: dict[int, int] = {}
    dims: list[int] = []
    chunks: dict[int, list[_Chunk]] = {number: [] for number in _REPEATED}
    raw: Field | None = None
    raw_type = 0
    for one in file.fields(start, end, depth):
        if one.number <= 4 and one.kind == VARINT:
            old[one.number] = signed(one.value, 32)
        elif one.number in _REPEATED:
            chunks[one.number] += _chunks(file, one, where)
        elif (one.number, one.kind) == (_SHAPE, BYTES):
            dims += _dims(file, one, where, depth + 1)
        elif (one.number, one.kind) == (_RAW_TYPE, VARINT):
            raw_type = one.value
        elif (one.number, one.kind) == (_RAW_DATA, BYTES):
            raw = one
    dtype, found = "<f4", chunks[_DATA]
    if chunks[_DOUBLE_DATA]:
        dtype, found = "<f8", chunks[_DOUBLE_DATA]
    elif raw is not None and not found:
        dtype, found = _raw(file, raw, raw_type, where)
    shape = [old.get(number, 0) for number in (1, 2, 3, 4)] if old else dims
    try:
        checked = checked_shape(shape, sum(chunk.count for chunk in found))
    except WeightsError as error:
        raise file.error(str(error), start, where) from None
    return Blob(checked, np.dtype(dtype).name, _filler(file, found, np.dtype(dtype)))


def _chunks(file: WireFile, one: Field, where: str) -> list[_Chunk]:
    """The numbers of one field, packed or not; none where it is of another kind and so unknown."""
    dtype, fixed = _REPEATED[one.number]
    item = np.dtype(dtype).itemsize
    if one.kind == BYTES:
        if one.size % item:
            raise file.error(f"{one.size} bytes hold no whole number of values", one.tag, where)
        return [_Chunk(one.start, one.size // item, item)] if one.size else []
    return [_Chunk(one.start, one.run, item + 1)] if one.kind == fixed else []


def _raw(file: WireFile, one: Field, kind: int, where: str) -> tuple[str, list[_Chunk]]:
    """NVCaffe's values: bare bytes of a type of its own."""
    if kind not in _RAW_TYPES:
        raise file.error(f"values of NVCaffe's type {kind}, which are no floats", one.tag, where)
    item = np.dtype(_RAW_TYPES[kind]).itemsize
    if one.size % item:
        raise file.error(f"{one.size} bytes hold no whole number of values", one.tag, where)
    return _RAW_TYPES[kind], [_Chunk(one.start, one.size // item, item)] if one.size else []


def _dims(file: WireFile, shape: Field, where: str, depth: int) -> Iterator[int]:
    """The dims of one shape. Raises WeightsError where they are more than any blob has."""
    count = 0
    for one in file.fields(shape.start, shape.end, depth):
        if one.number != 1 or one.kind not in (VARINT, BYTES):
            continue
        at, end = (one.start, one.end) if one.kind == BYTES else (0, 0)
        values = [one.value] if one.kind == VARINT else []
        while at < end and count + len(values) <= MAX_AXES:
            value, at = file.varint(at, end)
            values.append(value)
        count += len(values)
        if count > MAX_AXES:
            raise file.error(f"a blob of more than {MAX_AXES} axes", one.tag, where)
        yield from (signed(value, 64) for value in values)


def _filler(
    file: WireFile, chunks: list[_Chunk], dtype: "np.dtype[np.floating]"
) -> Callable[[Array, int], None]:
    """Reads a blob's values out of its chunks."""
    begins = list(accumulate((chunk.count for chunk in chunks), initial=0))

    def fill(out: Array, start: int) -> None:
        done, index = 0, bisect_right(begins, start) - 1
        while done < len(out):
            chunk, first = chunks[index], start + done - begins[index]
            piece = min(chunk.count - first, len(out) - done)
            _read(file, chunk, dtype, first, out[done : done + piece])
            done, index = done + piece, index + 1

    return fill


def _read(file: WireFile, chunk: _Chunk, dtype: "np.dtype[np.floating]", first: int, out: Array) -> None:
    """Values of one chunk from number `first` on: straight into `out`, or converted a piece at a time."""
    item, stride = dtype.itemsize, chunk.stride
    if stride == item and dtype == out.dtype:
        file.read_into(out.data.cast("B"), chunk.start + first * stride)
        return
    for begin in range(0, len(out), BLOCK):
        part = out[begin : begin + BLOCK]
        at = chunk.start + (first + begin) * stride
        held = bytearray((len(part) - 1) * stride + item)
        file.read_into(memoryview(held), at)
        with np.errstate(over="ignore"):  # a double beyond float32 becomes infinite, as in C
            part[...] = np.ndarray(len(part), dtype, held, strides=(stride,))
