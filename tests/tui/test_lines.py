"""The window of log lines that is kept."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from barista_server.api.messages import LogLine
from barista_tui.lines import BLOCK, MAX_BLOCKS, LineCache, Source, Window

SOURCE = Source("1", 1)


def log(total: int) -> list[LogLine]:
    return [LogLine(number=number, kind="plain", text=f"line {number}") for number in range(total)]


def answer(cache: LineCache, window: Window, lines: list[LogLine]) -> None:
    """Answer as the agent does: a negative start counts from the end."""
    start = window.start if window.start >= 0 else max(0, len(lines) + window.start)
    cache.put(start, len(lines), lines[start : start + window.count])


def test_the_end_comes_first_and_scrolling_asks_for_the_rest() -> None:
    lines = log(10_000)
    cache = LineCache(SOURCE)
    answer(cache, cache.tail(), lines)
    assert cache.total == 10_000
    assert cache.get(9_999) == lines[-1]
    assert cache.get(0) is None
    window = cache.missing(0, 40)
    assert window == Window(0, BLOCK)
    answer(cache, window, lines)
    assert cache.missing(0, 40) is None
    assert cache.get(40) == lines[40]


def test_growth_is_fetched_from_the_last_block() -> None:
    cache = LineCache(SOURCE)
    answer(cache, cache.tail(), log(300))
    grown = log(310)
    window = cache.tail()
    assert window.start == BLOCK
    answer(cache, window, grown)
    assert cache.get(309) == grown[309]
    assert cache.missing(280, 309) is None


def test_a_shorter_log_drops_what_was_known() -> None:
    cache = LineCache(SOURCE)
    answer(cache, cache.tail(), log(500))
    cache.put(0, 3, [LogLine(number=number, kind="event", text="new") for number in range(3)])
    assert cache.total == 3
    assert cache.get(1) == LogLine(number=1, kind="event", text="new")
    assert cache.get(400) is None


def test_a_million_lines_keep_a_bounded_memory() -> None:
    total = 1_000_000
    cache = LineCache(SOURCE)
    for top in range(0, total, total // 200):
        window = cache.missing(top, top + 60) if cache.total else cache.tail()
        if window is not None:
            start = window.start if window.start >= 0 else total + window.start
            lines = [
                LogLine(number=number, kind="plain", text="x")
                for number in range(start, min(total, start + window.count))
            ]
            cache.put(start, total, lines)
    assert len(cache._blocks) <= MAX_BLOCKS


@given(st.integers(1, 2000), st.lists(st.tuples(st.integers(0, 2000), st.integers(1, 80)), max_size=12))
def test_after_the_answer_nothing_visible_is_missing(total: int, views: list[tuple[int, int]]) -> None:
    lines = log(total)
    cache = LineCache(SOURCE)
    answer(cache, cache.tail(), lines)
    for top, height in views:
        window = cache.missing(top, top + height)
        if window is not None:
            answer(cache, window, lines)
        assert cache.missing(top, top + height) is None
        for index in range(top, min(total, top + height)):
            assert cache.get(index) == lines[index]
