"""One connected client, over a real socket: followed logs come as they grow."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from barista_server.agent.client import Client, Follow
from barista_server.api.frames import from_agent, from_client
from barista_server.api.messages import Event, LogBytes


@pytest_asyncio.fixture
async def served() -> AsyncIterator[tuple[Client, asyncio.StreamReader]]:
    """A client as the agent has it, and what goes out to it."""
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=ours)
    out, far = await asyncio.open_connection(sock=theirs)

    async def answer(*_: object) -> None:
        raise AssertionError("nothing is asked")

    client = Client(writer, answer)  # type: ignore[arg-type]
    serving = asyncio.create_task(client.serve(reader, from_client(), []))
    yield client, out
    far.close()
    await serving
    writer.close()


async def test_a_log_is_sent_as_soon_as_it_grows(
    served: tuple[Client, asyncio.StreamReader], tmp_path: Path
) -> None:
    client, out = served
    path = tmp_path / "caffe.log"
    path.write_bytes(b"first\n")
    over = False
    client.follow(Follow("1", 1, path, 0, 6, lambda: over))
    decoder = from_agent()

    async def next_bytes() -> LogBytes:
        while not (messages := decoder.feed(await out.read(1 << 16))):
            pass
        (event,) = messages
        assert isinstance(event, Event) and isinstance(event.what, LogBytes)
        return event.what

    assert (await next_bytes()).data == b"first\n"
    # Nobody tells the client that it has grown.
    delays = []
    for number in range(10):
        # What grows slowly is looked at less often.
        line = b"line %d\n" % number * (1000 if number > 4 else 1)
        with path.open("ab") as file:
            file.write(line)
        begun = time.monotonic()
        async with asyncio.timeout(10):
            assert (await next_bytes()).data == line
        delays.append(time.monotonic() - begun)
    assert min(delays[:5]) < 0.3 and min(delays[6:]) < 0.1
    over = True
    client.log_grew("1", 1)
    assert (await next_bytes()).ended
