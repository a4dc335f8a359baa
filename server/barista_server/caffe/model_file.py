"""Models and solver states of any age and size, opened without reading their values.

A .caffemodel is a NetParameter in protobuf's binary form, a .solverstate a SolverState; with .h5 both are
HDF5 files. What is read at once is where things lie; a blob's values come when they are asked for.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self

from google.protobuf.message import DecodeError

from barista_server.caffe import hdf5, wire
from barista_server.caffe.blobs import Array, Blob, Values
from barista_server.caffe.errors import NetError, WeightsError
from barista_server.caffe.schema import NetParameter, V1LayerParameter
from barista_server.caffe.upgrade import upgrade_net
from barista_server.caffe.wire import BYTES, VARINT, Field, WireFile, signed
from barista_server.caffe.wire_blobs import wire_blob

MOST_SETTINGS = 64 << 20
"""Bytes of a model beside its blobs that are parsed; real ones have some hundred thousand."""

Form = Literal["current", "V1", "V0", "HDF5"]
REUSED = range(137, 149)
"""Fields of a layer that forks gave other meanings: 145 holds mat_write_param in PSPNet."""

Span = tuple[int, int]
"""Bytes start..end of the file."""

_NET, _LAYERS, _LAYER = 1, 2, 100
_V0 = 1
"""In a V1 layer, the V0 layer it may hold."""
_NAME_TYPE_BLOBS = {"current": (1, 2, 7), "V1": (4, 5, 6), "V0": (1, 2, 50)}


@dataclass(slots=True)
class Layer:
    """A layer of a model. type: as the file has it ("conv" in V0, "CONVOLUTION" in V1; empty in HDF5).

    form: current, V1, V0 or HDF5. blobs: None stands for one kept with the layer that shares it (HDF5 only).
    """

    name: str
    type: str
    form: Form
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
        """Read it all and keep nothing: what the disk cannot give is told now. OSError, WeightsError."""
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

    @property
    def is_hdf5(self) -> bool:
        return self._file is not self._wire

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

        It is empty where the file is HDF5. Raises OSError, WeightsError.
        """
        if self.is_hdf5:
            return NetParameter(), []
        net = self._net()
        try:
            return net, upgrade_net(net, self.path)
        except NetError as error:
            raise WeightsError(f"{self.path}: {error}") from None
        except UnicodeError as error:
            raise WeightsError(f"{self.path}: a name in an old layer is no UTF-8 ({error})") from None

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
            number = _LAYER if layer.form == "current" else _LAYERS
            whole = wire.encode_field(number, own)
            if not _parses(whole):
                whole = wire.encode_field(number, self._parsing(number, layer.settings))
            net += whole
        try:
            return NetParameter.FromString(net)
        except DecodeError as error:
            raise WeightsError(f"{self.path}: truncated or not a Caffe file ({error})") from None

    def _parsing(self, number: int, spans: Iterable[Span]) -> bytes:
        """The fields of a layer less those under whose number a fork has something else than Caffe."""
        fields = (one for start, end in spans for one in self._wire.fields(start, end, 2))
        kept = []
        for one in fields:
            piece = self._wire.take(one.tag, one.end)
            if one.number not in REUSED or _parses(wire.encode_field(number, piece)):
                kept.append(piece)
        return b"".join(kept)

    def _joined(self, spans: Iterable[Span]) -> bytes:
        return b"".join(self._wire.take(*span) for span in spans)

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
        self._rest: list[Span] = []
        self._wire = file = WireFile(path)
        self._file = file
        with self._closed_on_error():
            if hdf5.holds_hdf5(file):
                file.close()
                self._file = opened = hdf5.Hdf5File(path)
                self.iter, self.learned_net, self.current_step, self.history = opened.state()
            else:
                self._index(file)

    def rest(self) -> bytes:
        """The fields that Caffe does not know; forks have some. Raises OSError, WeightsError."""
        size = sum(end - start for start, end in self._rest)
        if size > MOST_SETTINGS:
            raise WeightsError(f"{self.path}: {size} bytes beside the history, over {MOST_SETTINGS}")
        return b"".join(self._wire.take(*span) for span in self._rest)

    def _index(self, file: WireFile) -> None:
        history: list[Blob] = []
        whole = False
        for one in file.fields(0, file.size):
            if (one.number, one.kind) == (1, VARINT):
                self.iter, whole = signed(one.value, 32), True
            elif (one.number, one.kind) == (2, BYTES):
                self.learned_net = _text(file, one)
            elif (one.number, one.kind) == (3, BYTES):
                history.append(wire_blob(file, one.start, one.end, f"history {len(history)}", 2))
            elif (one.number, one.kind) == (4, VARINT):
                self.current_step = signed(one.value, 32)
            else:
                _add(self._rest, one)
        if not whole:
            raise WeightsError(f"{self.path}: holds no iteration, so it is not a whole .solverstate")
        self.history = history


def read_blob_file(path: str | Path) -> Array:
    """The one blob that a file is, as a mean image (.binaryproto). Raises OSError, WeightsError."""
    file = WireFile(path)
    try:
        return wire_blob(file, 0, file.size, "the blob", 1).read()
    finally:
        file.close()


def _parses(net: bytes) -> bool:
    try:
        NetParameter.FromString(net)
    except DecodeError:
        return False
    return True


def _text(file: WireFile, one: Field) -> str:
    """A name, which may be in any encoding. Raises WeightsError for one of over 64 KiB."""
    if one.size > 1 << 16:
        raise file.error(f"a name of {one.size} bytes", one.tag)
    return file.take(one.start, one.end).decode("utf-8", "surrogateescape")


def _add(spans: list[Span], one: Field) -> None:
    """Note the whole field, together with the one before where they touch."""
    if spans and spans[-1][1] == one.tag:
        spans[-1] = (spans[-1][0], one.end)
    else:
        spans.append((one.tag, one.end))


def _layer(file: WireFile, one: Field) -> Layer:
    """A layer of either list; a V0 layer inside counts instead of the V1 layer around it."""
    form: Form = "current" if one.number == _LAYER else "V1"
    inner: list[Field] = []
    layer, blobs = _parts(file, form, [one], 2, inner)
    if inner:
        outer = layer.settings
        for blob in blobs:  # Caffe drops them
            _add(outer, blob)
        layer, blobs = _parts(file, "V0", inner, 3, [])
        layer.old_settings, layer.settings = layer.settings, outer
    depth = 4 if inner else 3
    layer.blobs = [
        wire_blob(file, blob.start, blob.end, f"layer {layer.name}, blob {index}", depth)
        for index, blob in enumerate(blobs)
    ]
    return layer


def _parts(
    file: WireFile, form: Form, pieces: Iterable[Field], depth: int, inner: list[Field]
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
