"""A folder copied through a real sshd on loopback, each file checked by its hash, beside scp.

Another client, a process of its own, asks the agent for an answer all the while.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from barista_server.api import messages as m
from barista_server.api.link import Link
from barista_server.remote.ssh import open_link
from barista_tui.transfer import carry
from barista_tui.transfer_ends import FolderSource, FolderTarget, HostSource, HostTarget
from benchmarks.processes import NET, agent_root, cpu, load, resident, solver
from tests.remote.sshd import USER, Sshd

SIZE = 1_000_000_000
FILES = 4
ASK = 0.02
"""Seconds between two questions of the other client."""


def run(quick: bool = False) -> list[str]:
    """There by us, there by scp, back by us, back by scp."""
    size = SIZE // 10 if quick else SIZE
    with agent_root() as root, tempfile.TemporaryDirectory(prefix="barista-") as name:
        folder = Path(name)
        sshd = Sshd.start(folder / "sshd", root)
        try:
            _fill(folder / "session", size)
            return asyncio.run(_measure(root, sshd, folder))
        finally:
            sshd.down()


def _fill(folder: Path, size: int) -> None:
    """Random bytes: nothing that a link could compress."""
    folder.mkdir()
    (folder / "net.prototxt").write_text(NET)
    (folder / "solver.prototxt").write_text(f'net: "net.prototxt"\n{solver(1, 1)}')
    for number in range(FILES):
        with (folder / f"{number}.bin").open("wb") as file:
            for _ in range(0, size // FILES, 1 << 20):
                file.write(os.urandom(1 << 20))


async def _measure(root: Path, sshd: Sshd, folder: Path) -> list[str]:
    link = await open_link(sshd.address, sshd.way())
    size = sum(file.stat().st_size for file in (folder / "session").iterdir())
    agent = link.welcome.pid
    lines = [f"{size / 1e6:.0f} MB in {FILES} files; {load()}"]
    for way in ("there", "back"):
        asking = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.transfers", str(root),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        before, began = cpu(agent), time.monotonic()
        if way == "there":
            source, target = FolderSource(folder / "session", "x"), HostTarget(link, "1", caffe="steady")
            await carry(source, target, lambda progress: None)
        else:
            call = m.ExportSession(session="1")
            await carry(HostSource(link, call), FolderTarget(folder / "back"), lambda progress: None)
        seconds = time.monotonic() - began
        used = cpu(agent) - before
        waits, _ = await asking.communicate(b"")
        middle, late = 1000 * np.percentile(json.loads(waits), (50, 99))
        theirs = await asyncio.to_thread(_scp, sshd, folder, way)
        lines += [
            f"{way:6} {size / seconds / 1e6:4.0f} MB/s, scp {size / theirs / 1e6:4.0f} MB/s: "
            f"{100 * theirs / seconds:.0f} % of it",
            f"       agent {100 * used / seconds:.0f} % of a core, {resident(agent):.0f} MiB resident; "
            f"another client's answer after {middle:.1f} ms (median), {late:.0f} ms (99 of 100)",
        ]
    await link.call(m.StopAgent(), m.Done)
    await link.close()
    return lines


async def _ask(root: Path) -> list[float]:
    """Seconds that answers took, until standard input ends."""
    link = await Link.open(root)
    over = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    waits = []
    while not over.done():
        began = time.monotonic()
        await link.call(m.Ping(), m.Done)
        waits.append(time.monotonic() - began)
        await asyncio.sleep(ASK)
    await link.close()
    return waits


def _scp(sshd: Sshd, folder: Path, way: str) -> float:
    """Seconds that scp takes for the same."""
    there = folder / "scp"
    there.mkdir(exist_ok=True)
    far = f"{USER}@127.0.0.1:{there}"
    if way == "back":
        (folder / "scp back").mkdir()
    ends = [str(folder / "session"), far] if way == "there" else [f"{far}/session", str(folder / "scp back")]
    options = [f"UserKnownHostsFile={folder}/none", "StrictHostKeyChecking=no", "BatchMode=yes"]
    argv = ["scp", "-q", "-r", "-P", str(sshd.port), "-i", str(sshd.folder / "client"), "-F", "none"]
    argv += [word for option in options for word in ("-o", option)]
    began = time.monotonic()
    subprocess.run([*argv, *ends], check=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - began


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_ask(Path(sys.argv[1])))))
