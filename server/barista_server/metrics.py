"""What is asked of metric columns: windows of few points, one curve over several runs, speed and time to go.

Pure functions over numpy arrays; nothing here knows where they come from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

RECENT = 20
"""Displays over which the speed is taken, and tests over which their duration is."""


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of a metric in at most so many buckets. Arrays have one entry per bucket with a point."""

    x: FloatArray
    """Of the bucket's last point."""
    low: FloatArray
    """Least finite value; NaN where the bucket has none."""
    high: FloatArray
    """Greatest finite value; NaN where the bucket has none."""
    last: FloatArray
    """Value of the last point, NaN and infinities included."""
    count: IntArray
    """Points in the bucket."""
    row: IntArray
    """Row of the last point in the columns asked."""
    nonfinite: FloatArray
    """x of NaN and infinite points, the last one of each bucket that has any."""
    least: int = -1
    """Row of the first point with the least finite value; -1 without any."""
    greatest: int = -1

    @property
    def points(self) -> int:
        """Points the window stands for."""
        return int(self.count.sum())


def window(
    x: FloatArray, y: FloatArray, x0: float | None, x1: float | None, buckets: int, log: bool = False
) -> Window:
    """The points with ``x0 <= x <= x1`` in at most ``buckets`` buckets of equal width in x.

    With ``log`` they are so in log x; what is more than ``DECADES`` below the end, zero too, is in the first.

    ``x``, ``y``: (n,), in any order; a point whose x is not finite is in no window. None leaves an end open.
    With no more points than buckets each point comes by itself. Raises ValueError for ``buckets`` < 1.
    """
    if buckets < 1:
        raise ValueError(f"buckets must be at least 1, not {buckets}")
    if len(x) and (x[1:] >= x[:-1]).all() and np.isfinite(x[0]) and np.isfinite(x[-1]):
        return _ascending(x, y, x0, x1, buckets, log)
    inside = np.isfinite(x)
    if x0 is not None:
        inside &= x >= x0
    if x1 is not None:
        inside &= x <= x1
    rows = np.flatnonzero(inside)
    at = x[rows]
    if len(rows) > buckets:
        bucket = _buckets(at, x0, x1, buckets, log)(at)
        order = np.argsort(bucket, kind="stable")
        rows, at, bucket = rows[order], at[order], bucket[order]
        starts = np.flatnonzero(np.diff(bucket, prepend=-1))
    else:
        starts = np.arange(len(rows))
    found = _reduce(at, y[rows], starts)
    least, greatest = (int(rows[row]) if row >= 0 else -1 for row in (found.least, found.greatest))
    return replace(found, row=rows[found.row], least=least, greatest=greatest)


def _ascending(
    x: FloatArray, y: FloatArray, x0: float | None, x1: float | None, buckets: int, log: bool
) -> Window:
    """The same where x never falls: what is in a window and where its buckets begin is found by halving."""
    first = 0 if x0 is None else int(np.searchsorted(x, x0, "left"))
    stop = len(x) if x1 is None else int(np.searchsorted(x, x1, "right"))
    if stop <= first or (x1 is not None and np.isnan(x1)):
        first = stop = 0
    at = x[first:stop]
    if len(at) > buckets:
        bucket_of = _buckets(at[[0, -1]], x0, x1, buckets, log)
        starts = _firsts(lambda rows: bucket_of(at[rows]), len(at), buckets)
    else:
        starts = np.arange(len(at))
    found = _reduce(at, y[first:stop], starts)
    least, greatest = (row + first if row >= 0 else -1 for row in (found.least, found.greatest))
    return replace(found, row=found.row + first, least=least, greatest=greatest)


DECADES = 7


