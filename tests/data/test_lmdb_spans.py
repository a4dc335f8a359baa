"""Records found by looking at pages are those that LMDB gives one after another, and so are content ids."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import lmdb
import numpy as np
import pytest

from barista_server.data.datasets import content, spanned
from barista_server.data.datasets.content import segments
from barista_server.data.datasets.databases import LmdbSource
from barista_server.data.datasets.source import DatasetError
from barista_server.data.lmdb_io import DataError, DatumReader

CHANCE = random.Random(1)


def noise(size: int) -> bytes:
    return CHANCE.randbytes(size)


def number(index: int) -> bytes:
    return b"%08d" % index


RECORDS: dict[str, list[tuple[bytes, bytes]]] = {
    "none": [],
    "one": [(b"a", b"")],
    "digits": [(number(i), noise(803)) for i in range(9000)],
    "small pictures": [(number(i), noise(3092)) for i in range(1500)],
    "labels of one and two bytes": [(number(i), noise(3092 + i // 700 % 2)) for i in range(2000)],
    "large pictures": [(number(i), noise(40_000)) for i in range(60)],
    "files": [(number(i), noise(CHANCE.randrange(200, 30_000))) for i in range(300)],
    "tiny": [(b"%d" % i, noise(i % 3)) for i in range(30_000)],
    "keys of any length": [(noise(CHANCE.randrange(1, 511)), noise(i % 2100)) for i in range(3000)],
    "around a page": [(b"k%07d" % i, noise(1980 + i)) for i in range(150)],
    "around the length from which values stand alone": [(number(i), noise(16380 + i)) for i in range(9)],
}


def database(path: Path, records: Iterable[tuple[bytes, bytes]]) -> Path:
    with lmdb.open(str(path), map_size=1 << 28) as environment:
        with environment.begin(write=True) as transaction:
            for key, value in records:
                transaction.put(key, value)
    return path


def found(path: Path) -> list[tuple[bytes, bytes]]:
    """As the pages tell."""
    told = DatumReader(path).spans()
    assert told is not None
    data, spans = told
    return [
        (data[key : key + size].tobytes(), data[value : value + length].tobytes())
        for one in spans
        for key, size, value, length in zip(*(column.tolist() for column in one), strict=True)
    ]


@pytest.mark.parametrize("name", RECORDS)
def test_records_and_segments(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = database(tmp_path / "db", RECORDS[name])
    assert found(path) == sorted(RECORDS[name])
    source = LmdbSource(path)
    assert list(source.segments(None)) == list(segments(source.records(None), batch=100))
    for module in (content, spanned):
        monkeypatch.setattr(module, "SEGMENT", 1 << 18)
    for group in (1 << 13, 1 << 16):
        monkeypatch.setattr(spanned, "_GROUP", group)
        whole = list(source.segments(None))
        assert whole == list(segments(source.records(None), batch=100))
        for stop in range(0, len(whole), 7):
            assert [*whole[: stop + 1], *source.segments(whole[stop])] == whole
    source.close()


def test_a_database_that_was_changed_many_times(tmp_path: Path) -> None:
    path = database(tmp_path / "db", RECORDS["tiny"][:5000])
    with lmdb.open(str(path), map_size=1 << 28) as environment:
        for step in range(20):
            with environment.begin(write=True) as transaction:
                for index in range(step, 5000, 7):
                    transaction.delete(b"%d" % index)
                    transaction.put(b"x%d" % index, noise(step * 300))
        with environment.begin() as transaction:
            expected = list(transaction.cursor())
    assert found(path) == expected


def test_a_writer_does_not_change_what_is_read(tmp_path: Path) -> None:
    path = database(tmp_path / "db", RECORDS["digits"])
    told = DatumReader(path).spans()
    assert told is not None
    data, spans = told
    seen = [next(spans)]
    writer = "import lmdb, sys\nwith lmdb.open(sys.argv[1], map_size=1 << 28) as e:\n for i in range(20):\n"
    writer += "  with e.begin(write=True) as t:\n   for j in range(9000): t.put(b'%08d' % j, b'x' * 803)\n"
    subprocess.run([sys.executable, "-c", writer, str(path)], check=True)
    seen += list(spans)
    values = [data[at : at + 803].tobytes() for one in seen for at in one.value.tolist()]
    assert values == [value for _, value in RECORDS["digits"]]


def test_several_values_for_a_key_are_read_one_after_another(tmp_path: Path) -> None:
    path = database(tmp_path / "db", [(b"a", b"1"), (b"b", b"3")])
    with (path / "data.mdb").open("r+b") as file:
        for meta in (0, 4096):
            file.seek(meta + 92)  # the flags of the database
            file.write(b"\x04")
    assert DatumReader(path).spans() is None
    source = LmdbSource(path)
    assert list(source.segments(None)) == list(segments(source.records(None)))


@pytest.mark.parametrize("name", ["tiny", "small pictures", "digits"])
def test_damaged_pages_are_told(name: str, tmp_path: Path) -> None:
    path = database(tmp_path / "db", RECORDS[name])
    whole = np.fromfile(path / "data.mdb", np.uint8)
    chance = np.random.default_rng(1)
    told = 0
    for _ in range(60):
        damaged = whole.copy()
        page = int(chance.integers(2, len(whole) // 4096))
        damaged[page * 4096 + chance.integers(0, 300, 20)] = chance.integers(0, 256, 20)
        damaged.tofile(path / "data.mdb")
        try:
            found(path)
        except DataError as error:
            told += 1
            assert "cannot be read on" in str(error) or "cannot be opened" in str(error)
    assert told > 10 or name == "small pictures"
    damaged = whole.copy()
    damaged[2 * 4096 + 10 :: 4096] = 0xFF  # the flags that say what kind of page it is
    damaged.tofile(path / "data.mdb")
    with pytest.raises(DatasetError, match="cannot be read on"):
        list(LmdbSource(path).segments(None))
