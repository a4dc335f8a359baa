"""Sessions beside each other, and what tells their settings apart, as tables and lines."""

from __future__ import annotations

import csv
import io
import math

from hypothesis import given, settings
from hypothesis import strategies as st

from barista_server.api.messages import (
    Ancestor,
    FieldChange,
    LayerChange,
    LogFile,
    MetricBest,
    NetChanges,
    SeriesKey,
    SessionInfo,
    SettingsDiff,
    State,
    Summary,
)
from barista_tui import difftext
from barista_tui.compare import Column, Entry, Value, as_csv, columns, higher_is_better

LOSS, LR = SeriesKey(phase="train", name="loss"), SeriesKey(phase="train", name="lr")
ACCURACY = SeriesKey(phase="test", name="accuracy", output=0)


def best(key: SeriesKey, last: float, least: float, greatest: float) -> MetricBest:
    return MetricBest(
        key=key, points=9, last=last, last_at=90, least=least, least_at=10, greatest=greatest, greatest_at=20
    )


def entry(id: str, solver: dict[str, str], accuracy: float = 0.5, **more: object) -> Entry:
    fields = {"name": f"net-{id}", "state": State.FINISHED, "folder": "/x", "created": 0.0, "caffe": "bvlc"}
    session = SessionInfo(id=id, iteration=100, **{**fields, **more})  # type: ignore[arg-type]
    metrics = [best(LOSS, 0.5, 0.25, 2.5), best(LR, 0.1, 0.1, 0.1), best(ACCURACY, accuracy, 0.1, accuracy)]
    metrics.append(best(SeriesKey(phase="train", name="loss", output=0), 0.5, 0.25, 2.5))
    summary = Summary(session=id, solver=solver, net="n", parameters=431_080, batch=64, metrics=metrics)
    return Entry(session, "", summary)


def named(found: list[Column]) -> dict[str, list[str]]:
    return {one.name: one.texts for one in found}


TWO = [
    entry("1", {"base_lr": "0.01", "type": '"SGD"'}, 0.9),
    entry("2", {"base_lr": "1e-3", "type": '"SGD"', "gamma": "0.1"}, 0.95, caffe="embedded"),
]


def test_only_what_differs_is_told_then_what_they_came_to() -> None:
    assert named(columns(TWO)) == {
        "caffe": ["bvlc", "embedded"],
        "base_lr": ["0.01", "0.001"],
        "gamma": ["", "0.1"],
        "state": ["Finished", "Finished"],
        "iterations": ["100", "100"],
        "best train loss": ["0.2500", "0.2500"],
        "train loss at": ["10", "10"],
        "last train loss": ["0.5000", "0.5000"],
        "best test accuracy": ["0.9000", "0.9500"],
        "test accuracy at": ["20", "20"],
        "last test accuracy": ["0.9000", "0.9500"],
    }
    everything = named(columns(TWO, everything=True))
    assert everything["type"] == ["SGD", "SGD"] and everything["parameters"] == ["431k", "431k"]
    assert everything["last lr"] == ["0.1000", "0.1000"] and "best train loss #0" in everything
    accuracy = next(one for one in columns(TWO) if one.name == "best test accuracy")
    assert (accuracy.winners, accuracy.best) == ({1}, "high")
    loss = next(one for one in columns(TWO) if one.name == "best train loss")
    assert (loss.winners, loss.best) == (set(), "low"), "of equals none is best"


def test_logs_and_sessions_not_asked_yet_are_compared_by_what_is_known() -> None:
    log = entry("3", {}, 0.7, kind="log", caffe="", log=LogFile(path="/x"))
    assert "type" not in named(columns([*TWO, log])), "a log has no settings, which is no difference"
    assert named(columns([*TWO, log]))["best test accuracy"] == ["0.9000", "0.9500", "0.7000"]
    waiting = Entry(TWO[0].session)
    assert named(columns([waiting, TWO[1]]))["last train loss"] == ["", "0.5000"]
    assert columns([]) == [] and as_csv([], []) == "host,id,name\r\n"


