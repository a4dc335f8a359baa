"""Trainings that two ranks must do as one with the doubled batch does: a folder each, with their data."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from PIL import Image

from .golden_logs import write_digits

SOLVER = """net: "net.prototxt" base_lr: 0.05 lr_policy: "step" stepsize: 5 gamma: 0.5 random_seed: 3
max_iter: 12 display: 1 snapshot_prefix: "run" """
DIGITS = """layer { name: "data" type: "Data" top: "data" top: "label"
  transform_param { scale: 0.00390625 }
  data_param { source: "../digits" batch_size: BATCH backend: LMDB } }"""
ROWS = """layer { name: "data" type: "HDF5Data" top: "data" top: "label"
  hdf5_data_param { source: "../rows.txt" batch_size: BATCH shuffle: SHUFFLE } }"""
IMAGES = """layer { name: "data" type: "ImageData" top: "data" top: "label"
  transform_param { scale: 0.00390625 }
  image_data_param { source: "../images.txt" batch_size: BATCH shuffle: SHUFFLE is_color: false } }"""
PYTHON = """layer { name: "data" type: "Python" top: "data" top: "label"
  python_param { module: "dealt_rows" layer: "Rows" param_str: "BATCH" } }"""
HEAD = """layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
  inner_product_param { num_output: 10 weight_filler { type: "xavier" } } }"""
HIDDEN = """layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" param { lr_mult: 1 }
  param { lr_mult: 2 decay_mult: 0 }
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "tanh" type: "TanH" bottom: "conv" top: "conv" }
layer { name: "frozen" type: "InnerProduct" bottom: "conv" top: "hidden"
  param { lr_mult: 0 } param { lr_mult: 0 }
  inner_product_param { num_output: 12 weight_filler { type: "xavier" } } }
layer { name: "ip" type: "InnerProduct" bottom: "hidden" top: "ip"
  inner_product_param { num_output: 10 weight_filler { type: "xavier" } } }
layer { name: "aside" type: "InnerProduct" bottom: "hidden" top: "aside"
  inner_product_param { num_output: 2 } }
layer { name: "silence" type: "Silence" bottom: "aside" }
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy" }"""
SOFTMAX = """layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }"""
EUCLIDEAN = """layer { name: "one" type: "InnerProduct" bottom: "ip" top: "one"
  inner_product_param { num_output: 1 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "one" bottom: "label" top: "loss" loss_weight: 0.1 }"""
HINGE = """layer { name: "loss" type: "HingeLoss" bottom: "ip" bottom: "label" top: "loss"
  hinge_loss_param { norm: L2 } }"""
IGNORED = """layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss"
  loss_param { ignore_label: 3 normalization: FULL } }"""
CROSS = """layer { name: "goal" type: "Power" bottom: "data" top: "goal" power_param { scale: 0.5 } }
layer { name: "back" type: "InnerProduct" bottom: "ip" top: "back"
  inner_product_param { num_output: 64 weight_filler { type: "xavier" } } }
layer { name: "flat" type: "Flatten" bottom: "goal" top: "flat" }
layer { name: "loss" type: "SigmoidCrossEntropyLoss" bottom: "back" bottom: "flat" top: "loss" }
layer { name: "softmax" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "second"
  loss_weight: 0.5 }"""
CASES = {  # solver, net
    "sgd": ("momentum: 0.9 weight_decay: 0.01", DIGITS + HIDDEN + SOFTMAX),
    "nesterov": ('type: "Nesterov" momentum: 0.9 average_loss: 3', DIGITS + HEAD + IGNORED),
    "adagrad": ('type: "AdaGrad" weight_decay: 0.01', DIGITS + HEAD + HINGE),
    "rmsprop": ('type: "RMSProp" rms_decay: 0.9 delta: 0.001', DIGITS + HEAD + CROSS),
    "adadelta": ('type: "AdaDelta" momentum: 0.9 delta: 0.001', DIGITS + HEAD + SOFTMAX),
    "adam": ('type: "Adam" momentum: 0.9 delta: 0.001', DIGITS + HEAD + EUCLIDEAN),
    "clip": (
        'momentum: 0.9 clip_gradients: 0.5 iter_size: 2 weight_decay: 0.01 regularization_type: "L1"',
        DIGITS + HIDDEN + SOFTMAX,
    ),
    "rows": ("momentum: 0.9", ROWS.replace("SHUFFLE", "false") + HEAD + SOFTMAX),
    "rows-shuffled": ("momentum: 0.9", ROWS.replace("SHUFFLE", "true") + HEAD + SOFTMAX),
    "python": ("momentum: 0.9", PYTHON + HEAD + SOFTMAX),
    "images": ("momentum: 0.9", IMAGES.replace("SHUFFLE", "false") + HEAD + SOFTMAX),
    "images-shuffled": ("momentum: 0.9", IMAGES.replace("SHUFFLE", "true") + HEAD + SOFTMAX),
}
BATCH = 6
ROWS_MODULE = """import caffe
import numpy


class Rows(caffe.Layer):
    def setup(self, bottom, top):
        self.rows = numpy.random.default_rng(7).normal(size=(31, 5))
        self.next = caffe.solver_rank()

    def reshape(self, bottom, top):
        top[0].reshape(int(self.param_str), 5)
        top[1].reshape(int(self.param_str))

    def forward(self, bottom, top):
        for item in range(int(self.param_str)):
            top[0].data[item], top[1].data[item] = self.rows[self.next % 31], self.next % 10
            self.next += caffe.solver_count()

    def backward(self, top, propagate_down, bottom):
        pass
"""


def write_data(folder: Path) -> None:
    """Digits, rows and images, of each an odd number, so that the ranks change places in every pass."""
    write_digits(folder / "digits", 61, seed=1)
    random = np.random.default_rng(5)
    for name, count in (("a", 17), ("b", 1), ("c", 11)):
        with h5py.File(folder / f"{name}.h5", "w") as file:
            file["data"] = random.normal(size=(count, 5)).astype(np.float32)
            file["label"] = random.integers(0, 10, count).astype(np.float32)
    (folder / "rows.txt").write_text("".join(f"{folder}/{name}.h5\n" for name in "abc"))
    lines = []
    for index in range(23):
        path = folder / f"{index}.png"
        Image.fromarray(random.integers(0, 256, (8, 8)).astype(np.uint8)).save(path)
        lines.append(f"{path} {index % 10}\n")
    (folder / "images.txt").write_text("".join(lines))


def write_case(folder: Path, name: str, ranks: int) -> Path:
    """The case for each of so many ranks, with data that is written beside it already."""
    solver, net = CASES[name]
    path = folder / f"{name}-{ranks}"
    path.mkdir()
    (path / "dealt_rows.py").write_text(ROWS_MODULE)
    (path / "solver.prototxt").write_text(SOLVER + solver)
    (path / "net.prototxt").write_text(f'name: "{name}"\n' + net.replace("BATCH", str(2 * BATCH // ranks)))
    return path
