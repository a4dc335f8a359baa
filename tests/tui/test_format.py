"""Numbers, states and bars as text."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from barista_server.api.messages import Notice, Problem, SessionInfo, State
from barista_tui import format as fmt


def session(**fields: object) -> SessionInfo:
    given = {
        "id": "1",
        "name": "net",
        "state": State.RUNNING,
        "folder": "/s/1",
        "created": 0.0,
        "caffe": "caffe",
    }
    return SessionInfo(**{**given, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (math.inf, ""),
        (-1, "0 s"),
        (42.4, "42 s"),
        (192, "03:12"),
        (3600, "1 h 00"),
        (18420, "5 h 07"),
        (3 * 86400 + 4 * 3600, "3 d 4 h"),
    ],
)
def test_durations_fit_their_column(seconds: float | None, text: str) -> None:
    assert fmt.duration(seconds) == text
    assert len(text) <= 7


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (9999, "9999"),
        (10_000, "10k"),
        (12_345, "12.3k"),
        (131_072, "131k"),
        (999_960, "1M"),
        (1_250_000, "1.2M"),
    ],
)
def test_counts_are_exact_below_ten_thousand(number: int, text: str) -> None:
    assert fmt.count(number) == text


@given(st.integers(0, 10**12))
def test_counts_fit_five_cells_up_to_a_million_million(number: int) -> None:
    assert len(fmt.count(number)) <= 5


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (None, ""),
        (math.nan, "NaN"),
        (math.inf, "Inf"),
        (-math.inf, "-Inf"),
        (0.0312, "0.0312"),
        (2.14071, "2.141"),
        (87.3365, "87.34"),
        (1e-7, "1.0e-7"),
        (0.0, "0.0000"),
    ],
)
def test_losses_show_four_digits_and_every_kind_of_not_a_number(number: float | None, text: str) -> None:
    assert fmt.value(number) == text


@given(st.floats(allow_nan=True, allow_infinity=True, width=32))
def test_a_value_fits_its_column(number: float) -> None:
    assert len(fmt.value(number)) <= 8


@pytest.mark.parametrize(
    ("bytes_", "text"),
    [(812, "812 B"), (1300, "1.3 kB"), (999_600, "1.0 MB"), (1_300_000, "1.3 MB"), (10**11, "100 GB")],
)
def test_sizes(bytes_: int, text: str) -> None:
    assert fmt.size(bytes_) == text


@given(st.floats(-1, 2), st.integers(0, 60))
def test_a_bar_is_as_wide_as_asked(part: float, width: int) -> None:
    filled, empty = fmt.bar(part, width)
    assert len(filled) + len(empty) == width
    if part >= 1:
        assert not empty


def test_a_sparkline_spans_low_to_high_and_leaves_gaps() -> None:
    assert fmt.sparkline([0, 1, math.nan, 7], 10) == "▁▂ █"
    assert fmt.sparkline([5.0] * 3, 2) == "▁▁"
    assert fmt.sparkline([math.nan], 5) == ""


@given(st.text(max_size=40), st.integers(1, 30), st.booleans())
def test_fit_fills_exactly_its_cells(text: str, width: int, right: bool) -> None:
    printable = "".join(char for char in text if char.isprintable())
    assert cell_len(fmt.fit(printable, width, right)) == width


def test_every_state_has_a_glyph_of_one_cell_and_a_word() -> None:
    assert set(fmt.STATES) == set(State)
    for look in fmt.STATES.values():
        assert cell_len(look.glyph) == 1
        assert look.word
    assert len({look.word for look in fmt.STATES.values()}) == len(fmt.STATES)


def test_a_stalled_run_says_so() -> None:
    assert fmt.state_look(session(stalled=True)).word == "Stalled"
    assert fmt.state_look(session(state=State.PAUSED, stalled=True)).word == "Paused"


def test_the_reason_names_file_and_line_first() -> None:
    problems = [Problem(text='bottom "poolX" unknown', file="net.prototxt", line=41), Problem(text="other")]
    assert fmt.reason(session(problems=problems)) == 'net.prototxt:41 bottom "poolX" unknown (+1 more)'


def test_the_reason_leaves_out_how_protobuf_calls_it() -> None:
    text = 'Message type "caffe.SolverParameter" has no field named "lr_polcy"'
    problem = Problem(text=text, file="solver.prototxt", line=3, hint='did you mean "lr_policy"?')
    found = fmt.reason(session(problems=[problem]))
    assert found == 'solver.prototxt:3 no field "lr_polcy", did you mean "lr_policy"?'


def test_a_hint_goes_on_in_the_sentence() -> None:
    problem = Problem(text="caffe was killed by SIGHUP", hint="It was told to take a snapshot too early")
    found = fmt.reason(session(problems=[problem]))
    assert found == "caffe was killed by SIGHUP, it was told to take a snapshot too early"
    problem = Problem(text="no data", hint="LMDB is expected")
    assert fmt.reason(session(problems=[problem])).endswith(", LMDB is expected")


def test_notices_have_the_prefix_of_the_manual(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    notice = Notice(time=1764000151.0, caller="Session 7", kind="text", text="paused")
    assert fmt.notice_prefix(notice) == "[16:02:31, Session 7]"
