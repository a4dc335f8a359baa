"""What is wrong with the data that a layer reads: sources that are missing or of another kind."""

from collections.abc import Iterator
from pathlib import Path

from barista_server.caffe.hdf5 import is_hdf5
from barista_server.caffe.schema import LayerParameter

Fault = tuple[str, str, str]

_OLD_TRANSFORM = ("scale", "mean_file", "crop_size", "mirror")
_LISTS = {"ImageData": "image_data_param", "WindowData": "window_data_param"}


def data_faults(layer: LayerParameter, folder: Path) -> Iterator[Fault]:
    """(field of the layer, message, hint) of each fault; relative paths start in `folder`."""
    if layer.type == "Data":
        yield from _database_faults(layer, folder)
    elif layer.type == "HDF5Data":
        yield from _hdf5_faults(layer, folder)
    elif layer.type in _LISTS:
        field = _LISTS[layer.type]
        yield from _missing(f"{field}.source", getattr(layer, field).source, folder)
    if layer.transform_param.mean_file:
        yield from _missing("transform_param.mean_file", layer.transform_param.mean_file, folder)


def ignored_fields(layer: LayerParameter) -> list[str]:
    """Transform settings in the place of the old layer format, where Caffe reads but does not use them."""
    param_name = {"Data": "data_param", "ImageData": "image_data_param"}.get(layer.type)
    if param_name is None:
        return []
    given = [field.name for field, _ in getattr(layer, param_name).ListFields()]
    return [f"{param_name}.{name}" for name in given if name in _OLD_TRANSFORM]


def _missing(field: str, name: str, folder: Path) -> Iterator[Fault]:
    path = Path(folder, name)
    if not name:
        yield field, "source is not set", ""
    elif not path.exists():
        yield field, f"'{name}' does not exist", f"correct the path, or put it at {path}"


def _database_faults(layer: LayerParameter, folder: Path) -> Iterator[Fault]:
    param = layer.data_param
    if not param.batch_size:
        yield "data_param.batch_size", "batch_size must be positive", "add batch_size: 64"
    missing = list(_missing("data_param.source", param.source, folder))
    if missing:
        yield from missing
        return
    path = Path(folder, param.source)
    lmdb, leveldb = (path / "data.mdb").exists(), (path / "CURRENT").exists()
    wants_lmdb = param.backend == param.LMDB
    if wants_lmdb and not lmdb:
        hint = "backend: LEVELDB" if leveldb else "an LMDB is a folder with data.mdb in it"
        yield "data_param.source", f"'{param.source}' is not an LMDB", hint
    elif not wants_lmdb and not leveldb:
        hint = (
            "add backend: LMDB (the default is LEVELDB)"
            if lmdb
            else "a LevelDB is a folder with CURRENT in it"
        )
        yield "data_param.source", f"'{param.source}' is not a LevelDB", hint


def _hdf5_faults(layer: LayerParameter, folder: Path) -> Iterator[Fault]:
    """The source is a text file with one HDF5 file per line; each needs a dataset per top."""
    param, field = layer.hdf5_data_param, "hdf5_data_param.source"
    if not param.batch_size:
        yield "hdf5_data_param.batch_size", "batch_size must be positive", "add batch_size: 64"
    missing = list(_missing(field, param.source, folder))
    if missing:
        yield from missing
        return
    try:
        names = Path(folder, param.source).read_text("utf-8", "surrogateescape").split()
    except OSError as error:
        yield field, f"'{param.source}' cannot be read: {error.strerror}", ""
        return
    if not names:
        yield field, f"'{param.source}' lists no files", "one HDF5 file per line"
    for name in names:
        path = Path(folder, name)
        if not path.is_file():
            yield (
                field,
                f"'{name}', listed in '{param.source}', does not exist",
                f"correct the list, or put it at {path}",
            )
        else:
            yield from _dataset_faults(layer, name, path)


def _dataset_faults(layer: LayerParameter, name: str, path: Path) -> Iterator[Fault]:
    import h5py

    try:
        if not is_hdf5(path):
            yield (
                "hdf5_data_param.source",
                f"'{name}' is not an HDF5 file",
                "the source is a list of HDF5 files",
            )
            return
        with h5py.File(path, "r") as file:
            absent = [top for top in layer.top if top not in file]
            present = ", ".join(file)
    except (OSError, RuntimeError) as error:
        yield "hdf5_data_param.source", f"'{name}' cannot be read: {error}", ""
        return
    for top in absent:
        yield "top", f"'{name}' has no dataset '{top}'", f"it has {present}" if present else ""
