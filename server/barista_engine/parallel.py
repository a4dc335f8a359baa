"""Training with several processes: what `ranks.Ranks` promises, by torch.distributed.

Every rank takes batch_size records, gradients are summed over all and divided by their number: NCCL where
ranks have a GPU each, else gloo. All else goes over the connections of `control`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor
from torch._C._distributed_c10d import Store, TCPStore

from barista_engine.control import Hub, Link, await_end
from barista_engine.params import Param
from barista_engine.ranks import Order, Ranks

_PATIENCE = timedelta(days=7)
"""For one collective: a rank may wait for its data. Deaths are seen by `control`, not by a time limit."""


class Collective(Ranks):
    """Ranks in processes of their own."""

    def __init__(self, rank: int, count: int) -> None:
        super().__init__()
        self.rank, self.count = rank, count
        self._flat: Tensor | None = None
        self._views: list[Tensor] = []

    def open(self, store: Store, device: torch.device) -> None:
        """Meet the other ranks for collectives among tensors of this device; all ranks call it together."""
        if sys.platform == "linux" and isinstance(store, TCPStore) and store.host == "127.0.0.1":
            os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # a host's name may lead nowhere
        backend = "nccl" if device.type == "cuda" else "gloo"
        self._together(
            lambda: dist.init_process_group(
                backend, store=store, rank=self.rank, world_size=self.count, timeout=_PATIENCE
            )
        )

    def close(self) -> None:
        """Part from the others."""
        dist.destroy_process_group()

    def broadcast(self, tensors: Iterable[Tensor]) -> None:
        """Give all ranks the root's numbers."""
        for tensor in tensors:
            whole = tensor.detach().contiguous()
            self._together(lambda whole=whole: dist.broadcast(whole, 0))  # type: ignore[misc]
            tensor.detach().copy_(whole)

    def average_gradients(self, params: Sequence[Param]) -> None:
        wanted = [param.value for param in params if param.value.requires_grad]
        if not wanted:
            return
        sizes = [value.numel() for value in wanted]
        if self._flat is None or [view.numel() for view in self._views] != sizes:
            self._flat = torch.empty(sum(sizes), device=wanted[0].device)
            parts = zip(torch.split(self._flat, sizes), wanted, strict=True)
            # strides as well, since updates are fast where all tensors of a parameter lie in one order
            self._views = [part.as_strided(value.shape, value.stride()) for part, value in parts]
        given = [
            (view, value.grad)
            for view, value in zip(self._views, wanted, strict=True)
            if value.grad is not None
        ]
        if len(given) < len(wanted):
            self._flat.zero_()
        if given:
            torch._foreach_copy_([view for view, _ in given], [gradient for _, gradient in given])
        flat = self._flat
        self._together(lambda: dist.all_reduce(flat))
        flat /= self.count
        for value, view in zip(wanted, self._views, strict=True):
            value.grad = view

    def _together(self, collective: Callable[[], object]) -> None:
        """Take part. When another rank dies this fails too: whoever watches then says why."""
        try:
            collective()
        except RuntimeError:
            await_end()
            raise


class RootRanks(Collective):
    """Rank 0."""

    def __init__(self, count: int, hub: Hub) -> None:
        super().__init__(0, count)
        self._hub = hub

    def agree(self, stop: bool) -> bool:
        self._hub.tell({"stop": stop})
        return stop

    def mean(self, values: list[list[float]]) -> list[list[float]]:
        others = [message["values"] for message in self._hub.hear()]
        means = []
        for index, mine in enumerate(values):
            same = [group for other in others if len(group := other[index]) == len(mine)]
            means.append([sum(numbers) / len(numbers) for numbers in zip(mine, *same, strict=True)])
        return means


class OtherRanks(Collective):
    """The ranks from 1 on."""

    def __init__(self, rank: int, count: int, link: Link) -> None:
        super().__init__(rank, count)
        self._link = link

    def take_orders(self, orders: Iterable[Iterable[int]]) -> None:
        """Those that the root has drawn."""
        self.orders = [Order(*order) for order in orders]

    def agree(self, stop: bool) -> bool:
        return bool(self._link.hear()["stop"])

    def mean(self, values: list[list[float]]) -> list[list[float]]:
        self._link.say(values=values)
        return values


def share_cores(processes: int) -> None:
    """Divide the cores among the ranks of this machine, unless the environment has said how many to use."""
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, torch.get_num_threads() // processes))
