"""Commands and files on a host, through a connection of ours or the system's ssh program."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

import asyncssh

from barista_server.api.local import LinkError
from barista_server.remote.address import Address
from barista_server.remote.ssh import Way, connect, explained, ssh_command, ssh_problem

_BLOCK = 1 << 16
Moved = Callable[[int], None]
"""Is told how many bytes of a file are over there."""
TIED = "the key shown there is tied to a command of its own: this needs one that gives a login"
"""What it means if a command that should have answered did not."""


class Ran(NamedTuple):
    """What became of a command."""

    code: int
    out: str
    err: str


class Shell(Protocol):
    """A host to which a login of ours is open."""

    async def run(self, command: str, text: str = "") -> Ran:
        """Run a command line with ``text`` as its input. Raises LinkError."""

    async def put(self, source: Path, target: str, moved: Moved) -> None:
        """Copy a file to ``target``.part, then rename it. Raises LinkError."""

    async def lines(self, command: str, line: Callable[[str], None]) -> int:
        """Run a command line, handing over each line of output and errors as it comes; its code.

        When this is cancelled, the command's input ends. Raises LinkError.
        """


@asynccontextmanager
async def shell(address: Address, way: Way) -> AsyncIterator[Shell]:
    """A login on the host of an address. Raises LinkError."""
    if address.kind != "ssh":
        raise LinkError(f"{address} is no login: name the host as ssh knows it ({address.host or 'gpu01'})")
    if way.via == "ssh":
        yield _Program(address)
        return
    connection = await connect(address, way)
    try:
        yield _Connection(connection, address)
    except asyncssh.Error as error:
        raise explained(error, address) from error
    finally:
        connection.close()


class _Connection:
    def __init__(self, connection: asyncssh.SSHClientConnection, address: Address) -> None:
        self._connection, self._address = connection, address

    async def run(self, command: str, text: str = "") -> Ran:
        done = await self._connection.run(command, input=text)
        code = done.exit_status if done.exit_status is not None else 255
        return Ran(code, str(done.stdout or ""), str(done.stderr or ""))

    async def put(self, source: Path, target: str, moved: Moved) -> None:
        part = f"{target}.part"
        try:
            async with self._connection.start_sftp_client() as sftp:
                await sftp.put(
                    str(source), part, progress_handler=lambda _from, _to, done, _total: moved(done)
                )
                await sftp.posix_rename(part, target)
        except asyncssh.SFTPError as error:
            raise LinkError(f"{self._address.host}: {target} cannot be written: {error.reason}") from error

    async def lines(self, command: str, line: Callable[[str], None]) -> int:
        async with self._connection.create_process(command, stderr=asyncssh.STDOUT) as process:
            while text := str(await process.stdout.readline()):
                line(text.rstrip("\n"))
            await process.wait_closed()
            return process.exit_status if process.exit_status is not None else 255


class _Program:
    def __init__(self, address: Address) -> None:
        self._address = address

    async def run(self, command: str, text: str = "") -> Ran:
        process = await self._start(command)
        out, err = await process.communicate(text.encode())
        words = err.decode(errors="replace")
        if process.returncode == 255:
            raise ssh_problem(self._address, words, 255) or LinkError(f"{self._address.host}: ssh failed")
        return Ran(process.returncode or 0, out.decode(errors="replace"), words)

    async def put(self, source: Path, target: str, moved: Moved) -> None:
        part = shlex.quote(f"{target}.part")
        process = await self._start(f"cat > {part} && mv {part} {shlex.quote(target)}")
        assert process.stdin is not None
        done = 0
        try:
            with source.open("rb") as file:
                while block := file.read(_BLOCK):
                    process.stdin.write(block)
                    await process.stdin.drain()
                    moved(done := done + len(block))
        except ConnectionError:
            pass  # its words come below
        process.stdin.close()
        _, err = await process.communicate()
        if process.returncode != 0:
            words = err.decode(errors="replace").strip() or f"code {process.returncode}"
            raise LinkError(f"{self._address.host}: {target} cannot be written: {words}")

    async def lines(self, command: str, line: Callable[[str], None]) -> int:
        process = await self._start(command, asyncio.subprocess.STDOUT)
        assert process.stdout is not None and process.stdin is not None
        try:
            async for text in process.stdout:
                line(text.decode(errors="replace").rstrip("\n"))
            return await process.wait()
        finally:
            process.stdin.close()

    async def _start(self, command: str, errors: int = asyncio.subprocess.PIPE) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        words = ssh_command(self._address, command)
        try:
            return await asyncio.create_subprocess_exec(*words, stdin=pipe, stdout=pipe, stderr=errors)
        except OSError as error:
            raise LinkError(f"ssh cannot be run: {error}") from error
