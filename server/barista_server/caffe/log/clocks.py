"""The clocks of several processes that print into one log: each has its own, even another time zone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .clock import Clock

_MAX_CLOCKS = 256


class Clocks:
    """Seconds since the log's first stamp, by all of its processes; they never fall."""

    def __init__(self, year: int | None = None) -> None:
        self.first = Clock(year)
        """Of the process that spoke first; it stands for the log."""
        self._others: dict[int, tuple[Clock, float]] = {}
        """By process: its clock, and the seconds at which it spoke first."""
        self._rank: int | None = None
        self._top = float("nan")

    @property
    def seconds(self) -> float:
        """Of the last stamp; NaN before any."""
        return self._top if self._others else self.first.seconds

    def resolve(
        self, dates: NDArray[np.int32], microseconds: NDArray[np.int64], ranks: NDArray[np.int32]
    ) -> NDArray[np.float64]:
        """Seconds of each line; see :meth:`.Clock.resolve`. ``ranks``: processes, -1 where not told."""
        named = ranks[(ranks >= 0) & (dates != 0)]
        if self._rank is None and len(named):
            self._rank = int(named[0])
        if not self._others and (self._rank is None or (named == self._rank).all()):
            return self.first.resolve(dates, microseconds)
        mine = (ranks < 0) | (ranks == self._rank)
        seconds = self.first.resolve(np.where(mine, dates, 0).astype(np.int32), microseconds)
        stamped = np.flatnonzero(~mine & (dates != 0))
        known, first = np.unique(ranks[stamped], return_index=True)
        for rank in known[np.argsort(first)].tolist():
            rows = stamped[ranks[stamped] == rank]
            if rank not in self._others:
                if len(self._others) >= _MAX_CLOCKS:
                    continue
                self._others[rank] = Clock(self.first.year), float(np.nan_to_num(seconds[rows[0]]))
            clock, origin = self._others[rank]
            seconds[rows] = origin + clock.resolve(dates[rows], microseconds[rows])
        seconds = np.fmax.accumulate(np.fmax(seconds, self._top))
        self._top = float(seconds[-1])
        return seconds
