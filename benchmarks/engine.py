"""Training speed of the engine beside the same nets in bare torch, in turns in one process."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import lmdb
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from barista_engine.glog import Glog
from barista_engine.train import Solver
from barista_server.caffe.prototxt import parse
from barista_server.caffe.schema import Datum, SolverParameter
from benchmarks.engine_nets import CASES, Case

_ROUNDS = 21
_LIMIT = 40.0  # seconds for the rounds of one case; a busy machine gets through fewer of them
_TURN = 0.7  # seconds of one form before it is the other's turn, at most, if they are enough for an iteration


def run() -> list[str]:
    """Iterations per second of both forms of each net, and the engine's share of bare torch.

    The environment's BENCH_NETS (beginnings of names, with commas) leaves out others.
    """
    wanted = tuple(filter(None, os.environ.get("BENCH_NETS", "").split(",")))
    lines = []
    for case in CASES:
        if wanted and not case.name.startswith(wanted):
            continue
        engine, bare, share = _measure(case)
        lines.append(
            f"engine: {case.name}: {engine:.1f} iterations/s; bare torch {bare:.1f}; "
            f"{share:.0%} of it (asked: at least 80%)"
        )
        print(f"  ({lines[-1]})", file=sys.stderr, flush=True)
    return lines


def _measure(case: Case) -> tuple[float, float, float]:
    """Iterations per second of engine and bare torch, and the first as a share of the second.

    Medians over rounds in which they take turns; the share is that of a round, so a busy spell of the machine
    counts for both.
    """
    with tempfile.TemporaryDirectory() as folder:
        images, labels = make_data(case)
        write_lmdb(Path(folder, "lmdb"), images, labels)
        solver = make_solver(case, Path(folder))
        try:
            bare = _BareTorch(case, images, labels)
            steps = (solver.step, bare.step)
            count = case.iterations
            for step in steps:
                step(1)
                start = time.perf_counter()
                step(max(1, case.iterations // 4))
                each = (time.perf_counter() - start) / max(1, case.iterations // 4)
                count = max(1, min(count, int(_TURN / each)))
            times: tuple[list[float], list[float]] = ([], [])
            end = time.perf_counter() + _LIMIT
            while len(times[0]) < _ROUNDS and (not times[0] or time.perf_counter() < end):
                for step, spent in zip(steps, times, strict=True):
                    start = time.perf_counter()
                    step(count)
                    spent.append(time.perf_counter() - start)
        finally:
            solver.close()
    engine, other = (count / np.array(spent) for spent in times)
    return float(np.median(engine)), float(np.median(other)), float(np.median(engine / other))


def make_data(case: Case) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Records and labels of ten batches and a bit."""
    random = np.random.default_rng(0)
    count = 10 * case.batch + 7
    images = random.integers(0, 256, (count, *case.shape), dtype=np.uint8)
    return images, random.integers(0, 10, count)


def write_lmdb(path: Path, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
    """The same as a database."""
    channels, height, width = images.shape[1:]
    with lmdb.open(str(path), map_size=1 << 28) as environment, environment.begin(write=True) as transaction:
        for index, (image, label) in enumerate(zip(images, labels, strict=True)):
            datum = Datum(
                channels=channels, height=height, width=width, data=image.tobytes(), label=int(label)
            )
            transaction.put(b"%08d" % index, datum.SerializeToString())


def make_solver(case: Case, folder: Path) -> Solver:
    """The engine as `barista-caffe train` builds it, its log thrown away."""
    net = (
        'layer { name: "data" type: "Data" top: "data" top: "label" '
        f"transform_param {{ {case.transform} }} "
        f'data_param {{ source: "{folder / "lmdb"}" batch_size: {case.batch} backend: LMDB }} }}\n'
        f"{case.layers}"
    )
    text = f"net_param {{ {net} }} {case.solver} display: 100 max_iter: 1000000 random_seed: 1"
    log = Glog(fd=os.open(os.devnull, os.O_WRONLY))
    return Solver(parse(text, SolverParameter), device=torch.device("cpu"), log=log)


class _BareTorch:
    """The net by hand with torch.optim.SGD, on batches cut from arrays in memory."""

    def __init__(self, case: Case, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
        self._case, self._position = case, 0
        self._images, self._labels = torch.from_numpy(images), torch.from_numpy(labels)
        self._weights: list[Tensor] = []
        for shape in case.weights:
            bound = (3 / np.prod(shape[1:])) ** 0.5
            self._weights.append(torch.empty(shape).uniform_(-bound, bound).requires_grad_())
            self._weights.append(torch.zeros(shape[0], requires_grad=True))
        rate = 0.0001 if case.crop else 0.001
        groups = [
            {"params": self._weights[0::2], "lr": rate},
            {"params": self._weights[1::2], "lr": 2 * rate},
        ]
        self._optimizer = torch.optim.SGD(groups, momentum=0.9, weight_decay=0.0005)

    def step(self, iterations: int) -> None:
        """Train on the next batches."""
        for _ in range(iterations):
            start, self._position = self._position, self._position + self._case.batch
            if self._position > len(self._images):
                start, self._position = 0, self._case.batch
            images = self._prepared(self._images[start : self._position])
            loss = self._case.loss(images, self._labels[start : self._position], self._weights)
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()

    def _prepared(self, images: Tensor) -> Tensor:
        crop = self._case.crop
        if not crop:
            return images.float().mul_(1 / 256)
        made = []
        for image in images:
            top, left = (int(torch.randint(size - crop + 1, ())) for size in image.shape[1:])
            piece = image[:, top : top + crop, left : left + crop]
            made.append(piece.flip(2) if torch.rand(()) < 0.5 else piece)
        return torch.stack(made).float().sub_(120)
