"""Reading and comparing Caffe logs in the engine's tests; small nets and databases to train on."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from barista_server.caffe.schema import Datum
from barista_server.data.lmdb_io import key_of, write_datums
from tests.support.zygote import zygote

FIXTURES = Path(__file__).parent.parent / "fixtures"
CAFFE = [sys.executable, "-m", "barista_engine.cli"]

_PREFIX = re.compile(rb"^([IWEF])\d{8} \d\d:\d\d:\d\d\.\d{6} +\d+ ([\w.]+):\d+\] (.*)$")
_RATE = re.compile(r"\([^()]* iter/s, [^()]*s/(\d+) iters\)")
_NUMBER = re.compile(r"-?\d+\.?\d*(?:e[+-]\d+)?")
# What depends on the clock or on who is first, not on what is computed.
_TIMING = ("Waiting for data", "Restarting data prefetching from start.")


@dataclass(frozen=True)
class Line:
    """A log line without time, thread and line number; a dump line has no level and no file."""

    level: str
    file: str
    text: str


def read_lines(data: bytes) -> list[Line]:
    """The lines of a log; rates are taken out, since they depend on the machine."""
    lines = []
    for raw in data.split(b"\n"):
        found = _PREFIX.match(raw)
        level, file, text = found.groups() if found else (b"", b"", raw)
        shown = _RATE.sub(r"(rate/\1)", text.decode())
        lines.append(Line(level.decode(), file.decode(), shown))
    return [line for line in lines if line.text not in _TIMING]


def messages(data: bytes) -> list[str]:
    """The texts of all lines that have a prefix."""
    return [line.text for line in read_lines(data) if line.level]


def differences(ours: list[Line], theirs: list[Line], tolerance: float) -> list[str]:
    """Lines that differ other than in numbers within `tolerance` (relative)."""
    found = [f"{len(ours)} lines, expected {len(theirs)}"] if len(ours) != len(theirs) else []
    for mine, golden in zip(ours, theirs, strict=False):
        if mine == golden:
            continue
        words = _NUMBER.sub("#", mine.text) == _NUMBER.sub("#", golden.text)
        numbers = [[float(n) for n in _NUMBER.findall(line.text)] for line in (mine, golden)]
        same_place = (mine.level, mine.file) == (golden.level, golden.file)
        if not (words and same_place and np.allclose(numbers[0], numbers[1], rtol=tolerance, atol=1e-9)):
            found.append(f"{mine} instead of {golden}")
    return found


@contextmanager
def training_here() -> Iterator[None]:
    """For a training inside this process: one thread, since so small a net gains nothing from two, and
    afterwards the signal handlers of before."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        torch.set_num_threads(threads)


def run_caffe(
    *arguments: str, cwd: Path, timeout: float = 60, **environment: str
) -> subprocess.CompletedProcess[bytes]:
    """The engine as a process, its log in `stderr`."""
    return zygote("engine").run(list(arguments), {**os.environ, **environment}, timeout, cwd)


def write_digits(path: Path, count: int, *, seed: int = 0, size: int = 8) -> None:
    """An LMDB of `count` square grey images of ten kinds that a net tells apart with ease."""
    random = np.random.default_rng(seed)
    kinds = np.random.default_rng(99).integers(0, 200, (10, size, size))
    labels = random.integers(0, 10, count)
    images = (kinds[labels] + random.integers(0, 56, (count, size, size))).astype(np.uint8)
    write_datums(
        path,
        (
            (key_of(i), Datum(channels=1, height=size, width=size, data=image.tobytes(), label=int(label)))
            for i, (image, label) in enumerate(zip(images, labels, strict=True))
        ),
    )


NET = """name: "Small"
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TRAIN }
  transform_param { scale: 0.00390625 } data_param { source: "train" batch_size: 16 backend: LMDB } }
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TEST }
  transform_param { scale: 0.00390625 } data_param { source: "test" batch_size: 10 backend: LMDB } }
layer { name: "ip1" type: "InnerProduct" bottom: "data" top: "ip1"
  inner_product_param { num_output: 16 weight_filler { type: "xavier" } } }
layer { name: "relu1" type: "ReLU" bottom: "ip1" top: "ip1" }
layer { name: "ip2" type: "InnerProduct" bottom: "ip1" top: "ip2"
  inner_product_param { num_output: 10 weight_filler { type: "xavier" } } }
layer { name: "accuracy" type: "Accuracy" bottom: "ip2" bottom: "label" top: "accuracy"
  include { phase: TEST } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip2" bottom: "label" top: "loss" }
"""
SOLVER = """net: "net.prototxt" base_lr: 0.1 momentum: 0.9 lr_policy: "fixed" random_seed: 3
max_iter: {max_iter} display: 10 test_iter: 3 test_interval: 50 snapshot_prefix: "run" snapshot: {snapshot}
"""


def write_project(folder: Path, *, max_iter: int = 100, snapshot: int = 0, more: str = "") -> None:
    """solver.prototxt, net.prototxt and both databases in `folder`."""
    write_digits(folder / "train", 100, seed=1)
    write_digits(folder / "test", 30, seed=2)
    (folder / "net.prototxt").write_text(NET)
    (folder / "solver.prototxt").write_text(SOLVER.format(max_iter=max_iter, snapshot=snapshot) + more)
