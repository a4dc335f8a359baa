"""`caffe time`: how long each layer takes, forwards and backwards."""

from __future__ import annotations

import time as clock
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from barista_engine.built import BuiltLayer
from barista_engine.errors import CheckFailed
from barista_engine.flags import Value
from barista_engine.glog import Glog, number
from barista_engine.net import Net
from barista_engine.test_cmd import open_net
from barista_server.caffe.schema import TEST, TRAIN


def time(flags: dict[str, Value], log: Glog) -> None:
    """Run the net of ``--model`` for some iterations and log what they took. Raises CheckFailed."""
    phases = {"": TRAIN, "TRAIN": TRAIN, "TEST": TEST}
    if flags["phase"] not in phases:
        raise CheckFailed('phase must be "TRAIN" or "TEST"', "caffe.cpp", 108)
    net, sources = open_net(flags, phases[str(flags["phase"])], log)
    try:
        log.info("caffe.cpp:351", "Performing Forward")
        log.info("caffe.cpp:356", f"Initial loss: {number(net.forward().item())}")
        log.info("caffe.cpp:357", "Performing Backward")
        net.backward()
        _benchmark(net, int(flags["iterations"]), log)
    finally:
        sources.close()


@dataclass(slots=True)
class _Timed:
    """One layer, what its last forward pass took in and gave, and the seconds of all passes so far."""

    layer: BuiltLayer
    bottoms: list[Tensor] = field(default_factory=list)
    tops: tuple[Tensor, ...] = ()
    forward: float = 0.0
    backward: float = 0.0


def _benchmark(net: Net, iterations: int, log: Glog) -> None:
    log.info("caffe.cpp:365", "*** Benchmark begins ***")
    log.info("caffe.cpp:366", f"Testing for {iterations} iterations.")
    warm, timed = ([_Timed(layer) for layer in net.layers] for _ in range(2))
    _forward(warm)  # what torch sets up at a first use belongs to no layer
    _backward(warm)
    total = forward = backward = 0.0
    for iteration in range(1, iterations + 1):
        passes = _seconds(lambda: _forward(timed)), _seconds(lambda: _backward(timed))
        forward, backward = forward + passes[0], backward + passes[1]
        total += sum(passes)
        shown = _milliseconds(sum(passes))
        log.info("caffe.cpp:394", f"Iteration: {iteration} forward-backward time: {shown} ms.")
    share = max(1, iterations)
    log.info("caffe.cpp:397", "Average time per layer: ")
    for one in timed:
        name = f"{one.layer.name:>10}"
        log.info("caffe.cpp:400", f"{name}\tforward: {_milliseconds(one.forward / share)} ms.")
        log.info("caffe.cpp:403", f"{name}\tbackward: {_milliseconds(one.backward / share)} ms.")
    log.info("caffe.cpp:408", f"Average Forward pass: {_milliseconds(forward / share)} ms.")
    log.info("caffe.cpp:410", f"Average Backward pass: {_milliseconds(backward / share)} ms.")
    log.info("caffe.cpp:412", f"Average Forward-Backward: {_milliseconds(total / share)} ms.")
    log.info("caffe.cpp:414", f"Total Time: {_milliseconds(total)} ms.")
    log.info("caffe.cpp:415", "*** Benchmark ends ***")


def _forward(timed: list[_Timed]) -> None:
    """One pass in which each layer has a graph of its own, so that its backward pass can be timed alone."""
    blobs: dict[str, Tensor] = {}
    for one in timed:
        layer = one.layer
        one.bottoms = [
            blobs[name].detach().requires_grad_(needs)
            for name, needs in zip(layer.bottoms, layer.bottom_needs_backward, strict=True)
        ]
        one.forward += _seconds(lambda one=one: _run(one))  # type: ignore[misc]
        blobs.update(zip(layer.tops, one.tops, strict=True))


def _run(one: _Timed) -> None:
    result = one.layer.forward(*one.bottoms)
    one.tops = (result,) if isinstance(result, Tensor) else tuple(result)


def _backward(timed: list[_Timed]) -> None:
    """Hand gradients from layer to layer; splits see to it that each blob has one consumer."""
    gradients: dict[str, Tensor | None] = {}
    for one in reversed(timed):
        layer = one.layer
        roots, given = [], []
        for index, (name, top) in enumerate(zip(layer.tops, one.tops, strict=True)):
            gradient = gradients.pop(name, None)
            if weight := layer.loss_weights.get(index, 0.0):
                gradient = torch.full_like(top, weight)
            if gradient is not None and top.requires_grad:
                roots.append(top)
                given.append(gradient)
        if layer.needs_backward and roots:
            one.backward += _seconds(lambda roots=roots, given=given: torch.autograd.backward(roots, given))  # type: ignore[misc]
        gradients.update((name, bottom.grad) for name, bottom in zip(layer.bottoms, one.bottoms, strict=True))


def _seconds(work: Callable[[], None]) -> float:
    start = clock.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return clock.perf_counter() - start


def _milliseconds(seconds: float) -> str:
    return number(seconds * 1000)
