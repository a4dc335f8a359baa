"""Agents that need not be imported again: forked from a process that has.

Each is what `barista-server serve` makes: the same code from its command line on, a session of its own, its
parent gone, a command line that names its root. Half a second of CPU each is saved. The tests of survival,
of hosts and the journeys start theirs as a person does.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from barista_server.api import local

SOCKET = "BARISTA_TEST_AGENTS"
"""Environment variable: where to ask for an agent."""
_ROOM = 1000
"""Bytes for an agent's command line."""


@cache
def _asked_at() -> str:
    """The address of the process that is forked, which ends with this one."""
    folder = tempfile.TemporaryDirectory(prefix="barista-agents-")
    address = f"{folder.name}/socket"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(64)
    lifeline, mine = os.pipe()
    with listener:
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(listener.fileno()), str(lifeline), " " * _ROOM],
            stdin=subprocess.DEVNULL,
            pass_fds=[listener.fileno(), lifeline],
            cwd=Path(__file__).parents[2],
        )
    os.close(lifeline)

    def close() -> None:
        os.close(mine)
        process.wait()
        folder.cleanup()

    atexit.register(close)
    return address


@contextmanager
def forked() -> Iterator[None]:
    """Clients in here, and verbs that are run meanwhile, get such agents."""
    if not Path("/proc/self/mem").exists():
        yield
        return
    os.environ[SOCKET] = _asked_at()
    use()
    try:
        yield
    finally:
        del os.environ[SOCKET]
        use()


_REAL = local.start_agent


def use() -> None:
    """Ask the process that the environment names for agents from now on, if it names one."""
    local.start_agent = _ask if SOCKET in os.environ else _REAL


async def _ask(words: list[str]) -> tuple[int, str]:
    reader, writer = await asyncio.open_unix_connection(os.environ[SOCKET])
    writer.write(json.dumps({"words": words, "environment": dict(os.environ)}).encode() + b"\n")
    answer = await reader.readline()
    writer.close()
    code, said = json.loads(answer)
    return code, said


def _serve(listener: socket.socket, lifeline: int) -> None:
    import barista_server.agent.cli
    import barista_server.agent.serve  # noqa: F401 (so that it is there)

    while True:
        ready, _, _ = select.select([listener, lifeline], [], [])
        if lifeline in ready:
            return
        client, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            os.close(lifeline)
            try:
                _answer(client)
            finally:
                os._exit(0)
        client.close()
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _answer(client: socket.socket) -> None:
    """Start one agent; say the exit code of its command and what that has written."""
    with client, client.makefile("rb") as asked, tempfile.TemporaryFile() as said:
        request = json.loads(asked.readline())
        pid = os.fork()
        if pid == 0:
            asked.close()
            client.close()
            os.dup2(said.fileno(), 2)
            said.close()
            os._exit(_agent(request))
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        said.seek(0)
        client.sendall(json.dumps([code, said.read().decode(errors="replace")]).encode() + b"\n")


def _agent(request: dict[str, Any]) -> int:
    from barista_server.agent.cli import main

    words = request["words"]
    os.environ.clear()
    os.environ.update(request["environment"])
    _call_itself([sys.executable, "-P", "-m", "barista_server.agent", *words])
    sys.argv = ["barista-server", *words]
    try:
        return main(words)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stderr.flush()


def _call_itself(words: list[str]) -> None:
    """Let this process be seen under another command line."""
    start, end = map(int, Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()[45:47])
    text = b"".join(os.fsencode(word) + b"\0" for word in words)
    assert len(text) <= end - start, "a longer command line than there is room for"
    with Path("/proc/self/mem").open("r+b", buffering=0) as memory:
        memory.seek(start)
        memory.write(text.ljust(end - start, b"\0"))


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as listener:
        _serve(listener, int(sys.argv[2]))
