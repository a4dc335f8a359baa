"""How sessions read in a table, in detail, and as JSON."""

from __future__ import annotations

import json
import math

import pytest

from barista_server.api.messages import Problem, RunInfo, SessionInfo, Snapshot, State
from barista_tui.verbs.listing import details, session_table
from barista_tui.verbs.output import as_data, print_json, say

RUNNING = SessionInfo(
    id="7",
    name="lenet-adam",
    state=State.RUNNING,
    folder="/root/sessions/7",
    created=20.0,
    caffe="embedded",
    iteration=4210,
    max_iter=10000,
    loss=0.03124,
    tests={"accuracy": 0.98125},
    speed=54.12,
    eta=192.0,
    runs=[
        RunInfo(number=1, started=0.0, ended=60.0, signal=9, lines=1),
        RunInfo(number=2, started=100.0, resumed_from=2000, lines=77),
    ],
    snapshots=[
        Snapshot(iteration=2000, model="a.caffemodel", state="a.solverstate", size=1_700_000, time=50.0)
    ],
)
INVALID = SessionInfo(
    id="12",
    name="a-session-with-quite-a-long-name-that-nobody-types",
    state=State.INVALID,
    folder="/root/sessions/12",
    created=10.0,
    caffe="embedded",
    problems=[
        Problem(
            text='layer "conv2": bottom "poolX" is unknown, and this goes on for more than a screen is wide',
            file="net.prototxt",
            line=41,
            hint='Did you mean "pool1"?',
        )
    ],
)


@pytest.fixture(autouse=True)
def eighty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def test_the_table_fits_eighty_columns_newest_first() -> None:
    header, first, second = session_table([INVALID, RUNNING])
    assert max(map(len, (header, first, second))) <= 80
    assert header.split() == ["ID", "NAME", "STATE", "PROGRESS", "ETA", "LOSS"]
    assert first.split() == ["7", "lenet-adam", "▶", "Running", "4210/10k", "42", "%", "03:12", "0.0312"]
    assert second.startswith("12  a-session-")
    assert "! Invalid" in second and 'net.prototxt:41 layer "conv2"' in second
    assert first.index("▶") == second.index("!") == header.index("STATE")
    assert first.endswith("0.0312") and header.endswith("LOSS") and len(first) == len(header)


def test_a_wide_terminal_shows_the_whole_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    assert INVALID.name in session_table([INVALID])[1]


def test_names_cannot_play_tricks_on_the_terminal() -> None:
    evil = SessionInfo(id="1", name="a\x1b[2Jb\nc", state=State.WAITING, folder="", created=0, caffe="c")
    assert session_table([evil])[1].split() == ["1", "a", "[2Jb", "c", "○", "Waiting"]


def test_details_name_problems_with_place_and_hint_runs_and_snapshots() -> None:
    text = "\n".join(details(INVALID))
    assert '  net.prototxt:41: layer "conv2": bottom "poolX" is unknown' in text
    assert '    Did you mean "pool1"?' in text
    lines = details(RUNNING)
    assert "progress       iteration 4210 of 10000 (42 %)" in lines
    assert "test accuracy  0.9812" in lines
    assert any("1, " in line and "took 01:00, ended by signal 9, 1 line" in line for line in lines)
    assert any("from iteration 2000, going on, 77 lines" in line for line in lines)
    assert any(
        line.startswith("  iteration 2000  1.7 MB") and line.endswith("a.caffemodel") for line in lines
    )


def test_json_has_every_field_and_no_numbers_that_json_has_not(capsys: pytest.CaptureFixture[str]) -> None:
    print_json([RUNNING, {"x": [math.nan, math.inf, -math.inf]}])
    session, numbers = json.loads(capsys.readouterr().out, parse_constant=lambda _: pytest.fail("not JSON"))
    assert session["state"] == "running"
    assert session["busy"] is None and session["stalled"] is False
    assert session["runs"][1]["resumed_from"] == 2000
    assert numbers == {"x": ["NaN", "Infinity", "-Infinity"]}
    assert set(session) == set(SessionInfo.__struct_fields__)
    assert as_data(1.5) == 1.5


def test_a_dumb_terminal_gets_ascii(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    for line in session_table([INVALID, RUNNING]):
        say(line)
    out = capsys.readouterr().out
    assert out.isascii()
    assert "Running" in out
