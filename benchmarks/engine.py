"""Training speed of the engine beside the same nets in bare torch, in turns in one process."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import lmdb
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from barista_engine.glog import Glog
from barista_engine.train import Solver
from barista_server.caffe.prototxt import parse
from barista_server.caffe.schema import Datum, SolverParameter

_ROUNDS = 9
_LIMIT = 40.0  # seconds for the rounds of one case; a busy machine gets through fewer of them
_FILLED = 'weight_filler { type: "xavier" }'
_MULTS = "param { lr_mult: 1 } param { lr_mult: 2 }"


@dataclass(frozen=True)
class Case:
    """A net in both forms. `layers` are those between data and loss, `forward` the same by hand."""

    name: str
    layers: str
    solver: str
    shape: tuple[int, int, int]
    batch: int
    scale: float
    iterations: int
    weights: tuple[tuple[int, ...], ...]
    forward: Callable[[Tensor, list[Tensor]], Tensor]


def _convolution(name: str, bottom: str, outputs: int, pad: int = 0) -> str:
    return (
        f'layer {{ name: "{name}" type: "Convolution" bottom: "{bottom}" top: "{name}" {_MULTS} '
        f"convolution_param {{ num_output: {outputs} kernel_size: 5 pad: {pad} {_FILLED} }} }}\n"
    )


def _pooling(name: str, bottom: str, pool: str, kernel: int) -> str:
    return (
        f'layer {{ name: "{name}" type: "Pooling" bottom: "{bottom}" top: "{name}" '
        f"pooling_param {{ pool: {pool} kernel_size: {kernel} stride: 2 }} }}\n"
    )


def _relu(name: str, blob: str) -> str:
    return f'layer {{ name: "{name}" type: "ReLU" bottom: "{blob}" top: "{blob}" }}\n'


def _inner(name: str, bottom: str, outputs: int) -> str:
    return (
        f'layer {{ name: "{name}" type: "InnerProduct" bottom: "{bottom}" top: "{name}" {_MULTS} '
        f"inner_product_param {{ num_output: {outputs} {_FILLED} }} }}\n"
    )


def _lenet(x: Tensor, w: list[Tensor]) -> Tensor:
    x = functional.max_pool2d(functional.conv2d(x, w[0], w[1]), 2)
    x = functional.max_pool2d(functional.conv2d(x, w[2], w[3]), 2)
    x = functional.relu(functional.linear(x.flatten(1), w[4], w[5]))
    return functional.linear(x, w[6], w[7])


def _quick(x: Tensor, w: list[Tensor]) -> Tensor:
    x = functional.max_pool2d(functional.conv2d(x, w[0], w[1], padding=2), 3, 2, ceil_mode=True)
    x = functional.relu(functional.conv2d(functional.relu(x), w[2], w[3], padding=2))
    x = functional.avg_pool2d(x, 3, 2, ceil_mode=True)
    x = functional.relu(functional.conv2d(x, w[4], w[5], padding=2))
    x = functional.avg_pool2d(x, 3, 2, ceil_mode=True)
    return functional.linear(functional.linear(x.flatten(1), w[6], w[7]), w[8], w[9])


CASES = (
    Case(
        name="LeNet, batch 64",
        layers=_convolution("conv1", "data", 20)
        + _pooling("pool1", "conv1", "MAX", 2)
        + _convolution("conv2", "pool1", 50)
        + _pooling("pool2", "conv2", "MAX", 2)
        + _inner("ip1", "pool2", 500)
        + _relu("relu1", "ip1")
        + _inner("ip2", "ip1", 10),
        solver='base_lr: 0.01 lr_policy: "inv" gamma: 0.0001 power: 0.75 momentum: 0.9 weight_decay: 0.0005',
        shape=(1, 28, 28),
        batch=64,
        scale=1 / 256,
        iterations=40,
        weights=((20, 1, 5, 5), (50, 20, 5, 5), (500, 800), (10, 500)),
        forward=_lenet,
    ),
    Case(
        name="cifar10_quick, batch 100",
        layers=_convolution("conv1", "data", 32, 2)
        + _pooling("pool1", "conv1", "MAX", 3)
        + _relu("relu1", "pool1")
        + _convolution("conv2", "pool1", 32, 2)
        + _relu("relu2", "conv2")
        + _pooling("pool2", "conv2", "AVE", 3)
        + _convolution("conv3", "pool2", 64, 2)
        + _relu("relu3", "conv3")
        + _pooling("pool3", "conv3", "AVE", 3)
        + _inner("ip1", "pool3", 64)
        + _inner("ip2", "ip1", 10),
        solver='base_lr: 0.001 lr_policy: "fixed" momentum: 0.9 weight_decay: 0.004',
        shape=(3, 32, 32),
        batch=100,
        scale=1 / 256,
        iterations=10,
        weights=((32, 3, 5, 5), (32, 32, 5, 5), (64, 32, 5, 5), (64, 1024), (10, 64)),
        forward=_quick,
    ),
)


def run() -> list[str]:
    """Iterations per second of both forms of each net, and the engine's share of bare torch."""
    lines = []
    for case in CASES:
        engine, bare, share = _measure(case)
        lines.append(
            f"engine: {case.name}: {engine:.1f} iterations/s; bare torch {bare:.1f}; "
            f"{share:.0%} of it (asked: at least 80%)"
        )
    return lines


