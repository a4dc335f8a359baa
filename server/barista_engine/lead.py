"""Rank 0's part in training with others: it starts them, tells them what to train, and ends with them."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from barista_engine import fatal
from barista_engine.control import PLACE, Hub
from barista_engine.errors import CheckFailed
from barista_engine.glog import Glog
from barista_engine.launch import Children, Place, new_token
from barista_server.caffe.schema import SolverParameter

if TYPE_CHECKING:
    from barista_engine.parallel import RootRanks
    from barista_engine.params import Param
    from barista_engine.ranks import Ranks
    from barista_engine.train import Solver


class Company:
    """The ranks that a solver trains with: none."""

    def __init__(self, ranks: Ranks) -> None:
        self.ranks = ranks

    def start(self, solver: Solver) -> None:
        """Give all ranks the weights, the history and the settings of `solver`, ready to be solved."""


class Others(Company):
    """Ranks in other processes."""

    def __init__(self, ranks: RootRanks, hub: Hub, place: Place) -> None:
        super().__init__(ranks)
        self._root, self._hub, self._place = ranks, hub, place

    def start(self, solver: Solver) -> None:
        from barista_engine import rendezvous

        self._hub.gather()
        store, port = rendezvous.open_store(self._place)
        self._hub.tell(
            {
                "solver": base64.b64encode(settings(solver.param, solver.seed).SerializeToString()).decode(),
                "cuda": solver.device.type == "cuda",
                "iteration": solver.iteration,
                "step": solver.current_step,
                "orders": self._root.orders,
                "params": describe(solver.net.learnable),
                "store": port,
            }
        )
        self._hub.hear()
        self._root.open(store, solver.device)
        self._root.broadcast(solver.state())

    def finish(self) -> None:
        """Wait until the others have done their part."""
        self._hub.hear()
        self._root.close()


@contextmanager
def lead(place: Place, log: Glog) -> Iterator[Company]:
    """The company of `place.count` ranks; those that nobody has started yet are started here.

    When it is left they have ended. Raises CheckFailed when they cannot be had.
    """
    if place.count == 1:
        from barista_engine.ranks import Ranks

        yield Company(Ranks())
        return
    token, children = new_token(), Children()
    hub = Hub(
        place.count,
        token,
        local=not place.given,
        cause=children.cause,
        abort=partial(fatal.abort, log),
    )
    try:
        if not place.given:
            children.start(place.count, hub.port, token)
        from torch import distributed

        if not distributed.is_available():
            raise CheckFailed(
                "Training with several processes needs a torch with torch.distributed", PLACE, 322
            )
        from barista_engine import rendezvous
        from barista_engine.parallel import RootRanks, share_cores

        if place.given:
            rendezvous.announce(hub.port, token)
        share_cores(place.local_count)
        log.info(f"{PLACE}:322", f"Training with {place.count} ranks: each takes batch_size records")
        company = Others(RootRanks(place.count, hub), hub, place)
        yield company
        company.finish()
        children.wait()
    except BaseException:
        hub.close()
        children.kill()
        raise


def describe(params: Iterable[Param]) -> list[str]:
    """What the learnable blobs of two nets have in common when gradients can be summed, blob by blob."""
    return [
        f"{param.layer} {param.index}: {' '.join(map(str, param.shape))}, "
        f"{'learned' if param.value.requires_grad else 'fixed'}"
        for param in params
    ]


def settings(param: SolverParameter, seed: int) -> SolverParameter:
    """What the other ranks are to do: train. Tests, snapshots and weights are the root's business."""
    others = SolverParameter()
    others.CopyFrom(param)
    for name in ("test_iter", "test_interval", "test_net", "test_net_param", "test_state", "weights"):
        others.ClearField(name)
    others.snapshot = 0
    others.snapshot_after_train = False
    others.debug_info = False
    others.random_seed = seed
    return others
