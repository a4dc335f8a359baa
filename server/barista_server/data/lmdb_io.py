"""LMDB databases of Datum records, as Caffe's Data layer reads them."""

import errno
import mmap
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import lmdb
import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from barista_server.caffe.schema import Datum
from barista_server.data.lmdb_head import LmdbRoot, lmdb_root
from barista_server.data.lmdb_spans import DamagedPages, Spans, spans

_FIRST_MAP_SIZE = 16 << 20
_BATCH = 1000


class DataError(ValueError):
    """A database that is broken or holds something else than Datum records."""


def key_of(index: int) -> bytes:
    """Key of the index-th record: zero-padded, since records are read in the order of their keys."""
    return b"%08d" % index


def write_datums(path: str | Path, records: Iterable[tuple[bytes, Datum]]) -> int:
    """Write a new database, whole or not at all; returns the number of records.

    Raises FileExistsError when there is one already, OSError, lmdb.Error.
    """
    target = Path(path)
    if target.exists():
        raise FileExistsError(errno.EEXIST, "there is a database already", str(target))
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        with closing(lmdb.open(str(temporary), map_size=_FIRST_MAP_SIZE)) as environment:
            count = _put_all(environment, iter(records))
        (temporary / "lock.mdb").unlink(missing_ok=True)
        temporary.chmod(0o755)
        temporary.rename(target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return count


def _put_all(environment: Any, records: Iterator[tuple[bytes, Datum]]) -> int:
    """Put the records in batches; a batch that finds the map full is put again into a map twice as large."""
    count = 0
    while batch := [(key, datum.SerializeToString()) for key, datum in islice(records, _BATCH)]:
        while True:
            try:
                with environment.begin(write=True) as transaction:
                    transaction.cursor().putmulti(batch)
                break
            except lmdb.MapFullError:
                environment.set_mapsize(2 * environment.info()["map_size"])
        count += len(batch)
    return count


class DatumReader:
    """Reads the records of one database by number, in key order; cheap when asked for one after another.

    Opens on first use and again in a forked child; one reader must not be used by two threads at once.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        self._pid = -1
        self._environment: Any = None
        self._transaction: Any = None
        self._cursor: Any = None
        self._position = -1

    def __len__(self) -> int:
        """Number of records. Raises OSError, DataError."""
        self._open()
        return int(self._environment.stat()["entries"])

    def datum(self, index: int) -> Datum:
        """The index-th record. Raises IndexError, OSError, DataError."""
        self._open()
        try:
            self._seek(index)
            return self._parse(self._cursor.item())
        except lmdb.Error as error:
            self._position = -1
            raise DataError(f"{self.path}: record {index} cannot be read: {error}") from None

    def records(self) -> Iterator[tuple[bytes, Datum]]:
        """All keys and records in order. Raises OSError, DataError."""
        for index in range(len(self)):
            datum = self.datum(index)
            yield bytes(self._cursor.key()), datum

    def pairs(self, start: bytes | None = None) -> Iterator[tuple[Any, Any]]:
        """Keys and values as they are stored, from the first key on that is not before `start`: buffers that
        are valid until the reader is closed. Raises OSError, DataError.
        """
        self._open()
        try:
            with self._transaction.cursor() as cursor:
                if cursor.first() if start is None else cursor.set_range(start):
                    yield from cursor.iternext()
        except lmdb.Error as error:
            raise DataError(f"{self.path}: cannot be read on: {error}") from None

    def spans(self) -> tuple[NDArray[np.uint8], Iterator[Spans]] | None:
        """The mapped file, and where in it the records of :meth:`pairs` lie, many at a time; valid until the
        reader is closed. None for a database that is kept otherwise. Raises OSError, DataError.
        """
        self._open()
        file = Path(self.path, "data.mdb")
        # The open transaction keeps writers from using its pages again.
        root = lmdb_root(self.path, self._transaction.id())
        if root is None:
            return None
        data = np.frombuffer(_mapped(file), np.uint8)
        return data, self._spans(data, root) if root.number is not None else iter(())

    def _spans(self, data: NDArray[np.uint8], root: LmdbRoot) -> Iterator[Spans]:
        assert root.number is not None
        try:
            yield from spans(data, root.page, root.number)
        except DamagedPages as error:
            raise DataError(f"{self.path}: cannot be read on: {error}") from None

    def last_key(self) -> bytes:
        """Of the last record; empty if there is none. Raises OSError, DataError."""
        self._open()
        try:
            with self._transaction.cursor() as cursor:
                return bytes(cursor.key()) if cursor.last() else b""
        except lmdb.Error as error:
            raise DataError(f"{self.path}: cannot be read: {error}") from None

    def close(self) -> None:
        """Give the database up; the next use opens it again."""
        self._cursor = self._transaction = self._environment = None
        self._pid = -1

    def _open(self) -> None:
        if self._pid == os.getpid():
            return
        self._environment = _environment(self.path)
        self._transaction = self._environment.begin(buffers=True)
        self._cursor = self._transaction.cursor()
        self._position = -1
        self._pid = os.getpid()

    def _seek(self, index: int) -> None:
        """Move the cursor record by record: LMDB knows keys, not numbers."""
        if index < 0:
            raise IndexError(index)
        if index < self._position or self._position < 0:
            if not self._cursor.first():
                raise IndexError(index)
            self._position = 0
        while self._position < index:
            if not self._cursor.next():
                self._position = -1
                raise IndexError(index)
            self._position += 1

    def _parse(self, item: tuple[Any, Any]) -> Datum:
        key, value = item
        try:
            return Datum.FromString(bytes(value))
        except DecodeError as error:
            raise DataError(f"{self.path}: record {bytes(key)!r} is no Datum ({error})") from None


# LMDB forbids opening one database twice in a process, but a training and a test net may read the same one.
_environments: "WeakValueDictionary[Path, Any]" = WeakValueDictionary()
_environments_lock = threading.Lock()


def _forget_parent() -> None:
    """A forked child must not use what its parent opened; closing it there leaves the parent's own alone."""
    global _environments_lock
    _environments_lock = threading.Lock()
    for environment in list(_environments.values()):
        environment.close()
    _environments.clear()


os.register_at_fork(after_in_child=_forget_parent)


def _mapped(file: Path) -> mmap.mmap:
    with file.open("rb") as stream:
        return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)


