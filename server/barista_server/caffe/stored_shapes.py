"""What the sources of data layers hold: the answers that net_shapes asks for, read from disk."""

from collections.abc import Sequence
from pathlib import Path

from barista_server.caffe.blobshape import Shape
from barista_server.caffe.hdf5 import guarded, is_hdf5
from barista_server.caffe.schema import LayerParameter
from barista_server.caffe.source_rules import Stored


def stored_in(folder: str | Path) -> Stored:
    """A reader of sources whose relative paths start in the folder; None for what it cannot read.

    It reads the first record of an LMDB, the first file of an HDF5 list and the head of a window file.
    Encoded records and image lists without a size are not looked into.
    """

    def stored(layer: LayerParameter) -> Sequence[Shape] | None:
        try:
            if layer.type == "Data":
                return _database(layer, Path(folder))
            if layer.type == "HDF5Data":
                return _hdf5(layer, Path(folder))
            if layer.type == "WindowData":
                return _windows(layer, Path(folder))
        except (OSError, ValueError, LookupError, RuntimeError):
            pass  # the check of the data itself tells what is wrong with it
        return None

    return stored


def _database(layer: LayerParameter, folder: Path) -> Sequence[Shape] | None:
    param = layer.data_param
    path = folder / param.source
    if param.backend != param.LMDB or not (path / "data.mdb").exists():
        return None
    from barista_server.data.lmdb_head import lmdb_head
    from barista_server.data.lmdb_io import DatumReader

    head = lmdb_head(path)
    if head is None or not head.whole:
        return None
    reader = DatumReader(path)
    try:
        datum = reader.datum(0)
    finally:
        reader.close()
    return None if datum.encoded else [(datum.channels, datum.height, datum.width)]


def _hdf5(layer: LayerParameter, folder: Path) -> Sequence[Shape] | None:
    path = folder / (folder / layer.hdf5_data_param.source).read_text("utf-8", "surrogateescape").split()[0]
    if not is_hdf5(path):
        return None
    import h5py

    with guarded(path), h5py.File(path, "r", locking=False) as file:
        return [tuple(int(dim) for dim in file[top].shape) for top in layer.top]


def _windows(layer: LayerParameter, folder: Path) -> Sequence[Shape] | None:
    """A window file begins with "# 0", a path, and the image's channels, height and width."""
    with (folder / layer.window_data_param.source).open(encoding="utf-8", errors="replace") as file:
        head = file.read(10_000).split()
    return [(int(head[3]), int(head[4]), int(head[5]))]
