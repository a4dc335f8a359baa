"""Caffe's HDF5 forms of weights and solver states."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from barista_server.caffe.atomic import replacing
from barista_server.caffe.blobs import Array, Blob, checked_shape
from barista_server.caffe.blobshape import Shape
from barista_server.caffe.errors import WeightsError
from barista_server.caffe.wire import WireFile

MOST_BLOBS = 1000
"""Blobs of one layer."""

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_RAISED = (
    OSError, LookupError, RuntimeError, ValueError, TypeError, AttributeError, MemoryError, ArithmeticError,
)  # fmt: skip
"""What h5py raises about damaged files."""
_FLETCHER32, _CHECKSUM = 3, 4
"""The checksum filter's number, and what it adds to a chunk."""
_UNSTORED = 64 << 20
"""Bytes that a dataset may claim whatever the file holds."""
_DEFLATED = 1100
"""How many times smaller than its content the best compression is."""


def is_hdf5(path: str | Path) -> bool:
    """Whether the file's content is HDF5. Raises OSError, WeightsError when it cannot be read."""
    file = WireFile(path)
    try:
        return holds_hdf5(file)
    finally:
        file.close()


def holds_hdf5(file: WireFile) -> bool:
    """Whether the file's content is HDF5. Raises OSError when it cannot be read."""
    # Without the library, which is slow to load. The format begins at 0, 512, 1024, 2048 ...
    offset = 0
    while offset + len(_SIGNATURE) <= file.size:
        if file.take(offset, offset + len(_SIGNATURE)) == _SIGNATURE:
            return True
        offset = max(512, 2 * offset)
    return False


class Hdf5File:
    """An HDF5 file of Caffe's, open: what is asked for is read."""

    def __init__(self, path: str | Path) -> None:
        """Raises WeightsError."""
        import h5py

        self.path = str(path)
        self._blobs: list[Blob] = []
        with guarded(path):
            # No lock: a caffe that writes the file meanwhile would fail for it.
            self._file = h5py.File(path, "r", locking=False)

    def close(self) -> None:
        """Give the file up; blobs can no longer be read."""
        with guarded(self.path):
            self._file.close()

    def read_through(self) -> None:
        """Read the values of all blobs found so far and keep none. Raises WeightsError."""
        for blob in self._blobs:
            for _ in blob.blocks():
                pass

    def layers(self) -> Iterator[tuple[str, list[Blob | None]]]:
        """Name and blobs, /data/<layer>/<index>, of every layer; None for an index left out. WeightsError."""
        with guarded(self.path):
            for name, group in self._file["data"].items():
                yield str(name), self._numbered(group)

    def state(self) -> tuple[int, str, int, list[Blob]]:
        """Iteration, learned_net, current_step and history. Raises WeightsError."""
        with guarded(self.path):
            learned_net = self._single("learned_net") if "learned_net" in self._file else b""
            if not isinstance(learned_net, bytes):
                raise WeightsError("learned_net is no text")
            name = learned_net.rstrip(b"\0").decode("utf-8", "surrogateescape")
            history = [blob for blob in self._numbered(self._file["history"]) if blob is not None]
            if len(history) != len(self._file["history"]):
                raise WeightsError("the history is not numbered from 0 on")
            return int(self._single("iter")), name, int(self._single("current_step")), history

    def _single(self, name: str) -> Any:
        dataset = self._file[name]
        if prod(dataset.shape) != 1:
            raise WeightsError(f"{name} holds {prod(dataset.shape)} values instead of one")
        return np.ravel(dataset[()])[0]

    def _numbered(self, group: Any) -> list[Blob | None]:
        """Datasets 0, 1, ... of the group."""
        known = {str(index): index for index in range(MOST_BLOBS)}
        found = {name: known.get(name) for name in group}
        odd = [name for name, index in found.items() if index is None]
        if odd:
            raise WeightsError(f"{group.name} holds '{odd[0]}', which numbers no blob")
        blobs: list[Blob | None] = [None] * (1 + max((known[name] for name in found), default=-1))
        for name in found:
            blob = blob_of(self.path, group[name])
            blobs[known[name]] = blob
            self._blobs.append(blob)
        return blobs


def blob_of(path: str | Path, dataset: Any) -> Blob:
    """The dataset as a blob. Raises WeightsError, KeyError ... : use it within `guarded`."""
    shape = checked_dataset(dataset)

    def fill(out: Array, start: int) -> None:
        with guarded(path), np.errstate(over="ignore"):
            _fill(dataset, shape, (), out, start)

    return Blob(shape, dataset.dtype.name, fill)


def checked_dataset(dataset: Any) -> Shape:
    """Shape of a dataset of numbers that the file can really hold. Raises WeightsError."""
    name, kind = dataset.name, dataset.dtype
    if kind.kind not in "fiu":
        raise WeightsError(f"{name} holds {kind}, no numbers that Caffe reads")
    shape = checked_shape(dataset.shape, prod(dataset.shape))
    size, stored = prod(shape) * kind.itemsize, dataset.id.get_storage_size()
    if size > max(_UNSTORED, _DEFLATED * stored):
        raise WeightsError(f"{name} claims {size} bytes, the file holds {stored} of them")
    if dataset.chunks is not None:
        _check_chunks(dataset)
    return shape


