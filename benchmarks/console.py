"""The console of a run with a million lines, on another machine: the real program behind a real sshd.

How soon its end is there, pages up and down, places far away, and the hit of a regular expression that only
the other end of the log has.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from barista_server.api import messages as m
from barista_server.api.link import Link
from barista_server.remote.hostkeys import Offered
from barista_server.remote.ssh import own_way
from barista_tui.hosts import HostEntry, Hosts, folder
from benchmarks.processes import NET, agent_root, hurry, judged, load, resident, solver
from benchmarks.ptys import Screen
from tests.remote.sshd import USER, Sshd

LINES = 1_000_000
RATE = 10
"""Lines a second that come while it is looked at."""
PAGES, JUMPS, SEARCHES = 120, 25, 5
SIZE = (119, 45)
"""One pane has the whole screen."""
MOST_OPEN, MOST_PAGE, MOST_SEARCH = 300.0, 30.0, 1000.0
"""Milliseconds."""


def run(quick: bool = False) -> list[str]:
    """A tenth of the lines and rounds if ``quick``."""
    lines = LINES // 10 if quick else LINES
    with _far() as (root, sshd, environment):
        agent = asyncio.run(_start(root, lines))
        screen = Screen(["--host", "far"], environment, SIZE)
        try:
            screen.text_painted("Running")
            time.sleep(3.0)
            # All that has a part in it: program, terminal, sshd, agent; its searcher once there is one.
            far = [psutil.Process(pid) for pid in (agent, sshd)]
            pids = [each.pid for one in far for each in (one, *one.children(recursive=True)) if _ours(each)]
            # Textual writes to the terminal by a thread of its own.
            threads = [each.id for each in psutil.Process(screen.pid).threads()]
            how = hurry(*threads, screen.reader, *pids)
            return [f"{how}; {load()}", *_measured(screen, lines, agent, 10 if quick else 1)]
        finally:
            screen.leave()


def _ours(process: psutil.Process) -> bool:
    """It is no training."""
    return "steady_caffe" not in " ".join(process.cmdline())


def _measured(screen: Screen, lines: int, agent: int, part: int) -> Iterator[str]:
    opened = 1000 * (-screen.press("2") + screen.text_painted("Train net output"))
    yield judged(opened, MOST_OPEN, f"{lines:,} lines: the end is painted {opened:.0f} ms after its key")
    time.sleep(1.0)
    first = _search(screen)
    searcher = [each.pid for each in psutil.Process(agent).children() if _ours(each)]
    hurry(*searcher)
    found = sorted(_search(screen) for _ in range(SEARCHES))
    figure = f"a regular expression that only the first lines have, from the end: {found[2]:.0f} ms"
    more = f", longest {found[-1]:.0f} of {SEARCHES}, the very first one {first:.0f}"
    yield judged(found[2], MOST_SEARCH, figure) + more
    screen.press("g")
    screen.text_painted("Solver scaffolding")
    time.sleep(1.0)
    for name, key, count in (("down", "\x1b[6~", PAGES // part), ("up", "\x1b[5~", PAGES // part - 5)):
        pages = sorted(_timed(screen, key, "Iteration ", 0.05) for _ in range(count))
        p95 = statistics.quantiles(pages, n=20)[-1]
        figure = f"a page {name}: p95 {p95:.0f} ms, median {statistics.median(pages):.0f}"
        yield judged(p95, MOST_PAGE, figure) + f", longest {pages[-1]:.0f} of {count}"
    jumps = sorted(_jumps(screen, lines, JUMPS // part + 3))
    middle = statistics.median(jumps)
    yield f"to a line anywhere: median {middle:.0f} ms, longest {jumps[-1]:.0f} of {len(jumps)}"
    yield f"the program {resident(screen.pid):.0f} MiB resident; {load()}"


def _timed(screen: Screen, keys: str, text: str, rest: float) -> float:
    """Milliseconds until it is painted."""
    spent = 1000 * (-screen.press(keys) + screen.text_painted(text))
    time.sleep(rest)
    return spent


def _jumps(screen: Screen, lines: int, count: int) -> Iterator[float]:
    chance = random.Random(1)
    for _ in range(count):
        screen.press(":")
        screen.text_painted("that iteration")
        screen.press(str(chance.randrange(1000, lines)))
        time.sleep(0.3)
        yield _timed(screen, "\r", "Iteration ", 0.3)


def _search(screen: Screen) -> float:
    """From enter to the painted hit."""
    screen.press("G")
    time.sleep(0.5)
    screen.press("/")
    screen.press("\x1br")
    screen.press(r"Iteration 3 \(")
    time.sleep(0.7)
    spent = _timed(screen, "\r", "Iteration 3 (", 1.5)
    # As it was before, the switch of regular expressions too.
    screen.press("\x1br")
    time.sleep(0.5)
    screen.press("\x1b")
    time.sleep(0.5)
    return spent


@contextmanager
def _far() -> Iterator[tuple[Path, int, dict[str, str]]]:
    """The root of an agent behind a sshd, the sshd, the environment of one who has the host on the list."""
    with agent_root() as root, tempfile.TemporaryDirectory(prefix="barista-") as own:
        sshd = Sshd.start(Path(own, "sshd"), root)
        homes = {f"XDG_{name}_HOME": str(Path(own, name.lower())) for name in ("CONFIG", "CACHE")}
        os.environ.update(homes)
        try:
            folder().mkdir(parents=True)
            shutil.copy(sshd.folder / "client", folder() / "id_ed25519")
            kind, text = (sshd.folder / "host.pub").read_text().split()[:2]
            own_way(folder()).known_hosts.accept(
                Offered("", "", "", f"[127.0.0.1]:{sshd.port} {kind} {text}")
            )
            Hosts().add(HostEntry("far", f"{USER}@127.0.0.1:{sshd.port}"))
            environment = {**os.environ, "BARISTA_ROOT": str(Path(own, "here")), "TERM": "xterm-256color"}
            environment.pop("NO_COLOR", None)
            assert sshd.process is not None
            yield root, sshd.process.pid, environment
        finally:
            sshd.down()


async def _start(root: Path, lines: int) -> int:
    """Returns the agent's process once it knows all lines."""
    link = await Link.open(root)
    call = m.NewSession(solver=solver(RATE, 3600, lines), net=NET, caffe="steady")
    await link.call(call, m.SessionReply)
    await link.call(m.StartSession(session="1"), m.SessionReply)
    while True:
        session = (await link.call(m.GetSession(session="1"), m.SessionReply)).session
        if session.runs and session.runs[-1].lines >= lines:
            break
        await asyncio.sleep(0.1)
    await link.close()
    return link.welcome.pid
