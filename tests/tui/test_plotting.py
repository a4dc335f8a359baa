"""Plots, pure: ticks, scales, smoothing, marks, colours and signs, the legend."""

from __future__ import annotations

import math
from array import array
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.cells import cell_len

from barista_server.api.messages import Place, Series, SeriesKey
from barista_tui.plotting import cells, legend
from barista_tui.plotting.axes import (
    log_label,
    log_ticks,
    nice_ticks,
    tick_label,
    time_ticks,
    x_label,
    x_scale,
    x_ticks,
    y_scale,
)
from barista_tui.plotting.curves import (
    Choice,
    Curve,
    Name,
    View,
    chosen_keys,
    curve,
    is_share,
    labels_of,
    on_right,
    points,
    smoothed,
    toggled,
)
from barista_tui.plotting.figure import Shape, Stroke, figure
from barista_tui.plotting.scene import Slots, hidden_by_log, scene, sign_of
from barista_tui.plotting.sources import Ask, Source, Window, ask_for, curves_of
from barista_tui.store import Key

TRAIN = SeriesKey(phase="train", name="loss")
RATE = SeriesKey(phase="train", name="lr")
RAW = SeriesKey(phase="train", name="loss", output=0)
TEST = SeriesKey(phase="test", name="loss", output=1)
ACCURACY = SeriesKey(phase="test", name="accuracy", output=0)
HERE = Key("local", "1")


def packed(values: list[float]) -> bytes:
    return array("d", values).tobytes()


def series(key: SeriesKey, xs: list[float], ys: list[float], nonfinite: list[float] | None = None) -> Series:
    finite = [(y, x) for x, y in zip(xs, ys, strict=True) if math.isfinite(y)]
    low, high = (pick(finite, default=None) for pick in (min, max))
    return Series(
        key=key,
        x=packed(xs),
        low=packed(ys),
        high=packed(ys),
        line=array("q", range(len(xs))).tobytes(),
        run=array("i", [1] * len(xs)).tobytes(),
        points=len(xs),
        nonfinite=packed(nonfinite or []),
        least=Place(x=low[1], y=low[0], line=0, run=1) if low else None,
        greatest=Place(x=high[1], y=high[0], line=0, run=1) if high else None,
    )


def curve_of(each: Series, session: Key = HERE, title: str = "lenet") -> Curve:
    return curve(each, Name(session, each.key), title, labels_of([each.key])[each.key])


def curves(*some: Series, choice: Choice | None = None, view: View | None = None) -> list[Curve]:
    source = Source(HERE, "lenet")
    source.take(Window(Ask(axis=(view or View()).axis), some))
    return curves_of([source], view or View(), choice or Choice(), Slots())


def drawn(*some: Series, view: View | None = None, width: int = 80, height: int = 20) -> list[str]:
    return cells.draw(curves(*some, view=view), view or View(), width, height).text().splitlines()


XS = [20.0 * number for number in range(200)]
FALLING = [2.3 * math.exp(-number / 40) + 0.02 for number in range(200)]


@pytest.mark.parametrize(("width", "height"), [(40, 12), (72, 20), (150, 40)])
def test_a_plot_fills_its_pane_exactly(width: int, height: int) -> None:
    made = cells.draw(
        curves(series(TRAIN, XS, FALLING), series(ACCURACY, XS, FALLING)), View(), width, height, 500.0
    )
    assert len(made.rows) == height
    assert {sum(cell_len(text) for text, _ in row) for row in made.rows} == {width}


def test_losses_have_the_left_axis_and_accuracies_the_right() -> None:
    lines = drawn(series(TRAIN, XS, FALLING), series(ACCURACY, XS, [0.5] * 200))
    assert any(line.rstrip().endswith("1.0") for line in lines)
    assert any(line.lstrip().startswith("2.0") for line in lines)
    assert any("2000" in line for line in lines[-1:])


def test_a_falling_loss_falls() -> None:
    lines = drawn(series(TRAIN, XS, FALLING))
    canvas = [line[6:-1] for line in lines[:-2]]
    braille = [
        [column for column, char in enumerate(line) if 0x2800 < ord(char) <= 0x28FF] for line in canvas
    ]
    first = next(columns for columns in braille if columns)
    last = next(columns for columns in reversed(braille) if columns)
    assert min(first) < 8
    assert max(last) > 60


