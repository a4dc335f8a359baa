"""Long work: rates and times to go, and the tray that shows them."""

from __future__ import annotations

from pathlib import Path

import msgspec
from PIL import Image

from barista_server.api.link import Link
from barista_server.api.messages import (
    AddDataset,
    DatasetChanged,
    DatasetFacts,
    DatasetInfo,
    DatasetReply,
    Event,
    Job,
    SessionInfo,
    State,
)
from barista_tui.store import HostKnown, Key, Known, LinkState
from barista_tui.widgets.tray import Tray, numbers
from barista_tui.works import LongWork, Works

from .support import opened, shown, until


def test_rate_and_time_to_go_come_from_the_last_seconds() -> None:
    clock = [0.0]
    works = Works(now=lambda: clock[0])
    work = works.begin("copying", total=1000)
    assert works.lines(Known(), lambda key: None) == [], "what ends at once is not worth a line"
    for second, done in enumerate((0, 100, 200, 300, 300, 400, 600, 800), 1):
        clock[0] = float(second)
        work.advance(done)
    (line,) = works.lines(Known(), lambda key: None)
    assert (line.part, line.done, line.rate) == (0.8, 800, 120.0)
    assert numbers(line).split() == ["80%", "800", "B", "of", "1.0", "kB", "120", "B/s", "2", "s", "left"]
    work.end()
    work.end()
    assert works.lines(Known(), lambda key: None) == []


def test_what_fails_is_told_once() -> None:
    told: list[str] = []
    works = Works(failed=told.append)
    works.begin("copying").fail("the disk is full")
    assert told == ["copying: the disk is full"] and not works.any


def test_the_agents_work_is_found_in_what_is_known() -> None:
    clock = [0.0]
    works = Works(now=lambda: clock[0])
    facts = DatasetFacts(kind="lmdb", size=100, files=1)
    hashed = DatasetInfo(
        id="3", name="mnist", path="/m", facts=facts, job=Job(what="hashing", bytes=25, share=0.25, rate=5.0)
    )
    log = SessionInfo(
        id="1",
        name="old",
        state=State.WAITING,
        folder="",
        created=0.0,
        caffe="",
        kind="log",
        busy="read 42 %",
    )
    host = HostKnown("gpu01", LinkState("alive"), {"1": log}, {"3": hashed})
    known = Known({"local": HostKnown(), "gpu01": host})
    cancelled: list[Key] = []
    works.lines(known, cancelled.append)
    clock[0] = 1.0
    first, second = works.lines(known, cancelled.append)
    assert (first.label, first.total, first.rate) == ("hashing mnist on gpu01", 100, 5.0)
    assert (second.label, second.part, second.cancel) == ("reading old on gpu01", 0.42, None)
    assert first.cancel is not None
    first.cancel()
    assert cancelled == [Key("gpu01", "3")]


def test_numbers_where_nobody_knows_the_end() -> None:
    assert numbers(LongWork("1", "x", done=2_000_000, rate=1000)) == "2.0 MB  1.0 kB/s"
    assert numbers(LongWork("1", "x", unit="", part=0.5)) == " 50%"
    assert numbers(LongWork("1", "x", words="waiting")) == "waiting"


async def test_the_tray_comes_shows_cancels_and_goes(root: Path) -> None:
    async with opened(root, (80, 24)) as (app, pilot):
        tray = app.main.query_one(Tray)
        assert not tray.display
        await pilot.press("X")
        await until(pilot, lambda: "nothing that takes long" in shown(app))
        stopped: list[str] = []
        first = app.works.begin("copying lenet to gpu01", total=3e9, cancel=lambda: stopped.append("first"))
        second = app.works.begin("indexing", unit="")
        first.advance(1.2e9)
        await until(
            pilot, lambda: "copying lenet to gpu01" in shown(app) and "1.2 GB of 3.0 GB" in shown(app)
        )
        assert tray.region.bottom == 23 and tray.size.height == 2
        await pilot.press("X", "x")
        assert tray.has_focus and stopped == ["first"]
        await pilot.press("down", "x")
        assert stopped == ["first"], "what cannot be cancelled goes on"
        await pilot.click(tray, offset=(78, 0))
        assert stopped == ["first", "first"]
        first.end()
        second.fail("the log is not readable")
        await until(pilot, lambda: not tray.display and "the log is not readable" in shown(app))
        assert app.main.list.has_focus


async def test_datasets_of_the_agent_are_known(root: Path, tmp_path: Path) -> None:
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    async with opened(root) as (app, pilot):
        link = await Link.open(root)
        data = tmp_path / "images.txt"
        data.write_text("a.png 0\n")
        reply = await link.call(AddDataset(path=str(data), kind="image-list"), DatasetReply)
        await link.close()
        known = lambda: app.store.known.host("local").datasets  # noqa: E731
        name = reply.dataset.id
        await until(pilot, lambda: name in known() and known()[name].content and known()[name].job is None)
        job = msgspec.structs.replace(reply.dataset, job=Job(what="hashing", share=0.5, bytes=10))
        app.store.happened("local", Event(sequence=0, what=DatasetChanged(dataset=job)))
        await until(pilot, lambda: f"hashing {reply.dataset.name}" in shown(app))
