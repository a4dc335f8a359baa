"""Long logs in the grammar of each family of Caffe: random numbers, the same on every call."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path

Texts = Iterator[tuple[str, str]]
"""Level and message; a level of "" is a line without prefix."""

_LOSS = "loss = {v} (* 1 = {v} loss)"
_SOURCE = {"I": "solver.cpp:239", "W": "net.cpp:712", "E": "net.cpp:571"}


def _numbers(seed: int = 1) -> Iterator[tuple[str, str]]:
    """Losses and rates as a stream prints them; a few of many, so that making them costs little."""
    values = random.Random(seed)
    return cycle([(f"{values.random():.6g}", f"{values.uniform(500, 600):.6g}") for _ in range(9973)])


def _displays(
    loss: str, train: str = "    Train net output #0: " + _LOSS, rate: str = "Iteration {i}, lr = 0.01",
    begin: str = "Iteration {i}, Testing net (#0)",
    tests: tuple[str, ...] = ("    Test net output #0: accuracy = {v}", "    Test net output #1: " + _LOSS),
    level: str = "I", between: tuple[tuple[str, str], ...] = (),
) -> Callable[[], Texts]:  # fmt: skip
    """Displays every 20 iterations, a test every 10 displays."""

    def texts() -> Texts:
        numbers, iteration = _numbers(), 0
        while True:
            if iteration % 200 == 0:
                yield "I", begin.format(i=iteration)
                for each in tests:
                    yield "I", each.format(v=next(numbers)[0])
            value, speed = next(numbers)
            yield level, loss.format(i=iteration, v=value, r=speed)
            if train:
                yield "I", train.format(v=value)
            yield "I", rate.format(i=iteration, v=value, r=speed)
            for kind, each in between:
                yield kind, each.format(v=value)
            iteration += 20

    return texts


_NEW = "Iteration {i} ({r} iter/s, 0.3s/20 iters), loss = {v}"
_OLD = "Iteration {i}, loss = {v}"
_LAYERS = [f"conv{i}" for i in range(1, 9)]
_DUMP = (
    "layer {{", '  name: "{0}"', '  type: "Convolution"', '  bottom: "data"', '  top: "{0}"', "  param {{",
    "    lr_mult: 1", "  }}", "  convolution_param {{", "    num_output: 20", "    kernel_size: 5",
    "    weight_filler {{", '      type: "xavier"', "    }}", "  }}", "}}",
)  # fmt: skip
_SETUP = (
    "Creating layer {0}", "Creating Layer {0}", "{0} <- data", "{0} -> {0}", "Setting up {0}",
    "Top shape: 64 20 24 24 (737280)", "Memory required for data: 3150080", "{0} needs backward computation.",
)  # fmt: skip


def _dumps() -> Texts:
    while True:
        yield "I", "Initializing net from parameters: "
        for layer in _LAYERS * 4:
            for line in _DUMP:
                yield "", line.format(layer)
        for layer in _LAYERS:
            for line in _SETUP:
                yield "I", line.format(layer)


def _batches() -> Texts:
    numbers, batch = _numbers(), 0
    while True:
        for name in ("accuracy", "accuracy", "loss"):
            yield "I", f"Batch {batch}, {name} = {next(numbers)[0]}"
        batch += 1


def _passes() -> Texts:
    number = 0
    while True:
        number += 1
        yield "I", f"Iteration: {number} forward-backward time: {15 + number % 7} ms."


_DEBUG = tuple(
    ("I", f"    [{way}] Layer {layer}, {what} data: {{v}}")
    for way, what in (("Forward", "top blob x"), ("Backward", "bottom blob x"), ("Update", "param 0"))
    for layer in _LAYERS
)
_DEBUG_SUM = ("E", "    [Backward] All net params (data, diff): L1 norm = ({v}, 2); L2 norm = (3, {v})")
_PRINTS = (
    ("", "speed: 1.717s / iter"),
    ("", "/opt/lib/bbox.py:42: RuntimeWarning: invalid value encountered in log"),
    ("", "  targets = np.log(gt / ex)"),
)
_PERF = (
    *(("W", f"LAYER-{i} {layer}: forward_time: {{v}} ms") for i, layer in enumerate(_LAYERS)),
    ("I", "iter 22, forward_backward_update_time: 126 ms"),
)
_CLIPPING = ("I", "Gradient clipping: scaling down gradients (L2 norm {v} > 0.1) by scale factor 0.5")
_CLASSES = (*(f"class{i}: {{v}}" for i in range(1, 21)), "    Test net output #0: detection_eval = {v}")
_VECTOR = tuple(f"    Test net output #{i}: spatial_pyramid = {{v}}" for i in range(450))
_OF_GPUS = (("I", "Iteration 20, lr = 0.01"),) * 3
_SCORES = ("Test score #0: {v}", "Test score #1: {v}")

Prefix = Callable[[str, int], str]
"""What stands before a message of a level at a second."""


def _time(second: int) -> str:
    return f"{second // 3600 % 24:02d}:{second // 60 % 60:02d}:{second % 60:02d}"


def _glog(level: str, second: int) -> str:
    day = f"11{1 + second // 86400 % 30:02d}"
    return f"{level}{day} {_time(second)}.268702 31578 {_SOURCE[level]}] " if level else ""


def _glog_year(level: str, second: int) -> str:
    return level and f"{level}2026{_glog(level, second)[1:]}"


def _spdlog(level: str, second: int) -> str:
    return level and f"INFO - {_time(second)} - "


def _epoch(level: str, second: int) -> str:
    return level and f"{1508138445 + second}  INFO: src/caffe/solver.cpp : line 218 : "


def _behind(mark: Callable[[int], str]) -> Prefix:
    return lambda level, second: mark(second) + _glog(level, second)


def _ranks(number: int = 0) -> Prefix:
    ranks = cycle(range(4))
    return _behind(lambda second: f"[{next(ranks)}] ")


FAMILIES: dict[str, tuple[Callable[[], Texts], Prefix, str]] = {
    "BVLC 2017-20, glog with year": (_displays(_NEW), _glog_year, "\n"),
    "BVLC 2014-16": (_displays(_OLD), _glog, "\n"),
    "BVLC 2013, level E": (
        _displays(_OLD, "", begin="Testing net", tests=_SCORES, level="E"),
        _glog,
        "\n",
    ),
    "NVCaffe 0.12, rate with lr": (_displays(_OLD, rate="Iteration {i} ({r}/s), lr = 0.01"), _glog, "\n"),
    "NVCaffe 0.16": (
        _displays(_NEW.replace("iters)", "iter)"), rate="Iteration {i}, lr = 0.01, m = 0.9, wd = 0, gs = 1"),
        _glog,
        "\n",
    ),
    "NVCaffe 0.17, epochs, tags": (
        _displays(
            "    [0.0] Iteration {i} ({r} iter/s, 0.3s/20 iter), 1.1/90.9ep, loss = {v}",
            "    [0.0]     Train net output #0: " + _LOSS,
            "[0.0] Iteration {i}, lr = 0.01, m = 0.9, lrm = 0.1, wd = 0.0005, gs = 1",
            tests=("    (0.0)    Test net output #0: top = {v}", "    (0.0)    Test net output #1: " + _LOSS),
        ),
        _glog,
        "\n",
    ),
    "Intel, timings at level W": (_displays(_OLD, between=_PERF), _glog, "\n"),
    "SSD, a value per class": (
        _displays(_OLD, tests=_CLASSES),
        _glog,
        "\n",
    ),
    "several GPUs, lr of each": (_displays(_NEW, between=_OF_GPUS), _glog, "\n"),
    "450 outputs of one name": (
        _displays(_NEW, tests=_VECTOR),
        _glog,
        "\n",
    ),
    "clipping at every display": (
        _displays(_NEW, between=(_CLIPPING,)),
        _glog,
        "\n",
    ),
    "debug_info": (_displays(_NEW, between=(*_DEBUG, _DEBUG_SUM)), _glog, "\n"),
    "prints of Python between": (_displays(_NEW, between=_PRINTS), _glog, "\n"),
    "texts of nets, and their layers": (_dumps, _glog, "\n"),
    "caffe test": (_batches, _glog, "\n"),
    "caffe time": (_passes, _glog, "\n"),
    "CRLF": (_displays(_NEW), _glog, "\r\n"),
    "mpirun, [rank] before": (_displays(_OLD), _ranks(), "\n"),
    "srun, rank: before": (_displays(_NEW), _behind(lambda second: "0: "), "\n"),
    "Kubernetes' stamp before": (
        _displays(_NEW), _behind(lambda second: f"2026-11-25T{_time(second)}.123456789Z stderr F "), "\n"
    ),
    "Kubernetes' stamp, texts of nets": (
        _dumps, _behind(lambda second: f"2026-11-25T{_time(second)}.123456789Z stderr F "), "\n"
    ),
    "quoted, > before": (_displays(_NEW), _behind(lambda second: "> "), "\n"),
    "spdlog (DeepDetect)": (_displays(_NEW), _spdlog, "\n"),
    "epoch seconds (without glog)": (_displays(_NEW), _epoch, "\n"),
    "no prefix at all": (_displays(_NEW), lambda level, second: "", "\n"),
}  # fmt: skip


def generate(path: Path, name: str, lines: int) -> None:
    """Write a log of a family."""
    texts, prefix, end = FAMILIES[name]
    with path.open("w", newline="") as log:
        second = 0
        for number, (level, text) in enumerate(islice(texts(), lines)):
            second = number // 20
            log.write(f"{prefix(level, second)}{text}{end}")
