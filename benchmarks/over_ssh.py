"""A run that prints 20,000 lines a second, followed through a real sshd: what arrives, how late, its cost.

Every line bears the moment of its writing. Its delay is that until the client's program had it.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from barista_server.api import messages as m
from barista_server.api.link import Link
from barista_server.remote.ssh import open_link
from benchmarks.processes import NET, agent_root, cpu, judged, load, resident, solver
from tests.remote.sshd import Sshd

RATE = 20_000
SECONDS = 60
WARM = 2.0
"""Seconds after the start that are not counted: the agent loads what it needs late."""
MOST_CPU = 50.0
MOST_DELAY = 100.0


def run(quick: bool = False) -> list[str]:
    """One run, one client."""
    with agent_root() as root, tempfile.TemporaryDirectory(prefix="barista-") as folder:
        sshd = Sshd.start(Path(folder, "sshd"), root)
        try:
            return asyncio.run(_measure(root, sshd, 10 if quick else SECONDS))
        finally:
            sshd.down()


@dataclass
class _Client:
    """Keeps what came and when."""

    data: bytearray = field(default_factory=bytearray)
    ends: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)
    events: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """The log's last byte was here."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    """So the session says."""
    info: m.SessionInfo | None = None
    sequence: int = 0

    def take(self, event: m.Event) -> None:
        what = event.what
        if isinstance(what, m.LogBytes):
            if what.gap or what.offset != len(self.data):
                self.mistakes.append(f"bytes at {what.offset} where {len(self.data)} was next")
            self.data += what.data
            self.ends.append(len(self.data))
            self.times.append(time.time())
            if what.ended:
                self.over.set()
            return
        if event.sequence <= self.sequence:
            self.mistakes.append(f"event {event.sequence} after {self.sequence}")
        self.sequence = event.sequence
        if isinstance(what, m.SessionChanged):
            self.events += 1
            lines = [run.lines for one in (self.info, what.session) if one for run in one.runs]
            if lines != sorted(lines):
                self.mistakes.append(f"{lines} lines")
            self.info = what.session
            if self.info.runs and self.info.state is not m.State.RUNNING:
                self.ended.set()


async def _measure(root: Path, sshd: Sshd, seconds: float) -> list[str]:
    link = await open_link(sshd.address, sshd.way())
    client = _Client()
    link.on_event = client.take
    await link.call(m.Subscribe(), m.Subscribed)
    call = m.NewSession(solver=solver(RATE, seconds + WARM), net=NET, caffe="steady")
    await link.call(call, m.SessionReply)
    await link.call(m.StartSession(session="1"), m.SessionReply)
    await link.call(m.FollowLog(session="1", run=1), m.Done)
    await asyncio.sleep(WARM)
    watched = _processes(link, root, sshd)
    before, began, seen = {name: cpu(pid) for name, pid in watched.items()}, time.monotonic(), client.events
    await asyncio.sleep(seconds - 1)
    spent = time.monotonic() - began
    shares = {name: 100 * (cpu(pid) - before[name]) / spent for name, pid in watched.items()}
    events, memory = (client.events - seen) / spent, resident(link.welcome.pid)
    async with asyncio.timeout(60):
        await client.over.wait()
        await client.ended.wait()
    assert client.info is not None
    log = (root / "sessions" / "1" / "runs" / "0001" / "caffe.log").read_bytes()
    told = client.info.runs[-1]
    if bytes(client.data) != log:
        client.mistakes.append(f"{len(client.data)} bytes came, {len(log)} were written")
    if (told.lines, told.log_size) != (log.count(b"\n"), len(log)):
        client.mistakes.append(f"{told.lines} lines were told of")
    await link.call(m.StopAgent(), m.Done)
    await link.wait_closed()
    await link.close()
    delays = 1000 * _delays(log, client)
    middle, late, last = np.percentile(delays, (50, 99, 100))
    return [
        f"{len(delays):,} lines, {len(log) / 1e6:.0f} MB in {seconds + WARM:.0f} s: "
        + ("; ".join(client.mistakes[:3]) if client.mistakes else "all arrived, byte for byte"),
        judged(shares["agent"], MOST_CPU, f"agent      {shares['agent']:5.1f} % of a core")
        + f", {memory:.0f} MiB resident, {events:.1f} events/s",
        "beside it  "
        + ", ".join(f"{name} {share:.1f} %" for name, share in shares.items() if name != "agent"),
        judged(late, MOST_DELAY, f"line to client, p99 {late:.0f} ms")
        + f"; median {middle:.0f}, longest {last:.0f}; {load()}",
    ]


def _processes(link: Link, root: Path, sshd: Sshd) -> dict[str, int]:
    """pids by what they are."""
    assert sshd.process is not None
    found = {"agent": link.welcome.pid, "client": psutil.Process().pid}
    for one in psutil.Process(sshd.process.pid).children(recursive=True):
        name = "gateway" if "stdio" in one.cmdline() else f"sshd {one.pid}"
        found[name] = one.pid
    for one in psutil.process_iter():
        try:
            if one.cwd().startswith(str(root)) and "train" in one.cmdline():
                found["caffe"] = one.pid
        except psutil.Error:
            pass
    return found


_STAMP = re.compile(rb"^I(\d{8} \d\d:\d\d:\d\d)\.(\d{6})[^\n]*\n", re.M)


def _delays(log: bytes, client: _Client) -> NDArray[np.float64]:
    """Seconds from each line's stamp until all of it was there."""
    known: dict[bytes, float] = {}
    written, ends = [], []
    for found in _STAMP.finditer(log):
        second = found[1]
        if second not in known:
            known[second] = time.mktime(time.strptime(second.decode(), "%Y%m%d %H:%M:%S"))
        written.append(known[second] + int(found[2]) / 1e6)
        ends.append(found.end())
    arrived = np.array(client.times)[np.searchsorted(client.ends, ends)]
    return arrived - np.array(written)
