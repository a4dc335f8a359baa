"""The last lines of a log and what follows, from bytes in any pieces, some of them sent twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from barista_tui.verbs.logs import Tail

LOG = b"".join(b"line %d\n" % number for number in range(50))


def run(tail: Tail, pieces: list[tuple[int, bytes]]) -> bytes:
    """All that is released for pieces of (offset, bytes), and at the end."""
    out = [line for offset, data in pieces for line in tail.feed(offset, data)]
    return b"".join(out + tail.end())


def test_without_a_number_everything_comes_through() -> None:
    assert run(Tail(0, len(LOG), None), [(0, LOG)]) == LOG


def test_a_last_line_without_a_newline_is_not_lost() -> None:
    assert run(Tail(0, 5, 2), [(0, b"a\nb\nc")]) == b"b\nc"


def test_of_the_past_only_the_last_lines_and_then_every_new_one() -> None:
    past, new = LOG[:153], LOG[153:]
    assert not past.endswith(b"\n")
    wanted = b"".join(past.splitlines(keepends=True)[-3:]) + new
    assert run(Tail(0, 153, 3), [(0, past), (153, new)]) == wanted


def test_a_start_in_the_middle_of_a_line_skips_its_rest() -> None:
    assert run(Tail(3, len(LOG), None), [(3, LOG[3:])]) == LOG[LOG.index(b"\n") + 1 :]


def test_no_lines_of_the_past_at_all() -> None:
    assert run(Tail(0, 14, 0), [(0, LOG[:14]), (14, b"new\n")]) == b"new\n"


@given(st.data())
def test_any_pieces_with_any_repetition_give_the_log_once(data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(LOG)), max_size=10)))
    ends = [*cuts, len(LOG)]
    pieces = []
    for start, end in zip([0, *cuts], ends, strict=True):
        again = data.draw(st.integers(0, start))
        pieces.append((start - again, LOG[start - again : end]))
    assert run(Tail(0, 0, None), pieces) == LOG