def _check_chunks(dataset: Any) -> None:
    """That each chunk lies within the file and is of a possible size: libhdf5 believes what it is told."""
    plist = dataset.id.get_create_plist()
    filters = {plist.get_filter(index)[0] for index in range(plist.get_nfilters())}
    whole = prod(dataset.chunks) * dataset.dtype.itemsize
    end = dataset.file.id.get_filesize()

    def check(chunk: Any) -> None:
        least = 1 + _CHECKSUM if _FLETCHER32 in filters else 1 if filters else whole
        if chunk.size < least or chunk.byte_offset + chunk.size > end:
            raise WeightsError(f"{dataset.name} has a chunk of {chunk.size} bytes at {chunk.byte_offset}")

    dataset.id.chunk_iter(check)


def read_flat(dataset: Any, out: NDArray[Any], start: int) -> None:
    """Read the values of a checked dataset from number `start` on, in C order, into the whole of a vector.

    Raises what the library raises: use it within `guarded`.
    """
    _fill(dataset, tuple(dataset.shape), (), out, start)


def _fill(dataset: Any, shape: Shape, at: tuple[int, ...], out: NDArray[Any], start: int) -> None:
    """Read the values from number `start` on of the part that the indices `at` name."""
    left = shape[len(at) :]
    if not left:
        out[...] = dataset[at]
        return
    if len(left) == 1:
        dataset.read_direct(out, (*at, slice(start, start + len(out))))
        return
    row = prod(left[1:])
    while len(out):
        index, inside = divmod(start, row)
        if inside or len(out) < row:
            piece = min(row - inside, len(out))
            _fill(dataset, shape, (*at, index), out[:piece], inside)
        else:
            rows = len(out) // row
            piece = rows * row
            dataset.read_direct(out[:piece].reshape(rows, *left[1:]), (*at, slice(index, index + rows)))
        out, start = out[piece:], start + piece


def write_layers(
    path: str | Path,
    layers: Mapping[str, Sequence[NDArray[Any]]],
    diffs: Mapping[str, Sequence[NDArray[Any]]] | None = None,
    shared: Collection[tuple[str, int]] = (),
) -> None:
    """Write /data/<layer>/<index>, a group for every layer; diffs, if given, as /diff/<layer>/<index>.

    shared: (layer, index) of blobs that another layer owns; their values are left out.

    Raises OSError, WeightsError for a layer name with a slash.
    """
    import h5py

    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        for top, blobs_of, omitted in (("data", layers, shared), ("diff", diffs, ())):
            if blobs_of is None:
                continue
            group = file.create_group(top)
            for name, blobs in blobs_of.items():
                if "/" in name or not name:
                    raise WeightsError(f"{path}: layer name '{name}' cannot be a group of an HDF5 file")
                own = {index: blob for index, blob in enumerate(blobs) if (name, index) not in omitted}
                _write_numbered(group.create_group(name), own)


def write_state(
    path: str | Path, iteration: int, learned_net: str, history: Iterable[NDArray[Any]], current_step: int
) -> None:
    """Write iter, learned_net, current_step and history/<index>. Raises OSError."""
    import h5py

    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        file["iter"] = np.array([iteration], dtype=np.int32)
        _write_string(file, "learned_net", learned_net.encode("utf-8", "surrogateescape"))
        file["current_step"] = np.array([current_step], dtype=np.int32)
        _write_numbered(file.create_group("history"), dict(enumerate(history)))


@contextmanager
def guarded(path: str | Path) -> Iterator[None]:
    """Whatever the library raises about a file's content becomes a WeightsError that names the file."""
    try:
        yield
    except WeightsError as error:
        text = str(error)
        raise WeightsError(text if text.startswith(f"{path}: ") else f"{path}: {text}") from None
    except _RAISED as error:
        raise WeightsError(f"{path}: truncated or not a Caffe file ({error})") from None


def _write_numbered(group: Any, arrays: Mapping[int, NDArray[Any]]) -> None:
    for index, array in arrays.items():
        group.create_dataset(str(index), data=np.asarray(array, dtype="<f4"))


def _write_string(file: Any, name: str, value: bytes) -> None:
    """A zero-terminated string of fixed size: Caffe reads it into a buffer of just that size."""
    import h5py

    kind = h5py.h5t.C_S1.copy()
    kind.set_size(len(value) + 1)
    kind.set_strpad(h5py.h5t.STR_NULLTERM)
    dataset = h5py.h5d.create(file.id, name.encode(), kind, h5py.h5s.create(h5py.h5s.SCALAR))
    dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array(value, dtype=f"S{len(value) + 1}"), kind)
