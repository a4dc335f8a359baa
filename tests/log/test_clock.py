"""Time of a log: no year, no zone, threads out of order; it never runs backwards."""

from __future__ import annotations

import math
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barista_server.caffe.log import LOSS

from .log_results import parse


def seconds(*stamps: str, year: int | None = None, header: str = "") -> list[float]:
    lines = "".join(f"I{stamp} 1 a.cpp:1] Iteration {i}, loss = 1\n" for i, stamp in enumerate(stamps))
    return parse((header + lines).encode(), year=year).series[LOSS].seconds.tolist()


def test_seconds_since_the_first_stamp() -> None:
    assert seconds("1123 02:00:00.000000", "1123 02:00:01.500000", "1124 02:00:00.000000") == [0, 1.5, 86400]


def test_the_year_changes() -> None:
    assert seconds("1231 23:59:59.000000", "0101 00:00:01.000000") == [0, 2]
    # Two threads around midnight.
    stamps = ["1231 23:59:59.999998", "0101 00:00:00.000000", "1231 23:59:59.999999", "0101 00:00:01.000000"]
    assert seconds(*stamps) == pytest.approx([0, 2e-6, 2e-6, 1.000002])
    assert seconds("20251231 23:59:59.000000", "20260101 00:00:01.000000") == [0, 2]


def test_two_years_in_one_log() -> None:
    got = seconds(
        "1130 00:00:00.000000",
        "0301 00:00:00.000000",
        "1130 00:00:00.000000",
        "0301 00:00:00.000000",
        year=2014,
    )
    days = [
        (datetime(*date) - datetime(2014, 11, 30)).days
        for date in ((2015, 3, 1), (2015, 11, 30), (2016, 3, 1))
    ]
    assert got == [0, *(day * 86400 for day in days)]


def test_daylight_saving_ends() -> None:
    stamps = ["1026 02:59:50.000000", "1026 02:00:00.000000", "1026 02:00:30.000000"]
    assert seconds(*stamps) == [0, 10, 40]


def test_threads_out_of_order_are_waited_out() -> None:
    stamps = ["0627 13:02:45.362350", "0627 13:02:45.362349", "0627 13:02:45.362359"]
    assert seconds(*stamps) == pytest.approx([0, 0, 9e-6])


def test_ranks_in_two_time_zones() -> None:
    stamps = ["0502 16:52:12.000000", "0502 08:52:36.000000", "0502 16:53:00.000000", "0502 08:53:10.000000"]
    got = seconds(*stamps)
    assert got == sorted(got)
    assert got[-1] < 120


def test_lines_without_a_stamp_have_the_one_before() -> None:
    parser = parse(b"Iteration 0, loss = 1\nI1123 02:00:00.000000 1 a.cpp:1] x\nIteration 1, loss = 1\n")
    first, second = parser.series[LOSS].seconds.tolist()
    assert math.isnan(first)
    assert second == 0


def test_wall_clock_is_known_where_the_year_is() -> None:
    line = b"I1123 02:00:00.250000 1 a.cpp:1] Iteration 0, loss = 1\n"
    wanted = datetime(2014, 11, 23, 2, 0, 0, 250000).timestamp()
    assert parse(line).epoch is None
    assert parse(line, year=2014).epoch == wanted
    assert parse(b"Log file created at: 2014/11/23 01:59:59\n" + line).epoch == wanted
    assert parse(line.replace(b"I1123", b"I20141123")).epoch == wanted


def test_impossible_dates_are_no_stamps() -> None:
    assert seconds("1123 02:00:00.000000", "1399 02:00:00.000000", "0230 01:00:00.000000") == [0, 0, 0]


stamps = st.tuples(
    st.sampled_from(["0101", "0228", "0229", "1026", "1231", "20241231", "20260101", "9999"]),
    st.integers(0, 23), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999999),
).map(lambda t: f"{t[0]} {t[1]:02d}:{t[2]:02d}:{t[3]:02d}.{t[4]:06d}")  # fmt: skip


@given(st.lists(stamps, min_size=1, max_size=30))
def test_time_never_runs_backwards(drawn: list[str]) -> None:
    got = np.array(seconds(*drawn))
    got = got[~np.isnan(got)]
    assert (np.diff(got) >= 0).all()
