"""The CSV formats, byte by byte, and the choice of series by name."""

from __future__ import annotations

import csv
import io
import math
from array import array

from hypothesis import given
from hypothesis import strategies as st

from barista_server.api.messages import Series, SeriesKey
from barista_tui import export

LOSS = SeriesKey(phase="train", name="loss")
RATE = SeriesKey(phase="train", name="lr")
OUTPUT = SeriesKey(phase="train", name="loss", output=0)
ACCURACY = SeriesKey(phase="test", name="accuracy", output=0)
SECOND = SeriesKey(phase="test", name="accuracy", net=1, output=0)


def series(key: SeriesKey, x: list[float], values: list[float], runs: list[int] | None = None) -> Series:
    """A window as the agent sends it when nothing is decimated."""
    raw = array("d", values).tobytes()
    return Series(
        key=key,
        x=array("d", x).tobytes(),
        low=raw,
        high=raw,
        line=array("q", range(len(x))).tobytes(),
        run=array("i", runs or [1] * len(x)).tobytes(),
        points=len(x),
    )


def example() -> list[export.Table]:
    """A session with two displays, the second one without a rate, and a test of each of two nets."""
    by_iteration = [
        series(LOSS, [0, 20], [2.302585, math.nan]),
        series(RATE, [0], [0.01]),
        series(OUTPUT, [0, 20], [2.302585, 0.00001]),
        series(ACCURACY, [0, 20], [0.1, 1.0]),
        series(SECOND, [0], [0.125]),
    ]
    by_time = [
        series(LOSS, [0.5, 1.25], [2.302585, math.nan]),
        series(RATE, [0.500001], [0.01]),
        series(OUTPUT, [0.5, 1.25], [2.302585, 0.00001]),
        series(ACCURACY, [0.25, 1.5], [0.1, 1.0]),
        series(SECOND, [0.3], [0.125]),
    ]
    return export.tables("lenet; base", by_iteration, by_time)


GOLDEN = b"""\
# lenet, base TRAIN
Iterations; Time; lenet, base.TRAIN.loss; lenet, base.TRAIN.lr; lenet, base.TRAIN.loss#0
0; 0.500000; 2.302585; 0.01; 2.302585
20; 1.250000; nan; ; 1e-05

# lenet, base TEST
Iterations; Time; lenet, base.TEST.accuracy
0; 0.250000; 0.1
20; 1.500000; 1

# lenet, base TEST1
Iterations; Time; lenet, base.TEST1.accuracy
0; 0.300000; 0.125
"""

GOLDEN_RFC = (
    b"Session,Phase,Iterations,Time,loss,lr,loss#0,accuracy\r\n"
    b"lenet; base,TRAIN,0,0.500000,2.302585,0.01,2.302585,\r\n"
    b"lenet; base,TRAIN,20,1.250000,nan,,1e-05,\r\n"
    b"lenet; base,TEST,0,0.250000,,,,0.1\r\n"
    b"lenet; base,TEST,20,1.500000,,,,1\r\n"
    b"lenet; base,TEST1,0,0.300000,,,,0.125\r\n"
)


def test_the_plain_format_is_one_table_a_phase_behind_a_comment_line() -> None:
    assert export.plain(example()).encode() == GOLDEN


def test_the_rfc_4180_format_is_one_table_with_crlf() -> None:
    assert export.rfc4180(example()).encode() == GOLDEN_RFC


def test_rows_of_two_runs_at_the_same_iteration_stay_two_rows() -> None:
    both = [series(LOSS, [100, 100], [0.5, 0.25], runs=[1, 2])]
    (table,) = export.tables("a", both, both)
    assert [cells for _, _, cells in table.rows] == [[0.5], [0.25]]


def test_points_without_a_known_time_leave_the_cell_empty() -> None:
    (table,) = export.tables("a", [series(LOSS, [0, 20], [1, 2])], [series(LOSS, [0.5], [1])])
    assert export.plain([table]).splitlines()[2:] == ["0; 0.500000; 1", "20; ; 2"]


@given(st.text(max_size=20))
def test_no_name_breaks_the_plain_table(name: str) -> None:
    tables = export.tables(name, [series(LOSS, [0], [1])], [series(LOSS, [0], [1])])
    lines = export.plain(tables).split("\n")
    assert len(lines) == 4
    assert [line.count(";") for line in lines] == [0, 2, 2, 0]


@given(st.text(max_size=20), st.floats())
def test_rfc_4180_reads_back(name: str, value: float) -> None:
    tables = export.tables(name, [series(LOSS, [0], [value])], [series(LOSS, [0.5], [value])])
    text = export.rfc4180(tables)
    _, row = csv.reader(io.StringIO(text, newline=""))
    assert row[:4] == [name, "TRAIN", "0", "0.500000"]
    assert float(row[4]) == value or math.isnan(value)


def test_series_are_chosen_by_phase_and_name_in_any_case() -> None:
    keys = [LOSS, RATE, OUTPUT, ACCURACY, SECOND]
    assert export.select(keys, []) == (keys, [])
    assert export.select(keys, ["Train.LR"]) == ([RATE], [])
    assert export.select(keys, ["test*.accuracy,lr"]) == ([RATE, ACCURACY, SECOND], [])
    assert export.select(keys, ["test.*"]) == ([ACCURACY], [])
    assert export.select(keys, ["train.loss"]) == ([LOSS], [])
    assert export.select(keys, ["loss*"]) == ([LOSS, OUTPUT], [])
    assert export.select(keys, ["loss#0"]) == ([OUTPUT], [])
    twins = [SeriesKey(phase="train", name="loss", output=number) for number in (0, 1)]
    assert export.select(twins, ["loss"]) == (twins, [])
    assert export.select(twins, ["loss#1"]) == (twins[1:], [])
    assert export.select(keys, ["lr", "top5"]) == ([RATE], ["top5"])