def _environment(path: str) -> Any:
    key = Path(path).resolve()
    with _environments_lock:
        environment = _environments.get(key)
        if environment is None:
            environment = _environments[key] = _open_environment(path)
        return environment


def _open_environment(path: str) -> Any:
    """The database, read-only; without its lock file where that cannot be written."""
    with Path(path, "data.mdb").open("rb"):  # says in the usual words that it is missing or may not be read
        pass
    try:
        environment = lmdb.open(path, readonly=True, create=False, max_readers=1024)
    except lmdb.Error:
        try:
            environment = lmdb.open(path, readonly=True, create=False, lock=False)
        except lmdb.Error as error:
            raise DataError(f"{path}: cannot be opened as LMDB: {error}") from None
    size = Path(path, "data.mdb").stat().st_size
    used = (environment.info()["last_pgno"] + 1) * environment.stat()["psize"]
    if size < used and not _whole(path):
        environment.close()
        raise DataError(f"{path}: truncated: data.mdb has {size} bytes, its records go on to {used}")
    return environment


_READ_ALL = """
import lmdb, sys
with lmdb.open(sys.argv[1], readonly=True, create=False, lock=False) as environment:
    for _, value in environment.begin(buffers=True).cursor():
        value[-1:].tobytes()
"""


def _whole(path: str) -> bool:
    """Whether every record can be read, tried in another process: to touch what is not there ends it.

    A file that is shorter than its pages may be whole: free ones at the end are not always written.
    """
    command = [sys.executable, "-c", _READ_ALL, path]
    return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0
