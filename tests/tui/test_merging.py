"""The messages of several callers in one order, and what is searched among lines."""

from __future__ import annotations

import random
import time

from hypothesis import given
from hypothesis import strategies as st

from barista_server.api.messages import LogLine, Notice, Problem, State, Subscribed
from barista_tui import callers, merging
from barista_tui.consolerows import Row, log_row, prefix, segments
from barista_tui.finding import Find, Hits, Matches, text_spans
from barista_tui.lines import Source
from barista_tui.merging import FIRST, Merged, Stream, stamp
from barista_tui.store import Key, Store
from barista_tui.theme import DARK_PALETTE

from .support import _session

NOW = time.mktime((2025, 11, 24, 16, 0, 0, 0, 0, -1))


def source(number: int) -> Source:
    return Source(Key("local", str(number)), 1)


def log(begin: float, step: float, count: int, stamped: int = 1) -> list[LogLine]:
    """Every ``stamped``-th line has a time."""
    lines = []
    for number in range(count):
        at = time.localtime(begin + number * step)
        before = time.strftime("I%m%d %H:%M:%S.000000  4711 solver.cpp:239] ", at)
        text = f"{before if number % stamped == 0 else ''}line {number}"
        lines.append(LogLine(number=number, kind="plain", text=text))
    return lines


def answer(merged: Merged, stream: Stream, lines: list[LogLine], older: bool = False) -> None:
    """As the agent answers."""
    windows = merged.older() if older else [(stream, merged.newer(stream))]
    for each, window in windows:
        if each is stream:
            start = window.start if window.start >= 0 else max(0, len(lines) + window.start)
            merged.take(stream, start, lines[start : start + window.count])


def texts(merged: Merged) -> list[str]:
    return [f"{row.caller}: {row.message}" for row in merged.rows]


def test_the_prefix_of_a_merged_line() -> None:
    merged = Merged(lambda: NOW)
    stream = merged.stream(source(7), "Session 7")
    answer(merged, stream, log(NOW - 5, 1, 2))
    merged.take_notices([Notice(time=NOW, caller="Host gpu02", kind="error", text="lost:\nno answer")])
    painted = ["".join(each.text for each in segments(row, DARK_PALETTE, False)) for row in merged.rows]
    assert painted == [
        "[15:59:55, Session 7] line 0",
        "[15:59:56, Session 7] line 1",
        "[16:00:00, Host gpu02] lost: no answer",
    ]
    assert merged.rows[2].whole == "[16:00:00, Host gpu02] lost: no answer"


def test_what_has_gaps_before_it_waits_until_it_is_asked_for() -> None:
    merged = Merged(lambda: NOW)
    fast, slow = merged.stream(source(1), "fast"), merged.stream(source(2), "slow")
    quick, lazy = log(NOW - 1000, 1, 1000), log(NOW - 2000, 10, 200)
    answer(merged, slow, lazy)
    assert len(merged.rows) == 200
    answer(merged, fast, quick)
    # Of the fast log only the end is here: older lines of the other would stand beside a gap.
    assert len(merged.rows) == FIRST + 20 and merged.first == 180
    bottom = merged.first + len(merged.rows)
    while merged.older():
        row, number = merged.rows[0], merged.first
        answer(merged, fast, quick, older=True)
        assert merged.rows[number - merged.first] == row
    assert len(merged.rows) == 1200 and merged.first + len(merged.rows) == bottom
    expected = sorted(
        [(NOW - 1000 + n, f"fast: line {n}") for n in range(1000)]
        + [(NOW - 2000 + 10 * n, f"slow: line {n}") for n in range(200)],
        key=lambda each: each[0],
    )
    assert sorted(texts(merged)) == sorted(text for _, text in expected)
    assert [row.stamp for row in merged.rows] == sorted(row.stamp for row in merged.rows)


def test_lines_without_a_time_stay_behind_the_line_before() -> None:
    merged = Merged(lambda: NOW)
    one, two = merged.stream(source(1), "one"), merged.stream(source(2), "two")
    answer(merged, one, log(NOW - 30, 1, 30, stamped=3))
    answer(merged, two, log(NOW - 29.5, 1, 30))
    assert [row.number for row in merged.rows if row.caller == "one"] == list(range(30))
    assert merged.rows[1].message == "line 1" and merged.rows[1].stamp == merged.rows[0].stamp


def test_a_clock_far_away_does_not_hide_what_happens_now() -> None:
    merged = Merged(lambda: NOW)
    near, far = merged.stream(source(1), "near"), merged.stream(source(2), "far")
    lines = log(NOW - 40, 1, 41)
    answer(merged, near, lines)
    behind = log(NOW - 6 * 3600, 1, 30)
    answer(merged, far, behind[:20])
    answer(merged, far, behind)
    assert texts(merged)[-1] in ("far: line 29", "near: line 40")
    assert "far: line 29" in texts(merged)[-12:]
    assert (
        stamp("I1231 23:59:59.5 1 a.cpp:1] x", NOW) == time.mktime((2024, 12, 31, 23, 59, 59, 0, 0, -1)) + 0.5
    )
    assert stamp("I20251124 15:00:00.0 1 a.cpp:1] x", NOW) == NOW - 3600
    assert stamp("nothing", NOW) is None


