"""Batches of Data layers: records of an LMDB or a LevelDB."""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import prod
from pathlib import Path

import numpy as np
import torch
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from barista_engine.errors import CheckFailed
from barista_engine.images import decode
from barista_engine.interfaces import Log
from barista_engine.prefetch import Batch, Deal, PrefetchSource
from barista_engine.rng import Stream
from barista_engine.transform import Pixels, Transformer
from barista_server.caffe.schema import Datum, LayerParameter, Phase
from barista_server.data.lmdb_io import DataError, DatumReader

_TRANSFORMER = "data_transformer.cpp"


class Records(ABC):
    """The records of a database in key order, from the first again after the last.

    `opened` is what Caffe prints about it, as (source, message).
    """

    opened: tuple[str, str]

    @abstractmethod
    def first(self) -> Datum:
        """The first record; the order of `take` stays as it is."""

    @abstractmethod
    def take(self) -> tuple[Datum, bool]:
        """The next record, and whether it is the last before the first comes again."""

    @abstractmethod
    def skip(self) -> bool:
        """Pass the next record over; whether it is the last before the first comes again."""

    @abstractmethod
    def close(self) -> None:
        """Give the database up."""


class LmdbRecords(Records):
    """Records of an LMDB."""

    def __init__(self, path: str, layer: str) -> None:
        """Raises CheckFailed, naming the layer, when it cannot be read or is empty."""
        self._reader, self._next, self._where = DatumReader(path), 0, f"layer {layer}, {path}"
        try:
            self._count = len(self._reader)
        except OSError as error:
            check = f"Check failed: mdb_status == 0 ({error.errno} vs. 0) {error.strerror}"
            raise CheckFailed(check, "db_lmdb.hpp", 15, self._where) from None
        except DataError as error:
            raise CheckFailed(f"Check failed: mdb_status == 0 {error}", "db_lmdb.hpp", 15) from None
        if not self._count:
            raise _empty("LMDB", self._where)
        self.opened = "db_lmdb.cpp:35", f"Opened lmdb {path}"

    def first(self) -> Datum:
        return self._read(0)

    def take(self) -> tuple[Datum, bool]:
        return self._read(self._next), self.skip()

    def skip(self) -> bool:
        self._next = (self._next + 1) % self._count
        return self._next == 0

    def close(self) -> None:
        self._reader.close()

    def _read(self, index: int) -> Datum:
        try:
            return self._reader.datum(index)
        except (OSError, DataError) as error:
            raise _no_datum(f"{error}, {self._where}") from None


class LevelDbRecords(Records):
    """Records of a LevelDB, which only one opener in the world may have at a time."""

    def __init__(self, path: str, layer: str) -> None:
        """Raises CheckFailed, naming the layer, when it cannot be read or is empty."""
        self._where = f"layer {layer}, {path}"
        try:
            import plyvel
        except ImportError:
            advice = "LevelDB needs plyvel: pip install 'barista-server[leveldb]', or convert it to LMDB"
            raise self._failed(path, advice) from None
        if not (Path(path) / "CURRENT").exists():  # opening would leave files there
            missing = f"Invalid argument: {path}: does not exist (create_if_missing is false)"
            raise self._failed(path, missing, "an LMDB needs backend: LMDB, ")
        try:
            self._database = plyvel.DB(path, create_if_missing=False, max_open_files=100)
        except (plyvel.Error, OSError) as error:
            reason = error.args[0] if error.args else error
            raise self._failed(path, reason.decode() if isinstance(reason, bytes) else str(reason)) from None
        self._cursor = self._database.raw_iterator()
        self._cursor.seek_to_first()
        if not self._cursor.valid():
            raise _empty("LevelDB", self._where)
        self.opened = "db_leveldb.cpp:18", f"Opened leveldb {path}"

    def first(self) -> Datum:
        with self._database.raw_iterator() as cursor:
            cursor.seek_to_first()
            return self._parse(cursor.value())

    def take(self) -> tuple[Datum, bool]:
        return self._parse(self._cursor.value()), self.skip()

    def skip(self) -> bool:
        self._cursor.next()
        last = not self._cursor.valid()
        if last:
            self._cursor.seek_to_first()
        return last

    def close(self) -> None:
        self._cursor.close()
        self._database.close()

    def _failed(self, path: str, reason: str, advice: str = "") -> CheckFailed:
        message = f"Check failed: status.ok() Failed to open leveldb {path}\n{reason}"
        return CheckFailed(message, "db_leveldb.cpp", 16, f"{advice}{self._where}")

    def _parse(self, value: bytes) -> Datum:
        try:
            return Datum.FromString(value)
        except DecodeError as error:
            raise _no_datum(f"a record is no Datum ({error}), {self._where}") from None


def _empty(kind: str, where: str) -> CheckFailed:
    return CheckFailed(f"Check failed: the {kind} holds no records", "data_layer.cpp", 36, where)


def _no_datum(detail: str) -> CheckFailed:
    """Caffe takes what cannot be read for a record without anything in it."""
    return CheckFailed("Check failed: datum_channels > 0 (0 vs. 0) ", _TRANSFORMER, 465, detail)


