"""Caffe's HDF5 forms of weights and solver states."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from barista_server.caffe.atomic import replacing
from barista_server.caffe.errors import WeightsError

Array = NDArray[np.float32]

_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def is_hdf5(path: str | Path) -> bool:
    """Whether the file's content is HDF5. Raises OSError when it cannot be read."""
    with Path(path).open("rb") as file:
        # Without the library, which is slow to load. The format begins at 0, 512, 1024, 2048 ...
        offset, size = 0, file.seek(0, 2)
        while offset < size:
            file.seek(offset)
            if file.read(len(_SIGNATURE)) == _SIGNATURE:
                return True
            offset = max(512, 2 * offset)
        return False


def read_layers(path: str | Path) -> dict[str, list[Array]]:
    """Blobs of every layer: /data/<layer>/<index>. Raises OSError, WeightsError."""
    with _reading(path) as file:
        return {str(name): _numbered(group) for name, group in file["data"].items()}


def write_layers(
    path: str | Path,
    layers: Mapping[str, Sequence[NDArray[Any]]],
    diffs: Mapping[str, Sequence[NDArray[Any]]] | None = None,
) -> None:
    """Write /data/<layer>/<index>, a group for every layer; diffs, if given, as /diff/<layer>/<index>.

    Raises OSError, WeightsError for a layer name with a slash.
    """
    import h5py

    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        for top, blobs_of in (("data", layers), ("diff", diffs)):
            if blobs_of is None:
                continue
            group = file.create_group(top)
            for name, blobs in blobs_of.items():
                if "/" in name or not name:
                    raise WeightsError(f"{path}: layer name '{name}' cannot be a group of an HDF5 file")
                _write_numbered(group.create_group(name), blobs)


def read_state(path: str | Path) -> tuple[int, str, list[Array], int]:
    """Iteration, learned_net, history and current_step. Raises OSError, WeightsError."""
    with _reading(path) as file:
        learned_net = file["learned_net"][()] if "learned_net" in file else b""
        step = int(np.ravel(file["current_step"][()])[0])
        name = bytes(learned_net).rstrip(b"\0").decode("utf-8", "surrogateescape")
        return int(np.ravel(file["iter"][()])[0]), name, _numbered(file["history"]), step


def write_state(
    path: str | Path, iteration: int, learned_net: str, history: Iterable[NDArray[Any]], current_step: int
) -> None:
    """Write iter, learned_net, current_step and history/<index>. Raises OSError."""
    import h5py

    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        file["iter"] = np.array([iteration], dtype=np.int32)
        _write_string(file, "learned_net", learned_net.encode("utf-8", "surrogateescape"))
        file["current_step"] = np.array([current_step], dtype=np.int32)
        _write_numbered(file.create_group("history"), history)


@contextmanager
def _reading(path: str | Path) -> Iterator[Any]:
    """The open file; whatever the library raises about its content becomes a WeightsError."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            yield file
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from None
    except (OSError, KeyError, RuntimeError, ValueError, TypeError, AttributeError, MemoryError) as error:
        raise WeightsError(f"{path}: truncated or not a Caffe file ({error})") from None


def _numbered(group: Any) -> list[Array]:
    """Datasets 0, 1, ... of the group."""
    arrays = []
    for index in range(len(group)):
        if str(index) not in group:
            raise WeightsError(f"{group.name} has {len(group)} datasets but none named {index}")
        arrays.append(np.asarray(group[str(index)][()], dtype=np.float32))
    return arrays


def _write_numbered(group: Any, arrays: Iterable[NDArray[Any]]) -> None:
    for index, array in enumerate(arrays):
        group.create_dataset(str(index), data=np.asarray(array, dtype="<f4"))


def _write_string(file: Any, name: str, value: bytes) -> None:
    """A zero-terminated string of fixed size: Caffe reads it into a buffer of just that size."""
    import h5py

    kind = h5py.h5t.C_S1.copy()
    kind.set_size(len(value) + 1)
    kind.set_strpad(h5py.h5t.STR_NULLTERM)
    dataset = h5py.h5d.create(file.id, name.encode(), kind, h5py.h5s.create(h5py.h5s.SCALAR))
    dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array(value, dtype=f"S{len(value) + 1}"), kind)
