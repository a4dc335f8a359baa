"""What a solver asks of the processes that train with it; here: of none, for it trains alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from barista_engine.params import Param


class Order(NamedTuple):
    """How to walk through a list of images: the seed of its shuffling, and how many to pass over at first."""

    seed: int
    skip: int


class Ranks:
    """`rank` of `count` processes that train one net together, each on its own batches.

    Rank 0, the root, alone logs, tests, takes snapshots and obeys signals.
    """

    rank = 0
    count = 1

    def __init__(self) -> None:
        self.orders: list[Order] = []
        """Of each list of images in the TRAIN phase, as the root drew it."""

    def agree(self, stop: bool) -> bool:
        """Whether to stop: what the root says. Called by all at the start of each iteration."""
        return stop

    def mean(self, values: list[list[float]]) -> list[list[float]]:
        """Each number's mean over all ranks, on the root; numbers that a rank has not stay the root's."""
        return values

    def average_gradients(self, params: Sequence[Param]) -> None:
        """Replace each gradient by the mean over all ranks; where a rank has none, it counts as zero."""
