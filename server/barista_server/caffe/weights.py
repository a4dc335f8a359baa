"""Snapshots: .caffemodel and .solverstate, in Caffe's binary and HDF5 forms, as float32 arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from google.protobuf.message import DecodeError, EncodeError, Message
from numpy.typing import NDArray

from barista_server.caffe import hdf5
from barista_server.caffe.atomic import replacing
from barista_server.caffe.errors import NetError, WeightsError
from barista_server.caffe.schema import (
    BlobProto,
    LayerParameter,
    NetParameter,
    SolverState,
    V0LayerParameter,
    V1LayerParameter,
)
from barista_server.caffe.upgrade import upgrade_net

__all__ = [
    "SnapshotInfo",
    "State",
    "Weights",
    "WeightsError",
    "array_to_blob",
    "blob_to_array",
    "read_state",
    "read_weights",
    "verify_snapshot",
    "write_state",
    "write_weights",
]

Array = NDArray[np.float32]
Form = Literal["binary", "hdf5"]
M = TypeVar("M", bound=Message)

# length-delimited fields 5, 6 and 7; 1 within the shape
_DATA_TAG, _DIFF_TAG, _SHAPE_TAG, _DIM_TAG = b"\x2a", b"\x32", b"\x3a", b"\x0a"


@dataclass(slots=True)
class Weights:
    """Trained blobs of a net: layers maps every layer of the file to its blobs (maybe none), in file order.

    params holds the layers' settings without blobs; an HDF5 file has none. notes: Caffe's messages about old
    forms brought up to date.
    """

    net_name: str
    layers: dict[str, list[Array]]
    params: list[LayerParameter] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class State:
    """A solver state; history: one blob per learnable parameter, or two (all first, then all second ones)."""

    iter: int
    learned_net: str
    history: list[Array]
    current_step: int = 0


@dataclass(frozen=True, slots=True)
class SnapshotInfo:
    """A good pair of snapshot files: iteration, number of trained values, bytes of both files together."""

    iteration: int
    parameters: int
    bytes: int


def blob_to_array(blob: BlobProto) -> Array:
    """The blob's values in its shape; the four-axis form of old files is understood. Raises WeightsError."""
    if any(blob.HasField(name) for name in ("num", "channels", "height", "width")):
        shape = [blob.num, blob.channels, blob.height, blob.width]
    else:
        shape = list(blob.shape.dim)
    values = np.array(blob.double_data or blob.data, dtype=np.float32)
    if min(shape, default=0) < 0 or prod(shape) != values.size:
        raise WeightsError(f"a blob of shape {tuple(shape)} holds {values.size} values")
    return values.reshape(shape)


def array_to_blob(array: NDArray[Any], diff: NDArray[Any] | None = None) -> BlobProto:
    """The array as Caffe writes it: float32 values, the diff if given, and shape; no shape for a scalar."""
    wire = _floats(_DATA_TAG, array)
    if diff is not None:
        wire += _floats(_DIFF_TAG, diff)
    if array.ndim:
        dims = b"".join(_varint(dim) for dim in array.shape)
        shape = _DIM_TAG + _varint(len(dims)) + dims
        wire += _SHAPE_TAG + _varint(len(shape)) + shape
    # parsing bytes is some hundred times faster than appending numbers to the message
    return BlobProto.FromString(wire)


def read_weights(path: str | Path) -> Weights:
    """Read a .caffemodel, binary or HDF5 as its content tells. Raises OSError, WeightsError."""
    if hdf5.is_hdf5(path):
        return Weights("", hdf5.read_layers(path))
    net = _read(path, NetParameter)
    layers: dict[str, list[Array]] = {}
    all_layers: list[V0LayerParameter | V1LayerParameter | LayerParameter] = [
        *(layer.layer if layer.HasField("layer") else layer for layer in net.layers),
        *net.layer,
    ]
    for layer in all_layers:
        blobs = [_blob(path, blob, f"layer {layer.name}") for blob in layer.blobs]
        if blobs or layer.name not in layers:
            layers[layer.name] = blobs
        layer.ClearField("blobs")  # what is left is small to bring up to date
    if not layers:
        raise WeightsError(f"{path}: holds no layers, so it is not a whole .caffemodel")
    try:
        notes = upgrade_net(net, str(path))
    except NetError as error:
        raise WeightsError(f"{path}: {error}") from None
    return Weights(net.name, layers, list(net.layer), notes)


