"""Which dataset a data layer can read, and the edits that make it do so."""

from __future__ import annotations

from barista_server.api.messages import DatasetInfo, FieldEdit, Form, FormField

_READS = {
    "Data": ("data_param", ("lmdb", "leveldb")),
    "HDF5Data": ("hdf5_data_param", ("hdf5-list",)),
    "ImageData": ("image_data_param", ("image-list",)),
}
"""Block of the source, and kinds of datasets, by type of layer."""
_WORDS = {
    "lmdb": "an LMDB",
    "leveldb": "a LevelDB",
    "hdf5": "one HDF5 file",
    "hdf5-list": "a list of HDF5 files",
    "image-list": "a list of images",
}


class CannotAssign(ValueError):
    """The text says why."""


def reads_data(form: Form) -> bool:
    """Whether the layer can be given a dataset."""
    return form.kind in _READS


def fits(form: Form, dataset: DatasetInfo) -> bool:
    """Whether a layer of this type reads such a dataset."""
    return form.kind in _READS and dataset.facts.kind in _READS[form.kind][1]


def edits(form: Form, dataset: DatasetInfo) -> list[FieldEdit]:
    """What makes the layer read the dataset. Raises CannotAssign."""
    if form.kind not in _READS:
        raise CannotAssign(f"layer '{form.title}' is of type {form.kind}, which reads no dataset")
    block, kinds = _READS[form.kind]
    if dataset.facts.kind not in kinds:
        wants = " or ".join(_WORDS[kind] for kind in kinds)
        hint = ": put its path into a text file, and add that" if dataset.facts.kind == "hdf5" else ""
        is_ = _WORDS[dataset.facts.kind]
        raise CannotAssign(f"{dataset.name} is {is_}, and a layer of type {form.kind} reads {wants}{hint}")
    start = layer_path(form)
    made = [FieldEdit(path=f"{start}.{block}.source", typed=dataset.path)]
    if form.kind == "Data":
        backend = "LMDB" if dataset.facts.kind == "lmdb" else "LEVELDB"
        made.append(FieldEdit(path=f"{start}.{block}.backend", typed=backend))
    if form.kind == "ImageData" and dataset.base:
        made.append(FieldEdit(path=f"{start}.{block}.root_folder", typed=dataset.base.rstrip("/") + "/"))
    return made


def layer_path(form: Form) -> str:
    """``layer[3]``, as the fields of the form begin."""
    return form.groups[0].fields[0].path.partition(".")[0]


def source_of(form: Form) -> str:
    """What the layer reads now."""
    block = _READS.get(form.kind, ("", ()))[0]
    path = f"{layer_path(form)}.{block}.source"
    found = [field for field in _fields(form) if field.path == path]
    return found[0].values[0] if found and found[0].values else ""


def phase_words(form: Form) -> str:
    """`` (TRAIN)``, where the layer is in one phase only."""
    rules = [field for field in _fields(form) if field.path.endswith(".include[0].phase") and field.values]
    return f" ({rules[0].values[0]})" if rules else ""


def _fields(form: Form) -> list[FormField]:
    return [field for group in form.groups for field in group.fields]