def test_the_logarithmic_scale_labels_powers_of_ten() -> None:
    lines = drawn(series(TRAIN, XS, [10 ** (-number / 50) for number in range(200)]), view=View(log=True))
    labels = [line.split("┼")[0].split("┤")[0].strip() for line in lines[:-2]]
    assert [label for label in labels if label and label[0].isdigit()] == ["1", "0.1", "0.01", "0.001"]


def test_values_a_logarithm_cannot_show_leave_a_gap() -> None:
    each = curve_of(series(TRAIN, [0.0, 1.0, 2.0, 3.0], [1.0, 0.0, -2.0, 0.1]))
    assert points(each, View(log=True)) == [(0.0, 1.0), None, None, (3.0, 0.1)]


def test_nan_is_marked_on_the_axis() -> None:
    lines = drawn(series(TRAIN, XS, [*FALLING[:100], *[math.nan] * 100], nonfinite=[2000.0, 3000.0]))
    assert sum(line.count("✖") for line in lines) == 2
    marked = next(place for place, line in enumerate(lines) if "✖" in line)
    assert marked >= len(lines) - 4


def test_only_nan_still_draws_a_frame_with_marks() -> None:
    lines = drawn(series(TRAIN, [0.0], [math.nan], nonfinite=[0.0, 10.0]))
    assert sum(line.count("✖") for line in lines) == 2


def test_a_pane_too_small_draws_nothing() -> None:
    assert drawn(series(TRAIN, XS, FALLING), width=10, height=3) == []
    assert drawn() == []


def test_both_ends_of_a_bucket_are_drawn() -> None:
    wide = Series(
        key=TRAIN, x=packed([1.0]), low=packed([0.5]), high=packed([9.0]), line=b"", run=b"", points=100
    )
    assert points(curve_of(wide), View()) == [(1.0, 0.5), (1.0, 9.0)]


def test_smoothing_changes_training_only() -> None:
    rough = [1.0, 3.0] * 50
    train = points(curve_of(series(TRAIN, XS[:100], rough)), View(smooth=2))
    test = points(curve_of(series(TEST, XS[:100], rough)), View(smooth=2))
    spread = [point[1] for point in train[-10:] if point is not None]
    assert max(spread) - min(spread) < 0.3
    assert [point[1] for point in test if point is not None] == rough


@given(st.lists(st.floats(0, 10) | st.just(math.nan), min_size=1, max_size=50), st.floats(0, 0.99))
def test_smoothed_values_stay_within_the_data(values: list[float], weight: float) -> None:
    finite = [number for number in values if math.isfinite(number)]
    for number, out in zip(values, smoothed(values, weight), strict=True):
        assert math.isnan(out) == math.isnan(number)
        if finite and not math.isnan(out):
            assert min(finite) - 1e-9 <= out <= max(finite) + 1e-9


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(1, 12))
def test_ticks_lie_within_and_are_not_too_many(low: float, span: float, most: int) -> None:
    ticks = nice_ticks(low, low + span, most)
    assert len(ticks) <= most
    slack = span * 1e-6 + abs(low) * 1e-9
    assert all(low - slack <= tick <= low + span + slack for tick in ticks)


@given(st.floats(-8, 4), st.floats(0.1, 9), st.integers(2, 10))
def test_log_ticks_lie_within_and_are_not_too_many(low: float, span: float, most: int) -> None:
    ticks = log_ticks(low, low + span, most)
    assert len(ticks) <= max(most, 3)
    assert all(low - 1e-6 <= tick <= low + span + 1e-6 for tick in ticks)


@pytest.mark.parametrize(
    ("value", "step", "text"), [(0, 1, "0"), (0.05, 0.05, "0.05"), (1.5, 0.5, "1.5"), (20000, 10000, "20k")]
)
def test_tick_labels_are_just_precise_enough(value: float, step: float, text: str) -> None:
    assert tick_label(value, step) == text


