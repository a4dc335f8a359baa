"""Sources of batches for Data (LMDB) and HDF5Data layers."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from queue import Empty, Full, Queue

import h5py
import numpy as np
import torch
from barista_server.caffe.schema import Datum, LayerParameter, Phase
from barista_server.data.lmdb_io import DataError, DatumReader
from numpy.typing import NDArray

from barista_engine.errors import CheckFailed
from barista_engine.glog import Glog
from barista_engine.interfaces import Shape
from barista_engine.transform import Pixels, Transformer

Batch = list[torch.Tensor]


class DataSources:
    """Opens the sources of data layers, called by a net while it creates them, and closes them at the end.

    Every source gets its own random stream, from `seed` and the order of opening.
    """

    def __init__(self, log: Glog, seed: int) -> None:
        self._log = log
        self._seeds = np.random.SeedSequence(seed % 2**63)
        self._open: list[LmdbSource | Hdf5Source] = []
        self._hdf5_seen = False

    def __call__(self, layer: LayerParameter, phase: int, tops: int) -> LmdbSource | Hdf5Source:
        """The source of a Data or HDF5Data layer of `tops` tops. CheckFailed when it cannot be read."""
        seed = int(self._seeds.spawn(1)[0].generate_state(1)[0])
        source: LmdbSource | Hdf5Source
        if layer.type == "HDF5Data":
            source = Hdf5Source(layer, tops, seed, first=not self._hdf5_seen)
            self._hdf5_seen = True
        else:
            source = LmdbSource(layer, Phase.ValueType(phase), tops, seed, self._log)
        self._open.append(source)
        return source

    def close(self) -> None:
        """End the prefetch threads."""
        for source in self._open:
            source.close()


class _Source(ABC):
    """Shapes of the tops and what Caffe prints about the source."""

    def __init__(self) -> None:
        self.shapes: Sequence[Shape] = ()
        self.created: list[tuple[str, str]] = []
        self.log_lines: list[tuple[str, str]] = []

    @abstractmethod
    def next(self) -> Batch:
        """The next batch, one float32 CPU tensor for each top."""

    @abstractmethod
    def close(self) -> None:
        """End what runs in the background; no `next` may follow."""


class LmdbSource(_Source):
    """Batches of a Data layer: records in key order, from the first again after the last, transformed.

    A thread reads ahead by up to `data_param.prefetch` batches; it starts with the first `next`.
    """

    def __init__(
        self, layer: LayerParameter, phase: Phase.ValueType, tops: int, seed: int, log: Glog
    ) -> None:
        """Raises CheckFailed when the database cannot be read or its records do not fit the layer."""
        super().__init__()
        param = layer.data_param
        if param.backend != param.LMDB:
            advice = "LevelDB is not supported: convert it to LMDB and set backend: LMDB"
            message = f"Failed to open leveldb {param.source} (layer {layer.name}): {advice}"
            raise CheckFailed(message, "db_leveldb.cpp", 16)
        if param.batch_size <= 0:
            raise CheckFailed(
                f"Check failed: batch_size > 0 (0 vs. 0) layer {layer.name}", "data_layer.cpp", 30
            )
        self._layer, self._log, self._tops, self._batch = layer, log, tops, param.batch_size
        self._reader, self._next = DatumReader(param.source), 0
        self._count = self._open()
        self.created.append(("db_lmdb.cpp:35", f"Opened lmdb {param.source}"))
        self._transformer = Transformer(layer.transform_param, phase, seed, log)
        datum = self._read(0)
        self._check(datum)
        shape = (self._batch, *self._transformer.shape(datum.channels, datum.height, datum.width))
        self.shapes = [shape, (self._batch,)][:tops]
        self.log_lines.append(("data_layer.cpp:45", f"output data size: {','.join(map(str, shape))}"))
        self._queue: Queue[Batch | Exception] = Queue(max(1, param.prefetch))
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._waits = 0

    def next(self) -> Batch:
        """The next batch; raises what went wrong in the reading thread."""
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._read_ahead, name=f"prefetch {self._layer.name}", daemon=True
            )
            self._thread.start()
        try:
            batch = self._queue.get_nowait()
        except Empty:
            if self._waits % 1000 == 0:
                self._log.info("blocking_queue.cpp:49", "Waiting for data")
            self._waits += 1
            batch = self._queue.get()
        if isinstance(batch, Exception):
            raise batch
        return batch

    def close(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._reader.close()

    def _open(self) -> int:
        """Number of records."""
        try:
            count = len(self._reader)
        except OSError as error:
            check = f"Check failed: mdb_status == 0 ({error.errno} vs. 0) {error.strerror}"
            raise CheckFailed(
                f"{check} (layer {self._layer.name}, {self._reader.path})", "db_lmdb.hpp", 15
            ) from None
        except DataError as error:
            raise CheckFailed(f"Check failed: mdb_status == 0 {error}", "db_lmdb.hpp", 15) from None
        if not count:
            message = (
                f"Check failed: the LMDB holds no records (layer {self._layer.name}, {self._reader.path})"
            )
            raise CheckFailed(message, "data_layer.cpp", 36)
        return count

    def _read(self, index: int) -> Datum:
        try:
            return self._reader.datum(index)
        except (OSError, DataError) as error:
            raise CheckFailed(f"{error} (layer {self._layer.name})", "data_layer.cpp", 39) from None

    def _advance(self) -> Datum:
        datum = self._read(self._next)
        self._next += 1
        if self._next == self._count:
            self._log.info("data_layer.cpp:73", "Restarting data prefetching from start.")
            self._next = 0
        return datum

    def _read_ahead(self) -> None:
        while not self._stop.is_set():
            try:
                item: Batch | Exception = self._load()
            except Exception as error:  # handed to the thread that asks for the batch
                item = error
            self._put(item)
            if isinstance(item, Exception):
                return

    def _put(self, item: Batch | Exception) -> None:
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=0.1)
                return
            except Full:
                pass

    def _load(self) -> Batch:
        data = [self._advance() for _ in range(self._batch)]
        batch = [torch.from_numpy(self._transformer(self._pixels(data)))]
        if self._tops > 1:
            batch.append(torch.tensor([datum.label for datum in data], dtype=torch.float32))
        return batch

    def _pixels(self, data: list[Datum]) -> Pixels:
        """All records of a batch as (N, C, H, W), bytes where they hold bytes."""
        first = data[0]
        shape = (len(data), first.channels, first.height, first.width)
        size = first.channels * first.height * first.width
        if all(len(datum.data) == size for datum in data):
            return np.frombuffer(b"".join([datum.data for datum in data]), np.uint8).reshape(shape)
        for datum in data:
            self._check(datum)
            if (datum.channels, datum.height, datum.width) != shape[1:]:
                message = "Check failed: all records of a batch have one shape"
                raise CheckFailed(f"{message} (layer {self._layer.name})", "data_transformer.cpp", 139)
        rows = [
            np.frombuffer(d.data, np.uint8) if d.data else np.array(d.float_data, np.float32) for d in data
        ]
        return np.stack(rows).astype(np.float32).reshape(shape)

    def _check(self, datum: Datum) -> None:
        where = f"(layer {self._layer.name}, {self._layer.data_param.source})"
        if datum.encoded:
            message = f"Encoded datum requires OpenCV; write the pixels themselves into the LMDB {where}"
            raise CheckFailed(message, "data_transformer.cpp", 147)
        size = datum.channels * datum.height * datum.width
        held = len(datum.data) or len(datum.float_data)
        if held != size:
            message = f"Check failed: a record holds {held} values, its shape asks for {size} {where}"
            raise CheckFailed(message, "data_transformer.cpp", 139)


class Hdf5Source(_Source):
    """Batches of an HDF5Data layer: rows in order, file after file, from the first again after the last.

    With `shuffle`, files and the rows inside a file come in random order; a batch may span files.
    """

    def __init__(self, layer: LayerParameter, tops: int, seed: int, *, first: bool) -> None:
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
        self._random = np.random.default_rng(seed)
        try:
            self._files = Path(param.source).read_text().split()
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
        self._order = self._permutation(count)
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
            taken = self._rows[self._row : self._row + missing]
            for part, column in zip(parts, self._columns, strict=True):
                part.append(column[taken])
            missing -= len(taken)
            self._row += len(taken)
            if self._row == len(self._rows):
                self._advance()
        return [torch.from_numpy(np.concatenate(part)) for part in parts]

    def close(self) -> None:
        """Nothing runs in the background here."""

    def _advance(self) -> None:
        """Go on behind the last row of a file: to the next file, or to the first row of the only one."""
        self._row = 0
        if len(self._files) == 1:
            self._rows = self._permutation(len(self._rows))
            return
        self._file += 1
        if self._file == len(self._files):
            self._file = 0
            self._order = self._permutation(len(self._files))
        shapes = [column.shape[1:] for column in self._columns]
        self._columns = self._load()
        if [column.shape[1:] for column in self._columns] != shapes:
            name = self._files[self._order[self._file]]
            raise CheckFailed(
                f"Check failed: shapes in {name} differ from those before", "hdf5_data_layer.cpp", 48
            )

    def _permutation(self, count: int) -> NDArray[np.int64]:
        return self._random.permutation(count) if self._shuffle else np.arange(count)

    def _load(self) -> list[NDArray[np.float32]]:
        """The datasets of the current file, one for each top, all of the same number of rows."""
        name = self._files[self._order[self._file]]
        try:
            with h5py.File(name, "r") as file:
                missing = [top for top in self._names if not isinstance(file.get(top), h5py.Dataset)]
                if missing:
                    message = f"Failed to find HDF5 dataset {missing[0]} in {name}"
                    message = f"Check failed: H5LTfind_dataset(file_id, dataset_name_) {message}"
                    raise CheckFailed(message, "hdf5.cpp", 12)
                columns = [np.asarray(file[top], np.float32) for top in self._names]
        except (OSError, ValueError, TypeError):
            raise CheckFailed(f"Failed opening HDF5 file: {name}", "hdf5_data_layer.cpp", 31) from None
        rows = {column.shape[:1] for column in columns}
        if len(rows) != 1 or rows == {()} or rows == {(0,)}:
            message = f"Check failed: datasets of {name} have the same number of rows, at least 1"
            raise CheckFailed(message, "hdf5_data_layer.cpp", 55)
        self._rows = self._permutation(len(columns[0]))
        return columns
