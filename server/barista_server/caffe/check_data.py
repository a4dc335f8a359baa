"""What is wrong with the data that a layer reads: sources that are missing or of another kind, mean files."""

from collections.abc import Iterator
from pathlib import Path

from google.protobuf.message import DecodeError

from barista_server.caffe.check_lists import hdf5_faults, image_faults, window_faults
from barista_server.caffe.errors import WeightsError
from barista_server.caffe.faults import Fault
from barista_server.caffe.leveldb_files import holds_nothing, lock_holder
from barista_server.caffe.model_file import read_blob_file
from barista_server.caffe.paths import missing, unreadable
from barista_server.caffe.schema import Datum, LayerParameter
from barista_server.caffe.source_rules import Stored

_OLD_TRANSFORM = ("scale", "mean_file", "crop_size", "mirror")
_TRANSFORMED = ("Data", "ImageData", "WindowData", "MemoryData")
_CUT = "copy it again from where it was made"


def data_faults(layer: LayerParameter, folder: Path, stored: Stored) -> Iterator[Fault]:
    """Faults of a layer that reads or writes files; relative paths start in `folder`."""
    if layer.type == "Data":
        yield from _database_faults(layer, folder)
    elif layer.type == "HDF5Data":
        yield from hdf5_faults(layer, folder)
    elif layer.type == "ImageData":
        yield from image_faults(layer, folder)
    elif layer.type == "WindowData":
        yield from window_faults(layer, folder)
    elif layer.type == "MemoryData":
        hint = "use a Data, HDF5Data or ImageData layer"
        yield Fault("type", "a MemoryData layer gets its data from a program: caffe has none for it", hint)
    elif layer.type == "InfogainLoss" and len(layer.bottom) == 2 and layer.infogain_loss_param.source:
        yield from missing("infogain_loss_param.source", layer.infogain_loss_param.source, folder)
    elif layer.type == "HDF5Output":
        yield from _output_faults(layer.hdf5_output_param.file_name, folder)
    elif layer.type == "Input":
        hint = "use a Data, HDF5Data or ImageData layer"
        yield Fault("type", "nothing fills an Input layer in a training: it stays 0", hint, "warning")
    if layer.type in _TRANSFORMED:
        yield from _transform_faults(layer, folder, stored)


def _output_faults(name: str, folder: Path) -> Iterator[Fault]:
    directory = Path(folder, name).parent
    if not name or not directory.is_dir():
        message = f"the folder of '{name}' does not exist" if name else "file_name is not set"
        yield Fault("hdf5_output_param.file_name", message, f"create {directory}" if name else "name a file")


def ignored_fields(layer: LayerParameter) -> list[str]:
    """Transform settings in the place of the old layer format, where Caffe reads but does not use them."""
    param_name = {"Data": "data_param", "ImageData": "image_data_param"}.get(layer.type)
    if param_name is None:
        return []
    given = [field.name for field, _ in getattr(layer, param_name).ListFields()]
    return [f"{param_name}.{name}" for name in given if name in _OLD_TRANSFORM]


def _database_faults(layer: LayerParameter, folder: Path) -> Iterator[Fault]:
    param, field = layer.data_param, "data_param.source"
    if (yield from unreadable("data_param", param, folder)):
        return
    path = Path(folder, param.source)
    lmdb, leveldb = (path / "data.mdb").exists(), (path / "CURRENT").exists()
    wants_lmdb = param.backend == param.LMDB
    if wants_lmdb and not lmdb:
        hint = "backend: LEVELDB" if leveldb else "an LMDB is a folder with data.mdb in it"
        yield Fault(field, f"'{param.source}' is not an LMDB", hint)
    elif not wants_lmdb and not leveldb:
        hint = (
            "add backend: LMDB (the default is LEVELDB)"
            if lmdb
            else "a LevelDB is a folder with CURRENT in it"
        )
        yield Fault(field, f"'{param.source}' is not a LevelDB", hint)
    elif wants_lmdb:
        yield from _lmdb_faults(field, param.source, path)
    elif pid := lock_holder(path):
        message = f"'{param.source}' is in use by process {pid}: a LevelDB takes one reader"
        yield Fault(field, message, "wait for it to end, or use a copy or an LMDB")
    elif holds_nothing(path):
        yield Fault(field, f"the LevelDB '{param.source}' holds no records", "make it anew")


def _lmdb_faults(field: str, source: str, path: Path) -> Iterator[Fault]:
    from barista_server.data.lmdb_head import first_value, lmdb_head

    try:
        head = lmdb_head(path)
        if head is None:
            yield Fault(field, f"'{source}' is not an LMDB: its data.mdb holds something else", _CUT)
        elif not head.usable:
            yield Fault(field, f"the LMDB '{source}' is cut short", _CUT)
        elif not head.entries:
            yield Fault(field, f"the LMDB '{source}' holds no records", "make it anew")
        elif not head.whole:
            message = f"the LMDB '{source}' is shorter than it says: it may be cut short"
            yield Fault(field, message, _CUT, "warning")
        else:
            Datum.FromString(first_value(path))
    except OSError as error:
        yield Fault(field, f"'{source}' cannot be read: {error.strerror or error}")
    except (ValueError, LookupError, DecodeError) as error:
        yield Fault(field, f"the first record of '{source}' cannot be read: {error}", "make it anew")


def _transform_faults(layer: LayerParameter, folder: Path, stored: Stored) -> Iterator[Fault]:
    """Mean file and mean values against the records, if these are known."""
    param = layer.transform_param
    held = None if layer.type in ("WindowData", "MemoryData") else _record_shape(layer, stored)
    if param.HasField("mean_file"):
        if param.mean_value:
            message = "Cannot specify mean_file and mean_value at the same time"
            yield Fault("transform_param.mean_value", message, "keep one of them")
        yield from _mean_faults(param.mean_file, folder, held)
    elif held and len(param.mean_value) > 1 and len(param.mean_value) != held[0]:
        message = f"Specify either 1 mean_value or as many as channels: {held[0]}"
        yield Fault("transform_param.mean_value", message, f"{held[0]} mean_value")


def _record_shape(layer: LayerParameter, stored: Stored) -> tuple[int, ...] | None:
    image = layer.image_data_param
    if layer.type == "ImageData" and image.new_height and image.new_width:
        return (3 if image.is_color else 1, image.new_height, image.new_width)
    held = stored(layer)
    return held[0] if held else None


def _mean_faults(name: str, folder: Path, held: tuple[int, ...] | None) -> Iterator[Fault]:
    field, hint = "transform_param.mean_file", "a mean file is what compute_image_mean writes"
    absent = list(missing(field, name, folder))
    if absent:
        yield from absent
        return
    try:
        shape = read_blob_file(Path(folder, name)).shape
    except OSError as error:
        yield Fault(field, f"'{name}' cannot be read: {error.strerror or error}", hint)
        return
    except WeightsError as error:
        yield Fault(field, f"'{name}' is no mean file: {error}", hint)
        return
    mean = (*shape, 1, 1, 1, 1)[1:4]
    if held is not None and mean != held:
        sizes = [" x ".join(map(str, one)) for one in (mean, held)]
        message = f"the mean of '{name}' is {sizes[0]}, but the records are {sizes[1]}"
        yield Fault(field, message, "make it from these data: crop_size is taken out of both")
