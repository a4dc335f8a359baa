"""Curves as text: ticks, scales, smoothing, marks."""

from __future__ import annotations

import math
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.text import Text

from barista_server.api.messages import Series, SeriesKey
from barista_tui.curves import (
    Inks,
    View,
    chosen_keys,
    curve,
    draw,
    hidden_by_log,
    is_share,
    log_label,
    log_ticks,
    nice_ticks,
    points,
    smoothed,
    tick_label,
    x_ticks,
)

INKS = Inks(axis="#999999", grid="#444444", mark="#ff0000")
TRAIN = SeriesKey(phase="train", name="loss")
TEST = SeriesKey(phase="test", name="loss", output=1)
ACCURACY = SeriesKey(phase="test", name="accuracy", output=0)


def packed(values: list[float]) -> bytes:
    return array("d", values).tobytes()


def series(key: SeriesKey, xs: list[float], ys: list[float], nonfinite: list[float] | None = None) -> Series:
    return Series(
        key=key,
        x=packed(xs),
        low=packed(ys),
        high=packed(ys),
        line=b"",
        run=b"",
        points=len(xs),
        nonfinite=packed(nonfinite or []),
    )


def drawn(*all_series: Series, view: View | None = None, width: int = 80, height: int = 20) -> list[str]:
    curves = [curve(each, "#ffffff") for each in all_series]
    text = draw(curves, view or View(), width, height, INKS)
    return [Text.from_ansi(line).plain for line in text.splitlines()]


XS = [20.0 * number for number in range(200)]
FALLING = [2.3 * math.exp(-number / 40) + 0.02 for number in range(200)]


@pytest.mark.parametrize(("width", "height"), [(40, 12), (72, 20), (150, 40)])
def test_a_plot_fills_its_pane_exactly(width: int, height: int) -> None:
    lines = drawn(series(TRAIN, XS, FALLING), series(ACCURACY, XS, FALLING), width=width, height=height)
    assert len(lines) == height
    assert {cell_len(line) for line in lines} == {width}


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
    each = curve(series(TRAIN, [0.0, 1.0, 2.0, 3.0], [1.0, 0.0, -2.0, 0.1]), "#ffffff")
    assert points(each, View(log=True)) == [(0.0, 0.0), None, None, (3.0, -1.0)]


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
    assert points(curve(wide, "#ffffff"), View()) == [(1.0, 0.5), (1.0, 9.0)]


def test_smoothing_changes_training_only() -> None:
    rough = [1.0, 3.0] * 50
    train = points(curve(series(TRAIN, XS[:100], rough), "#ffffff"), View(smooth=2))
    test = points(curve(series(TEST, XS[:100], rough), "#ffffff"), View(smooth=2))
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
    raw = SeriesKey(phase="train", name="loss", output=0)
    rate = SeriesKey(phase="train", name="lr")
    assert chosen_keys([raw, rate, TRAIN, ACCURACY, TEST]) == [TRAIN, TEST, ACCURACY]
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
    assert hidden_by_log([curve(series(TRAIN, [0.0, 1.0], [1.0, 0.0]), "#ffffff")])
    assert not hidden_by_log([curve(series(TRAIN, [0.0, 1.0], [1.0, 1e-9]), "#ffffff")])
    assert not hidden_by_log([curve(series(ACCURACY, [0.0], [0.0]), "#ffffff")])
