"""`caffe test`: score a net over some batches."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from barista_engine import snapshot
from barista_engine.data import DataSources
from barista_engine.devices import open_device, parse_gpus
from barista_engine.flags import Value
from barista_engine.glog import Glog, number
from barista_engine.net import Net
from barista_engine.readers import read_net
from barista_engine.rng import open_stream
from barista_server.caffe.schema import TEST, Phase


def test(flags: dict[str, Value], log: Glog) -> None:
    """Run the TEST net of ``--model`` with ``--weights``; log each batch and the means. CheckFailed."""
    weights, iterations = str(flags["weights"]), int(flags["iterations"])
    net, sources = open_net(flags, TEST, log)
    try:
        for path in weights.split(","):
            snapshot.load_weights(net, path.strip(), log)
        log.info("caffe.cpp:281", f"Running for {iterations} iterations.")
        _score(net, iterations, log)
    finally:
        sources.close()


def open_net(flags: dict[str, Value], phase: Phase.ValueType, log: Glog) -> tuple[Net, DataSources]:
    """The net of ``--model`` in `phase` on the device of ``--gpu``, and its data. Raises CheckFailed."""
    gpus = parse_gpus(str(flags["gpu"]))
    log.info("caffe.cpp:275", f"Use GPU with device ID {gpus[0]}" if gpus else "Use CPU.")
    device = open_device(gpus[0] if gpus else None)  # of several the first, as Caffe does
    param = read_net(str(flags["model"]), phase, int(flags["level"]), str(flags["stage"]).split(","), log)
    stream = open_stream()
    sources = DataSources(log, stream)
    return Net(param, device=device, stream=stream, log=log, sources=sources), sources


@torch.no_grad()
def _score(net: Net, iterations: int, log: Glog) -> None:
    loss = 0.0
    sums: list[Tensor] = []
    for batch in range(iterations):
        loss += net.forward().item()
        outputs = net.output_values()
        for name, values, _ in outputs:
            for value in values.tolist():
                log.info("caffe.cpp:304", f"Batch {batch}, {name} = {number(value)}")
        sums = [values + (sums[i] if sums else 0) for i, (_, values, _) in enumerate(outputs)]
    log.info("caffe.cpp:309", f"Loss: {number(loss / iterations if iterations else -math.nan)}")
    if iterations <= 0:
        return
    for total, (name, _, weight) in zip(sums, net.output_values(), strict=True):
        for mean in (total / iterations).tolist():
            bracket = f" (* {number(weight)} = {number(weight * mean)} loss)" if weight else ""
            log.info("caffe.cpp:321", f"{name} = {number(mean)}{bracket}")
