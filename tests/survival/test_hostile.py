"""What a log may hold while it is being written: lines without end, junk, escapes, clocks that jump."""

from __future__ import annotations

import asyncio
import json
import math
import random
import sys
from array import array
from pathlib import Path

from barista_server.api.messages import (
    GetLines,
    GetSeries,
    Lines,
    PauseSession,
    SeriesKey,
    SeriesWindow,
    SessionReply,
    State,
)
from tests.agent.agents import DEADLINE, Root, Watcher, new, solver, until
from tests.survival.test_links import resident

HOSTILE = (
    b"\x1b]0;a title\x07\x1b[2J\x1b[31mred\x1b[0m\n"
    b"\x1bP+q544e\x1b\\\x1b]52;c;cm0gLXJm\x07 a clipboard\n"
    b"\x9b2J\xc2\x9b2J c1\xe2\x80\xae sdrawkcab\x08\x08\x7f\x00\n"
)


def shown(text: str) -> bool:
    """A terminal shows it and obeys nothing."""
    return not any(
        ord(char) < 32 or 0x7F <= ord(char) < 0xA0 or 0x202A <= ord(char) <= 0x202E for char in text
    )


async def barista(root: Root, *words: str) -> str:
    """What the program prints."""
    argv = [str(Path(sys.executable).with_name("barista")), "--root", str(root.path), *words]
    process = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
    out, _ = await asyncio.wait_for(process.communicate(), DEADLINE)
    assert process.returncode == 0
    return out.decode()


async def test_g23_endless_lines_junk_and_escapes_while_it_trains(root: Root, watcher: Watcher) -> None:
    pid = watcher.link.welcome.pid
    await new(watcher.link, solver(display=1, speed=100))
    await watcher.iteration(5)
    before = resident(pid)
    junk = random.Random(1).randbytes(300_000)
    # As caffe does: appended, whatever else is written meanwhile.
    with (root.run() / "caffe.log").open("ab", buffering=0) as log:
        for piece in (b"\n", b"x" * 10_000_000, b"\n", junk, b"\n", HOSTILE):
            log.write(piece)
    at = (await watcher.iteration(6)).iteration
    assert (await watcher.iteration(at + 100)).state is State.RUNNING
    assert resident(pid) - before < 64 << 20
    texts: list[str] = []
    while True:
        call = GetLines(session="1", run=1, start=len(texts), count=10_000)
        got = (await watcher.link.call(call, Lines)).lines
        if not got:
            break
        texts += [line.text for line in got]
    assert all(map(shown, texts)) and sum(map(len, texts)) < 2_000_000
    assert any("red" in text for text in texts) and any("a clipboard" in text for text in texts)
    assert resident(pid) - before < 96 << 20
    printed = await barista(root, "logs", "1", "-n", "2000")
    assert "red" in printed and all(map(shown, printed.splitlines()))
    table = json.loads(await barista(root, "show", "1", "--json"))
    assert table["state"] == "running"
    await watcher.link.call(PauseSession(session="1"), SessionReply)
    await watcher.state(State.PAUSED)
    assert watcher.link.welcome.pid == pid and not watcher.link.closed


def displays(stamps: list[str], first: int) -> bytes:
    """Displays ten iterations apart, at those times."""
    return "".join(
        f"I{stamp} 4711 solver.cpp:239] Iteration {first + 10 * number}, loss = 0.5\n"
        f"I{stamp} 4711 solver.cpp:258]     Train net output #0: loss = 0.5 (* 1 = 0.5 loss)\n"
        f"I{stamp} 4711 sgd_solver.cpp:112] Iteration {first + 10 * number}, lr = 0.01\n"
        for number, stamp in enumerate(stamps)
    ).encode()


async def test_g24_clocks_that_jump_and_a_new_year(root: Root, watcher: Watcher) -> None:
    # It displays nothing by itself: all stamps are ours, ten iterations a second, and it trains to 100 000.
    await new(watcher.link, solver(display=0, speed=5))
    await watcher.state(State.RUNNING)
    await until(lambda: b"Solving" in (root.run() / "caffe.log").read_bytes(), "it trains")
    year = [f"1231 23:59:{second}.000000" for second in range(50, 60)]
    year += [f"0101 00:00:0{second}.000000" for second in range(10)]
    on = [f"0101 00:00:{second}.000000" for second in range(30, 50)]
    early = [f"1231 22:00:{second}.000000" for second in range(10, 30)]
    late = [f"0704 12:00:{second}.000000" for second in range(10, 30)]
    first = 0
    for stamps in (year, on, early, late):
        with (root.run() / "caffe.log").open("ab", buffering=0) as log:
            log.write(displays(stamps, first))
        first += 10 * len(stamps)
        info = await watcher.iteration(first - 10)
        info = await until(
            lambda: one if (one := watcher.sessions["1"]).speed else None, f"a speed after {stamps[-1]}"
        )
        assert (info.state, info.stalled) == (State.RUNNING, False)
        assert info.speed is not None and 5 < info.speed < 20, stamps[-1]
        assert info.eta is not None and 5_000 < info.eta < 20_000, stamps[-1]
    call = GetSeries(session="1", keys=[SeriesKey(phase="train", name="loss")], axis="time")
    (series,) = (await watcher.link.call(call, SeriesWindow)).series
    x = array("d", series.x)
    assert len(x) and all(math.isfinite(one) and one >= 0 for one in x)
    # Over iterations the curve does not notice.
    call = GetSeries(session="1", keys=call.keys, buckets=0)
    (series,) = (await watcher.link.call(call, SeriesWindow)).series
    assert list(array("d", series.x)) == list(range(0, first, 10))
