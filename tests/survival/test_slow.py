"""Clients on a bad line or standing still: they slow nobody, and what they missed is told right."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from pathlib import Path

from barista_server.agent.client import MOST_BEHIND
from barista_server.api import frames
from barista_server.api.local import socket_path
from barista_server.api.messages import (
    Done,
    Event,
    FollowLog,
    Hello,
    ListSessions,
    PauseSession,
    Ping,
    Request,
    SessionList,
    SessionReply,
    State,
    Subscribe,
)
from tests.agent.agents import DEADLINE, Root, Watcher, new, solver, until
from tests.survival.test_links import resident

RATE = 1000
"""Bytes a second: 8 kbit/s."""
FLOOD = 12_000
"""Numbered lines in each of several floods."""


class Trickle:
    """A client whose line takes RATE bytes a second until ``wide``."""

    def __init__(self) -> None:
        self.wide = asyncio.Event()
        self.taken = 0
        self.messages: list[object] = []
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.setblocking(False)

    async def connect(self, root: Root) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_connect(self.socket, str(socket_path(root.path)))
        calls = (Subscribe(), FollowLog(session="1", run=1))
        frames_ = [frames.encode(Hello(protocol=1, client="slow"))]
        frames_ += [frames.encode(Request(id=number, call=call)) for number, call in enumerate(calls, 1)]
        await loop.sock_sendall(self.socket, b"".join(frames_))

    async def read(self) -> None:
        """Until cancelled."""
        loop, decoder = asyncio.get_running_loop(), frames.from_agent()
        while True:
            size = 1 << 16 if self.wide.is_set() else RATE // 10
            data = await loop.sock_recv(self.socket, size)
            self.taken += len(data)
            self.messages += decoder.feed(data)
            if not self.wide.is_set():
                await asyncio.sleep(0.1)


def flood(log: Path, first: int) -> None:
    """About 1.2 MB, appended as caffe does."""
    lines = (f"flood {number:09} {'=' * 84}\n" for number in range(first, first + FLOOD))
    with log.open("ab", buffering=0) as file:
        file.write("".join(lines).encode())


async def slowest_ping(link_watcher: Watcher, times: int) -> float:
    """Seconds."""
    worst = 0.0
    for _ in range(times):
        begun = time.monotonic()
        await link_watcher.link.call(Ping(), Done)
        worst = max(worst, time.monotonic() - begun)
        await asyncio.sleep(0.05)
    return worst


async def test_g22_a_line_of_8_kbit_and_a_client_that_stands_still(root: Root, watcher: Watcher) -> None:
    pid = watcher.link.welcome.pid
    await new(watcher.link, solver(display=1, speed=50))
    await watcher.iteration(5)
    log = root.run() / "caffe.log"
    slow = Trickle()
    await slow.connect(root)
    reading = asyncio.create_task(slow.read())
    barista = str(Path(sys.executable).with_name("barista"))
    out = root.path / "followed"
    with out.open("wb") as file:
        argv = [barista, "--root", str(root.path), "logs", "-f", "1"]
        still = await asyncio.create_subprocess_exec(*argv, stdout=file)
    try:
        await until(lambda: out.stat().st_size > 200, "it follows")
        os.kill(still.pid, signal.SIGSTOP)
        await watcher.link.call(FollowLog(session="1", run=1), Done)
        before = resident(pid)
        for number in range(10):
            await asyncio.to_thread(flood, log, number * FLOOD)
            # Who reads is served: at once, and with everything.
            assert await slowest_ping(watcher, 5) < 1.0
            last = f"flood {(number + 1) * FLOOD - 1:09}".encode()
            await until(lambda last=last: last in watcher.log[-(1 << 20) :], "all of it")  # type: ignore[misc]
            assert resident(pid) - before < 48 << 20
        assert not watcher.gaps and slow.taken < 100_000
        assert log.stat().st_size > 2 * MOST_BEHIND
        assert (await watcher.link.call(ListSessions(), SessionList)).sessions[0].state is State.RUNNING

        slow.wide.set()
        os.kill(still.pid, signal.SIGCONT)
        await watcher.link.call(PauseSession(session="1"), SessionReply)
        await watcher.state(State.PAUSED)
        told = Watcher(watcher.link)
        watcher.link.on_event = watcher._take
        done = 0
        async with asyncio.timeout(DEADLINE):
            while not told.ended:
                for message in slow.messages[done:]:
                    done += 1
                    if isinstance(message, Event):
                        told._take(message)
                await asyncio.sleep(0.05)
            assert await still.wait() == 0
    finally:
        reading.cancel()
        slow.socket.close()
        if still.returncode is None:
            still.kill()
    assert told.gaps, "it was brought forward"
    left = bytearray(log.read_bytes())
    for offset, gap in reversed(told.gaps):
        del left[offset : offset + gap]
    assert told.log == left
    assert told.sessions["1"].state is State.PAUSED
    numbers = [one.sequence for one in told.events]
    assert numbers == sorted(set(numbers))
    # The program that stood still has gone on to the end, each line once.
    lines = [line for line in out.read_text().splitlines() if line.startswith("flood ")]
    assert lines == sorted(set(lines)) and lines[-1].startswith(f"flood {10 * FLOOD - 1:09}")
