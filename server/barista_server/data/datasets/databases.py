"""LMDB and LevelDB databases of Datum records."""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from math import prod
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from google.protobuf.message import DecodeError

from barista_server.api.datasets import DatasetFacts, Top
from barista_server.caffe.image_size import image_size
from barista_server.caffe.schema import Datum
from barista_server.data.datasets.content import Record, Segment, hashed
from barista_server.data.datasets.labels import LabelCount
from barista_server.data.datasets.pictures import decode
from barista_server.data.datasets.source import DatasetError, Item, Source
from barista_server.data.datasets.spanned import parts
from barista_server.data.datasets.stamps import own_files
from barista_server.data.lmdb_io import DataError, DatumReader

T = TypeVar("T")

SPREAD = 2000
"""Records whose labels are looked at, unless all are asked for."""
_COMPARED = 20
"""Records that tell whether all have one shape."""
_COUNTING = 2.0
"""Seconds that counting the records of a LevelDB may take."""
_NUMBERED = re.compile(rb"(\d+)")
_NO_PLYVEL = "LevelDB needs plyvel on the agent's machine: pip install 'barista-server[leveldb]'"


class Database(Source):
    """Records in the order of their keys, each a Datum."""

    def files(self) -> list[Path]:
        return own_files(self.path, self.kind)

    @abstractmethod
    def pairs(self, start: bytes | None = None) -> Iterator[Record]:
        """Keys and values from the first key on that is not before `start`."""

    @abstractmethod
    def count(self) -> int | None:
        """Number of records, where that can be told soon."""

    @abstractmethod
    def last_key(self) -> bytes:
        """Of the last record; empty if there is none."""

    def facts(self) -> DatasetFacts:
        files = self.files()
        first = list(islice(self._data(self.pairs()), _COMPARED))
        labels = LabelCount()
        labels.take(self.labels(whole=False))
        tops: list[Top] = []
        shape: list[int] = []
        encoded = False
        if first:
            shape, dtype, encoded = _shape(first[0][1])
            tops = [Top(name="data", shape=shape, dtype=dtype), Top(name="label", shape=[], dtype="int32")]
        low, high = labels.range
        return DatasetFacts(
            kind=self.kind,
            size=sum(file.stat().st_size for file in files),
            files=len(files),
            samples=self.count(),
            tops=tops,
            encoded=encoded,
            varying=any(_shape(datum)[0] != shape for _, datum in first),
            labels=labels.kind,
            label_low=low,
            label_high=high,
            labels_seen=labels.seen,
        )

    def items(self, start: int, count: int) -> Iterator[Item]:
        found = islice(self._data(self._from(start)), count)
        for index, (key, datum) in enumerate(found, start):
            values, problem = None, None
            try:
                values = _values(datum)
            except ValueError as error:
                problem = str(error)
            yield Item(index, key.decode("utf-8", "replace"), [float(datum.label)], values, problem)

    def labels(self, whole: bool) -> Iterator[Sequence[float]]:
        pairs = self.pairs() if whole else self._spread()
        return ([float(datum.label)] for _, datum in self._data(pairs))

    def records(self, after: Segment | None) -> Iterator[Record]:
        if after is None:
            return self.pairs()
        # The first key that is greater: with a zero byte behind it.
        return self.pairs(after.last + b"\0")

    def _data(self, pairs: Iterator[Record]) -> Iterator[tuple[bytes, Datum]]:
        for key, value in pairs:
            try:
                yield bytes(key), Datum.FromString(bytes(value))
            except DecodeError:
                text = f"{self.path}: the record {bytes(key[:80])!r} is no Datum"
                raise DatasetError(text, "Is it a database that was made for Caffe?") from None

    def _first_key(self) -> bytes:
        return next((bytes(key) for key, _ in self.pairs()), b"")

    def _numbers(self) -> tuple[int, int] | None:
        """First and last number, if keys begin with numbers of one width, as convert_imageset makes them."""
        first, last = _NUMBERED.match(self._first_key()), _NUMBERED.match(self.last_key())
        if first is None or last is None or len(first[1]) != len(last[1]):
            return None
        return int(first[1]), int(last[1])

    def _key_at(self, number: int) -> bytes:
        found = _NUMBERED.match(self._first_key())
        return b"%0*d" % (len(found[1]) if found else 0, number)

    def _from(self, start: int) -> Iterator[Record]:
        """Pairs from the start-th on: by its key where keys count the records, else by going there."""
        numbers = self._numbers()
        if start and numbers == (0, (self.count() or 0) - 1):
            return self.pairs(self._key_at(start))
        return islice(self.pairs(), start, None)

    def _spread(self) -> Iterator[Record]:
        """Some records where keys are numbered, one of each of SPREAD even parts, else the first ones.

        Which of a part is chance, the same each time: in even steps labels that take turns would be missed.
        """
        numbers = self._numbers()
        if numbers is None or numbers[1] - numbers[0] < SPREAD:
            return islice(self.pairs(), SPREAD)
        bounds = np.linspace(numbers[0], numbers[1] + 1, SPREAD + 1).astype(np.int64)
        places = np.random.default_rng(SPREAD).integers(bounds[:-1], bounds[1:])
        keys = map(self._key_at, places.tolist())
        return chain.from_iterable(islice(self.pairs(key), 1) for key in keys)


