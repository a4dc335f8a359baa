"""Models and solver states of any age and size, opened without reading their values.

A .caffemodel is a NetParameter in protobuf's binary form, a .solverstate a SolverState; with .h5 both are HDF5
files. What is read at once is where things lie; a blob's values come when they are asked for.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from google.protobuf.message import DecodeError

from barista_server.caffe import hdf5, wire
from barista_server.caffe.blobs import BLOCK, Array, Blob, Values, checked_shape
from barista_server.caffe.blobshape import MAX_AXES
from barista_server.caffe.errors import NetError, WeightsError
from barista_server.caffe.schema import NetParameter, V1LayerParameter
from barista_server.caffe.upgrade import upgrade_net
from barista_server.caffe.wire import BYTES, FIXED32, FIXED64, VARINT, Field, WireFile, signed

MOST_SETTINGS = 64 << 20
"""Bytes of a model beside its blobs that are parsed; real ones have some hundred thousand."""

Span = tuple[int, int]
"""Bytes start..end of the file."""

_NET, _LAYERS, _LAYER = 1, 2, 100
_V0 = 1
"""In a V1 layer, the V0 layer it may hold."""
_NAME_TYPE_BLOBS = {"current": (1, 2, 7), "V1": (4, 5, 6), "V0": (1, 2, 50)}

_DATA, _DIFF, _SHAPE, _DOUBLE_DATA, _DOUBLE_DIFF, _RAW_TYPE, _RAW_DATA = 5, 6, 7, 8, 9, 10, 12
"""Fields of a BlobProto; 1 to 4 are the old four dims, 10 and 12 NVCaffe's."""
_RAW_TYPES = {0: "<f8", 1: "<f4", 2: "<f2"}
_REPEATED = {_DATA: ("<f4", FIXED32), _DIFF: ("<f4", FIXED32), _DOUBLE_DATA: ("<f8", FIXED64),
             _DOUBLE_DIFF: ("<f8", FIXED64)}  # fmt: skip


@dataclass(slots=True)
class Layer:
    """A layer of a model. type: as the file has it ("conv" in V0, "CONVOLUTION" in V1; empty in HDF5).

    form: current, V1, V0 or HDF5. blobs: None stands for one kept with the layer that shares it (HDF5 only).
    """

    name: str
    type: str
    form: str
    blobs: Sequence[Blob | None] = ()
    settings: list[Span] = field(default_factory=list)
    old_settings: list[Span] = field(default_factory=list)
    """What the V0 layer inside holds beside its blobs."""


class _Open(Protocol):
    """What a file that is read by position, and one that libhdf5 reads, have in common."""

    def close(self) -> None: ...
    def read_through(self) -> None: ...


