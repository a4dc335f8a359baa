"""Curves as text: size, signs, and what cannot be drawn."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barista_tui.textplot import text_plot

X = [float(i) for i in range(0, 1000, 10)]
FALLING = [2.3 * math.exp(-x / 150) + 0.01 for x in X]


def column_of(line: str, char: str) -> float:
    """Mean column of a sign in a line."""
    places = [index for index, one in enumerate(line) if one == char]
    return sum(places) / len(places)


def test_a_falling_curve_falls_from_left_to_right_within_its_size() -> None:
    lines = text_plot(X, FALLING, title="lenet: loss", ascii_only=True).split("\n")
    assert len(lines) == 16
    assert max(map(len, lines)) <= 72
    assert "lenet: loss" in lines[0]
    assert "iteration" in lines[-1]
    drawn = [line for line in lines if "*" in line]
    columns = [column_of(line, "*") for line in drawn]
    assert len(columns) >= 5
    assert columns == sorted(columns)
    assert "800" in lines[-2]


def test_ascii_has_no_other_signs_and_braille_is_finer() -> None:
    assert text_plot(X, FALLING, title="t", ascii_only=True).isascii()
    assert any("\u2800" < char <= "\u28ff" for char in text_plot(X, FALLING, title="t"))


def test_width_is_that_asked_for_whatever_the_terminal_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    for width in (30, 72, 150):
        lines = text_plot(X, FALLING, title="t", width=width).split("\n")
        assert max(map(len, lines)) == width


def test_a_logarithmic_plot_makes_an_exponential_straight() -> None:
    pure = [math.exp(-x / 100) for x in X]
    lines = text_plot(X, pure, title="t", log=True, ascii_only=True).split("\n")
    assert "(log)" in lines[0]
    columns = [column_of(line, "*") for line in lines if "*" in line]
    steps = [b - a for a, b in itertools.pairwise(columns)]
    assert max(steps) < 2 * min(steps)


def test_points_that_cannot_be_drawn_are_counted() -> None:
    text = text_plot([0, 1, 2, 3], [1.0, math.nan, math.inf, 2.0], title="t")
    assert text.endswith("2 of 4 points cannot be drawn (not finite)")
    assert "1 of 3" in text_plot([0, 1, 2], [1.0, 0.0, 2.0], title="t", log=True)


def test_nothing_to_draw_is_an_error() -> None:
    with pytest.raises(ValueError, match="no points"):
        text_plot([0], [math.nan], title="t")
    with pytest.raises(ValueError, match="no points"):
        text_plot([0], [-1.0], title="t", log=True)


NUMBERS = st.floats(min_value=-1e12, max_value=1e12)


@settings(max_examples=40)
@given(st.lists(NUMBERS, min_size=1, max_size=30), st.booleans())
def test_any_numbers_give_a_plot_of_the_right_size(values: list[float], log: bool) -> None:
    if log:
        values = [abs(value) + 1e-6 for value in values]
    lines = text_plot([float(i) for i in range(len(values))], values, title="t", log=log).split("\n")
    assert len(lines) == 16
    assert max(map(len, lines)) <= 72