def test_a_full_buffer_drops_the_oldest_and_can_have_it_again() -> None:
    lines = log(NOW - 90_000, 1, 90_000)
    merged = Merged(lambda: NOW - 90_000 + stream.high)
    stream = merged.stream(source(1), "one")
    while stream.high < merging.MOST * 2:
        answer(merged, stream, lines[: stream.high + 1500] if stream.begun else lines[:300])
        merged.trim()
    assert len(merged.rows) <= merging.MOST * 1.1
    assert merged.first + len(merged.rows) == stream.high - 100
    assert merged.rows[0].number == stream.low > 0
    assert [row.number for row in merged.rows] == list(range(stream.low, stream.high))


def test_messages_that_come_late_find_their_place() -> None:
    merged = Merged(lambda: NOW)
    told = [Notice(time=NOW - n, caller="Agent", kind="text", text=str(n)) for n in (9, 5, 1)]
    assert merged.take_notices(told[1:]) and not merged.take_notices(told[1:])
    merged.take_notices(told)
    assert [row.text for row in merged.rows] == ["9", "5", "1"]


@given(st.lists(st.integers(0, 300), max_size=40), st.integers(1, 400), st.data())
def test_hits_are_counted_as_they_are_told(places: list[int], total: int, data: st.DataObject) -> None:
    places = sorted({place for place in places if place < total})
    hits, at = Hits(), 0
    while not hits.complete:
        stop = data.draw(st.integers(at + 1, total))
        found = [place for place in places if at <= place < stop]
        hits.take(at, found, None if stop == total else stop, total)
        at = stop
    assert list(hits.places) == places and hits.share() == 1
    for place in range(-1, total + 1):
        assert hits.index(place) == (places.index(place) if place in places else None)
        assert hits.beside(place, 1) == min((each for each in places if each > place), default=None)
        assert hits.beside(place, -1) == max((each for each in places if each < place), default=None)
    # The log grows, then another one stands there.
    hits.take(total, [total + 1], None, total + 5)
    assert hits.places[-1] == total + 1 and hits.complete
    hits.take(0, [], None, 3)
    assert (list(hits.places), hits.scanned, hits.total) == ([], 3, 3)


def test_an_error_says_what_to_do_about_it() -> None:
    store = Store()
    gone = Problem(text="Check failed", log_line=7)
    sessions = [_session("2", "ae", State.FAILED, problems=[gone]), _session("1", "x", State.INVALID)]
    store.subscribed("gpu01", Subscribed(complete=True, sequence=1, sessions=sessions), "e")

    def step(caller: str) -> str:
        notice = Notice(time=NOW, caller=caller, kind="error", text="failed")
        return callers.next_step(notice, store.known, lambda name, usual: usual)

    assert step("Session 2@gpu01") == "On its row e shows the line of the log, enter the reasons"
    assert step("Datasets@gpu01") == "f2 shows the datasets"
    assert step("Session 1@gpu01") == step("Session 2") == step("Agent") == ""


def test_callers_are_chosen_by_who_they_are() -> None:
    names = ["Session 7@gpu01", "Log 3", "Datasets", "Input manager", "Host gpu01", "Barista", "Slurm@gpu01"]
    groups = ["", "", "inputs", "inputs", "hosts", "app", "agents"]
    assert [callers.group_of(name) for name in names] == groups
    notices = [Notice(time=NOW, caller=name, kind="error", text="x") for name in names]
    known = Store().known
    chosen = callers.messages(notices, "inputs", "errors", known)
    assert [notice.caller for notice in chosen] == ["Datasets", "Input manager"]
    assert (
        callers.messages(notices, "all", "text", known)
        == callers.messages(notices, "all", "metrics", known)
        == []
    )


def test_texts_are_matched_here_and_regular_expressions_where_it_is_safe() -> None:
    assert text_spans(Find("Loss"), "a loss, LOSS") == (2, 6, 8, 12)
    assert text_spans(Find("Loss", case=True), "a loss, Loss") == (8, 12)
    assert text_spans(Find("i"), "İi") == (1, 2), "a capital that is two characters in lower case"
    plain, regex = Matches(Find("x")), Matches(Find("x+", regex=True))
    assert plain.get("axx") == (1, 2, 2, 3) and plain.wanted(["axx"]) == []
    assert regex.wanted(["axx", "b", "axx"]) == ["axx", "b"] and regex.get("axx") is None
    regex.take(["axx", "b"], [[1, 3], None])
    assert regex.get("axx") == (1, 3) and regex.wanted(["axx", "b"]) == [] and regex.get("b") is None
    assert (
        len(regex.wanted("y" * length for length in random.Random(1).choices(range(1, 9000), k=9000))) < 9000
    )


def test_matches_are_marked_where_they_can_be_seen() -> None:
    row = log_row(log(NOW, 1, 1)[0])
    assert prefix(Row("a", stamp="1", caller="b")) == "[1, b] "
    at = row.text.index("line")
    painted = segments(row, DARK_PALETTE, False, (0, 3, at - 2, at + 2, at + 2, at + 6))
    assert "".join(each.text for each in painted) == "16:00:00 line 0"
    marked = [each.text for each in painted if each.style is not None and each.style.bold]
    assert marked == ["li", "ne 0"]
    assert [each.text for each in segments(row, DARK_PALETTE, True)] == [row.text]
