"""Snapshots: .caffemodel and .solverstate, in Caffe's binary and HDF5 forms, as float32 arrays."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from google.protobuf.message import Message
from numpy.typing import NDArray

from barista_server.caffe import hdf5
from barista_server.caffe.atomic import replacing
from barista_server.caffe.blobs import Array
from barista_server.caffe.errors import WeightsError
from barista_server.caffe.model_file import ModelFile, StateFile
from barista_server.caffe.schema import BlobProto, LayerParameter, NetParameter, SolverState
from barista_server.caffe.wire import BYTES, MOST_BYTES, encode_field, encode_varint

__all__ = [
    "SnapshotInfo",
    "State",
    "Weights",
    "WeightsError",
    "array_to_blob",
    "read_state",
    "read_weights",
    "verify_snapshot",
    "write_state",
    "write_weights",
]

Form = Literal["binary", "hdf5"]
Piece = bytes | memoryview

_DATA, _DIFF, _SHAPE, _DIM = 5, 6, 7, 1
_HISTORY, _LAYER, _BLOBS = 3, 100, 7
_LEARNED_NET = 2


@dataclass(slots=True)
class Weights:
    """Trained blobs of a net: layers maps every layer of the file to its blobs (maybe none), in file order.

    params holds the layers' settings without blobs; an HDF5 file has none. notes: Caffe's messages about old
    forms brought up to date. head: the net's name and its fields of forks, in binary.
    """

    net_name: str
    layers: dict[str, list[Array]]
    params: list[LayerParameter] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    head: bytes = b""

    def net(self) -> NetParameter:
        """The net as write_weights takes it, with all that only a fork understands."""
        net = NetParameter.FromString(self.head)
        net.layer.extend(self.params)
        return net


@dataclass(slots=True)
class State:
    """A solver state; history: one blob per learnable parameter, or two (all first, then all second ones).

    rest: fields of forks, in binary, as SSD's minimum_loss.
    """

    iter: int
    learned_net: str
    history: list[Array]
    current_step: int = 0
    rest: bytes = b""


@dataclass(frozen=True, slots=True)
class SnapshotInfo:
    """A good pair of snapshot files: iteration, number of trained values, bytes of both files together."""

    iteration: int
    parameters: int
    bytes: int


def array_to_blob(array: NDArray[Any], diff: NDArray[Any] | None = None) -> BlobProto:
    """The array as Caffe writes it: float32 values, the diff if given, and shape; no shape for a scalar."""
    # parsing bytes is some hundred times faster than appending numbers to the message
    return BlobProto.FromString(b"".join(_blob(array, diff)))


def read_weights(path: str | Path) -> Weights:
    """Read a whole .caffemodel, binary or HDF5 as its content tells; ModelFile reads only what is asked for.

    Raises OSError, WeightsError.
    """
    with ModelFile(path) as model:
        layers: dict[str, list[Array]] = {}
        for name, values in model.values().items():
            layers[name] = [array for array in values if array is not None]
            if len(layers[name]) != len(values):
                raise WeightsError(f"{path}: layer {name} leaves out blobs that another one shares")
        net, notes = model.upgraded()
        return Weights(model.net_name, layers, list(net.layer), notes, _head(net))


def write_weights(
    path: str | Path,
    net: NetParameter,
    blobs: Mapping[str, Sequence[NDArray[Any]]],
    form: Form = "binary",
    diffs: Mapping[str, Sequence[NDArray[Any]]] | None = None,
    shared: Collection[tuple[str, int]] = (),
) -> None:
    """Write a .caffemodel: the net's name and layers, each with its blobs from the mapping, if it has any.

    diffs, if given, has a diff for every blob (Caffe's snapshot_diff). shared: (layer, index) of blobs that
    another layer owns; as Caffe does, the binary form repeats them and HDF5 leaves them out.

    Layer settings are written as given, so net is the net as built: filtered, with
    Splits and phases. The file is there whole or not at all. Raises OSError, WeightsError.
    """
    if form == "hdf5":
        names = [layer.name for layer in net.layer]
        hdf5.write_layers(
            path,
            {name: blobs.get(name, ()) for name in names},
            None if diffs is None else {name: diffs.get(name, ()) for name in names},
            shared,
        )
        return
    pieces: list[Piece] = [_head(net)]
    for layer in net.layer:
        own = blobs.get(layer.name, ())
        steps = [None] * len(own) if diffs is None else diffs.get(layer.name, ())
        before, after = _around_blobs(layer)
        fields = [_field(_BLOBS, _blob(blob, diff)) for blob, diff in zip(own, steps, strict=True)]
        pieces += _field(_LAYER, [before, *(piece for field in fields for piece in field), after])
    _write(path, pieces)


def read_state(path: str | Path) -> State:
    """Read a .solverstate, binary or HDF5 as its content tells. Raises OSError, WeightsError."""
    with StateFile(path) as state:
        history = [blob.read() for blob in state.history]
        return State(state.iter, state.learned_net, history, state.current_step, state.rest())


def write_state(path: str | Path, state: State, form: Form = "binary") -> None:
    """Write a .solverstate, form "binary" or "hdf5", whole or not at all. Raises OSError, WeightsError."""
    if form == "hdf5":
        hdf5.write_state(path, state.iter, state.learned_net, state.history, state.current_step)
        return
    pieces: list[Piece] = [
        SolverState(iter=state.iter).SerializeToString(),
        encode_field(_LEARNED_NET, state.learned_net.encode("utf-8", "surrogateescape")),
    ]
    for blob in state.history:
        pieces += _field(_HISTORY, _blob(blob))
    _write(path, [*pieces, SolverState(current_step=state.current_step).SerializeToString(), state.rest])


def verify_snapshot(model_path: str | Path, state_path: str | Path) -> SnapshotInfo:
    """Read both files of a snapshot, keeping nothing of their values, and check that they fit together.

    Raises OSError, WeightsError with the reason.
    """
    with ModelFile(model_path) as model, StateFile(state_path) as state:
        blobs = model.blobs()
        net, _ = model.upgraded()
        shapes = {blob.shape for blob in blobs}
        foreign = {blob.shape for blob in state.history} - shapes
        if foreign:
            text = f"history of shape {min(foreign)} fits no parameter in {model_path}"
            raise WeightsError(f"{state_path}: {text}")
        shared = any(spec.name for layer in net.layer for spec in layer.param)
        if not shared and len(state.history) not in (len(blobs), 2 * len(blobs)):
            raise WeightsError(
                f"{state_path}: {len(state.history)} history blobs do not fit "
                f"the {len(blobs)} parameters in {model_path}"
            )
        model.read_through()
        state.read_through()
    size = Path(model_path).stat().st_size + Path(state_path).stat().st_size
    return SnapshotInfo(state.iter, sum(blob.count for blob in blobs), size)


def _around_blobs(layer: LayerParameter) -> tuple[bytes, bytes]:
    """The layer's settings in binary, cut where its blobs belong: fields are written in number order."""
    before: Message = LayerParameter()
    after: Message = LayerParameter()
    before.MergeFrom(layer)
    after.MergeFrom(layer)
    before.DiscardUnknownFields()  # they stand last
    for one, _ in layer.ListFields():
        if one.number >= _BLOBS:
            before.ClearField(one.name)
        if one.number <= _BLOBS:
            after.ClearField(one.name)
    # partial: what a fork has under a number of Caffe's may lack fields that Caffe requires
    return before.SerializePartialToString(), after.SerializePartialToString()


def _head(net: NetParameter) -> bytes:
    """The net's name, and the fields of forks that Caffe does not know."""
    head: Message = NetParameter()
    head.MergeFrom(net)
    for one, _ in net.ListFields():
        if one.name != "name":
            head.ClearField(one.name)
    return head.SerializePartialToString()


def _field(number: int, pieces: Iterable[Piece]) -> list[Piece]:
    """A length-delimited field, its value in pieces: arrays go to the disk from where they are."""
    held = list(pieces)
    head = encode_varint(number << 3 | BYTES) + encode_varint(sum(map(len, held)))
    return [head, *held]


def _blob(array: NDArray[Any], diff: NDArray[Any] | None = None) -> list[Piece]:
    pieces = _floats(_DATA, array)
    if diff is not None:
        pieces += _floats(_DIFF, diff)
    if array.ndim:
        dims = b"".join(encode_varint(dim) for dim in array.shape)
        pieces.append(encode_field(_SHAPE, encode_field(_DIM, dims)))
    return pieces


def _floats(number: int, array: NDArray[Any]) -> list[Piece]:
    """A field of packed float32 values; nothing for no values."""
    values = np.ascontiguousarray(array, dtype="<f4")
    return _field(number, [values.data.cast("B")]) if values.size else []


def _write(path: str | Path, pieces: Sequence[Piece]) -> None:
    size = sum(map(len, pieces))
    if size > MOST_BYTES:
        raise WeightsError(
            f"{path}: cannot be written: {size} bytes, and no Caffe reads more than {MOST_BYTES}"
        )
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.writelines(pieces)
