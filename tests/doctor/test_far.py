"""The self-test on another machine, through a real sshd, when the connection is lost in it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from barista_server.remote.hostshell import shell
from barista_server.remote.ssh import server_command
from tests.agent.agents import until
from tests.remote.sshd import Sshd

from .test_torture import left_in, started_in


@pytest.mark.real("sshd")
async def test_a_lost_connection_leaves_nothing_behind(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    sshd = Sshd.start(tmp_path / "sshd", root)
    lines: list[str] = []
    try:
        async with shell(sshd.address, sshd.way()) as there:
            asking = asyncio.create_task(there.lines(server_command("doctor --torture"), lines.append))
            await until(lambda: started_in(root), "a trial runs there")
            asking.cancel()
        assert any(line.startswith("ok    python") for line in lines)
        await until(lambda: not started_in(root) and not left_in(root), "all of it has ended", 60)
    finally:
        sshd.down()
