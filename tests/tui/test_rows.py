"""A session as a line of the list."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.cells import cell_len

from barista_server.api.messages import Problem, Queued, SessionInfo, State
from barista_tui.listing import Wish, listed
from barista_tui.rows import MARK, SORTS, Cell, columns, heading, matches, row
from barista_tui.store import HostKnown, Known
from barista_tui.theme import palette_of
from barista_tui.widgets.session_list import cell_segments

LIVE = SessionInfo(
    id="7",
    name="lenet-adam",
    state=State.RUNNING,
    folder="",
    created=0.0,
    caffe="caffe",
    iteration=4210,
    max_iter=10_000,
    loss=0.0312,
    eta=192.0,
)


def text(cells: list[Cell]) -> str:
    return " ".join(cell.text for cell in cells if cell.column != "bar-rest")


def width_of(cells: list[Cell]) -> int:
    gaps = sum(cell.column != "bar-rest" for cell in cells) - 1
    return sum(cell_len(cell.text) for cell in cells) + gaps


@given(st.integers(34, 240), st.integers(1, 60))
def test_every_row_has_the_width_of_the_heading(width: int, name: int) -> None:
    layout = columns(width, name)
    invalid = SessionInfo(
        id="1",
        name="n" * name,
        state=State.INVALID,
        folder="",
        created=0.0,
        caffe="caffe",
        problems=[Problem(text="bad " * 40)],
    )
    expected = width_of(heading(layout, "id"))
    assert expected <= width
    log = replace(invalid, kind="log", state=State.RUNNING)
    for session in (LIVE, invalid, log):
        assert width_of(row(session, layout, spark=[1.0, 2.0])) == expected


def test_an_imported_log_is_told_from_a_session_and_found_by_the_word() -> None:
    log = replace(LIVE, kind="log")
    assert "≡ lenet-adam" in text(row(log, columns(78, 12)))
    assert "≡" not in text(row(LIVE, columns(78, 12)))
    assert matches(log, "local", "log") and not matches(LIVE, "local", "log")


def test_eighty_columns_show_all_that_matters() -> None:
    shown = text(row(LIVE, columns(78, 10)))
    for part in ("7", "lenet-adam", "local", "▶ Running", "4210/10k", "03:12", "0.0312", "━"):
        assert part in shown


def test_failed_and_invalid_rows_say_why_in_place_of_the_bar() -> None:
    problem = Problem(text='bottom "poolX" unknown', file="net.prototxt", line=41)
    for state in (State.INVALID, State.FAILED):
        shown = text(
            row(SessionInfo(**{**_fields(LIVE), "state": state, "problems": [problem]}), columns(78, 10))
        )
        assert "net.prototxt:41 bottom" in shown
        assert "━" not in shown


def _fields(session: SessionInfo) -> dict[str, object]:
    return {name: getattr(session, name) for name in session.__struct_fields__}


def test_a_lost_link_shows_its_age_in_the_row() -> None:
    assert "▶ Running 2m" in text(row(LIVE, columns(78, 10), link="2 m"))


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_broken_loss_is_red(loss: float) -> None:
    cells = row(SessionInfo(**{**_fields(LIVE), "loss": loss}), columns(78, 10))
    assert next(cell for cell in cells if cell.column == "loss").tone == "failed"


def test_filter_words_all_have_to_match() -> None:
    assert matches(LIVE, "gpu01", "LENET run")
    assert matches(LIVE, "gpu01", "gpu")
    assert not matches(LIVE, "gpu01", "lenet paused")


def test_orders() -> None:
    def made(id: str, **fields: object) -> SessionInfo:
        return SessionInfo(**{**_fields(LIVE), "id": id, **fields})

    sessions = [
        made("2", name="b", state=State.FINISHED, loss=math.nan, eta=None),
        made("10", name="a", state=State.RUNNING, loss=0.5, eta=10.0),
        made("9", name="c", state=State.FAILED, loss=0.1, eta=5.0, iteration=10_000),
    ]
    known = Known({"local": HostKnown(sessions={each.id: each for each in sessions})})
    ids = {sort: [row.key.session for row in listed(known, Wish(sort=sort), 0.0, {})] for sort in SORTS}
    assert ids == {
        "id": ["10", "9", "2"],
        "name": ["10", "2", "9"],
        "host": ["10", "9", "2"],
        "state": ["10", "9", "2"],
        "progress": ["9", "10", "2"],
        "loss": ["9", "10", "2"],
        "eta": ["9", "10", "2"],
    }


def test_a_queued_session_shows_its_place_and_why_it_waits() -> None:
    queued = replace(
        LIVE,
        name="alex-ft",
        state=State.QUEUED,
        eta=None,
        queued=Queued(place=2, since=0.0, reason="GPU 0: lenet-base"),
    )
    shown = text(row(queued, columns(80, 12)))
    assert cell_len(shown) == width_of(heading(columns(80, 12), "id")) <= 80
    assert shown.split() == ["7", "alex-ft", "local", "⧗", "Queued", "#2", "GPU", "0:", "lenet-base"]
    assert "#12" in text(row(replace(queued, queued=Queued(place=12, since=0.0)), columns(60, 12)))
    # About to start, it shows what it has done so far.
    assert "4210/10k" in text(row(replace(queued, queued=Queued(place=1, since=0.0)), columns(80, 12)))


def test_a_mark_stands_in_the_gap_before_the_name() -> None:
    palette = palette_of("barista-dark")

    def line(marked: bool) -> str:
        cells = row(LIVE, columns(78), marked=marked)
        return "".join(each.text for each in cell_segments(cells, palette))

    plain, marked = line(False), line(True)
    assert MARK not in plain and marked.replace(MARK, " ") == plain