def write_weights(
    path: str | Path,
    net: NetParameter,
    blobs: Mapping[str, Sequence[NDArray[Any]]],
    form: Form = "binary",
    diffs: Mapping[str, Sequence[NDArray[Any]]] | None = None,
) -> None:
    """Write a .caffemodel: the net's name and layers, each with its blobs from the mapping, if it has any.

    diffs, if given, has a diff for every blob (Caffe's snapshot_diff).

    Layer settings are written as given, so net is the net as built: filtered, with
    Splits and phases. The file is there whole or not at all. Raises OSError, WeightsError.
    """
    if form == "hdf5":
        names = [layer.name for layer in net.layer]
        hdf5.write_layers(
            path,
            {name: blobs.get(name, ()) for name in names},
            None if diffs is None else {name: diffs.get(name, ()) for name in names},
        )
        return
    model = NetParameter(name=net.name)
    for layer in net.layer:
        copy = model.layer.add()
        copy.CopyFrom(layer)
        copy.ClearField("blobs")
        own = blobs.get(layer.name, ())
        steps = [None] * len(own) if diffs is None else diffs.get(layer.name, ())
        copy.blobs.extend(array_to_blob(blob, diff) for blob, diff in zip(own, steps, strict=True))
    _write(path, model)


def read_state(path: str | Path) -> State:
    """Read a .solverstate, binary or HDF5 as its content tells. Raises OSError, WeightsError."""
    if hdf5.is_hdf5(path):
        return State(*hdf5.read_state(path))
    state = _read(path, SolverState)
    if not state.HasField("iter"):
        raise WeightsError(f"{path}: holds no iteration, so it is not a whole .solverstate")
    history = [_blob(path, blob, f"history {index}") for index, blob in enumerate(state.history)]
    return State(state.iter, state.learned_net, history, state.current_step)


def write_state(path: str | Path, state: State, form: Form = "binary") -> None:
    """Write a .solverstate, form "binary" or "hdf5", whole or not at all. Raises OSError, WeightsError."""
    if form == "hdf5":
        hdf5.write_state(path, state.iter, state.learned_net, state.history, state.current_step)
        return
    message = SolverState(iter=state.iter, learned_net=state.learned_net, current_step=state.current_step)
    message.history.extend(array_to_blob(blob) for blob in state.history)
    _write(path, message)


def verify_snapshot(model_path: str | Path, state_path: str | Path) -> SnapshotInfo:
    """Read both files of a snapshot and check that they fit together.

    Raises OSError, WeightsError with the reason.
    """
    weights = read_weights(model_path)
    state = read_state(state_path)
    shapes = [blob.shape for blobs in weights.layers.values() for blob in blobs]
    shared = any(spec.name for layer in weights.params for spec in layer.param)
    foreign = {blob.shape for blob in state.history} - set(shapes)
    if foreign:
        raise WeightsError(f"{state_path}: history of shape {min(foreign)} fits no parameter in {model_path}")
    if not shared and len(state.history) not in (len(shapes), 2 * len(shapes)):
        raise WeightsError(
            f"{state_path}: {len(state.history)} history blobs do not fit "
            f"the {len(shapes)} parameters in {model_path}"
        )
    size = Path(model_path).stat().st_size + Path(state_path).stat().st_size
    return SnapshotInfo(state.iter, sum(map(prod, shapes)), size)


def _read(path: str | Path, cls: type[M]) -> M:
    try:
        return cls.FromString(Path(path).read_bytes())
    except DecodeError as error:
        raise WeightsError(f"{path}: truncated or not a Caffe file ({error})") from None


def _write(path: str | Path, message: Message) -> None:
    try:
        data = message.SerializeToString()
    except (EncodeError, ValueError) as error:
        raise WeightsError(f"{path}: cannot be written: {error}") from None
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def _blob(path: str | Path, blob: BlobProto, where: str) -> Array:
    try:
        return blob_to_array(blob)
    except WeightsError as error:
        raise WeightsError(f"{path}: {where}: {error}") from None


def _floats(tag: bytes, array: NDArray[Any]) -> bytes:
    """A field of packed float32 values; nothing for no values."""
    values = np.ascontiguousarray(array, dtype="<f4").tobytes()
    return tag + _varint(len(values)) + values if values else b""


def _varint(value: int) -> bytes:
    """Protobuf's base-128 number."""
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)
