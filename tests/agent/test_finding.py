"""Searching in logs through the agent: every line once, in either direction, and no pattern holds it up."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Literal

import msgspec
import pytest

from barista_server.agent import finding
from barista_server.agent.finding import Child, find
from barista_server.agent.tail import Log
from barista_server.api import messages as m
from barista_server.api.link import CallFailed, Link
from tests.agent.agents import Root, Watcher, new, solver

LINES = 1000


async def trained(root: Root) -> Link:
    """A link to an agent with a session whose run printed LINES numbered lines at once."""
    watcher = Watcher(await root.link())
    await watcher.subscribe()
    await new(watcher.link, solver(max_iter=20, display=1, burst=LINES, speed=0))
    await watcher.state(m.State.FINISHED)
    return watcher.link


async def test_a_session(root: Root) -> None:
    link = await trained(root)
    log = (root.run() / "caffe.log").read_text().splitlines()

    async def found(pattern: str, **how: object) -> m.FoundLines:
        call = m.FindLines(session="1", run=1, pattern=pattern, **how)  # type: ignore[arg-type]
        return await link.call(call, m.FoundLines)

    got = await found(r"burst 0009\d7", regex=True, case=True)
    expected = [number for number, line in enumerate(log) if "burst 0009" in line and line.endswith("7")]
    assert len(expected) == 10
    assert [line.number for line in got.lines] == got.places == expected
    assert [line.text for line in got.lines] == [log[number] for number in expected]
    assert (got.total, got.next) == (len(log), None)

    # Up from the last one, two at a time, until there are none left.
    seen: list[int] = []
    at: int | None = None
    while True:
        got = await found(r"BURST 0009\d7", regex=True, start=at, direction="up", limit=2)
        seen += got.places
        if (at := got.next) is None:
            break
    assert seen == expected[::-1]

    # Among metrics only places count as GetLines counts.
    got = await found("loss = ", kinds=["metric"], limit=7)
    assert 0 < len(got.places) <= 7 and got.next is not None
    window = m.GetLines(session="1", run=1, start=got.places[-1], count=1, kinds=["metric"])
    lines = await link.call(window, m.Lines)
    assert lines.lines == got.lines[-1:] and lines.total == got.total
    rest = await found("loss = ", kinds=["metric"], start=got.next)
    everything = await found("loss = ", kinds=["metric"], direction="up")
    assert [*got.lines, *rest.lines] == everything.lines[::-1]
    assert (await found("nowhere to be found")).lines == []

    # Places alone, more of them than an answer has room for lines; and lines by their places.
    burst = [number for number, line in enumerate(log) if "burst" in line]
    got = await found("burst", places_only=True, limit=100_000)
    assert (got.lines, got.places, got.next) == ([], burst, None)
    got = await found("burst", places_only=True, limit=3, direction="up")
    assert got.places == burst[:-4:-1] and got.next == burst[-3]
    pick = m.PickLines(session="1", run=1, places=[0, burst[7], burst[500], 10**9])
    picked = await link.call(pick, m.FoundLines)
    assert picked.places == pick.places[:-1] == [line.number for line in picked.lines]
    assert [line.text for line in picked.lines] == [log[place] for place in picked.places]
    picked = await link.call(
        m.PickLines(session="1", run=1, places=rest.places[:2], kinds=["metric"]), m.FoundLines
    )
    assert picked.lines == rest.lines[:2]


async def test_texts_of_the_client_are_matched_where_a_bad_pattern_holds_up_nobody(root: Root) -> None:
    link = await root.link()
    texts = ["loss = 0.5, Loss = 1", "lr = 0.1", "", "aé loss"]
    call = m.MatchTexts(pattern=r"loss( = \d)?", regex=True, texts=texts)
    found = await link.call(call, m.TextMatches)
    assert found.spans == [[0, 8, 12, 20], None, None, [3, 7]]
    found = await link.call(m.MatchTexts(pattern="Loss", case=True, texts=texts), m.TextMatches)
    assert found.spans == [[12, 16], None, None, None]
    # A match of no length is one, and nothing to be shown.
    found = await link.call(m.MatchTexts(pattern="x*", regex=True, texts=["ax", ""]), m.TextMatches)
    assert found.spans == [[1, 2], []]
    slow = m.MatchTexts(pattern=r"(\w+\s*)+[!?]", regex=True, texts=["many words " * 9])
    for bad, code in (
        (slow, "timeout"),
        (m.MatchTexts(pattern="(", regex=True, texts=texts), "invalid"),
        (m.MatchTexts(pattern="a", texts=["x" * 5_000_000]), "invalid"),
    ):
        with pytest.raises(CallFailed) as error:
            await link.call(bad, m.TextMatches)
        assert error.value.failure.code == code


async def test_what_cannot_be_searched(root: Root) -> None:
    link = await trained(root)

    async def refused(call: m.FindLines) -> m.Failure:
        with pytest.raises(CallFailed) as error:
            await link.call(call, m.FoundLines)
        return error.value.failure

    wrong = await refused(m.FindLines(session="1", run=1, pattern="(a", regex=True))
    assert wrong.code == "invalid" and "'(a' is no regular expression: missing )" in wrong.text
    assert (await refused(m.FindLines(session="1", run=1, pattern=""))).code == "invalid"
    assert (await refused(m.FindLines(session="1", run=1, pattern="a" * 1001))).code == "invalid"
    assert (await refused(m.FindLines(session="1", run=2, pattern="a"))).code == "not-found"
    assert (await refused(m.FindLines(session="1", run=1, pattern="a", kinds=["odd"]))).code == "invalid"
    assert (await refused(m.PickLines(session="1", run=1, places=[3, 2]))).code == "invalid"
    # The agent answers others meanwhile, and can search afterwards.
    slow = asyncio.create_task(refused(m.FindLines(session="1", run=1, pattern=r"(\w+\s*)+[!?]", regex=True)))
    begun = time.monotonic()
    await link.call(m.Ping(), m.Done)
    assert time.monotonic() - begun < 1
    failure = await slow
    assert failure.code == "timeout" and "takes too long" in failure.text
    assert (await link.call(m.FindLines(session="1", run=1, pattern="burst"), m.FoundLines)).lines


async def test_an_imported_log_of_two_runs(root: Root, tmp_path: Path) -> None:
    link = await trained(root)
    text = (root.run() / "caffe.log").read_bytes()
    path = tmp_path / "both.log"
    path.write_bytes(text + text)
    info = (await link.call(m.ImportLog(path=str(path)), m.SessionReply)).session
    half = text.count(b"\n")
    for run, expected in ((0, [half - 1, 2 * half - 1]), (1, [half - 1]), (2, [2 * half - 1])):
        call = m.FindLines(session=info.id, run=run, pattern="Optimization Done", kinds=[], direction="up")
        got = await link.call(call, m.FoundLines)
        numbers = [line.number for line in got.lines if "caffe.cpp" in line.text]
        assert sorted(numbers) == expected
        assert got.total == (2 * half if run == 0 else half)


@pytest.mark.parametrize("direction", ["down", "up"])
async def test_lines_that_are_too_long_for_one_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, direction: Literal["down", "up"]
) -> None:
    monkeypatch.setattr(finding, "BUDGET", 60.0)
    path = tmp_path / "caffe.log"
    path.write_text("".join(f"{number} {'x' * 50_000}\n" for number in range(300)))
    log = Log(path, 0.0)
    while log.grow():
        pass

    async def access(work: finding.Work) -> object:
        return work(log, (0, 300))

    child, seen, at, answers = Child(), list[int](), None, 0
    while answers == 0 or at is not None:
        call = m.FindLines(session="1", run=1, pattern="x", direction=direction, limit=1000, start=at)
        found = await find(access, call, child)
        seen += found.places
        at, answers = found.next, answers + 1
    assert answers > 3
    assert seen == (list(range(300)) if direction == "down" else list(range(300))[::-1])
    await child.close()


@pytest.mark.parametrize("direction", ["down", "up"])
async def test_blocks_join_whatever_their_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, direction: str
) -> None:
    path = tmp_path / "caffe.log"
    lines = [f"line {number} " + "x" * (number % 50 * 40) for number in range(3000)]
    path.write_text("\n".join(lines) + "\nline without end")
    log = Log(path, 0.0)
    while log.grow():
        pass

    async def access(work: finding.Work) -> object:
        return work(log, (10, 2990))

    child = Child()
    for count, most in ((1, 1 << 20), (100, 1 << 20), (1 << 15, 5000), (1 << 15, 1 << 23)):
        monkeypatch.setattr(finding, "LINES", count)
        monkeypatch.setattr(finding, "MOST_BYTES", most)
        monkeypatch.setattr(finding, "BUDGET", 60.0)
        call = m.FindLines(session="1", run=1, pattern="e 1", direction=direction, limit=1000)  # type: ignore[arg-type]
        got = await find(access, call, child)
        expected = [number for number in range(10, 2990) if str(number).startswith("1")]
        numbers = [line.number for line in got.lines]
        assert numbers == (expected[:1000] if direction == "down" else expected[::-1][:1000])
        assert got.places == [number - 10 for number in numbers]
        # What is left is looked through from where that ended.
        more = msgspec.structs.replace(call, start=got.next)
        rest = [line.number for line in (await find(access, more, child)).lines]
        assert [*numbers, *rest] == (expected if direction == "down" else expected[::-1])
    await child.close()
