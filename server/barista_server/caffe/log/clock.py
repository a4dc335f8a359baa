"""From glog stamps (often without a year, always without a zone) to seconds that never fall."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

_DAY = 86_400_000_000
"""A day in microseconds, the unit of everything here."""
_HOUR = 3_600_000_000
_JITTER = 60_000_000
"""Threads print out of order, clocks get corrected: a smaller step back is waited out, not followed."""
_UNKNOWN_YEAR = 2000
"""Stands in where no year is known; a leap year, so that 29 February is a date."""

TIME_ONLY = -1
"""Date of a stamp that tells the time of the day only."""


class Clock:
    """Turns stamps into seconds since the first one. Any split of the stamps gives the same seconds.

    A year is added where the month falls without one being printed. Daylight saving time going back, and
    another machine's earlier clock, shift what follows, so that time goes on from where it was.
    """

    def __init__(self, year: int | None = None) -> None:
        """``year`` of the first stamp, for prefixes without one."""
        self.year = year
        self.first: int | None = None
        """Microseconds of the first stamp since 0001-01-01, local time; see :attr:`epoch`."""
        self._dated = False
        self._dateless = False
        self._day = 0
        self._last = 0
        self._shift = 0
        self._undo = 0
        self._top = 0

    @property
    def seconds(self) -> float:
        """Of the last stamp; NaN before any."""
        return float("nan") if self.first is None else (self._top - self.first) / 1e6

    @property
    def epoch(self) -> float | None:
        """Wall-clock time of the first stamp in seconds since the epoch, read in this machine's time zone.

        None where no stamp was seen or the year is not known.
        """
        if self.first is None or not (self._dated or (self.year is not None and not self._dateless)):
            return None
        return (datetime.min + timedelta(microseconds=self.first - _DAY)).timestamp()

    def resolve(self, dates: NDArray[np.int32], microseconds: NDArray[np.int64]) -> NDArray[np.float64]:
        """Seconds since the first stamp for each line.

        ``dates``: yyyymmdd or mmdd, ``TIME_ONLY`` where the stamp has no date, 0 where the line has no stamp
        (it gets the seconds of the line before).
        ``microseconds``: of the day.
        """
        stamped = np.flatnonzero(dates)
        days = self._days(dates[stamped])
        valid = days > 0
        stamped, days = stamped[valid], days[valid]
        out = np.full(len(dates), self.seconds)
        if not len(stamped):
            return out
        times = self._shifted(days * _DAY + microseconds[stamped])
        if self.first is None:
            self.first = self._top = int(times[0])
        times = np.maximum(np.maximum.accumulate(times), self._top)
        self._top = int(times[-1])
        seconds = (times - self.first) / 1e6
        owner = np.searchsorted(stamped, np.arange(len(dates)), "right") - 1
        return np.where(owner >= 0, seconds[owner], out)

    def _days(self, dates: NDArray[np.int32]) -> NDArray[np.int64]:
        """Ordinal of each date, 0 where there is no such date."""
        if not len(dates):
            return np.empty(0, np.int64)
        edges = np.concatenate(([0], np.flatnonzero(np.diff(dates)) + 1, [len(dates)]))
        ordinals = [self._ordinal(int(dates[edge])) for edge in edges[:-1]]
        return np.repeat(np.array(ordinals, np.int64), np.diff(edges))

    def _ordinal(self, stamp: int) -> int:
        if stamp == TIME_ONLY:
            self._dateless = self._dateless or not self._day
            self._day = self._day or date(_UNKNOWN_YEAR, 1, 1).toordinal()
            return self._day
        year, month, day = stamp // 10000, stamp // 100 % 100, stamp % 100
        try:
            if year:
                self._dated = True
                self._day = date(year, month, day).toordinal()
            elif self._day == 0:
                self._day = date(self.year or _UNKNOWN_YEAR, month, day).toordinal()
            else:
                self._day = self._nearest(month, day)
        except ValueError:
            return 0
        return self._day

    def _nearest(self, month: int, day: int) -> int:
        """The first such date from 30 days before the stamp before on; ValueError where there is none."""
        year = date.fromordinal(self._day).year
        for candidate in (year - 1, year, year + 1):
            try:
                ordinal = date(candidate, month, day).toordinal()
            except ValueError:
                continue
            if ordinal >= self._day - 30:
                return ordinal
        raise ValueError

    def _shifted(self, times: NDArray[np.int64]) -> NDArray[np.int64]:
        """Add to every stamp what earlier steps back took away."""
        before = np.concatenate(([self._last or times[0]], times[:-1]))
        steps = times - before
        self._last = int(times[-1])
        suspicious = np.flatnonzero((steps < -_JITTER) if not self._undo else (np.abs(steps) > _JITTER))
        if not len(suspicious):
            return times + self._shift
        return self._follow(times, steps)

    def _follow(self, times: NDArray[np.int64], steps: NDArray[np.int64]) -> NDArray[np.int64]:
        shifts = np.zeros(len(times), np.int64)
        shifts[0] = self._shift
        for row in np.flatnonzero(np.abs(steps) > _JITTER).tolist():
            step = int(steps[row])
            if step < -_DAY // 2 and self._dateless:
                shifts[row] += _DAY
            elif step < 0:
                saving = abs(step + _HOUR) < 10 * _JITTER
                shifts[row] += _HOUR if saving else -step
                self._undo = 0 if saving else -step
            elif self._undo and abs(step - self._undo) < 10 * _JITTER:
                # Another process with another clock spoke in between (ranks of one run in two time zones).
                shifts[row] -= self._undo
                self._undo = 0
        shifts = np.cumsum(shifts)
        self._shift = int(shifts[-1])
        return times + shifts
