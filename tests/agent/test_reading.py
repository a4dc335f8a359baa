"""Logs of runs that are over: their ends are there at once, and what is asked together is read whole."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
from pathlib import Path

import pytest

from barista_server.agent.lastlines import last_lines
from barista_server.agent.tail import Log
from barista_server.api import messages as m
from tests.agent.agents import Root, Watcher, new, solver, until

LOSS = m.SeriesKey(phase="train", name="loss", net=0, output=-1)


def parsed(path: Path) -> Log:
    log = Log(path, 0.0)
    while log.grow():
        pass
    log.parser.finish()
    return log


@pytest.mark.parametrize("end", ["\n", "", "\n\n", "\n\n\n"])
@pytest.mark.parametrize("width", [10, 1000, 5000])
def test_last_lines_are_those_of_the_whole(tmp_path: Path, end: str, width: int) -> None:
    path = tmp_path / "caffe.log"
    stamp = "I20261123 10:11:12.131415  123 solver.cpp:239] "
    lines = [
        f"{stamp}Iteration {number}, loss = {number} {'x' * (number % 7 * width // 7)}"
        for number in range(400)
    ]
    lines[-3] = f"E{stamp[1:]}a mistake"
    path.write_text("\n".join(lines) + end)
    log = parsed(path)
    for start, count in ((-1, 1), (-5, 5), (-20, 7), (-200, 200), (-400, 500), (-1000, 1000), (-10, 0)):
        first, total, expected = log.lines([], start, count)
        assert last_lines(path, log.facts(), start, count) == expected
        assert (first, total) == (max(0, total + start), log.parser.lines)
    facts = log.facts()
    with path.open("a") as file:
        file.write("more\n")
    assert last_lines(path, facts, -5, 5) is None


def test_ends_that_are_too_long_are_left_to_the_parser(tmp_path: Path) -> None:
    path = tmp_path / "caffe.log"
    path.write_bytes(b"x\n" + b"y" * (5 << 20) + b"\nz\n")
    facts = parsed(path).facts()
    assert last_lines(path, facts, -2, 2) is None
    assert [line.text for line in last_lines(path, facts, -1, 1) or []] == ["z"]


async def copies_of_a_run(root: Root, count: int) -> int:
    """A session with so many runs that are over, and no agent; displays in each."""
    watcher = Watcher(await root.link())
    await watcher.subscribe()
    await new(watcher.link, solver(max_iter=2000, display=1, speed=0))
    await watcher.state(m.State.FINISHED)
    await watcher.link.call(m.StopAgent(), m.Done)
    await watcher.link.wait_closed()
    records = root.journal()
    with (root.session() / "journal.jsonl").open("a") as journal:
        for number in range(2, count + 1):
            shutil.copytree(root.run(), root.run(number))
            for record in records:
                if record.get("run") == 1:
                    journal.write(json.dumps(record | {"run": number}) + "\n")
    return len(
        re.findall(r"Iteration \d+ .*loss = |Iteration \d+, loss = ", (root.run() / "caffe.log").read_text())
    )


async def test_all_runs_of_a_session_are_read_however_many(root: Root) -> None:
    displays = await copies_of_a_run(root, 12)
    link = await root.link()
    call = m.GetSeries(session="1", keys=[LOSS], raw=True)
    window = (await link.call(call, m.SeriesWindow)).series[0]
    assert window.points == 12 * displays
    assert (await link.call(call, m.SeriesWindow)).series[0].points == 12 * displays


@pytest.mark.parametrize("end", ["\n", ""])
async def test_the_end_of_an_imported_log_that_is_not_parsed(root: Root, tmp_path: Path, end: str) -> None:
    path = tmp_path / "old.log"
    lines = [f"I1123 10:11:12.131415  123 solver.cpp:239] Iteration {at}, loss = 1" for at in range(500)]
    path.write_text("\n".join(lines) + end)
    os.utime(path, (1e9, 1e9))
    watcher = Watcher(await root.link())
    await watcher.subscribe()
    session = (await watcher.link.call(m.ImportLog(path=str(path)), m.SessionReply)).session.id
    kept = root.path / "logs" / session / "content.msgpack"
    await until(kept.exists, "what was found is kept")
    await watcher.link.call(m.StopAgent(), m.Done)
    await watcher.link.wait_closed()
    link = await root.link()
    call = m.GetLines(session=session, run=0, start=-30, count=20)
    first = await link.call(call, m.Lines)
    assert [line.text for line in first.lines] == lines[-30:-10]
    assert (first.start, first.total) == (470, 500)
    everything = await link.call(m.GetLines(session=session, run=0, start=0, count=1000), m.Lines)
    assert everything.lines[-30:-10] == first.lines
    assert await link.call(call, m.Lines) == first


async def test_what_is_asked_together_is_told_as_a_whole(root: Root) -> None:
    displays = await copies_of_a_run(root, 1)
    link = await root.link()
    log = (root.run() / "caffe.log").read_text().splitlines()
    end = m.GetLines(session="1", run=1, start=-50, count=50)
    asked = [
        link.call(end, m.Lines),
        link.call(m.GetSeries(session="1", keys=[LOSS]), m.SeriesWindow),
        link.call(m.GetLines(session="1", run=1, start=0, count=10_000), m.Lines),
        link.call(m.GetSeries(session="1", keys=[LOSS]), m.SeriesWindow),
    ]
    last, curve, lines, again = await asyncio.gather(*asked)
    assert (last.start, last.total) == (len(log) - 50, len(log))  # type: ignore[union-attr]
    assert [line.text for line in last.lines] == log[-50:]  # type: ignore[union-attr]
    assert curve.series[0].points == again.series[0].points == displays  # type: ignore[union-attr]
    assert [line.text for line in lines.lines] == log[:10_000]  # type: ignore[union-attr]
    assert await link.call(end, m.Lines) == last
