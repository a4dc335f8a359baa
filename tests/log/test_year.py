"""The year of stamps that have none."""

from __future__ import annotations

import time

import pytest

from barista_server.caffe.log.year import first_year, years_too_late

NOV_2026 = time.mktime((2026, 11, 25, 12, 0, 0, 0, 0, -1))
DAY = 86_400


def stamp(day: str) -> bytes:
    return f"I{day} 10:00:00.000001  4711 solver.cpp:1] Iteration 1, loss = 1\n".encode()


HEADER = b"Log file created at: 2014/10/25 15:37:55\nRunning on machine: m\n"
GLOG_NAME = "caffe.host.me.log.INFO.20150703-174731.17041"
ABORTED = b'*** Aborted at 1453302452 (unix time) try "date -d @1453302452" if you are using GNU date ***\n'


@pytest.mark.parametrize(
    ("name", "head", "tail", "year"),
    [
        ("train.log", HEADER + stamp("1025"), stamp("1025"), 2014),
        (GLOG_NAME, stamp("0703"), stamp("0704"), 2015),
        ("train.log", stamp("0119"), stamp("0120") + ABORTED, 2016),
        ("train.log", stamp("1124"), stamp("1125"), 2026),
        ("train.log", stamp("1126"), stamp("1126"), 2026),
        ("train.log", stamp("1128"), stamp("1128"), 2025),
        ("train.log", stamp("1230"), stamp("0102"), 2025),
        ("train.log", stamp("1230"), b"", 2025),
        ("train.log", b"no stamp at all\n", b"", 2026),
        ("nothing.20169999-000000.1", stamp("0101"), b"", 2026),
    ],
)
def test_first_year(name: str, head: bytes, tail: bytes, year: int) -> None:
    assert first_year(name, head, tail, NOV_2026) == year


def test_a_log_over_several_years_is_put_back() -> None:
    assert years_too_late(NOV_2026, NOV_2026) == 0
    assert years_too_late(NOV_2026 + DAY, NOV_2026) == 0
    assert years_too_late(NOV_2026 + 200 * DAY, NOV_2026) == 1
    assert years_too_late(NOV_2026 + 700 * DAY, NOV_2026) == 2