def test_the_smoothed_loss_stands_for_training_and_the_rate_is_left_out() -> None:
    known = [RAW, RATE, TRAIN, ACCURACY, TEST]
    assert chosen_keys(known, Choice()) == [TRAIN, TEST, ACCURACY]
    choice = toggled(toggled(Choice(), RATE, known), TEST, known)
    assert (choice.shown, choice.hidden) == ({"train.lr"}, {"test.loss#1"})
    assert chosen_keys(known, choice) == [TRAIN, ACCURACY, RATE]
    assert toggled(toggled(choice, TEST, known), RATE, known) == Choice()
    assert is_share(ACCURACY)
    assert not is_share(TEST)


@pytest.mark.parametrize(
    ("number", "label"),
    [
        (1.0, "1"), (1000.0, "1000"), (10_000.0, "10000"), (1e5, "1e5"), (1e10, "1e10"), (1e-10, "1e-10"),
        (0.02, "0.02"), (0.0005, "0.0005"), (5e-8, "5e-8"), (10**0.25, "1.78"),
    ],
)  # fmt: skip
def test_labels_of_a_logarithmic_scale_keep_their_zeros(number: float, label: str) -> None:
    assert log_label(number) == label


@given(st.floats(1e-300, 1e300))
def test_any_label_of_a_logarithmic_scale_reads_as_its_number(number: float) -> None:
    assert float(log_label(number)) == pytest.approx(number, rel=0.01)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_first_points_are_seen(count: int) -> None:
    lines = drawn(series(TRAIN, XS[:count], FALLING[:count]))
    assert sum(line.count("●") for line in lines) == count


def test_iterations_are_whole_and_labelled_once() -> None:
    assert x_ticks(0, 1, 6, "iteration") == [0, 1]
    assert len(x_ticks(0, 1, 6, "time")) > 2
    bottom = drawn(series(TRAIN, [0.0], [2.3]))[-1].split()
    assert len(bottom) == len(set(bottom)) > 1


def test_what_a_logarithmic_scale_cannot_show_is_known() -> None:
    view = View(log=True)
    assert hidden_by_log(curves(series(TRAIN, [0.0, 1.0], [1.0, 0.0])), view)
    assert not hidden_by_log(curves(series(TRAIN, [0.0, 1.0], [1.0, 1e-9])), view)
    both = curves(series(TRAIN, [0.0], [1.0]), series(ACCURACY, [0.0], [0.0]))
    assert not hidden_by_log(both, view) and hidden_by_log(both, View(log_right=True))


def test_shares_and_rates_have_an_axis_of_their_own_which_the_person_may_swap() -> None:
    keys = [TRAIN, TEST, ACCURACY, RATE]
    assert list(on_right(keys, Choice()).values()) == [False, False, True, True]
    assert list(on_right([ACCURACY], Choice()).values()) == [False]
    assert list(on_right([ACCURACY, RATE], Choice()).values()) == [False, True]
    assert on_right(keys, Choice(swapped=frozenset({"train.lr"})))[RATE] is False


def test_a_curve_keeps_its_number_while_it_is_there() -> None:
    slots = Slots()
    assert slots.of(["a", "b", "c"]) == [0, 1, 2]
    assert slots.of(["c", "a"]) == [2, 0]
    assert slots.of(["d", "a", "e", "c"]) == [1, 0, 3, 2]


def test_the_first_36_curves_have_signs_of_their_own() -> None:
    for ascii_only in (False, True):
        signs = [sign_of(slot, ascii_only) for slot in range(36)]
        assert len(set(signs)) == 36 and {cell_len(sign) for sign in signs} == {1}
    assert all(sign_of(slot, True).isascii() for slot in range(99))


def test_curves_differ_without_colours() -> None:
    lines = drawn(series(TRAIN, XS, FALLING), series(TEST, XS, [2 - y / 2 for y in FALLING]))
    assert sum(line.count("●") for line in lines) >= 3 and sum(line.count("▲") for line in lines) >= 3
    high = curves(series(TRAIN, XS, [1.0] * 200), series(TEST, XS, [2.0] * 200))
    rows = cells.draw(high, View(), 80, 20).text().splitlines()
    filled = sorted(sum(0x2800 < ord(char) <= 0x28FF for char in row) for row in rows)[-2:]
    assert filled[0] < 0.6 * filled[1]  # a test's line is dotted
    plain = cells.draw(high, View(), 80, 20, ascii_only=True).text()
    assert plain.isascii() and plain.count("o") > 2 * plain.count("x") > 40


