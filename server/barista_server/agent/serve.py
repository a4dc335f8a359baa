"""The agent's socket: one lock a root, private to the user, a handshake, then clients."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from barista_server import __version__
from barista_server.agent import files
from barista_server.agent.client import BUFFERED, Client
from barista_server.agent.service import Service
from barista_server.api.frames import FrameDecoder, FrameError, encode, from_client
from barista_server.api.local import socket_path
from barista_server.api.messages import (
    PROTOCOL,
    FromClient,
    Hello,
    Introduction,
    Refusal,
    Role,
    Welcome,
)
from barista_server.api.streams import Reader, Writer
from barista_server.runner import start_ticks

if TYPE_CHECKING:
    import asyncssh

AGENT = f"barista-server {__version__}"
HANDSHAKE_TIMEOUT = 10.0
MOST_GATEWAYS = 4
WATCH_ROOT = 2.0
"""Seconds between two looks whether the root is still there."""

log = logging.getLogger("barista.agent")


class AlreadyServed(Exception):
    """Another agent serves this root."""


def lock_root(root: Path) -> int:
    """Take the root; the lock ends with this process, however it ends. Raises AlreadyServed, OSError."""
    root.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(root / "agent.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise AlreadyServed(f"another agent serves {root}") from None
    return descriptor


class Server:
    """Serves one root until told to stop. The caller holds the lock."""

    def __init__(
        self, root: Path, linger: float | None = None, listen: tuple[str, int] | None = None
    ) -> None:
        """``linger``: seconds without a client and without a training after which it ends by itself.

        ``listen``: address and port where clients of other machines may come in.
        """
        self.root = root
        self._listen = listen
        self._linger = linger
        self.stopping = asyncio.Event()
        self._service = Service(root, self.stopping.set)
        self._clients: set[asyncio.Task[None]] = set()

    async def run(self, ready: Callable[[str], None]) -> None:
        """Load, listen, call ``ready`` with words on the port, serve. Raises ListenError; OSError when the
        root cannot be used.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopping.set)
        if self._listen is not None:
            # Here: the library is slow to load, and only agents with a port need it. Before anything is
            # started by an agent that will not stay.
            from barista_server.agent.listener import check_keys

            check_keys(self.root, self._listen[0])
        await self._service.load()
        path = socket_path(self.root)
        path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            doors: list[asyncio.Server | asyncssh.SSHAcceptor] = [
                await asyncio.start_unix_server(self._connected, str(path))
            ]
        finally:
            os.umask(before)
        try:
            ready(await self._open(path, doors))
            await self._until_stopped(path)
        finally:
            for door in doors:
                door.close()
            for task in self._clients:
                task.cancel()
            await asyncio.gather(*self._clients, return_exceptions=True)
            await self._service.close()
            path.unlink(missing_ok=True)
            (self.root / "agent.json").unlink(missing_ok=True)
            log.info("stopped; trainings go on")

    async def _open(self, path: Path, doors: list[asyncio.Server | asyncssh.SSHAcceptor]) -> str:
        """Add the port to ``doors`` if there is to be one, write agent.json; words on the port."""
        about = {"pid": os.getpid(), "start_ticks": start_ticks(os.getpid()), "socket": str(path)}
        said = ""
        if self._listen is not None:
            from barista_server.agent.listener import listen

            acceptor, said = await listen(self.root, *self._listen, self.attend)
            doors.append(acceptor)
            about |= {"ip": self._listen[0], "port": acceptor.get_port()}
        try:
            files.write_json(self.root / "agent.json", about)
        except OSError as error:
            # On a full disk an agent is needed most: trainings go on there, and it helps to make room.
            log.error("agent.json cannot be written: %s", error)
        log.info("%s serves %s, pid %d", AGENT, self.root, os.getpid())
        return said

    async def _until_stopped(self, path: Path) -> None:
        """Return when asked to stop, when nobody could find this agent any more, or when it has no use."""
        needed = time.monotonic()
        pause = WATCH_ROOT if self._linger is None else min(WATCH_ROOT, self._linger)
        while not self.stopping.is_set():
            if self._clients or self._service.busy:
                needed = time.monotonic()
            elif self._linger is not None and time.monotonic() - needed >= self._linger:
                log.info("nobody is here and nothing trains: stopping")
                return
            try:
                async with asyncio.timeout(pause):
                    await self.stopping.wait()
            except TimeoutError:
                if not await asyncio.to_thread(path.is_socket):
                    log.error("%s is gone: stopping", path)
                    return

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.set_write_buffer_limits(high=BUFFERED)
        # The socket lets in nobody but the host's own person.
        await self.attend(reader, writer, Introduction(admin=True))

    async def attend(self, reader: Reader, writer: Writer, known: Introduction) -> None:
        """Serve one client, with the rights that are ``known`` at most, until it goes."""
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        try:
            decoder = from_client()
            found = await self._shake_hands(reader, writer, decoder, known)
            if found is not None:
                rights, early = found
                client = Client(writer, self._service.answer, rights.role, not rights.via, rights.admin)
                try:
                    await client.serve(reader, decoder, early)
                finally:
                    self._service.forget(client)
        except (FrameError, TimeoutError, OSError) as error:
            log.warning("a client was cut off: %s", error or type(error).__name__)
        except asyncio.CancelledError:
            # Ours, at the stop; the streams module would report it.
            pass
        finally:
            self._clients.discard(task)
            writer.close()

    async def _shake_hands(
        self, reader: Reader, writer: Writer, decoder: FrameDecoder[FromClient], known: Introduction
    ) -> tuple[Introduction, list[FromClient]] | None:
        """What the client may do and by what ways it came, and what it sent right behind its Hello. None:
        refused, or it said nothing.
        """
        async with asyncio.timeout(HANDSHAKE_TIMEOUT):
            role, admin, via, messages = await _introduced(reader, decoder, known)
        if not messages:
            return None
        hello = messages.pop(0)
        if not isinstance(hello, Hello):
            raise FrameError(f"{type(hello).__name__} instead of a hello")
        if hello.protocol != PROTOCOL:
            newer = "agent" if hello.protocol > PROTOCOL else "client"
            reason = (
                f"{AGENT} speaks protocol {PROTOCOL}, {hello.client} speaks {hello.protocol}: "
                f"update the {newer}, then try again (barista-server stop ends an old agent; trainings go on)"
            )
            writer.write(encode(Refusal(reason=reason)))
            await writer.drain()
            return None
        welcome = Welcome(
            protocol=PROTOCOL,
            agent=AGENT,
            host=socket.gethostname(),
            pid=os.getpid(),
            root=str(self.root),
            epoch=self._service.hub.epoch,
            role=role,
            admin=admin and role == "owner",
        )
        writer.write(encode(welcome))
        await writer.drain()
        if via:
            log.info("%s as %s: %s", hello.client, "admin" if welcome.admin else role, ", ".join(via))
        return Introduction(role=role, via=", ".join(via), admin=welcome.admin), messages


async def _introduced(
    reader: Reader, decoder: FrameDecoder[FromClient], known: Introduction
) -> tuple[Role, bool, list[str], list[FromClient]]:
    """Role, whether admin, and ways, as gateways and ``known`` say; then what the client itself has sent,
    nothing where it ended before.
    """
    role, admin, via = known.role, known.admin, [known.via] if known.via else []
    messages: list[FromClient] = []
    while not messages or isinstance(messages[0], Introduction):
        if messages:
            introduction = messages.pop(0)
            assert isinstance(introduction, Introduction)
            # Rights are only taken away.
            role = introduction.role if role == "owner" else role
            admin = admin and introduction.admin
            via.append(introduction.via)
            if len(via) > MOST_GATEWAYS:
                raise FrameError("introduced too often")
            continue
        data = await reader.read(1 << 16)
        if not data:
            return role, admin, via, []
        messages = decoder.feed(data)
    return role, admin, via, messages
