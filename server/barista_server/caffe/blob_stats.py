"""What the values of a blob are like, found in one pass of bounded memory."""

import math
from dataclasses import dataclass

import numpy as np

from barista_server.caffe.blobs import Array, Blob


@dataclass(slots=True)
class Stats:
    """Counts, and least, greatest, mean and sum of squared distances from it of the finite values."""

    count: int = 0
    nans: int = 0
    infinite: int = 0
    zeros: int = 0
    least: float = math.inf
    greatest: float = -math.inf
    mean: float = 0.0
    squares: float = 0.0

    @property
    def finite(self) -> int:
        """How many values are numbers."""
        return self.count - self.nans - self.infinite

    @property
    def deviation(self) -> float:
        """Standard deviation of the finite values, as the whole population."""
        return math.sqrt(self.squares / self.finite) if self.finite else math.nan

    def add(self, block: Array) -> None:
        """Take in more values."""
        self.count += len(block)
        self.zeros += len(block) - int(np.count_nonzero(block))
        before = self.finite - len(block)
        if not np.isfinite(block.sum(dtype=np.float64)):
            nans, infinite = np.isnan(block), np.isinf(block)
            self.nans += int(nans.sum())
            self.infinite += int(infinite.sum())
            block = block[~(nans | infinite)]
        if not len(block):
            return
        self.least = min(self.least, float(block.min()))
        self.greatest = max(self.greatest, float(block.max()))
        # Means and squares of two parts are joined as by Chan et al., which loses no digits.
        mean = float(block.mean(dtype=np.float64))
        squares = float(np.square(block - mean, dtype=np.float64).sum())
        both, apart = before + len(block), mean - self.mean
        self.mean += apart * len(block) / both
        self.squares += squares + apart * apart * before * len(block) / both


def stats_of(blob: Blob) -> Stats:
    """Raises OSError, WeightsError."""
    stats = Stats()
    for block in blob.blocks():
        stats.add(block)
    return stats