class LmdbSource(Database):
    """An LMDB; values are buffers in the mapped file."""

    kind = "lmdb"
    batch = 2000

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._reader = DatumReader(path)
        try:
            self._count = len(self._reader)
        except DataError as error:
            raise DatasetError(str(error), "Copy it again from where it was made.") from None

    def pairs(self, start: bytes | None = None) -> Iterator[Record]:
        return _told(self._reader.pairs(start))

    def segments(self, after: Segment | None, threads: int = 2) -> Iterator[Segment]:
        found = self._reader.spans()
        if found is None:
            return super().segments(after, threads)
        data, spans = found
        done = after.records if after else 0
        return _told(hashed(parts(data, spans, done), after, threads))

    def count(self) -> int:
        return self._count

    def last_key(self) -> bytes:
        return self._reader.last_key()

    def share(self, done: Segment) -> float:
        return done.records / max(1, self._count)

    def close(self) -> None:
        self._reader.close()


class LevelDbSource(Database):
    """A LevelDB, opened through links in a folder of our own: a database may be opened once in the world, and
    opening it writes. So a training that has it is not disturbed, nor are the files touched.
    """

    kind = "leveldb"
    batch = 50

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            import plyvel
        except ImportError:
            raise DatasetError(_NO_PLYVEL) from None
        self._error: Any = plyvel.Error
        self._folder = tempfile.mkdtemp(prefix="barista-leveldb-")
        try:
            for one in sorted(path.iterdir()):
                if one.suffix in (".ldb", ".sst"):
                    # Read under either ending, written as .ldb only: opening it writes what is in the .log to
                    # a table of the next number, which a writer that lives, or died, may have used already.
                    Path(self._folder, one.name).with_suffix(".sst").symlink_to(one)
                elif one.name == "CURRENT" or one.name.startswith("MANIFEST") or one.suffix == ".log":
                    shutil.copyfile(one, Path(self._folder, one.name))
            self._database = plyvel.DB(self._folder, create_if_missing=False)
        except (plyvel.Error, OSError) as error:
            shutil.rmtree(self._folder, ignore_errors=True)
            text = f"{path}: cannot be opened as LevelDB: {str(error).replace(self._folder, str(path))}"
            raise DatasetError(text, "If it is being written just now, wait until that is done.") from None
        self._size = sum(file.stat().st_size for file in self.files())
        self._counted: int | None = None

    def pairs(self, start: bytes | None = None) -> Iterator[Record]:
        try:
            yield from self._checked(start)
        except self._error as error:
            told = error.args[0].decode(errors="replace") if error.args else ""
            text = f"{self.path}: damaged LevelDB: {told.replace(self._folder, str(self.path))}"
            raise DatasetError(text, "Copy it again from where it was made.") from None

    def _checked(self, start: bytes | None) -> Iterator[Record]:
        # Made within the generator: a damaged table is an error already here. plyvel's iterator tells of no
        # damage before its first record, the raw one does.
        first = self._database.raw_iterator(fill_cache=False, verify_checksums=True)
        try:
            first.seek_to_first() if start is None else first.seek(start)
        finally:
            first.close()
        yield from self._database.iterator(start=start, fill_cache=False, verify_checksums=True)

    def count(self) -> int | None:
        if self._counted is None:
            end, count = time.monotonic() + _COUNTING, 0
            for count, _ in enumerate(self._database.iterator(include_value=False, fill_cache=False), 1):
                if count % 1000 == 0 and time.monotonic() > end:
                    return None
            self._counted = count
        return self._counted

    def last_key(self) -> bytes:
        return next((bytes(key) for key, _ in self._database.iterator(reverse=True)), b"")

    def share(self, done: Segment) -> float:
        # Its blocks may be compressed: where the number of records is unknown this is a guess from below.
        return done.records / self._counted if self._counted else min(0.99, done.size / max(1, self._size))

    def close(self) -> None:
        self._database.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def _told(found: Iterator[T]) -> Iterator[T]:
    try:
        yield from found
    except DataError as error:
        raise DatasetError(str(error), "Copy it again from where it was made.") from None


def _shape(datum: Datum) -> tuple[list[int], str, bool]:
    """Shape, type of values, and whether it is an image in a file format. [] where that does not tell."""
    if datum.encoded:
        return list(image_size(datum.data) or []), "uint8", True
    return [datum.channels, datum.height, datum.width], "uint8" if datum.data else "float32", False


def _values(datum: Datum) -> Any:
    """(C, H, W). Raises ValueError."""
    if datum.encoded:
        return decode(datum.data)
    dims = (datum.channels, datum.height, datum.width)
    values = np.frombuffer(datum.data, np.uint8) if datum.data else np.array(datum.float_data, np.float32)
    if min(dims) <= 0 or values.size != prod(dims):
        shape = " x ".join(map(str, dims))
        raise ValueError(f"the record holds {values.size} values, its shape asks for {shape}")
    return values.reshape(dims)
