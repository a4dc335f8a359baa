"""How labels are spread: a bin for each whole number, or ranges."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np

from barista_server.api.datasets import LabelBin

MOST_BINS = 1000
_RANGES = 64

Kind = Literal["none", "integers", "floats"]


class LabelCount:
    """Counts labels, the first number of each; of those beyond MOST_DISTINCT different ones less is kept."""

    MOST_DISTINCT = 1 << 20

    def __init__(self) -> None:
        self.seen = 0
        self._counts: Counter[float] = Counter()

    def take(self, labels: Iterable[Sequence[float]]) -> None:
        """Count more of them."""
        for label in labels:
            self.seen += 1
            if label and (label[0] in self._counts or len(self._counts) < self.MOST_DISTINCT):
                self._counts[label[0]] += 1

    @property
    def kind(self) -> Kind:
        """Whole numbers, or others too."""
        finite = self._finite()
        if not finite:
            return "none"
        return "integers" if all(float(value).is_integer() for value in finite) else "floats"

    @property
    def range(self) -> tuple[float, float] | tuple[None, None]:
        """Least and greatest."""
        finite = self._finite()
        return (min(finite), max(finite)) if finite else (None, None)

    def bins(self) -> list[LabelBin]:
        """One for each label, or 64 ranges between the least and the greatest; NaN and infinite ones last."""
        finite = self._finite()
        odd = [LabelBin(low=one, high=one, count=count) for one, count in self._counts.items()
               if not math.isfinite(one)]  # fmt: skip
        if self.kind == "integers" and len(finite) <= MOST_BINS:
            return [LabelBin(low=one, high=one, count=self._counts[one]) for one in sorted(finite)] + odd
        if not finite:
            return odd
        values = np.array(sorted(finite), np.float64)
        weights = [self._counts[value] for value in sorted(finite)]
        counts, edges = np.histogram(values, _RANGES, weights=weights)
        return [
            LabelBin(low=float(low), high=float(high), count=int(count))
            for low, high, count in zip(edges, edges[1:], counts, strict=False)
        ] + odd

    def _finite(self) -> list[float]:
        return [value for value in self._counts if math.isfinite(value)]