def test_a_clone_tells_whose_weights_it_has() -> None:
    lineage = [
        Ancestor(id="2", name="b", created=0.0, how="weights"),
        Ancestor(id="1", name="a", created=0.0, how="weights", iteration=500),
    ]
    clone = entry("4", {}, weights="pretrained/x", lineage=lineage)
    assert named(columns([TWO[0], clone], everything=True))["weights of"] == ["", "1 a at 500"]


VALUES = st.lists(st.one_of(st.none(), st.floats(), st.integers(), st.text()), max_size=6)


@given(VALUES)
@settings(max_examples=50, deadline=None)
def test_sorting_keeps_everybody_and_puts_what_is_not_known_last(values: list[Value]) -> None:
    column = Column("x", "result", tuple(values), "low")
    for backwards in (False, True):
        order = column.order(backwards)
        assert sorted(order) == list(range(len(values)))
        missing = [values[place] is None or values[place] != values[place] for place in order]
        assert missing == sorted(missing)
    found = [values[place] for place in column.order()]
    numbers = [each for each in found if isinstance(each, int | float) and each == each]
    assert numbers == sorted(numbers)
    for place in column.winners:
        assert values[place] == min(each for each in numbers if math.isfinite(each))


def test_numbers_within_names_count() -> None:
    assert Column("x", "setting", ("net-10", "net-9", "net")).order() == [2, 1, 0]
    assert all(map(higher_is_better, ("accuracy", "top-5", "mAP", "val_f1")))
    assert not any(map(higher_is_better, ("loss", "error", "remap_cost")))


def test_csv_has_the_numbers_as_they_are() -> None:
    name = 'a,"b"\nc'
    odd = [entry("1", {"net": '"x,y"'}, 1 / 3, name=name), entry("2", {"net": "z"}, math.nan)]
    rows = list(csv.reader(io.StringIO(as_csv(odd, columns(odd)))))
    assert rows[0][:4] == ["host", "id", "name", "net"] and rows[1][2] == 'a,"b" c' and rows[1][3] == "x,y"
    at = rows[0].index("last test accuracy")
    assert (rows[1][at], rows[2][at]) == (str(1 / 3), "nan")


# ------------------------------------------------------------------------------------------------------- diff


DIFF = SettingsDiff(
    same=False,
    solver=[
        FieldChange(field="base_lr", old="0.1", new="0.01"),
        FieldChange(field="momentum", new="0.9", old_default=""),
        FieldChange(field="type", old='"Adam"', new_default='"SGD"'),
    ],
    nets=[
        NetChanges(
            title="net.prototxt",
            notes=["old: was V1"],
            layers=[
                LayerChange(kind="added", name="drop\x1b[31m", type="Dropout", new_place=3,
                            fields=[FieldChange(field="dropout_param.dropout_ratio", new="0.1")]),
                LayerChange(kind="renamed", name="a", new_name="b", type="ReLU", phase="TEST", moved=True,
                            old_place=2, new_place=5),
            ],
        )
    ],
)  # fmt: skip


def test_a_diff_reads_field_by_field_with_what_holds_where_nothing_is_set() -> None:
    assert difftext.lines(DIFF) == [
        ("part", "", "solver", "", "", ""),
        ("field", "~", "base_lr", "0.1", "0.01", ""),
        ("field", "+", "momentum", "not set", "0.9", ""),
        ("field", "-", "type", '"Adam"', '"SGD" (default)', ""),
        ("part", "", "net.prototxt", "", "", "old: was V1"),
        ("layer", "+", "drop", "", "", "Dropout, added"),
        ("field", "+", "dropout_param.dropout_ratio", "", "0.1", ""),
        ("layer", "=", "a", "", "", "ReLU, TEST, renamed to b, moved from 2 to 5"),
    ]
    assert difftext.counted(DIFF) == "3 fields of the solver, 2 layers"
    same = SettingsDiff(same=True, solver=[], nets=[NetChanges(title="net.prototxt")])
    assert difftext.lines(same) == [] and difftext.counted(same) == "Caffe would do the same with both."
