"""Export of what is too long for one frame, with its infinities, against a log made for it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from barista_server.api.frames import MAX_FRAME
from barista_server.api.link import Link
from barista_server.api.messages import GetSeries, ListSeries, Series, SeriesKey, SeriesList, SeriesWindow
from barista_tui.export import WHOLE, floats
from barista_tui.feeds import whole
from barista_tui.verbs.agentlink import session_of

from .verbshell import Shell

LOSS = SeriesKey(phase="train", name="loss")
DISPLAYS = 160_000
ODD = {3: math.inf, 4: -math.inf, 5: math.nan}


@pytest.fixture(scope="module")
def long() -> Iterator[Shell]:
    """A finished session whose log was replaced by a long one."""
    shell = Shell()
    try:
        shell.new("--start", max_iter=20, speed=0)
        shell.barista("wait", "1")
        shell.barista("agent", "stop")
        write_log(shell.log())
        yield shell
    finally:
        shell.close()


def write_log(path: Path) -> None:
    def lines() -> Iterator[str]:
        yield "I20261101 00:00:00.000000 1 caffe.cpp:248] Starting Optimization\n"
        for number in range(DISPLAYS):
            stamp = f"I20261101 {number // 36000:02}:{number // 600 % 60:02}:{number / 10 % 60:09.6f} 1"
            loss = ODD.get(number, 1 / (1 + number))
            yield f"{stamp} solver.cpp:239] Iteration {number} (10 iter/s, 0.1s/1 iters), loss = {loss}\n"
            yield f"{stamp} solver.cpp:258]     Train net output #0: loss = {loss} (* 1 = {loss} loss)\n"
            yield f"{stamp} sgd_solver.cpp:112] Iteration {number}, lr = 0.5\n"

    path.write_text("".join(lines()))


def test_what_no_frame_holds_is_exported_whole(long: Shell) -> None:
    assert 3 * DISPLAYS * 36 > MAX_FRAME
    target = long.files / "long.csv"
    assert f"{DISPLAYS} rows" in long.barista("export", "1", "-o", str(target)).stderr
    with target.open() as file:
        rows = [line.rstrip("\n").split("; ") for line in file][2:]
    assert [int(row[0]) for row in rows] == list(range(DISPLAYS))
    assert [row[2] for row in rows[3:6]] == ["inf", "-inf", "nan"] and float(rows[-1][2]) == 1 / DISPLAYS
    assert all(math.isclose(float(row[1]), number / 10) for number, row in enumerate(rows))
    assert {tuple(row[3:4]) for row in rows} == {("0.5",)}


def test_pieces_of_any_size_are_the_same_whole(long: Shell) -> None:
    async def asked() -> tuple[Series, list[Series], list[Series]]:
        link = await Link.open(long.root)
        session = await session_of(link, "1")
        assert LOSS in (await link.call(ListSeries(session="1"), SeriesList)).keys
        call = GetSeries(session=session.id, keys=[LOSS], axis="time", buckets=WHOLE)
        at_once = (await link.call(call, SeriesWindow)).series[0]
        in_pieces = [(await whole(link, "1", LOSS, "time", most))[0] for most in (9_999, 40_000)]
        few = (await link.call(GetSeries(session="1", keys=[LOSS]), SeriesWindow)).series
        await link.close()
        return replace(at_once, least=None, greatest=None), in_pieces, few

    at_once, in_pieces, few = asyncio.run(asked())
    assert all(one == at_once for one in in_pieces)
    # A window for the screen has no infinities, but says where they are.
    assert all(math.isfinite(value) for value in floats(few[0].high)) and len(floats(few[0].nonfinite)) == 1


def test_values_are_as_they_are_only_where_nothing_is_left_out(long: Shell) -> None:
    async def asked() -> list[float]:
        link = await Link.open(long.root)
        call = GetSeries(session="1", keys=[LOSS], x0=2, x1=6, raw=True)
        found = (await link.call(call, SeriesWindow)).series[0]
        await link.close()
        assert list(floats(found.x)) == [2, 3, 4, 5, 6]
        assert found.points == 5 and list(floats(found.nonfinite)) == [3, 4, 5]
        return list(floats(found.low))

    low = asyncio.run(asked())
    assert low[1:3] == [math.inf, -math.inf] and math.isnan(low[3]) and math.isfinite(low[4])
