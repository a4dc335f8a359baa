"""``barista-server stdio``: from a program's standard streams (sshd's, mostly) to the agent, and back."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from barista_server.api.frames import encode
from barista_server.api.local import LOGGED_IN, connect, ensure_agent
from barista_server.api.messages import Introduction, Role
from barista_server.api.streams import Reader

_CHUNK = 1 << 16


async def stdio(root: Path, role: Role, admin: bool) -> int:
    """Pass bytes on until one side ends, starting an agent if none answers; exit code 0. Raises LinkError.

    Who logged in may run any program here, and so may say to the agent which ones to run: such a client says
    so in its command line (``api.local.LOGGED_IN``). A key that is tied to a command has no command line of
    its own; it may not, unless that is an ``admin``'s. (SSH_ORIGINAL_COMMAND would not tell: sshd does not
    set it for a tied key that asks for a shell.)
    """
    admin = os.environ.pop(LOGGED_IN, "") == "1" or admin
    await ensure_agent(root)
    from_agent, to_agent = await connect(root)
    caller = os.environ.get("SSH_CONNECTION", "").split()
    via = f"ssh from {caller[0]}" if caller else "standard streams"
    to_agent.write(encode(Introduction(role=role, via=via, admin=admin)))
    loop = asyncio.get_running_loop()
    from_client = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(from_client), sys.stdin)
    transport, protocol = await loop.connect_write_pipe(
        lambda: asyncio.streams.FlowControlMixin(loop=loop), sys.stdout
    )
    to_client = asyncio.StreamWriter(transport, protocol, None, loop)
    ways = [
        asyncio.create_task(_pass_on(from_client, to_agent)),
        asyncio.create_task(_pass_on(from_agent, to_client)),
    ]
    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    for way in ways:
        way.cancel()
    to_agent.close()
    return 0


async def _pass_on(reader: Reader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass  # whoever it was is gone
