"""What is wrong with sources that are lists in text form: of HDF5 files, of images, of windows."""

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from barista_server.caffe.errors import WeightsError
from barista_server.caffe.faults import Fault
from barista_server.caffe.hdf5 import guarded, is_hdf5
from barista_server.caffe.paths import missing, unreadable, where_else
from barista_server.caffe.schema import LayerParameter

MOST_BYTES = 4 << 20
"""Of a list; what is named by mistake may be far larger."""
_MOST_LINES = 1000  # of a list of images that are looked for
_PICTURES = (
    b"\xff\xd8\xff", b"\x89PNG", b"BM", b"II*\0", b"MM\0*", b"P1", b"P2", b"P3", b"P4", b"P5", b"P6",
    b"\0\0\0\x0cjP", b"RIFF", b"\x59\xa6\x6a\x95", b"v/1\x01", b"#?", b"GIF8",
)  # fmt: skip


def read_head(path: Path, most: int = MOST_BYTES) -> bytes:
    """The first bytes of a regular file. Raises OSError, for a pipe too, which would be waited for."""
    if not path.is_file():
        raise OSError(errno.EINVAL, "it is no regular file")
    with path.open("rb") as stream:
        return stream.read(most)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def hdf5_faults(layer: LayerParameter, folder: Path) -> Iterator[Fault]:
    """The source is a text file with one HDF5 file per line; each needs a dataset per top."""
    param, field = layer.hdf5_data_param, "hdf5_data_param.source"
    if (yield from unreadable("hdf5_data_param", param, folder)):
        return
    try:
        head = read_head(Path(folder, param.source))
        if is_hdf5(Path(folder, param.source)):
            hint = "name a text file with its path in it"
            yield Fault(field, f"'{param.source}' is an HDF5 file, not a list of such", hint)
            return
        names = head.decode("utf-8", "surrogateescape").split()
    except (OSError, WeightsError) as error:
        yield Fault(field, f"'{param.source}' cannot be read: {_reason(error)}")
        return
    if not names:
        yield Fault(field, f"'{param.source}' lists no files", "one HDF5 file per line")
    for name in names:
        path = Path(folder, name)
        name = name.encode("utf-8", "replace").decode()  # as it can be shown
        if not _is_file(path):
            message = f"'{name}', listed in '{param.source}', does not exist"
            yield Fault(field, message, where_else(name, path).replace("the path", "the list"))
        else:
            yield from _dataset_faults(layer, name, path)


def _dataset_faults(layer: LayerParameter, name: str, path: Path) -> Iterator[Fault]:
    import h5py

    field = "hdf5_data_param.source"
    try:
        if not is_hdf5(path):
            yield Fault(field, f"'{name}' is not an HDF5 file", "the source is a list of HDF5 files")
            return
        with guarded(path), h5py.File(path, "r", locking=False) as file:
            present = ", ".join(file)
            found = [(position, top, _kind(file, top)) for position, top in enumerate(layer.top)]
    except (OSError, WeightsError) as error:
        yield Fault(field, f"'{name}' cannot be read: {error}")
        return
    for position, top, kind in found:
        if kind == "absent":
            hint = f"it has {present}" if present else ""
            yield Fault("top", f"'{name}' has no dataset '{top}'", hint, position=position)
        elif kind:
            message = f"dataset '{top}' of '{name}' {kind}"
            yield Fault("top", message, "write it as float32", position=position)


def _kind(file: Any, top: str) -> str:
    """Why Caffe cannot read the dataset; empty if it can."""
    import h5py

    found = file.get(top)
    if not isinstance(found, h5py.Dataset):
        return "absent"
    return "" if found.dtype.kind in "fiu" else f"holds {found.dtype}, not numbers"


def image_faults(layer: LayerParameter, folder: Path) -> Iterator[Fault]:
    """The source has a line `path label` per image; the first one is read before the training starts."""
    param, field = layer.image_data_param, "image_data_param.source"
    if (yield from unreadable("image_data_param", param, folder)):
        return
    try:
        head = read_head(Path(folder, param.source))
    except OSError as error:
        yield Fault(field, f"'{param.source}' cannot be read: {_reason(error)}")
        return
    lines = head.removesuffix(b"\n").split(b"\n") if head else []
    lines = lines[: min(_MOST_LINES, len(lines) - (len(head) == MOST_BYTES))]  # the last may be cut
    if not lines:
        yield Fault(field, f"'{param.source}' is empty", "one line per image: path, blank, label")
        return
    names = [line.rpartition(b" ")[0] if b" " in line else line for line in lines]
    paths = [Path(folder, param.root_folder + name.decode("utf-8", "surrogateescape")) for name in names]
    gone = [number for number, path in enumerate(paths, 1) if not _is_file(path)]
    if gone:
        number = gone[0]
        name = param.root_folder + names[number - 1].decode("utf-8", "replace")
        others = f", nor do {len(gone) - 1} more" if len(gone) > 1 else ""
        message = f"'{name}', line {number} of '{param.source}', does not exist{others}"
        hint = where_else(name, paths[number - 1]).replace("the path", "the list or root_folder")
        yield Fault(field, message, hint, "error" if number == 1 else "warning")
    elif not _looks_like_a_picture(paths[0]):
        message = f"the first image of '{param.source}' does not look like one"
        yield Fault(field, message, "each line is: path, blank, label", "warning")


def window_faults(layer: LayerParameter, folder: Path) -> Iterator[Fault]:
    """The source begins with "# 0" and an image's path, as in R-CNN."""
    param, field = layer.window_data_param, "window_data_param.source"
    absent = list(missing(field, param.source, folder))
    if absent:
        yield from absent
        return
    try:
        head = read_head(Path(folder, param.source), 10_000).split()
    except OSError as error:
        yield Fault(field, f"'{param.source}' cannot be read: {_reason(error)}")
        return
    if len(head) < 2 or head[0] != b"#":
        yield Fault(field, f"'{param.source}' is no window file", 'it begins with "# 0" and an image\'s path')
        return
    name = param.root_folder + head[2].decode("utf-8", "replace") if len(head) > 2 else ""
    if name and not _is_file(Path(folder, name)):
        message = f"'{name}', the first image of '{param.source}', does not exist"
        yield Fault(field, message, where_else(name, Path(folder, name)), "warning")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _looks_like_a_picture(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(8).startswith(_PICTURES)
    except OSError:
        return False