class _File:
    """An open file. Use it as a context manager, or close it."""

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        self._file: _Open

    def close(self) -> None:
        """Give the file up; blobs can no longer be read."""
        self._file.close()

    def read_through(self) -> None:
        """Read every byte and keep none: what the disk cannot give is told now. Raises OSError, WeightsError."""
        self._file.read_through()

    @contextmanager
    def _closed_on_error(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class ModelFile(_File):
    """A .caffemodel. net_name is empty and settings are none where the file is HDF5."""

    def __init__(self, path: str | Path) -> None:
        """Raises OSError, WeightsError with file, layer and byte offset."""
        super().__init__(path)
        self.net_name = ""
        self.layers: list[Layer] = []
        self._settings: list[Span] = []
        self._wire = file = WireFile(path)
        self._file = file
        with self._closed_on_error():
            if hdf5.holds_hdf5(file):
                file.close()
                self._file = opened = hdf5.Hdf5File(path)
                self.layers = [Layer(name, "", "HDF5", blobs) for name, blobs in opened.layers()]
            else:
                self._index(file)

    def values(self) -> dict[str, Values]:
        """The blobs of each layer by its name; of equal names the last that has any counts."""
        found: dict[str, Values] = {}
        for layer in self.layers:
            if layer.blobs or layer.name not in found:
                found[layer.name] = Values(layer.blobs)
        return found

    def blobs(self) -> list[Blob]:
        """Those that `values` has, in a row."""
        counted = {layer.name: layer for layer in self.layers if layer.blobs}
        return [blob for layer in counted.values() for blob in layer.blobs if blob is not None]

    def upgraded(self) -> tuple[NetParameter, list[str]]:
        """The net without blobs, old forms brought up to date, and what Caffe says about that.

        Raises OSError, WeightsError.
        """
        net = self._net()
        try:
            return net, upgrade_net(net, self.path)
        except NetError as error:
            raise WeightsError(f"{self.path}: {error}") from None

    def _net(self) -> NetParameter:
        spans = [span for layer in self.layers for span in (*layer.settings, *layer.old_settings)]
        size = sum(end - start for start, end in (*spans, *self._settings))
        if size > MOST_SETTINGS:
            raise WeightsError(f"{self.path}: {size} bytes beside the blobs, over {MOST_SETTINGS}")
        net = self._joined(self._settings)
        for layer in self.layers:
            own = self._joined(layer.settings)
            if layer.form == "V0":
                own += wire.encode_field(_V0, self._joined(layer.old_settings))
            net += wire.encode_field(_LAYER if layer.form == "current" else _LAYERS, own)
        try:
            return NetParameter.FromString(net)
        except DecodeError as error:
            raise WeightsError(f"{self.path}: truncated or not a Caffe file ({error})") from None

    def _joined(self, spans: Iterable[Span]) -> bytes:
        return b"".join(self._wire.bytes(*span) for span in spans)

    def _index(self, file: WireFile) -> None:
        for one in file.fields(0, file.size):
            if one.kind == BYTES and one.number in (_LAYERS, _LAYER):
                self.layers.append(_layer(file, one))
                continue
            if one.kind == BYTES and one.number == _NET:
                self.net_name = _text(file, one)
            _add(self._settings, one)
        if not self.layers:
            raise WeightsError(f"{self.path}: holds no layers, so it is not a whole .caffemodel")


class StateFile(_File):
    """A .solverstate: iter, learned_net, current_step, and history, one blob or two per parameter."""

    def __init__(self, path: str | Path) -> None:
        """Raises OSError, WeightsError with file, blob and byte offset."""
        super().__init__(path)
        self.iter = self.current_step = 0
        self.learned_net = ""
        self.history: Sequence[Blob] = ()
        file = WireFile(path)
        self._file = file
        with self._closed_on_error():
            if hdf5.holds_hdf5(file):
                file.close()
                self._file = opened = hdf5.Hdf5File(path)
                self.iter, self.learned_net, self.current_step, self.history = opened.state()
            else:
                self._index(file)

    def _index(self, file: WireFile) -> None:
        history: list[Blob] = []
        whole = False
        for one in file.fields(0, file.size):
            if (one.number, one.kind) == (1, VARINT):
                self.iter, whole = signed(one.value, 32), True
            elif (one.number, one.kind) == (2, BYTES):
                self.learned_net = _text(file, one)
            elif (one.number, one.kind) == (3, BYTES):
                history.append(_blob(file, one.start, one.end, f"history {len(history)}", 2))
            elif (one.number, one.kind) == (4, VARINT):
                self.current_step = signed(one.value, 32)
        if not whole:
            raise WeightsError(f"{self.path}: holds no iteration, so it is not a whole .solverstate")
        self.history = history


def read_blob_file(path: str | Path) -> Array:
    """The one blob that a file is, as a mean image (.binaryproto). Raises OSError, WeightsError."""
    file = WireFile(path)
    try:
        return _blob(file, 0, file.size, "the blob", 1).read()
    finally:
        file.close()


def _text(file: WireFile, one: Field) -> str:
    """A name, which may be in any encoding. Raises WeightsError for one of over 64 KiB."""
    if one.size > 1 << 16:
        raise file.error(f"a name of {one.size} bytes", one.tag)
    return file.bytes(one.start, one.end).decode("utf-8", "surrogateescape")


def _add(spans: list[Span], one: Field) -> None:
    """Note the whole field, together with the one before where they touch."""
    if spans and spans[-1][1] == one.tag:
        spans[-1] = (spans[-1][0], one.end)
    else:
        spans.append((one.tag, one.end))


def _layer(file: WireFile, one: Field) -> Layer:
    """A layer of either list; a V0 layer inside counts instead of the V1 layer around it."""
    form = "current" if one.number == _LAYER else "V1"
    inner: list[Field] = []
    layer, blobs = _parts(file, form, [one], 2, inner)
    if inner:
        outer = layer.settings
        layer, blobs = _parts(file, "V0", inner, 3, [])
        layer.old_settings, layer.settings = layer.settings, outer
    depth = 4 if inner else 3
    layer.blobs = [
        _blob(file, blob.start, blob.end, f"layer {layer.name}, blob {index}", depth)
        for index, blob in enumerate(blobs)
    ]
    return layer


def _parts(
    file: WireFile, form: str, pieces: Iterable[Field], depth: int, inner: list[Field]
) -> tuple[Layer, list[Field]]:
    """A layer, which protobuf may have in several pieces, and its blobs; a V0 layer in it goes to `inner`."""
    name, type_, blob = _NAME_TYPE_BLOBS[form]
    layer, blobs = Layer("", "", form), list[Field]()
    for piece in pieces:
        for one in file.fields(piece.start, piece.end, depth):
            if one.kind == BYTES and one.number == blob:
                blobs.append(one)
                continue
            if one.kind == BYTES and form == "V1" and one.number == _V0:
                inner.append(one)
                continue
            if one.kind == BYTES and one.number == name:
                layer.name = _text(file, one)
            elif one.number == type_ and one.kind == (VARINT if form == "V1" else BYTES):
                layer.type = _v1_type(one.value) if form == "V1" else _text(file, one)
            _add(layer.settings, one)
    return layer, blobs


def _v1_type(number: int) -> str:
    try:
        return V1LayerParameter.LayerType.Name(V1LayerParameter.LayerType.ValueType(signed(number, 32)))
    except ValueError:
        return str(number)


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Values in a row: the first at byte start, each a stride after the one before."""

    start: int
    count: int
    stride: int


def _blob(file: WireFile, start: int, end: int, where: str, depth: int) -> Blob:
    """The blob in start..end, as protobuf merges its fields: numbers add up, of single values the last counts."""
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
        file.read_into(memoryview(out).cast("B"), chunk.start + first * stride)
        return
    for begin in range(0, len(out), BLOCK):
        part = out[begin : begin + BLOCK]
        at = chunk.start + (first + begin) * stride
        held = bytearray((len(part) - 1) * stride + item)
        file.read_into(memoryview(held), at)
        with np.errstate(over="ignore"):  # a double beyond float32 becomes infinite, as in C
            part[...] = np.ndarray(len(part), dtype, held, strides=(stride,))
