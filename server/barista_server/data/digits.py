"""The handwritten digits of the demo (see DIGITS.md for their authors and licence)."""

import zlib
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from barista_server.caffe.schema import Datum
from barista_server.data.lmdb_io import key_of, write_datums

COUNT, SIDE, TRAIN_COUNT = 1797, 8, 1500
TEST_COUNT = COUNT - TRAIN_COUNT
_DARKEST = 16

Progress = Callable[[int, int], None]
Images = NDArray[np.uint8]


def load_digits() -> tuple[Images, Images]:
    """Images (1797, 8, 8) with values 0..16 and labels (1797,) 0..9, in the original order."""
    packed = files("barista_server.data").joinpath("digits.bin").read_bytes()
    values = np.frombuffer(zlib.decompress(packed), dtype=np.uint8)
    pixels = COUNT * SIDE * SIDE
    return values[:pixels].reshape(COUNT, SIDE, SIDE), values[pixels:]


def write_digits_lmdb(
    folder: str | Path, size: int = 28, progress: Progress | None = None
) -> tuple[Path, Path]:
    """Write folder/digits_train_lmdb (1,500 records) and folder/digits_test_lmdb (297) where absent.

    Images are size x size, one channel, 0..255; the same on every machine. progress gets (records done, all).
    Returns both paths. Raises OSError.
    """
    images, labels = load_digits()
    order = np.random.RandomState(1797).permutation(COUNT)  # a stream that numpy promises not to change
    large = enlarge(images[order], size)
    labels = labels[order]
    train, test = Path(folder, "digits_train_lmdb"), Path(folder, "digits_test_lmdb")
    for path, start, stop in ((train, 0, TRAIN_COUNT), (test, TRAIN_COUNT, COUNT)):
        if not path.exists():
            write_datums(path, _records(large, labels, range(start, stop), progress))
    return train, test


def write_pairs_lmdb(folder: str | Path) -> tuple[Path, Path]:
    """Write folder/pairs_train_lmdb (3,000 records) and folder/pairs_test_lmdb (594) where absent.

    A record has two 28x28 digits in its two channels and label 1 where they are of the same class, else 0;
    each digit is the first of one pair of either kind. The same on every machine. Returns both paths.
    Raises OSError.
    """
    images, labels = load_digits()
    random = np.random.RandomState(1798)
    order = random.permutation(COUNT)
    large = enlarge(images[order], 28)
    labels = labels[order]
    train, test = Path(folder, "pairs_train_lmdb"), Path(folder, "pairs_test_lmdb")
    for path, start, stop in ((train, 0, TRAIN_COUNT), (test, TRAIN_COUNT, COUNT)):
        pairs = _pairs(labels[start:stop], random)
        if not path.exists():
            write_datums(path, _pair_records(large[start:stop], pairs))
    return train, test


def _pairs(labels: Images, random: np.random.RandomState) -> list[tuple[int, int, bool]]:
    """Each sample with one of its own class and with one of another, in random order."""
    pairs = []
    for index, label in enumerate(labels):
        same = np.flatnonzero(labels == label)
        others = np.flatnonzero(labels != label)
        # Not itself, where its class has any other.
        same = same[same != index] if len(same) > 1 else same
        pairs.append((index, int(random.choice(same)), True))
        pairs.append((index, int(random.choice(others)), False))
    return [pairs[place] for place in random.permutation(len(pairs))]


def _pair_records(images: Images, pairs: list[tuple[int, int, bool]]) -> Iterator[tuple[bytes, Datum]]:
    for number, (left, right, same) in enumerate(pairs):
        _, height, width = images.shape
        data = images[left].tobytes() + images[right].tobytes()
        yield key_of(number), Datum(channels=2, height=height, width=width, data=data, label=int(same))


def enlarge(images: Images, size: int) -> Images:
    """(n, 8, 8) of 0..16 to (n, size, size) of 0..255 by bilinear interpolation between pixel centres."""
    places = np.clip((np.arange(size) + 0.5) * SIDE / size - 0.5, 0, SIDE - 1)
    low = np.minimum(places.astype(int), SIDE - 2)
    weight = places - low
    matrix = np.zeros((size, SIDE))
    matrix[np.arange(size), low] = 1 - weight
    matrix[np.arange(size), low + 1] += weight
    values = matrix @ (images * (255 / _DARKEST)) @ matrix.T
    return np.rint(values).astype(np.uint8)


def _records(
    images: Images, labels: Images, chosen: range, progress: Progress | None
) -> Iterator[tuple[bytes, Datum]]:
    for number, index in enumerate(chosen):
        image = images[index]
        height, width = image.shape
        datum = Datum(channels=1, height=height, width=width, data=image.tobytes(), label=int(labels[index]))
        yield key_of(number), datum
        if progress and (index + 1) % 100 == 0:
            progress(index + 1, COUNT)
    if progress:
        progress(chosen.stop, COUNT)
