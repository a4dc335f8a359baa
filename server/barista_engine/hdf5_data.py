"""Batches of HDF5Data layers."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import torch
from numpy.typing import NDArray

from barista_engine.errors import CheckFailed
from barista_engine.interfaces import Log
from barista_engine.prefetch import Batch, Deal, Source
from barista_engine.rng import LibraryRandom
from barista_server.caffe.errors import WeightsError
from barista_server.caffe.hdf5 import blob_of, guarded
from barista_server.caffe.schema import LayerParameter

_FILE, _HDF5 = "hdf5_data_layer.cpp", "hdf5.cpp"
_CLASSES = (  # H5T_class_t in its order
    "INTEGER",
    "FLOAT",
    "TIME",
    "STRING",
    "BITFIELD",
    "OPAQUE",
    "COMPOUND",
    "REFERENCE",
    "ENUM",
    "VLEN",
    "ARRAY",
)


class Hdf5Source(Source):
    """Batches of an HDF5Data layer: rows in order, file after file, from the first again after the last.

    With `shuffle`, files and the rows inside a file come in random order; a batch may span files.
    """

    def __init__(
        self,
        layer: LayerParameter,
        tops: int,
        random: LibraryRandom,
        deal: Deal,
        log: Log,
        told: set[str],
    ) -> None:
        """`told`: the classes of numbers that were logged, each once. CheckFailed for unreadable files."""
        super().__init__()
        param = layer.hdf5_data_param
        self._log, self._told = log, told
        if layer.HasField("transform_param"):
            message = (
                "Check failed: !this->layer_param_.has_transform_param() HDF5Data does not transform data."
            )
            raise CheckFailed(message, _FILE, 76)
        self._names = list(layer.top)[:tops]
        self._batch, self._shuffle = param.batch_size, param.shuffle
        self._random, self._deal, self._others = random, deal, deal.others()
        log.info(f"{_FILE}:81", f"Loading list of HDF5 filenames from: {param.source}")
        try:
            self._files = Path(param.source).read_text("utf-8", "surrogateescape").split()
        except OSError:
            raise CheckFailed(f"Failed to open source file: {param.source}", _FILE, 90) from None
        count = len(self._files)
        log.info(f"{_FILE}:95", f"Number of HDF5 files: {count}")
        if not count:
            message = f"Must have at least 1 HDF5 filename listed in {param.source}"
            message = f"Check failed: num_files_ >= 1 (0 vs. 1) {message}"
            raise CheckFailed(message, _FILE, 96)
        self._order = np.arange(count)
        self._mix(self._order)
        self._file, self._row = 0, 0
        self._rows = np.arange(0)
        self._columns = self._load()
        self.shapes = [(self._batch, *column.shape[1:]) for column in self._columns]
        if not self._batch:
            raise CheckFailed("Check failed: data_ ", "blob.cpp", 133, f"batch_size is 0, layer {layer.name}")

    def next(self) -> Batch:
        """The next batch."""
        parts: list[list[NDArray[np.float32]]] = [[] for _ in self._columns]
        missing = self._batch
        while missing:
            step = self._deal.count
            taken = self._rows[self._row + self._others :: step][:missing]
            for part, column in zip(parts, self._columns, strict=True):
                part.append(column[taken])
            missing -= len(taken)
            self._pass(self._others + step * len(taken))
        return [torch.from_numpy(np.concatenate(part)) for part in parts]

    def close(self) -> None:
        """Nothing runs in the background here."""

    def _pass(self, rows: int) -> None:
        """Go on by so many rows, those of other ranks behind our last one included, up to the file's end."""
        left = len(self._rows) - self._row
        self._others = max(0, rows - left)
        self._row += min(rows, left)
        if self._row == len(self._rows):
            self._advance()

    def _advance(self) -> None:
        """Go on behind the last row of a file: to the next file, or to the first row of the only one."""
        self._row = 0
        if len(self._files) == 1:
            self._mix(self._rows)
            return
        self._file += 1
        if self._file == len(self._files):
            self._file = 0
            self._mix(self._order)
        shapes = [column.shape[1:] for column in self._columns]
        self._columns = self._load()
        self._mix(self._rows)  # once more, as Caffe does
        if [column.shape[1:] for column in self._columns] != shapes:
            name = self._files[self._order[self._file]]
            raise CheckFailed(f"Check failed: shapes in {name} differ from those before", _FILE, 48)

    def _mix(self, order: NDArray[np.int64]) -> None:
        if self._shuffle:
            self._random.shuffle(order)

    def _load(self) -> list[NDArray[np.float32]]:
        """The datasets of the current file, one for each top, all of the same number of rows."""
        name = self._files[self._order[self._file]]
        try:
            with guarded(name), h5py.File(name, "r", locking=False) as file:
                columns = [self._column(file, top, name) for top in self._names]
        except WeightsError as error:
            raise CheckFailed(f"Failed opening HDF5 file: {name}", _FILE, 31, str(error)) from None
        rows = len(columns[0])
        for column in columns:
            if len(column) != rows:
                message = f"Check failed: hdf_blobs_[i]->shape(0) == num ({len(column)} vs. {rows}) "
                raise CheckFailed(message, _FILE, 55, name)
        if not rows:
            raise CheckFailed("Check failed: a file has rows", _FILE, 55, name)
        self._rows = np.arange(rows)
        self._mix(self._rows)
        return columns

    def _column(self, file: h5py.File, top: str, name: str) -> NDArray[np.float32]:
        """One dataset; its class of numbers is logged when it is the first of it."""
        dataset = file.get(top)
        if not isinstance(dataset, h5py.Dataset):
            message = f"Check failed: status >= 0 (-1 vs. 0) Failed to get dataset ndims for {top}"
            raise CheckFailed(message, _HDF5, 21, f"{name} has no such dataset")
        if dataset.ndim < 1:
            raise CheckFailed("Check failed: ndims >= min_dim (0 vs. 1) ", _HDF5, 22, f"{top} of {name}")
        kind = _CLASSES[dataset.id.get_type().get_class()]
        if kind not in ("FLOAT", "INTEGER"):
            raise CheckFailed(f"Unsupported datatype class: H5T_{kind}", _HDF5, 39, f"{top} of {name}")
        if kind not in self._told:
            self._told.add(kind)
            self._log.info(f"{_HDF5}:{33 if kind == 'FLOAT' else 36}", f"Datatype class: H5T_{kind}")
        return blob_of(name, dataset).read()
