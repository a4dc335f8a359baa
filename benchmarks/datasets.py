"""Content ids of databases of about 1 GB in the page cache, beside BLAKE3 of the file as b3sum hashes it.

b3sum maps the file and hashes it with so many threads; the library's ``update_mmap`` is that very code.
"""

from __future__ import annotations

import gc
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from blake3 import blake3

from barista_server.caffe.schema import Datum
from barista_server.data.datasets.content import content_id
from barista_server.data.datasets.kinds import open_source
from barista_server.data.lmdb_io import key_of, write_datums

SIZE = 1 << 30
SHAPES = ((3, 256, 256), (3, 64, 64), (3, 32, 32), (1, 28, 28))
"""Of images: as of ImageNet, of Tiny ImageNet, of CIFAR and of MNIST."""
THREADS = 2
SHARE = 0.7
"""Of b3sum's speed that is promised; not for records below 1 kB, of which there are never gigabytes."""
ROUNDS = 5


def run() -> list[str]:
    """One line a size of records."""
    return [_measured(shape) for shape in SHAPES]


def _measured(shape: tuple[int, int, int]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "db")
        count = _write(path, shape)
        size = (path / "data.mdb").stat().st_size
        ours, theirs = [], []
        gc.disable()  # as the agent's process for it does
        for _ in range(ROUNDS):  # in turn, as other programs may disturb both
            theirs.append(_timed(lambda: blake3(max_threads=THREADS).update_mmap(path / "data.mdb").digest()))
            ours.append(_timed(lambda: _hash(path)))
    gc.enable()
    share = statistics.median(one / other for one, other in zip(theirs, ours, strict=True))
    speed = size / statistics.median(ours) / 1e9
    promised = shape != SHAPES[-1]
    aim = f" (at least {SHARE:.0%})" if promised else ""
    slow = "  TOO SLOW" if promised and share < SHARE else ""
    return (
        f"{count} records of {'x'.join(map(str, shape))}, {size / 1e9:.2f} GB: {speed:.2f} GB/s, "
        f"{share:.0%} of b3sum --num-threads {THREADS}{aim}{slow}; "
        f"best of each {min(theirs) / min(ours):.0%}"
    )


def _write(path: Path, shape: tuple[int, int, int]) -> int:
    channels, height, width = shape
    size = channels * height * width

    def datum(at: int) -> Datum:
        return Datum(channels=channels, height=height, width=width, data=block[at : at + size], label=1)

    chance = np.random.default_rng(0)
    block = chance.integers(0, 256, 64 << 20, np.uint8).tobytes()
    count = SIZE // size
    places = chance.integers(0, len(block) - size, count).tolist()
    write_datums(path, ((key_of(number), datum(at)) for number, at in enumerate(places)))
    return count


def _hash(path: Path) -> str:
    source = open_source(path, "lmdb")
    try:
        found = list(source.segments(None, THREADS))
        return content_id("lmdb", [one.digest for one in found], found[-1].records)
    finally:
        source.close()


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


if __name__ == "__main__":
    print("\n".join(run()))
