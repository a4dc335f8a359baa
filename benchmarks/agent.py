"""Memory and processor time of an agent with one run that writes steadily and one client that follows it."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

from barista_server.api.link import Link
from barista_server.api.messages import (
    Done,
    FollowLog,
    GetSession,
    NewSession,
    PauseSession,
    SessionReply,
    SnapshotReply,
    SnapshotSession,
    StartSession,
    State,
    StopAgent,
    Subscribe,
    Subscribed,
)
from benchmarks.processes import NET, cpu, resident

SECONDS = 15.0
CAFFE = Path(__file__).parents[1] / "tests" / "support" / "scripted_caffe.py"
SOLVER = """# script: {"speed": 50}
base_lr: 0.01
lr_policy: "fixed"
max_iter: 1000000
display: 5
test_iter: 1
test_interval: 100
"""


def run() -> list[str]:
    """One agent, one run of 50 iterations and 31 lines a second, one client."""
    with tempfile.TemporaryDirectory(prefix="barista-") as folder:
        return asyncio.run(_measure(Path(folder)))


async def _measure(root: Path) -> list[str]:
    (root / "caffes.json").write_text(
        json.dumps([{"name": "scripted", "argv": [sys.executable, str(CAFFE)]}])
    )
    begun = time.monotonic()
    link = await Link.open(root)
    opened = time.monotonic() - begun
    received = 0

    def count(event: object) -> None:
        nonlocal received
        received += 1

    link.on_event = count
    await link.call(Subscribe(), Subscribed)
    await link.call(NewSession(solver=SOLVER, net=NET, caffe="scripted"), SessionReply)
    await link.call(StartSession(session="1"), SessionReply)
    # With the first snapshot everything the agent loads late is loaded.
    await link.call(SnapshotSession(session="1"), SnapshotReply)
    await link.call(FollowLog(session="1", run=1), Done)
    pid, events = link.welcome.pid, received
    used, since = cpu(pid), time.monotonic()
    await asyncio.sleep(SECONDS)
    share = (cpu(pid) - used) / (time.monotonic() - since)
    events = received - events
    memory = resident(pid)
    call = PauseSession(session="1")
    info = (await link.call(call, SessionReply)).session
    while info.state is State.PAUSING:
        await asyncio.sleep(0.1)
        info = (await link.call(GetSession(session="1"), SessionReply)).session
    await link.call(StopAgent(), Done)
    await link.wait_closed()
    await link.close()
    return [
        f"memory            {memory:6.1f} MiB resident (aim: 60)",
        f"processor         {100 * share:6.2f} % of a core (aim: 2), {events / SECONDS:.1f} events/s",
        f"from cold to link {opened:6.2f} s",
    ]