class RecordSource(PrefetchSource):
    """Batches of a Data layer: records in order, decoded where they are images, transformed."""

    def __init__(
        self, layer: LayerParameter, phase: Phase.ValueType, tops: int, deal: Deal, log: Log
    ) -> None:
        """Raises CheckFailed when the database cannot be read."""
        param = layer.data_param
        super().__init__(layer.name, param.prefetch, log)
        self._layer, self._phase, self._tops, self._batch = layer, phase, tops, param.batch_size
        self._deal = deal
        self._where = f"layer {layer.name}, {param.source}"
        if deal.count > 1 and param.backend == param.LEVELDB:
            message = "Only one process can read a LevelDB: convert it to LMDB to train with several"
            raise CheckFailed(message, "data_layer.cpp", 36, self._where)
        self._records = (LmdbRecords if param.backend == param.LMDB else LevelDbRecords)(
            param.source, layer.name
        )
        log.info(*self._records.opened)
        self._stream = Stream(0)

    def set_up(self) -> None:
        """Look at the first record; CheckFailed when it does not fit the layer."""
        self._transformer = Transformer(self._layer.transform_param, self._phase, self._log)
        self._transformer.stream, self._transformer.where = self._stream, self._where
        record = self._records.first()
        self._color = self._forced_color(self._layer, record.encoded)
        first = self._pixels(record)
        self._transformer.what = "img" if record.encoded else "datum"
        shape = (self._batch, *self._transformer.shape(*first.shape))
        self.shapes = [shape, (self._batch,)][: self._tops]
        self._log.info("data_layer.cpp:45", f"output data size: {','.join(map(str, shape))}")
        if not self._batch:
            raise CheckFailed("Check failed: data_ ", "blob.cpp", 133, f"batch_size is 0, {self._where}")

    def seed(self, seed: int) -> None:
        self._stream = Stream(seed)

    def close(self) -> None:
        super().close()
        self._records.close()

    def _forced_color(self, layer: LayerParameter, encoded: bool) -> bool | None:
        """Whether encoded images become coloured or grey; None leaves them as they are."""
        param = layer.transform_param
        if encoded and param.force_color and param.force_gray:
            failed = "Check failed: !(param_.force_color() && param_.force_gray()) "
            message = f"{failed}cannot set both force_color and force_gray"
            raise CheckFailed(message, _TRANSFORMER, 445, self._where)
        return bool(param.force_color) if param.force_color or param.force_gray else None

    def _load(self) -> Batch:
        data = [self._advance() for _ in range(self._batch)]
        pixels = self._transformed(data)
        if pixels.shape[1] != self.shapes[0][1]:  # height and width may change from batch to batch
            channels = f"({pixels.shape[1]} vs. {self.shapes[0][1]})"
            message = f"records have the channels of the first {channels}"
            raise CheckFailed(f"Check failed: {message} {self._where}", "data_transformer.cpp", 139)
        batch = [torch.from_numpy(pixels)]
        if self._tops > 1:
            batch.append(torch.tensor([datum.label for datum in data], dtype=torch.float32))
        return batch

    def _advance(self) -> Datum:
        for _ in range(self._deal.others()):
            self._note_end(self._records.skip())
        datum, last = self._records.take()
        self._note_end(last)
        return datum

    def _note_end(self, last: bool) -> None:
        if last:
            self._log.info("data_layer.cpp:73", "Restarting data prefetching from start.")

    def _transformed(self, data: list[Datum]) -> NDArray[np.float32]:
        """All records of a batch, transformed at once where they hold plain bytes of one shape."""
        first = data[0]
        dims, size = _dims(first), prod(_dims(first))
        if min(dims) > 0 and all(
            len(datum.data) == size and not datum.encoded and _dims(datum) == dims for datum in data
        ):
            joined = np.frombuffer(b"".join([datum.data for datum in data]), np.uint8)
            return self._transformer(joined.reshape(len(data), *dims))
        return self._transformer.each([self._pixels(datum) for datum in data], self._where)

    def _pixels(self, datum: Datum) -> Pixels:
        """One record as (C, H, W), bytes where it holds bytes."""
        if datum.encoded:
            try:
                return decode(datum.data, self._color)
            except ValueError as error:
                message = f"Check failed: cv_img.data Could not decode datum: {error}"
                raise CheckFailed(message, _TRANSFORMER, 161, self._where) from None
        dims = _dims(datum)
        held = len(datum.data) or len(datum.float_data)
        if min(dims) <= 0 or held != prod(dims):
            wanted = " x ".join(map(str, dims))
            message = f"Check failed: a record holds {held} values, its shape asks for {wanted}"
            raise CheckFailed(message, _TRANSFORMER, 139, self._where)
        values = np.frombuffer(datum.data, np.uint8) if datum.data else np.array(datum.float_data, np.float32)
        return values.reshape(dims)


def _dims(datum: Datum) -> tuple[int, int, int]:
    return datum.channels, datum.height, datum.width
