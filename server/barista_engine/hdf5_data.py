"""Batches of HDF5Data layers."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import torch
from numpy.typing import NDArray

from barista_engine.errors import CheckFailed
from barista_engine.prefetch import Batch, Deal, Source
from barista_engine.rng import LibraryRandom
from barista_server.caffe.errors import WeightsError
from barista_server.caffe.hdf5 import blob_of, guarded
from barista_server.caffe.schema import LayerParameter


class Hdf5Source(Source):
    """Batches of an HDF5Data layer: rows in order, file after file, from the first again after the last.

    With `shuffle`, files and the rows inside a file come in random order; a batch may span files.
    """

    def __init__(
        self, layer: LayerParameter, tops: int, random: LibraryRandom, deal: Deal, *, first: bool
    ) -> None:
        """`first` adds the line Caffe prints once. Raises CheckFailed for files that cannot be read."""
        super().__init__()
        param = layer.hdf5_data_param
        if layer.HasField("transform_param"):
            message = (
                "Check failed: !this->layer_param_.has_transform_param() HDF5Data does not transform data."
            )
            raise CheckFailed(message, "hdf5_data_layer.cpp", 76)
        if param.batch_size <= 0:
            raise CheckFailed(
                f"Check failed: batch_size > 0 (0 vs. 0) layer {layer.name}", "hdf5_data_layer.cpp", 120
            )
        self._names = list(layer.top)[:tops]
        self._batch, self._shuffle = param.batch_size, param.shuffle
        self._random, self._deal, self._others = random, deal, deal.others()
        try:
            self._files = Path(param.source).read_text("utf-8", "surrogateescape").split()
        except OSError:
            raise CheckFailed(
                f"Failed to open source file: {param.source}", "hdf5_data_layer.cpp", 90
            ) from None
        count = len(self._files)
        self.log_lines += [
            ("hdf5_data_layer.cpp:81", f"Loading list of HDF5 filenames from: {param.source}"),
            ("hdf5_data_layer.cpp:95", f"Number of HDF5 files: {count}"),
        ]
        if not count:
            message = f"Must have at least 1 HDF5 filename listed in {param.source}"
            message = f"Check failed: num_files_ >= 1 (0 vs. 1) {message}"
            raise CheckFailed(message, "hdf5_data_layer.cpp", 96)
        self._order = np.arange(count)
        self._mix(self._order)
        self._file, self._row = 0, 0
        self._rows = np.arange(0)
        self._columns = self._load()
        if first:
            self.log_lines.append(("hdf5.cpp:33", "Datatype class: H5T_FLOAT"))
        self.shapes = [(self._batch, *column.shape[1:]) for column in self._columns]

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
            raise CheckFailed(
                f"Check failed: shapes in {name} differ from those before", "hdf5_data_layer.cpp", 48
            )

    def _mix(self, order: NDArray[np.int64]) -> None:
        if self._shuffle:
            self._random.shuffle(order)

    def _load(self) -> list[NDArray[np.float32]]:
        """The datasets of the current file, one for each top, all of the same number of rows."""
        name = self._files[self._order[self._file]]
        try:
            with guarded(name), h5py.File(name, "r", locking=False) as file:
                missing = [top for top in self._names if not isinstance(file.get(top), h5py.Dataset)]
                if missing:
                    message = f"Failed to find HDF5 dataset {missing[0]} in {name}"
                    message = f"Check failed: H5LTfind_dataset(file_id, dataset_name_) {message}"
                    raise CheckFailed(message, "hdf5.cpp", 12)
                columns = [blob_of(name, file[top]).read() for top in self._names]
        except WeightsError as error:
            message = f"Failed opening HDF5 file: {name} ({error})"
            raise CheckFailed(message, "hdf5_data_layer.cpp", 31) from None
        rows = {column.shape[:1] for column in columns}
        if len(rows) != 1 or rows == {()} or rows == {(0,)}:
            message = f"Check failed: datasets of {name} have the same number of rows, at least 1"
            raise CheckFailed(message, "hdf5_data_layer.cpp", 55)
        self._rows = np.arange(len(columns[0]))
        self._mix(self._rows)
        return columns
