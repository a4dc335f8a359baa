"""One of two ranks that train one solver after another: `python -m tests.engine.rank_worker FOLDER...`.

The environment says which, as torchrun sets it. Rank 0 writes `log` and the snapshots of solver.prototxt into
each folder, both write `weights-RANK.npy`, history included; at last they average gradients, into
`../gradients-RANK.npy`.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from math import nan
from pathlib import Path

import numpy as np
import torch

from barista_engine import fatal, rendezvous
from barista_engine.control import Hub, Link
from barista_engine.glog import Glog
from barista_engine.launch import Place, find_place
from barista_engine.lead import settings
from barista_engine.parallel import Collective, OtherRanks, RootRanks
from barista_engine.params import Param
from barista_engine.readers import read_solver
from barista_engine.train import Solver


def main() -> None:
    torch.set_num_threads(1)
    place = find_place(os.environ)
    ranks, exchange = _other(place) if place.rank else _root(place)
    ranks.open(rendezvous.open_store(place)[0], torch.device("cpu"))
    for folder in sys.argv[1:]:
        _train(Path(folder), ranks, exchange)
    _average(ranks)
    ranks.close()


def _root(place: Place) -> tuple[Collective, Hub]:
    hub = Hub(place.count, "token", local=True, cause=lambda rank: None, abort=partial(fatal.abort, Glog()))
    rendezvous.announce(hub.port, "token")
    hub.gather()
    return RootRanks(place.count, hub), hub


def _other(place: Place) -> tuple[Collective, Link]:
    link = Link(*rendezvous.find_root(), place.rank)
    return OtherRanks(place.rank, place.count, link), link


def _train(folder: Path, ranks: Collective, exchange: Hub | Link) -> None:
    os.chdir(folder)
    with Path("/dev/null" if ranks.rank else "log").open("wb") as file:
        log = Glog(fd=file.fileno())
        param = read_solver("solver.prototxt", log)
        if isinstance(ranks, OtherRanks) and isinstance(exchange, Link):
            param = settings(param, param.random_seed)
            ranks.take_orders(exchange.hear()["orders"])
        solver = Solver(param, device=torch.device("cpu"), log=log, ranks=ranks)
        if isinstance(exchange, Hub):
            exchange.tell({"orders": ranks.orders})
        ranks.broadcast(solver.state())
        solver.solve()
        solver.close()
    np.save(
        f"weights-{ranks.rank}.npy",
        np.concatenate([value.detach().numpy().ravel() for value in solver.state()]),
    )


def _average(ranks: Collective) -> None:
    numbers: list[list[float] | None] = [[1, 3], None, [nan]]
    if ranks.rank:
        numbers = [None, [2], [1]]
    params = [Param(torch.zeros(size, requires_grad=True), "layer", 0) for size in (2, 1, 1)]
    for param, gradient in zip(params, numbers, strict=True):
        param.value.grad = None if gradient is None else torch.tensor(gradient, dtype=torch.float32)
    ranks.average_gradients(params)
    gradients = [param.value.grad for param in params if param.value.grad is not None]
    np.save(f"../gradients-{ranks.rank}.npy", torch.cat(gradients).numpy())


if __name__ == "__main__":
    main()
