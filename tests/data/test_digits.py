"""The digits of the demo: what is in the package, and the databases written from it."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from barista_server.data.digits import TEST_COUNT, enlarge, load_digits, write_digits_lmdb
from barista_server.data.lmdb_io import DatumReader

CONTENT = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"
RECORDS = "028fd2c578b4311e080dc80376ba7e2ef1591a148a32c203d90b52ac48c2c9bf"


def test_the_images_are_those_of_the_dataset() -> None:
    images, labels = load_digits()
    assert images.shape == (1797, 8, 8) and labels.shape == (1797,)
    assert images.dtype == labels.dtype == np.uint8
    assert (images.min(), images.max()) == (0, 16)
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest() == CONTENT


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_digits_lmdb(tmp_path_factory.mktemp("data"))


def test_every_digit_is_in_one_of_the_databases(databases: tuple[Path, Path]) -> None:
    train, test = (DatumReader(path) for path in databases)
    assert (len(train), len(test)) == (1500, TEST_COUNT) == (1500, 297)
    labels = [datum.label for reader in (train, test) for _, datum in reader.records()]
    assert np.bincount(labels).tolist() == np.bincount(load_digits()[1]).tolist()
    assert np.bincount(labels[1500:]).min() > 15


def test_the_databases_are_the_same_everywhere(databases: tuple[Path, Path]) -> None:
    records = DatumReader(databases[0]).records()
    data = b"".join(key + datum.SerializeToString(deterministic=True) for key, datum in records)
    assert hashlib.sha256(data).hexdigest() == RECORDS


def test_records_are_grey_images_of_28x28(databases: tuple[Path, Path]) -> None:
    keys = []
    for key, datum in DatumReader(databases[1]).records():
        keys.append(key)
        assert (datum.channels, datum.height, datum.width, len(datum.data)) == (1, 28, 28, 784)
    assert keys[:2] == [b"00000000", b"00000001"] and keys == sorted(keys)


def test_enlarging_keeps_corners_and_means() -> None:
    images, _ = load_digits()
    large = enlarge(images, 28)
    np.testing.assert_array_equal(large[:, 0, 0], np.rint(images[:, 0, 0] * (255 / 16)))
    np.testing.assert_array_equal(large[:, -1, -1], np.rint(images[:, -1, -1] * (255 / 16)))
    assert np.corrcoef(large.mean((1, 2)), images.mean((1, 2)))[0, 1] > 0.98
    assert large.max() > 200
    np.testing.assert_array_equal(enlarge(images, 8), np.rint(images * (255 / 16)))


def test_present_databases_are_left_alone_and_progress_is_told(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    train, test = write_digits_lmdb(tmp_path, 10, lambda done, total: steps.append((done, total)))
    assert steps[-1] == (1797, 1797) and steps == sorted(steps)
    before = (train / "data.mdb").stat().st_mtime_ns
    assert write_digits_lmdb(tmp_path) == (train, test)
    assert (train / "data.mdb").stat().st_mtime_ns == before
    assert DatumReader(train).datum(0).width == 10
