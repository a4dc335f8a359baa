"""The part of a rank that is not the root: it is told what to train, trains it, and says nothing."""

from __future__ import annotations

import base64
import os
from itertools import zip_longest
from typing import TYPE_CHECKING, NoReturn

from barista_engine import fatal
from barista_engine.control import PLACE, Link, Message
from barista_engine.devices import gpu_of_rank, open_device
from barista_engine.errors import CheckFailed
from barista_engine.glog import Glog
from barista_engine.launch import Place, ignore_signals
from barista_engine.lead import describe
from barista_server.caffe.schema import SolverParameter

if TYPE_CHECKING:
    from barista_engine.train import Solver


def follow(place: Place, gpu: str) -> NoReturn:
    """Train as the root says and end this process; `gpu` is the value of ``--gpu``.

    Raises CheckFailed where there is no root; whatever goes wrong later, the root tells.
    """
    ignore_signals()
    if place.root is None:
        from barista_engine import rendezvous

        root = rendezvous.find_root()
    else:
        root = place.root
    link = Link(*root, place.rank)
    try:
        _train(place, gpu, link)
    except Exception as error:
        link.fail(*fatal.reason(error), fatal.trace(error))


def _train(place: Place, gpu: str, link: Link) -> NoReturn:
    from barista_engine import rendezvous
    from barista_engine.parallel import OtherRanks, share_cores
    from barista_engine.train import Solver

    share_cores(place.local_count)
    told = link.hear()
    param = SolverParameter.FromString(base64.b64decode(told["solver"]))
    device = open_device(gpu_of_rank(place, gpu, param.device_id) if told["cuda"] else None)
    ranks = OtherRanks(place.rank, place.count, link)
    ranks.take_orders(told["orders"])
    solver = Solver(param, device=device, log=Glog(min_level=3), ranks=ranks)
    _check(solver, told, place)
    solver.iteration, solver.current_step = told["iteration"], told["step"]
    link.say(ready=True)
    store, _ = rendezvous.open_store(place, told["store"])
    ranks.open(store, device)
    ranks.broadcast(solver.state())
    solver.solve()
    solver.close()
    ranks.close()
    link.done()
    os._exit(0)  # what an interpreter does at its end takes seconds, and everybody waits


def _check(solver: Solver, told: Message, place: Place) -> None:
    """Ranks on other machines may have other files."""
    pairs = zip_longest(describe(solver.net.learnable), told["params"], fillvalue="none more")
    for mine, wanted in pairs:
        if mine != wanted:
            message = (
                f"rank {place.rank} and rank 0 have the same net ({mine} vs. {wanted}): compare the files"
            )
            raise CheckFailed(f"Check failed: {message}", PLACE, 333)
