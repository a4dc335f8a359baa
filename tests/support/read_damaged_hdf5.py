"""Reads damaged HDF5 files as models, states and data, in bounded memory; run in a process of its own.

``read_damaged_hdf5.py FOLDER SEED COUNT`` damages copies of the files in FOLDER at random. It prints how many
could be read and how many were refused, in JSON; whatever else becomes of one ends it.
"""

from __future__ import annotations

import json
import random
import resource
import sys
from pathlib import Path

from barista_engine.data import DataSources
from barista_engine.errors import CheckFailed
from barista_engine.glog import Glog
from barista_engine.rng import Stream
from barista_server.caffe.errors import WeightsError
from barista_server.caffe.model_file import ModelFile, StateFile
from barista_server.caffe.prototxt import parse
from barista_server.caffe.schema import TRAIN, LayerParameter

MEMORY = 6 << 30
"""Address space; torch alone takes some."""


def damaged(chance: random.Random, source: bytes) -> bytes:
    """Some bytes changed, most of them in the head, where the structure is; sometimes cut."""
    data = bytearray(source)
    for _ in range(chance.randint(0, 6)):
        place = chance.randrange(len(data) if chance.random() < 0.3 else min(len(data), 3000))
        data[place] = chance.choice(
            [0, 1, 255, chance.randrange(256), data[place] ^ 1 << chance.randrange(8)]
        )
    if chance.random() < 0.2:
        del data[chance.randrange(len(data)) :]
    return bytes(data)


def read(kind: str, path: Path) -> None:
    if kind == "model":
        with ModelFile(path) as model:
            for blob in model.blobs():
                blob.read()
    elif kind == "state":
        with StateFile(path) as state:
            for blob in state.history:
                blob.read()
    else:
        layer = parse(
            'name: "h" type: "HDF5Data" top: "data" top: "label" '
            f'hdf5_data_param {{ source: "{path}.list" batch_size: 7 }}',
            LayerParameter,
        )
        Path(f"{path}.list").write_text(f"{path}\n")
        DataSources(Glog(), Stream(1))(layer, TRAIN, 2).next()


def main(folder: Path, seed: int, count: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    chance = random.Random(seed)
    sources = {path: path.read_bytes() for path in sorted(folder.glob("*.h5"))}
    found = {"read": 0, "refused": 0}
    for _ in range(count):
        source, data = chance.choice(list(sources.items()))
        path = folder / "damaged"
        path.write_bytes(damaged(chance, data))
        try:
            read(source.name.partition("-")[0], path)
            found["read"] += 1
        except (WeightsError, CheckFailed) as error:
            assert str(path) in str(error), error
            found["refused"] += 1
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