@given(st.lists(st.floats(0, 1), min_size=2, max_size=40))
def test_a_line_has_no_holes(ys: list[float]) -> None:
    points = [(place / (len(ys) - 1), y) for place, y in enumerate(ys)]
    found = cells.spans(points, 60, 40)
    assert all(span is not None and -0.5 <= span[0] <= span[1] <= 39.5 for span in found)
    for before, after in pairwise(found):
        assert before is not None and after is not None
        assert before[0] <= after[1] + 1e-6 and after[0] <= before[1] + 1e-6


def test_the_best_value_is_marked_where_it_is() -> None:
    ys = [3.0, 1.0, 2.0, 2.5]
    made = scene(curves(series(TRAIN, XS[:4], ys), series(ACCURACY, XS[:4], ys)), View(), 6, 4)
    assert [line.best and round(line.best[0], 3) for line in made.lines] == [0.333, 0.0]
    assert scene(curves(series(RATE, XS[:4], ys)), View(), 6, 4).lines[0].best is None
    assert "★" in "".join(drawn(series(TRAIN, XS, FALLING)))


def test_the_legend_says_the_value_under_the_cursor() -> None:
    each = curve_of(series(TRAIN, [0.0, 20.0, 40.0], [2.0, 1.0, math.nan]))
    assert [legend.value_at(each, x) for x in (None, 0.0, 18.0, 38.0, 60.0)] == [
        *("1.000", "2.000", "1.000", "NaN", "–"),
    ]
    wide = curve_of(replace_low(series(TRAIN, [0.0], [2.0]), [0.5]))
    assert legend.value_at(wide, 0.0) == "0.5000‥2.000"


def replace_low(each: Series, low: list[float]) -> Series:
    return Series(each.key, each.x, packed(low), each.high, each.line, each.run, each.points)


def words(lines: list[list[legend.Piece]]) -> list[str]:
    return ["".join(piece.text for piece in line) for line in lines]


def test_the_legend_takes_the_room_it_has_and_shows_the_chosen_curve() -> None:
    some = [series(SeriesKey(phase="test", name=f"class{n}", output=n), XS[:2], [n, n]) for n in range(9)]
    made = curves(series(TRAIN, XS, FALLING), *some)
    (line,) = words(legend.lines(made[:1], legend.Look(View()), 78, 1))
    assert line.startswith(" ●━ train loss 0.0") and "★ 0.0359 at 3980" in line
    lines = words(legend.lines(made, legend.Look(View()), 78, 2))
    assert len(lines) == 2 and "more" in lines[-1] and "class0" in "".join(lines)
    look = legend.Look(View(), chosen=made[9].name)
    assert "▸" in "".join(words(legend.lines(made, look, 78, 2)))
    off = [replace(each, off=True) for each in made]
    assert words(legend.lines(off, legend.Look(View()), 999, 1))[0].startswith(
        " ·━ train loss  ·┅ test class0"
    )


def test_sessions_are_named_where_there_are_several() -> None:
    some = [curve_of(series(TRAIN, XS, FALLING), Key("gpu01", str(n)), f"net{n}") for n in (1, 2)]
    (line,) = words(legend.lines(some, legend.Look(View()), 200, 1))
    assert "1 net1 train loss" in line and "2 net2 train loss" in line
    far = [some[0], curve_of(series(TRAIN, XS, FALLING), Key("gpu02", "1"), "net1")]
    (line,) = words(legend.lines(far, legend.Look(View()), 200, 1))
    assert "gpu01:1 net1 train loss" in line and "gpu02:1 net1 train loss" in line