def _measure(case: Case) -> tuple[float, float, float]:
    """Iterations per second of engine and bare torch, and the first as a share of the second.

    Medians over rounds in which they take turns; the share is that of a round, so a busy spell of the machine
    counts for both.
    """
    with tempfile.TemporaryDirectory() as folder:
        images, labels = _data(case)
        _write_lmdb(Path(folder, "lmdb"), images, labels)
        solver = _solver(case, Path(folder))
        try:
            bare = _BareTorch(case, images, labels)
            steps = (solver.step, bare.step)
            for step in steps:
                step(case.iterations // 4)
            times: tuple[list[float], list[float]] = ([], [])
            end = time.perf_counter() + _LIMIT
            while len(times[0]) < _ROUNDS and (not times[0] or time.perf_counter() < end):
                for step, spent in zip(steps, times, strict=True):
                    start = time.perf_counter()
                    step(case.iterations)
                    spent.append(time.perf_counter() - start)
        finally:
            solver.close()
    engine, other = (case.iterations / np.array(spent) for spent in times)
    return float(np.median(engine)), float(np.median(other)), float(np.median(engine / other))


def _data(case: Case) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    random = np.random.default_rng(0)
    count = 10 * case.batch + 7
    images = random.integers(0, 256, (count, *case.shape), dtype=np.uint8)
    return images, random.integers(0, 10, count)


def _write_lmdb(path: Path, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
    channels, height, width = images.shape[1:]
    with lmdb.open(str(path), map_size=1 << 28) as environment, environment.begin(write=True) as transaction:
        for index, (image, label) in enumerate(zip(images, labels, strict=True)):
            datum = Datum(
                channels=channels, height=height, width=width, data=image.tobytes(), label=int(label)
            )
            transaction.put(b"%08d" % index, datum.SerializeToString())


def _solver(case: Case, folder: Path) -> Solver:
    """The engine as `barista-caffe train` builds it, its log thrown away."""
    net = (
        'layer { name: "data" type: "Data" top: "data" top: "label" '
        f"transform_param {{ scale: {case.scale} }} "
        f'data_param {{ source: "{folder / "lmdb"}" batch_size: {case.batch} backend: LMDB }} }}\n'
        f"{case.layers}"
        'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip2" bottom: "label" top: "loss" }\n'
    )
    text = f"net_param {{ {net} }} {case.solver} display: 100 max_iter: 1000000 random_seed: 1"
    log = Glog(fd=os.open(os.devnull, os.O_WRONLY))
    return Solver(parse(text, SolverParameter), device=torch.device("cpu"), log=log)


class _BareTorch:
    """The net in torch.nn.functional with torch.optim.SGD, on batches cut from arrays in memory."""

    def __init__(self, case: Case, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
        self._case, self._position = case, 0
        self._images, self._labels = torch.from_numpy(images), torch.from_numpy(labels)
        self._weights: list[Tensor] = []
        for shape in case.weights:
            bound = (3 / np.prod(shape[1:])) ** 0.5
            self._weights.append(torch.empty(shape).uniform_(-bound, bound).requires_grad_())
            self._weights.append(torch.zeros(shape[0], requires_grad=True))
        groups = [{"params": self._weights[0::2], "lr": 0.001}, {"params": self._weights[1::2], "lr": 0.002}]
        self._optimizer = torch.optim.SGD(groups, momentum=0.9, weight_decay=0.0005)

    def step(self, iterations: int) -> None:
        """Train on the next batches."""
        for _ in range(iterations):
            start, self._position = self._position, self._position + self._case.batch
            if self._position > len(self._images):
                start, self._position = 0, self._case.batch
            images = self._images[start : self._position].float().mul_(self._case.scale)
            scores = self._case.forward(images, self._weights)
            loss = functional.cross_entropy(scores, self._labels[start : self._position])
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()
