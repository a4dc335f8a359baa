"""Whatever a log holds, nothing raises, nothing grows without bound, and text for a screen is harmless."""

from __future__ import annotations

import random
import unicodedata

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from barista_server.caffe.log import LOSS, STRIDE, LineIndex, LineKind, LogParser, clean

from .log_results import FIXTURES, everything, glog, parse


@given(st.binary(max_size=400), st.integers(0, 400))
def test_junk(junk: bytes, cut: int) -> None:
    log = glog("Iteration 1, loss = 1").encode() + junk + b"\n" + glog("Iteration 2, loss = 2").encode()
    parser = parse(log, [cut])
    assert {1, 2} <= set(parser.series[LOSS].iteration.tolist())
    assert parser.index.lines == log.count(b"\n")
    assert parser.index.size == len(log)


def test_a_line_without_end_is_not_piled_up() -> None:
    parser = LogParser()
    piece = b"x" * 1_000_000
    for _ in range(20):
        parser.feed(piece)
    assert len(parser._pending) < 100_000
    parser.feed(b"\n" + glog("Iteration 7, loss = 3").encode())
    assert parser.index.lines == 2
    assert parser.index.size == 20_000_001 + len(glog("Iteration 7, loss = 3"))
    assert parser.series[LOSS].iteration.tolist() == [7]


def test_carriage_returns_are_no_line_ends() -> None:
    path = FIXTURES / "local2026-glog06-year.log"
    dos = everything(parse(path.read_bytes().replace(b"\n", b"\r\n")))
    unix = everything(parse(path.read_bytes()))
    assert {name: dos[name] for name in ("lines", "kinds", "series", "runs", "events")} == {
        name: unix[name] for name in ("lines", "kinds", "series", "runs", "events")
    }
    assert parse(b"a\rb\x85c\x0cd\n").index.lines == 1


def test_a_log_of_nothing_but_events_keeps_the_newest() -> None:
    line = glog("Snapshotting to binary proto file a_iter_{}.caffemodel")
    parser = parse("".join(line.replace("{}", str(i)) for i in range(30_000)).encode())
    assert len(parser.events) == 20_000
    assert parser.events[-1].text == "a_iter_29999.caffemodel"


def test_results_are_bounded_whatever_comes() -> None:
    outputs = "".join(glog(f"    Test net output #0: name{i} = 1") for i in range(12_000))
    assert len(parse((glog("Iteration 0, Testing net (#0)") + outputs).encode()).series) == 10_000
    starts = (glog("Use CPU.") + glog("Check failed", level="F")) * 1500
    assert len(parse(starts.encode()).runs) == 1000
    fields = glog("Initializing solver from parameters: ") + "test_iter: 1\n" * 3000
    assert len(parse(fields.encode()).runs[0].test_iter) == 1000
    fatal = parse((glog("x" * 10_000, level="F")).encode()).events[0]
    assert len(fatal.text) == 2000


@given(st.binary(max_size=200))
def test_clean_text_holds_no_controls(line: bytes) -> None:
    for text in (clean(line), clean(b"\x1b" + line), clean(line.replace(b"a", b"\x1b["))):
        assert all(unicodedata.category(char) not in ("Cc", "Zl", "Zp") for char in text)
        assert not any(
            unicodedata.bidirectional(char) in ("LRO", "RLO", "LRE", "RLE", "PDF") for char in text
        )


def test_clean_keeps_what_is_meant() -> None:
    assert clean(b"\x1b[1;31mred\x1b[0m text\r\n") == "red text"
    assert clean(b"\x1b]0;title\x07shown \x1b]8;;http://x\x1b\\link") == "shown link"
    assert clean(b" 10%\r 50%\r100%\r") == "100%"
    assert clean("Größe 3 µm".encode()) == "Größe 3 µm"
    assert clean(b"a\tb\xff\x07") == "a    b��"
    assert clean("abc\u202edef".encode()) == "abc�def"


@given(st.lists(st.sampled_from(list(LineKind)), max_size=300), st.data())
def test_index_finds_lines_by_kind(kinds: list[LineKind], data: st.DataObject) -> None:
    wanted = set(data.draw(st.lists(st.sampled_from(list(LineKind)), min_size=1)))
    start, stop = data.draw(st.integers(0, 310)), data.draw(st.integers(0, 310))
    index = LineIndex()
    done = 0
    while done < len(kinds):
        count = data.draw(st.integers(1, 100))
        part = np.array(kinds[done : done + count], np.uint8)
        done += len(part)
        index.extend(np.arange(done - len(part), done, dtype=np.int64) * 10, part, done * 10)
    expected = [line for line, kind in enumerate(kinds) if kind in wanted]
    assert index.count(wanted) == len(expected)
    assert index.select(wanted, start, stop).tolist() == expected[start:stop]
    span = index.span(start, stop)
    if start < min(stop, len(kinds)):
        assert span.start == span.first * 10
        assert start - STRIDE < span.first <= start
        assert span.stop >= min(stop, len(kinds)) * 10
    else:
        assert span.start == span.stop


def test_filter_over_many_blocks() -> None:
    kinds = np.array(random.Random(3).choices(range(6), weights=[90, 5, 2, 1, 1, 1], k=50_000), np.uint8)
    index = LineIndex()
    for begin in range(0, len(kinds), 777):
        part = kinds[begin : begin + 777]
        index.extend(np.arange(begin, begin + len(part)), part, begin + len(part))
    errors = np.flatnonzero(kinds == LineKind.ERROR)
    assert index.count([LineKind.ERROR]) == len(errors)
    assert index.select([LineKind.ERROR], 100, 140).tolist() == errors[100:140].tolist()
    assert index.select([LineKind.ERROR], len(errors) - 3, len(errors)).tolist() == errors[-3:].tolist()
