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
from barista_server.data.datasets.content import content_id, segments
from barista_server.data.datasets.kinds import open_source
from barista_server.data.lmdb_io import key_of, write_datums

SIZE = 1 << 30
SIDES = (256, 32)
"""Of images of three channels: as of ImageNet, and of CIFAR."""
THREADS = 2
SHARE = 0.7
"""Of b3sum's speed that is promised for the first."""
ROUNDS = 5


def run() -> list[str]:
    """One line a size of records."""
    return [_measured(side, side == SIDES[0]) for side in SIDES]


def _measured(side: int, promised: bool) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "db")
        count = _write(path, side)
        size = (path / "data.mdb").stat().st_size
        ours, theirs = [], []
        gc.disable()  # as the agent's process for it does
        for _ in range(ROUNDS):  # in turn, as other programs may disturb both
            theirs.append(_timed(lambda: blake3(max_threads=THREADS).update_mmap(path / "data.mdb").digest()))
            ours.append(_timed(lambda: _hash(path)))
    gc.enable()
    share = statistics.median(one / other for one, other in zip(theirs, ours, strict=True))
    speed = size / statistics.median(ours) / 1e9
    slow = "  TOO SLOW" if promised and share < SHARE else ""
    aim = f" (at least {SHARE:.0%})" if promised else ""
    return (
        f"{count} records of 3x{side}x{side}, {size / 1e9:.2f} GB: {speed:.2f} GB/s, "
        f"{share:.0%} of b3sum --num-threads {THREADS}{aim}{slow}; "
        f"best of each {min(theirs) / min(ours):.0%}"
    )


def _write(path: Path, side: int) -> int:
    size = 3 * side * side
    chance = np.random.default_rng(0)
    block = chance.integers(0, 256, 64 << 20, np.uint8).tobytes()
    count = SIZE // size
    places = chance.integers(0, len(block) - size, count).tolist()
    write_datums(
        path,
        (
            (key_of(number), Datum(channels=3, height=side, width=side, data=block[at : at + size], label=1))
            for number, at in enumerate(places)
        ),
    )
    return count


def _hash(path: Path) -> str:
    source = open_source(path, "lmdb")
    try:
        found = list(segments(source.records(None), batch=source.batch, threads=THREADS))
        return content_id("lmdb", [one.digest for one in found], found[-1].records)
    finally:
        source.close()


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


if __name__ == "__main__":
    print("\n".join(run()))
