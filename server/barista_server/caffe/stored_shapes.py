"""What the sources of data layers hold: the answers that net_shapes asks for, read from disk."""

from collections.abc import Sequence
from pathlib import Path

from google.protobuf.message import DecodeError

from barista_server.caffe.blobshape import Shape
from barista_server.caffe.check_lists import read_head
from barista_server.caffe.hdf5 import guarded, is_hdf5
from barista_server.caffe.image_size import HEAD, image_size
from barista_server.caffe.schema import Datum, LayerParameter
from barista_server.caffe.source_rules import Stored


def stored_in(folder: str | Path) -> Stored:
    """A reader of sources whose relative paths start in the folder; None for what it cannot read.

    It reads the first record of an LMDB, the first file of an HDF5 list, the head of a window file and the
    first image of a list; of images, JPEG or PNG, only the head.
    """

    def stored(layer: LayerParameter) -> Sequence[Shape] | None:
        try:
            if layer.type == "Data":
                return _database(layer, Path(folder))
            if layer.type == "HDF5Data":
                return _hdf5(layer, Path(folder))
            if layer.type == "ImageData":
                return _images(layer, Path(folder))
            if layer.type == "WindowData":
                return _windows(layer, Path(folder))
        except (OSError, ValueError, LookupError, RuntimeError, DecodeError):
            pass  # the check of the data itself tells what is wrong with it
        return None

    return stored


def _database(layer: LayerParameter, folder: Path) -> Sequence[Shape] | None:
    param = layer.data_param
    path = folder / param.source
    if param.backend != param.LMDB or not (path / "data.mdb").exists():
        return None
    from barista_server.data.lmdb_head import first_value

    datum = Datum.FromString(first_value(path))
    if not datum.encoded:
        return [(datum.channels, datum.height, datum.width)]
    transform = layer.transform_param
    return _decoded(datum.data, 3 if transform.force_color else 1 if transform.force_gray else 0)


def _decoded(head: bytes, channels: int) -> Sequence[Shape] | None:
    """The image's shape with that many channels, 0 for its own."""
    shape = image_size(head)
    return None if shape is None else [(channels or shape[0], *shape[1:])]


def _images(layer: LayerParameter, folder: Path) -> Sequence[Shape] | None:
    """A list has a path and, behind the last blank, a label in each line."""
    param = layer.image_data_param
    source = folder / param.source
    if not source.is_file():  # a pipe would be waited for
        return None
    with source.open(encoding="utf-8", errors="surrogateescape") as file:
        name = file.readline(10_000).rstrip("\n").rpartition(" ")[0]
    path = folder / (param.root_folder + name)
    if not path.is_file():
        return None
    with path.open("rb") as image:
        return _decoded(image.read(HEAD), 3 if param.is_color else 1)


def _hdf5(layer: LayerParameter, folder: Path) -> Sequence[Shape] | None:
    names = read_head(folder / layer.hdf5_data_param.source).decode("utf-8", "surrogateescape").split()
    path = folder / names[0]
    if not is_hdf5(path):
        return None
    import h5py

    with guarded(path), h5py.File(path, "r", locking=False) as file:
        return [tuple(int(dim) for dim in file[top].shape) for top in layer.top]


def _windows(layer: LayerParameter, folder: Path) -> Sequence[Shape] | None:
    """A window file begins with "# 0", a path, and the image's channels, height and width."""
    head = read_head(folder / layer.window_data_param.source, 10_000).split()
    return [(int(head[3]), int(head[4]), int(head[5]))]
