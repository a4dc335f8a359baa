"""What a connection is made of, whichever way it goes: a Unix socket, a process, an SSH channel."""

from __future__ import annotations

from typing import Protocol


class Reader(Protocol):
    """The bytes that come in. ``read`` gives some of them, ``b""`` at the end."""

    async def read(self, n: int = -1, /) -> bytes: ...


class Writer(Protocol):
    """The bytes that go out. ``drain`` waits while the other side is slow."""

    def write(self, data: bytes, /) -> None: ...

    async def drain(self) -> None: ...

    def close(self) -> None: ...

    async def wait_closed(self) -> None: ...
