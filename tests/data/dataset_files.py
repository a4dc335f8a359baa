"""Small datasets of every kind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import plyvel
from PIL import Image

from barista_server.caffe.schema import Datum
from barista_server.data.lmdb_io import write_datums

CHANNELS, HEIGHT, WIDTH = 3, 4, 5


def datums(count: int = 30, labels: int = 4) -> list[tuple[bytes, Datum]]:
    chance = np.random.default_rng(1)
    return [
        (
            b"%08d_x" % number,
            Datum(
                channels=CHANNELS,
                height=HEIGHT,
                width=WIDTH,
                label=number % labels,
                data=chance.integers(0, 256, CHANNELS * HEIGHT * WIDTH, np.uint8).tobytes(),
            ),
        )
        for number in range(count)
    ]


def lmdb(path: Path, records: Sequence[tuple[bytes, Datum]] | None = None) -> Path:
    write_datums(path, datums() if records is None else records)
    return path


def leveldb(path: Path, records: Sequence[tuple[bytes, Datum]] | None = None) -> Path:
    with plyvel.DB(str(path), create_if_missing=True) as database:
        for key, datum in datums() if records is None else records:
            database.put(key, datum.SerializeToString())
    return path


def hdf5(path: Path, rows: int = 20, seed: int = 1, **how: object) -> Path:
    chance = np.random.default_rng(seed)
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=chance.random((rows, 3, 4, 5), np.float32), **how)
        file.create_dataset("label", data=np.arange(rows, dtype=np.int32) % 7)
    return path


def hdf5_list(path: Path, *files: Path) -> Path:
    path.write_text("".join(f"{file}\n" for file in files))
    return path


def images(folder: Path, count: int = 5) -> Path:
    """A list, with its images beside it."""
    folder.mkdir(exist_ok=True)
    chance = np.random.default_rng(2)
    for number in range(count):
        pixels = chance.integers(0, 256, (6, 8, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"image {number}.png")
    path = folder / "list.txt"
    path.write_text("".join(f"image {number}.png {number * 10}\n" for number in range(count)))
    return path
