"""LMDB databases of Datum records."""

import os
from collections.abc import Iterator
from pathlib import Path

import lmdb
import pytest

from barista_server.caffe.schema import Datum
from barista_server.data.lmdb_io import DataError, DatumReader, key_of, write_datums


def datums(count: int, size: int = 10) -> Iterator[tuple[bytes, Datum]]:
    for index in range(count):
        yield (
            key_of(index),
            Datum(channels=1, height=1, width=size, data=bytes([index % 256]) * size, label=index),
        )


@pytest.fixture
def database(tmp_path: Path) -> Path:
    assert write_datums(tmp_path / "db", datums(25)) == 25
    return tmp_path / "db"


def test_records_come_back_in_any_order(database: Path) -> None:
    reader = DatumReader(database)
    assert len(reader) == 25
    assert [reader.datum(index).label for index in (0, 1, 2, 2, 24, 3, 0, 24)] == [0, 1, 2, 2, 24, 3, 0, 24]
    for index in (25, -1, 1000):
        with pytest.raises(IndexError):
            reader.datum(index)
    assert reader.datum(7).data == b"\x07" * 10
    reader.close()
    assert reader.datum(8).label == 8


def test_keys_decide_the_order(tmp_path: Path) -> None:
    write_datums(tmp_path / "db", reversed([(key, datum) for key, datum in datums(12)]))
    assert [datum.label for _, datum in DatumReader(tmp_path / "db").records()] == list(range(12))


def test_the_map_grows_with_the_data(tmp_path: Path) -> None:
    count = write_datums(tmp_path / "big", datums(1200, 40_000))
    reader = DatumReader(tmp_path / "big")
    assert count == len(reader) == 1200
    assert (tmp_path / "big" / "data.mdb").stat().st_size > 40_000 * 1200
    assert reader.datum(1199).data == bytes([1199 % 256]) * 40_000


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[tuple[bytes, Datum]]:
        yield from datums(3)
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError):
        write_datums(tmp_path / "db", broken())
    assert list(tmp_path.iterdir()) == []


def test_a_present_database_is_not_overwritten(database: Path) -> None:
    with pytest.raises(FileExistsError):
        write_datums(database, datums(1))
    assert len(DatumReader(database)) == 25


def test_two_readers_share_one_database(database: Path) -> None:
    one, two = DatumReader(database), DatumReader(str(database) + "/.")
    assert [one.datum(1).label, two.datum(5).label, one.datum(2).label] == [1, 5, 2]


def test_a_forked_child_reads_on_its_own(database: Path) -> None:
    reader = DatumReader(database)
    assert reader.datum(3).label == 3
    child = os.fork()
    if child == 0:
        right = [reader.datum(4).label, DatumReader(database).datum(0).label] == [4, 0]
        os._exit(0 if right else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert reader.datum(4).label == 4


def test_a_locked_out_lock_file_is_no_hindrance(database: Path) -> None:
    (database / "lock.mdb").mkdir()
    assert DatumReader(database).datum(24).label == 24


def test_what_is_no_database_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="none"):
        DatumReader(tmp_path / "none").datum(0)
    (tmp_path / "file").write_text("x")
    with pytest.raises(NotADirectoryError):
        len(DatumReader(tmp_path / "file"))
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "data.mdb").write_bytes(b"x" * 10_000)
    with pytest.raises(DataError, match="cannot be opened as LMDB"):
        len(DatumReader(tmp_path / "bad"))


def test_a_record_that_is_no_datum_is_told(tmp_path: Path) -> None:
    with lmdb.open(str(tmp_path / "db")) as environment, environment.begin(write=True) as transaction:
        transaction.put(b"k", b"\xff\xff\xff")
    with pytest.raises(DataError, match="record b'k' is no Datum"):
        DatumReader(tmp_path / "db").datum(0)


def test_an_empty_database_has_no_first_record(tmp_path: Path) -> None:
    write_datums(tmp_path / "db", [])
    reader = DatumReader(tmp_path / "db")
    assert len(reader) == 0
    with pytest.raises(IndexError):
        reader.datum(0)


def test_a_truncated_database_is_told_not_died_of(tmp_path: Path) -> None:
    write_datums(tmp_path / "db", datums(300, 5000))
    data = tmp_path / "db" / "data.mdb"
    whole = data.stat().st_size
    for size in (whole - 4096, whole // 2, 8192):
        os.truncate(data, size)
        with pytest.raises(DataError, match=f"truncated: data.mdb has {size} bytes"):
            DatumReader(tmp_path / "db").datum(0)


def test_a_file_without_its_last_free_pages_is_whole(tmp_path: Path) -> None:
    """LMDB does not always write pages that were freed before the first commit."""
    with lmdb.open(str(tmp_path / "db"), map_size=1 << 24) as environment:
        with environment.begin(write=True) as transaction:
            transaction.put(b"a", Datum(label=1).SerializeToString())
        with environment.begin(write=True) as transaction:
            transaction.put(b"b", bytes(1 << 20))
        with environment.begin(write=True) as transaction:
            transaction.delete(b"b")
        for label in range(4):  # the root moves back to where there is room again
            with environment.begin(write=True) as transaction:
                transaction.put(b"a", Datum(label=label).SerializeToString())
    data = tmp_path / "db" / "data.mdb"
    os.truncate(data, data.stat().st_size - 8192)
    assert DatumReader(tmp_path / "db").datum(0).label == 3


def test_a_garbled_page_is_told(tmp_path: Path) -> None:
    write_datums(tmp_path / "db", datums(300, 100))
    data = bytearray((tmp_path / "db" / "data.mdb").read_bytes())
    for page in range(2, len(data) // 4096):
        data[page * 4096 + 10] = 0xFF  # the flags that say what kind of page it is
    (tmp_path / "db" / "data.mdb").write_bytes(data)
    with pytest.raises(DataError, match="db: record 0 cannot be read"):
        DatumReader(tmp_path / "db").datum(0)