def _firsts(bucket_of: Callable[[IntArray], IntArray], points: int, buckets: int) -> IntArray:
    """First points of the buckets that have any; ``bucket_of`` never falls."""
    wanted = np.arange(buckets)
    low, high = np.zeros(buckets, np.int64), np.full(buckets, points)
    while (low < high).any():
        middle = np.minimum((low + high) // 2, points - 1)
        before = (bucket_of(middle) < wanted) & (low < high)
        low, high = np.where(before, middle + 1, low), np.where(before, high, np.minimum(high, middle))
    return np.unique(low[low < points])


def _buckets(
    at: FloatArray, x0: float | None, x1: float | None, buckets: int, log: bool
) -> Callable[[FloatArray], IntArray]:
    """Tells the bucket of each x within; ``at`` has the least and greatest of them."""
    low = float(at.min()) if x0 is None or not np.isfinite(x0) else x0
    high = float(at.max()) if x1 is None or not np.isfinite(x1) else x1
    log = log and high > 0
    if log:
        floor = max(low, high / 10**DECADES)
        low, high = np.log10(floor), np.log10(high)

    def bucket_of(x: FloatArray) -> IntArray:
        if log:
            x = np.log10(np.maximum(x, floor))
        share = (x - low) / (high - low) if high > low else np.zeros(len(x))
        return np.minimum((share * buckets).astype(np.int64), buckets - 1)

    return bucket_of


def _reduce(at: FloatArray, values: FloatArray, starts: IntArray) -> Window:
    """Buckets begin at ``starts`` of the points given, none of them empty."""
    ends = np.append(starts[1:], len(at)).astype(np.int64)[: len(starts)]
    if not len(starts):
        nothing = np.empty(0, np.float64)
        return Window(nothing, nothing, nothing, nothing, ends, ends, nothing)
    finite = np.isfinite(values)
    least, greatest = _extremes(values, finite)
    bad = np.flatnonzero(~finite) if not finite.all() else np.empty(0, np.int64)
    if len(bad):
        low = np.minimum.reduceat(np.where(finite, values, np.inf), starts)
        high = np.maximum.reduceat(np.where(finite, values, -np.inf), starts)
        none = ~np.logical_or.reduceat(finite, starts)
        low[none] = high[none] = np.nan
        holder = np.searchsorted(starts, bad, "right")
        bad = bad[np.flatnonzero(np.diff(holder, append=-1))]
    else:
        low, high = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    rows = ends - 1
    return Window(at[rows], low, high, values[rows], ends - starts, rows, at[bad], least, greatest)


def _extremes(values: FloatArray, finite: NDArray[np.bool_]) -> tuple[int, int]:
    """Rows of the first least and the first greatest finite value, -1 without any."""
    if finite.all():
        return int(values.argmin()), int(values.argmax())
    if not finite.any():
        return -1, -1
    return int(np.where(finite, values, np.inf).argmin()), int(np.where(finite, values, -np.inf).argmax())


@dataclass(frozen=True, slots=True)
class Piece:
    """One metric in one run. All arrays have the same length, in the order of the log."""

    run: int
    """Number of the run."""
    start: int
    """Iteration the run went on from; 0 for one from scratch."""
    iteration: IntArray
    seconds: FloatArray
    """In a time common to all pieces."""
    value: FloatArray
    line: IntArray
    """In the run's log."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One metric over all runs, as it belongs to the weights of today. All arrays have the same length."""

    iteration: IntArray
    seconds: FloatArray
    value: FloatArray
    line: IntArray
    run: NDArray[np.int32]
    """Run of each point."""


def stitch(pieces: Sequence[Piece]) -> Curve:
    """Join the runs of one metric, oldest first.

    What an older run did past the iteration from which a newer one went on led nowhere: these rows are left
    out. The row at that iteration itself is of the same weights; the newer run's own one, where it has one,
    stands for both. A run that never came to iterate hides nothing: do not pass it.
    """
    kept: list[tuple[Piece, NDArray[np.bool_]]] = []
    cut, again = np.iinfo(np.int64).max, False
    for piece in reversed(pieces):
        shown = piece.iteration < cut if again else piece.iteration <= cut
        kept.append((piece, shown))
        if piece is not pieces[0] and piece.start <= cut:
            repeated = bool((piece.iteration == piece.start).any())
            again = repeated or (again and piece.start == cut)
            cut = piece.start
    kept.reverse()

    def join(name: str) -> NDArray[np.generic]:
        parts = [
            getattr(piece, name) if shown.all() else getattr(piece, name)[shown] for piece, shown in kept
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts) if parts else np.empty(0)

    run = [np.broadcast_to(np.int32(piece.run), int(shown.sum())) for piece, shown in kept]
    return Curve(
        join("iteration").astype(np.int64, copy=False),
        join("seconds").astype(np.float64, copy=False),
        join("value").astype(np.float64, copy=False),
        join("line").astype(np.int64, copy=False),
        run[0] if len(run) == 1 else np.concatenate(run) if run else np.empty(0, np.int32),
    )


def speed(
    iteration: IntArray,
    seconds: FloatArray,
    test_begin: FloatArray | None = None,
    test_end: FloatArray | None = None,
) -> float | None:
    """Iterations per second over the last ``RECENT`` displays of one run, the time of tests left out.

    ``iteration``, ``seconds``: (n,), of the displayed losses. ``test_begin``, ``test_end``: (m,), ascending;
    an end may be NaN. The median over the displays, so that a pause or a snapshot does not count. None while
    there are fewer than two displays or no time has passed between them.
    """
    steps = np.diff(iteration[-RECENT - 1 :])
    recent = seconds[-RECENT - 1 :]
    spent = np.diff(recent)
    if test_begin is not None and test_end is not None and len(test_begin) and len(steps):
        durations = np.nan_to_num(np.maximum(test_end - test_begin, 0))
        holder = np.searchsorted(recent, test_begin, "left") - 1
        within = (holder >= 0) & (holder < len(spent))
        spent = spent - np.bincount(holder[within], durations[within], minlength=len(spent))
    good = (steps > 0) & (spent >= 0)
    steps, spent = steps[good], spent[good]
    if not len(steps):
        return None
    each = float(np.median(spent / steps))
    if each <= 0:
        # The clock is coarser than a display.
        each = float(spent.sum() / steps.sum())
    return 1 / each if each > 0 else None


def duration_of_tests(begin: FloatArray, end: FloatArray, net: IntArray) -> float:
    """Seconds a test of all test nets takes: the sum over nets of the median of the last ones; 0 if unknown.

    ``begin``, ``end``, ``net``: (n,); the end of a test without outputs is NaN.
    """
    durations = end - begin
    known = np.isfinite(durations) & (durations >= 0)
    durations, net = durations[known], net[known]
    return float(sum(np.median(durations[net == each][-RECENT:]) for each in np.unique(net)))


def eta(
    iteration: int, max_iter: int, speed: float | None, test_interval: int = 0, test_seconds: float = 0.0
) -> float | None:
    """Seconds from ``iteration`` to ``max_iter``, the tests due in between included; None without a speed."""
    if speed is None or speed <= 0:
        return None
    left = max(0, max_iter - iteration)
    tests = max(0, max_iter // test_interval - iteration // test_interval) if test_interval > 0 else 0
    return left / speed + tests * test_seconds
