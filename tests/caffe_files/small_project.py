"""A small training project on disk: solver, net with data of its own per phase, databases, a mean, HDF5."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from barista_server.caffe.schema import BlobProto, Datum, NetParameter
from barista_server.caffe.weights import array_to_blob
from barista_server.data.lmdb_io import key_of, write_datums

SOLVER = """net: "net.prototxt"
test_iter: 1
test_interval: 2
base_lr: 0.01
lr_policy: "fixed"
max_iter: 2
display: 1
snapshot_prefix: "snap"
"""
TRAIN_DATA = """layer {
  name: "data" type: "Data" top: "data" top: "label"
  include { phase: TRAIN }
  transform_param { scale: 0.01 }
  data_param { source: "db" batch_size: 2 backend: LMDB }
}
"""
NET = (
    'name: "n"\n'
    + TRAIN_DATA
    + """layer {
  name: "data" type: "Data" top: "data" top: "label"
  include { phase: TEST }
  data_param { source: "dbt" batch_size: 2 backend: LMDB }
}
layer {
  name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param {
    num_output: 4 kernel_size: 3
    weight_filler { type: "xavier" }
    bias_filler { type: "constant" }
  }
}
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "drop" type: "Dropout" bottom: "pool" top: "pool" dropout_param { dropout_ratio: 0.5 } }
layer { name: "ip" type: "InnerProduct" bottom: "pool" top: "ip" inner_product_param { num_output: 3 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
layer { name: "acc" type: "Accuracy" bottom: "ip" bottom: "label" top: "acc" include { phase: TEST } }
"""
)


def records(count: int = 4, size: int = 8) -> list[tuple[bytes, Datum]]:
    one = Datum(channels=1, height=size, width=size, data=bytes(size * size), label=1)
    return [(key_of(index), one) for index in range(count)]


def write_project(folder: Path) -> Path:
    """A sound one: nothing is wrong with it."""
    (folder / "solver.prototxt").write_text(SOLVER)
    (folder / "net.prototxt").write_text(NET)
    write_datums(folder / "db", records())
    write_datums(folder / "dbt", records())
    for name, shape in (("mean", (1, 1, 8, 8)), ("mean6", (1, 1, 6, 6)), ("mean3", (1, 3, 8, 8))):
        write_mean(folder / name, shape)
    with h5py.File(folder / "a.h5", "w") as file:
        file["data"] = np.zeros((4, 1, 8, 8), np.float32)
        file["label"] = np.zeros(4, np.float32)
        file["words"] = np.array([b"a", b"b", b"c", b"d"])
    (folder / "list.txt").write_text("a.h5\n")
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return folder


def write_mean(path: Path, shape: Sequence[int]) -> None:
    """A mean file in the form of compute_image_mean."""
    num, channels, height, width = shape
    blob = BlobProto(num=num, channels=channels, height=height, width=width)
    blob.data.extend([1.0] * int(np.prod(shape)))
    path.write_bytes(blob.SerializeToString())


def write_model(path: Path, **layers: Sequence[Sequence[int]]) -> None:
    """A .caffemodel: for each layer the shapes of its blobs."""
    net = NetParameter(name="n")
    for name, shapes in layers.items():
        layer = net.layer.add(name=name, type="InnerProduct")
        layer.blobs.extend(array_to_blob(np.zeros(shape, np.float32)) for shape in shapes)
    path.write_bytes(net.SerializeToString())


def change(path: Path, old: str, new: str) -> None:
    """Replace the first `old` in the file."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
