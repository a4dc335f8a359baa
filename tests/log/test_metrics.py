"""Windows lose no spike, runs are joined where they were resumed, speed and time to go are sensible."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barista_server.metrics import Piece, duration_of_tests, eta, speed, stitch, window

values = st.floats(-1e6, 1e6) | st.sampled_from([math.nan, math.inf, -math.inf])
bounds = st.none() | st.integers(-10, 1010).map(float)


@given(st.lists(st.tuples(st.integers(0, 1000), values), max_size=200), bounds, bounds, st.integers(1, 50))
def test_windows(points: list[tuple[int, float]], x0: float | None, x1: float | None, buckets: int) -> None:
    x = np.array([at for at, _ in points], np.float64)
    y = np.array([value for _, value in points], np.float64)
    got = window(x, y, x0, x1, buckets)
    inside = (x >= (-np.inf if x0 is None else x0)) & (x <= (np.inf if x1 is None else x1))
    kept = y[inside]
    finite = kept[np.isfinite(kept)]
    assert len(got.x) <= buckets
    assert got.points == len(kept)
    assert len({len(column) for column in (got.x, got.low, got.high, got.last, got.count, got.row)}) == 1
    if len(finite):
        assert np.nanmin(got.low) == finite.min()
        assert np.nanmax(got.high) == finite.max()
    else:
        assert np.isnan(got.low).all()
    assert set(got.nonfinite) <= set(x[inside][~np.isfinite(kept)])
    assert bool(len(got.nonfinite)) == (len(finite) < len(kept))
    assert np.array_equal(x[got.row], got.x)
    assert np.array_equal(y[got.row], got.last, equal_nan=True)
    if len(kept) <= buckets:
        assert np.array_equal(got.last, kept, equal_nan=True)


@given(st.lists(st.tuples(st.integers(0, 1000), values), max_size=200), bounds, bounds, st.integers(1, 50))
def test_windows_of_rising_x_are_those_of_any(
    points: list[tuple[int, float]], x0: float | None, x1: float | None, buckets: int
) -> None:
    x = np.sort(np.array([at / 7 for at, _ in points], np.float64))
    y = np.array([value for _, value in points], np.float64)
    # A point nowhere is in no window, and x is not seen to rise.
    expected = window(np.append(x, np.nan), np.append(y, 0.0), x0, x1, buckets)
    got = window(x, y, x0, x1, buckets)
    for name in ("x", "low", "high", "last", "count", "row", "nonfinite"):
        assert np.array_equal(getattr(got, name), getattr(expected, name), equal_nan=True), name


def test_a_spike_survives_a_million_points() -> None:
    y = np.zeros(1_000_000)
    y[123_457], y[777_777] = 1e9, np.nan
    got = window(np.arange(1_000_000, dtype=np.float64), y, None, None, 200)
    assert len(got.x) == 200
    assert (got.high == 1e9).sum() == 1
    assert not np.isnan(got.low).any()
    assert got.nonfinite.tolist() == [777_777]


def test_nothing_in_the_window() -> None:
    got = window(np.array([1.0, np.nan]), np.array([1.0, 2.0]), 5, None, 10)
    assert (got.points, got.x.tolist(), got.nonfinite.tolist()) == (0, [], [])
    with pytest.raises(ValueError, match="buckets"):
        window(np.array([1.0]), np.array([1.0]), None, None, 0)


def piece(run: int, start: int, iterations: list[int]) -> Piece:
    iteration = np.array(iterations, np.int64)
    return Piece(run, start, iteration, iteration * 1.0, iteration + run / 10, iteration * 2)


def joined(*pieces: Piece) -> list[tuple[int, int]]:
    curve = stitch(pieces)
    return list(zip(curve.iteration.tolist(), curve.run.tolist(), strict=True))


def test_rows_past_the_resume_are_hidden() -> None:
    assert joined(piece(1, 0, [0, 20, 40, 60, 80]), piece(2, 40, [40, 60])) == [
        (0, 1),
        (20, 1),
        (40, 2),
        (60, 2),
    ]
    # The newer run has not printed the iteration it went on from.
    assert joined(piece(1, 0, [0, 20, 40, 60]), piece(2, 40, [60])) == [(0, 1), (20, 1), (40, 1), (60, 2)]


def test_every_newer_run_hides() -> None:
    assert joined(piece(1, 0, [0, 20, 40, 60]), piece(2, 60, [60, 80, 100]), piece(3, 20, [40])) == [
        (0, 1),
        (20, 1),
        (40, 3),
    ]
    assert joined(piece(1, 0, [0, 20]), piece(2, 0, [0])) == [(0, 2)]
    # Two runs went on from 20, and only the newer one printed it again.
    assert joined(piece(1, 0, [0, 20]), piece(2, 20, [40]), piece(3, 20, [20, 60])) == [
        (0, 1),
        (20, 3),
        (60, 3),
    ]
    assert joined() == []


def test_a_stitched_curve_goes_forward() -> None:
    curve = stitch([piece(1, 0, [0, 20, 40]), piece(2, 30, [40, 60]), piece(3, 50, [60, 80])])
    assert curve.iteration.tolist() == [0, 20, 40, 60, 80]
    assert curve.value.tolist() == [0.1, 20.1, 40.2, 60.3, 80.3]


def test_speed_leaves_tests_and_pauses_out() -> None:
    iteration = np.arange(0, 600, 20)
    seconds = iteration / 50.0
    tests = np.array([], np.float64)
    assert speed(iteration, seconds) == pytest.approx(50)
    # A test of three seconds in every display, as in a run whose test_interval is its display.
    slowed = seconds + 3.0 * np.arange(len(seconds))
    begin = slowed[1:] - 3.1
    assert speed(iteration, slowed, begin, begin + 3) == pytest.approx(50)
    seconds[20:] += 3600
    assert speed(iteration, seconds, tests, tests) == pytest.approx(50)


def test_speed_needs_two_displays_and_time() -> None:
    assert speed(np.array([5]), np.array([1.0])) is None
    assert speed(np.array([5, 10]), np.array([1.0, 1.0])) is None
    # Most displays within one tick of a coarse clock.
    assert speed(np.arange(0, 8), np.array([0, 0, 0, 0, 0, 0, 0, 7.0])) == pytest.approx(1)
    assert speed(np.array([0, 20]), np.array([np.nan, 1.0])) is None


def test_eta_counts_the_tests_due() -> None:
    begin, end = np.array([0.0, 10, 20, 30]), np.array([2.0, 13, np.nan, 33])
    assert duration_of_tests(begin, end, np.array([0, 1, 0, 1])) == 5
    assert duration_of_tests(begin[:0], end[:0], np.array([], np.int64)) == 0
    assert eta(100, 1000, 10.0) == 90
    assert eta(100, 1000, 10.0, test_interval=500, test_seconds=5) == 100
    assert eta(1000, 1000, 10.0, 500, 5) == 0
    assert eta(100, 1000, None) is None


def test_the_least_and_greatest_values_have_their_own_places() -> None:
    y = np.array([3.0, np.nan, 1.0, 5.0, 1.0, np.inf, 2.0])
    for x in (np.arange(7.0), np.arange(7.0)[::-1].copy()):
        got = window(x, y, None, None, 2)
        assert (y[got.least], y[got.greatest]) == (1.0, 5.0)
    got = window(np.arange(7.0), y, 3, 6, 2)
    assert (got.least, got.greatest) == (4, 3)
    assert (window(np.arange(1.0), np.array([np.nan]), None, None, 2).least) == -1


def test_buckets_of_a_logarithmic_axis_are_equally_wide_there() -> None:
    x = np.arange(1_000_001.0)
    got = window(x, x, None, None, 60, log=True)
    assert got.points == len(x)
    decades = np.histogram(np.log10(got.x[1:]), bins=np.arange(0, 7))[0]
    assert (decades[1:] >= 8).all() and decades[0] >= 4
    shuffled = np.random.default_rng(1).permutation(x)
    assert window(shuffled, shuffled, None, None, 60, log=True).high.max() == 1_000_000