def test_a_logarithmic_x_axis_begins_above_zero() -> None:
    made = x_scale(0, 1_000_000, "iteration", True, 8)
    assert (made.low, made.ticks[0].label) == (1.0, "1")
    assert [made.value(tick.place) for tick in made.ticks] == pytest.approx([10.0**n for n in range(7)])
    assert made.place(1000) == pytest.approx(0.5)
    lines = drawn(series(TRAIN, XS, FALLING), view=View(log_x=True))
    assert lines[-1].split()[0] != "0"


def test_times_have_whole_minutes_hours_and_days(monkeypatch: pytest.MonkeyPatch) -> None:
    assert time_ticks(0, 5400, 8) == [0, 900, 1800, 2700, 3600, 4500, 5400]
    assert [at % 86400 for at in time_ticks(1_764_000_000, 1_764_900_000, 6, 3600.0)] == [82800] * 5
    assert x_label(90, "time", 5400) == "01:30"
    assert x_label(1_764_000_000, "clock", 10 * 86400).count(":") == 1
    assert ":" not in x_label(1_764_000_000, "clock", 100 * 86400)


def test_values_that_are_zoomed_into_get_the_whole_height() -> None:
    assert y_scale((5.0, 6.0), False, 5).low == 0.0
    close = y_scale((5.0, 6.0), False, 5, close=True)
    assert 4.9 < close.low < 5.0 < 6.0 < close.high < 6.1


def test_zooming_draws_what_is_there_until_the_finer_window_has_come() -> None:
    source = Source(HERE, "lenet")
    whole = Window(Ask(), (series(TRAIN, XS, FALLING),))
    source.take(whole)
    view = View(x0=100.0, x1=200.0)
    assert source.shown(view) is whole
    ask = ask_for(view, 100)
    assert (ask.x0, ask.x1, ask.buckets) == (50.0, 250.0, 200)
    finer = Window(ask, (series(TRAIN, XS[2:13], FALLING[2:13]),))
    source.take(finer)
    assert source.shown(view) is finer and source.shown(View()) is whole
    assert source.shown(View(x0=240.0, x1=340.0)) is whole
    assert source.shown(View(axis="time")) is None


def test_the_time_of_day_is_counted_from_when_the_first_run_began() -> None:
    source = Source(HERE, "lenet")
    source.take(Window(Ask(axis="clock"), (series(TRAIN, [0.0, 1.5], [2.0, 1.0], [1.5]),), 1_764_000_000.0))
    (made,) = curves_of([source], View(axis="clock"), Choice(), Slots())
    assert list(made.x) == [1_764_000_000.0, 1_764_000_001.5] and list(made.nonfinite) == [1_764_000_001.5]
    assert made.best is not None and made.best.x == 1_764_000_001.5


VALUES = st.floats(-1e300, 1e300) | st.floats(0, 3) | st.just(math.nan) | st.just(0.0)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.tuples(st.floats(0, 2e9), VALUES), max_size=12), min_size=1, max_size=3),
    st.builds(
        View,
        axis=st.sampled_from(["iteration", "time", "clock"]),
        log=st.booleans(),
        log_right=st.booleans(),
        log_x=st.booleans(),
        smooth=st.integers(0, 2),
        x0=st.none() | st.floats(0, 1e6),
        x1=st.none() | st.floats(1e6, 2e9),
    ),
    st.none() | st.floats(-10, 2e9),
)
def test_whatever_comes_is_drawn(
    some: list[list[tuple[float, float]]], view: View, cursor: float | None
) -> None:
    keys = (TRAIN, ACCURACY, RATE)
    made = [
        series(key, xs := sorted(x for x, _ in points), [y for _, y in points], xs[::3])
        for key, points in zip(keys, some, strict=False)
    ]
    if view.axis == "clock":
        view = replace(view, log_x=False)
    drawn = curves(*made, view=view)
    cell_rows = cells.draw(drawn, view, 70, 14, cursor).rows
    assert {sum(cell_len(text) for text, _ in row) for row in cell_rows} <= {70}
    legend.lines(drawn, legend.Look(view, cursor), 70, 2)
    for group in figure(drawn, view, "t", 300, 200).groups:
        for item in group.items:
            places = item.points if isinstance(item, Stroke | Shape) else [(item.x, item.y)]
            assert all(math.isfinite(x) and math.isfinite(y) for x, y in places)
