"""Lines with a pattern are those in whose cleaned text it is found, however they are looked for."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barista_server.agent.matching import MAX_LINE, Matcher, PatternError
from barista_server.api.text import clean

PATTERNS = [
    "loss", "LOSS = 0", "los[st]", "(loss|lr) = 0", "a|b|cc", "^I", "0$", "^$", "$", r"\d+", "x*", "(?i)lOss",
    "(?i:l)oss", ".*loss", ".*?a", "...*a.*s", r"\bK", "é", "[^a]s", "(ab)+c?", "(?:ab){2,3}", "(?>lo)ss",
    "(?=a)ab", "(?!a)b", r"a\Z", "(a)\\1", "lo++", "ſ", r"\x41", "(?x) l o s s", "a{0}b", "|a", "(|loss)",
]  # fmt: skip
BITS = [b"loss", b"LOSS = 0", b"lr = 0", b"Iabab", b"a", b"b", b"K", b"0", b" ", b"cc", b"ss", b"\n", b"\n\n"]
ODD = [b"\r\n", b"\r", b"\t", b"\x1b[31m", b"\xff", "é".encode(), "ſ".encode(), "\u212a".encode(), b"\0"]


def expected(pattern: str, case: bool, block: bytes) -> list[int]:
    found = re.compile(pattern, 0 if case else re.IGNORECASE)
    lines = [clean(line) for line in block.removesuffix(b"\n").split(b"\n")]
    return [number for number, line in enumerate(lines) if found.search(line)]


@pytest.mark.parametrize("pattern", PATTERNS)
@given(st.lists(st.sampled_from(BITS)), st.booleans())
def test_plain_blocks(pattern: str, bits: list[bytes], case: bool) -> None:
    block = b"".join(bits) + b"\n"
    assert Matcher(pattern, True, case).lines(block) == expected(pattern, case, block)
    assert Matcher(pattern, False, case).lines(block) == expected(re.escape(pattern), case, block)


@given(st.sampled_from(PATTERNS), st.lists(st.sampled_from(BITS + ODD)), st.booleans())
def test_odd_blocks(pattern: str, bits: list[bytes], case: bool) -> None:
    block = b"".join(bits) + b"\n"
    assert Matcher(pattern, True, case).lines(block) == expected(pattern, case, block)


def test_a_long_line_is_looked_at_as_far_as_it_is_shown() -> None:
    block = b"a\n" + b"x" * MAX_LINE + b"needle\nneedle\n" + b"y" * (MAX_LINE - 6) + b"needle\n"
    assert Matcher("needle", False, True).lines(block) == [2, 3]


@pytest.mark.parametrize("pattern", ["(", "a{5,2}", "*", "(?P<1>a)", "[z-a]"])
def test_what_is_no_regular_expression_is_told(pattern: str) -> None:
    with pytest.raises(PatternError, match="no regular expression: "):
        Matcher(pattern, True, True)
    assert Matcher(pattern, False, True).lines(f"a{pattern}\nb\n".encode()) == [0]


@given(st.sampled_from(PATTERNS), st.lists(st.sampled_from(BITS)), st.booleans())
def test_spans_are_told_of_the_lines_that_are_found(pattern: str, bits: list[bytes], case: bool) -> None:
    matcher = Matcher(pattern, True, case)
    lines = b"".join(bits).decode().split("\n")
    for line in lines:
        spans = matcher.spans(line, 3)
        assert (spans is not None) == bool(matcher.lines(line.encode() + b"\n")) and len(spans or []) <= 6
        for begin, end in zip((spans or [])[::2], (spans or [])[1::2], strict=True):
            assert 0 <= begin < end <= len(line)
    assert Matcher("s", False, True).spans("losses", 2) == [2, 3, 3, 4]
