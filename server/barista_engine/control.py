"""What the ranks of a training say to one another beside their gradients, and how they learn of a death.

The root listens; every other rank keeps one connection to it, over which both send JSON, one message a line,
in lockstep: nobody waits with a time limit, since the root may test for hours. A connection that ends before
its rank said that it is done means that the process is dead, whoever it was and however it died.
"""

from __future__ import annotations

import json
import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, NoReturn

from barista_engine.errors import CheckFailed

Message = dict[str, Any]
PLACE = "parallel.cpp"
START_PATIENCE = 600.0
"""Seconds the ranks have to come to the root."""
_LAST_WORDS = 10.0
"""Seconds until the root has ended after a rank told it why it cannot go on."""
_STRANGER = 5.0
"""Seconds a new connection has to say who it is."""
_HUNG_UP = getattr(select, "POLLRDHUP", select.POLLHUP)
_OPTIONS = {  # a machine that lost power says nothing: ask it
    "TCP_NODELAY": 1,
    "TCP_KEEPIDLE": 10,
    "TCP_KEEPINTVL": 5,
    "TCP_KEEPCNT": 4,
    "TCP_USER_TIMEOUT": 30_000,
}


class Channel:
    """Messages over a connected socket; `last` is what came last."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _OPTIONS.items():
            if (option := getattr(socket, name, None)) is not None:
                connection.setsockopt(socket.IPPROTO_TCP, option, value)
        self.socket = connection
        self.last: Message = {}
        self._buffer = bytearray()
        self._ready: deque[Message] = deque()
        self._lock = threading.Lock()

    def send(self, message: Message) -> None:
        """Raises OSError where the other side has gone."""
        self.socket.sendall(json.dumps(message).encode() + b"\n")

    def receive(self) -> Message | None:
        """The next message, waited for; None when none can come any more."""
        with self._lock:
            while not self._ready:
                if not self._read():
                    return None
            return self._ready.popleft()

    def drain(self) -> None:
        """Read until the other side's end; `receive` still gives all that came."""
        with self._lock:
            while self._read():
                pass

    def _read(self) -> bool:
        try:
            data = self.socket.recv(65536)
        except OSError:
            return False
        *lines, rest = (self._buffer + data).split(b"\n")
        self._buffer = bytearray(rest)
        for line in lines:
            self.last = json.loads(line)
            self._ready.append(self.last)
        return bool(data)


class Hub:
    """The root's side."""

    def __init__(
        self,
        count: int,
        token: str,
        *,
        local: bool,
        cause: Callable[[int], str | None],
        abort: Callable[[str, str, str], NoReturn],
    ) -> None:
        """Listens for `count` ranks, itself included, on this machine only or (`local` False) for all.

        `cause(rank)` tells how a process of ours has ended, None while it lives or where it is not ours;
        `abort(place, message, trace)` ends this process.
        """
        if local:
            self._listener = socket.create_server(("127.0.0.1", 0))
        elif socket.has_dualstack_ipv6():
            self._listener = socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True)
        else:
            self._listener = socket.create_server(("", 0))
        self.port: int = self._listener.getsockname()[1]
        self._count, self._token, self._local = count, token, local
        self._cause, self._abort = cause, abort
        self._closed = False
        self._ranks: dict[int, Channel] = {}
        self._names: dict[int, str] = {}

    def gather(self) -> None:
        """Wait until all ranks have come; from then on a death of one ends this process."""
        deadline = time.monotonic() + START_PATIENCE
        self._listener.settimeout(0.1)
        while missing := [rank for rank in range(1, self._count) if rank not in self._ranks]:
            try:
                self._welcome(self._listener.accept()[0])
            except TimeoutError:
                pass
            for rank in missing:
                if rank not in self._ranks and (how := self._cause(rank)):
                    raise CheckFailed(f"Rank {rank} of {self._count} {how} before it began", PLACE, 333)
            if time.monotonic() > deadline:
                who = ", ".join(map(str, missing))
                message = f"Check failed: ranks {who} of {self._count} came within {START_PATIENCE:.0f} s"
                raise CheckFailed(message, PLACE, 333)
        self._listener.close()
        threading.Thread(target=self._watch, name="watch ranks", daemon=True).start()

    def close(self) -> None:
        """Let go of all ranks, which then end; nothing is said of that."""
        self._closed = True
        for channel in self._ranks.values():
            channel.socket.close()

    def tell(self, message: Message) -> None:
        """Send to all."""
        for rank, channel in self._ranks.items():
            try:
                channel.send(message)
            except OSError:
                self._lost(rank)

    def hear(self) -> list[Message]:
        """The next message of each."""
        heard = []
        for rank, channel in self._ranks.items():
            message = channel.receive()
            if message is None or "failed" in message:
                self._lost(rank)
            heard.append(message)
        return heard

    def _welcome(self, connection: socket.socket) -> None:
        """Take a connection in that knows the token; others end here."""
        connection.settimeout(_STRANGER)
        channel = Channel(connection)
        try:
            hello = channel.receive() or {}
            rank = int(hello["rank"])
        except (ValueError, KeyError, TypeError, AttributeError):
            hello, rank = {}, 0
        if hello.get("token") != self._token or not 0 < rank < self._count:
            connection.close()
            return
        connection.settimeout(None)
        host = "" if hello["host"] == socket.gethostname() else f" on {hello['host']}"
        self._names[rank] = f"Rank {rank} of {self._count} (pid {hello['pid']}{host})"
        self._ranks[rank] = channel

    def _watch(self) -> None:
        poll = select.poll()
        open_ = {channel.socket.fileno(): rank for rank, channel in self._ranks.items()}
        for descriptor in open_:
            poll.register(descriptor, _HUNG_UP)
        while open_:
            for descriptor, _ in poll.poll():
                if self._closed:
                    return
                poll.unregister(descriptor)
                rank = open_.pop(descriptor)
                self._ranks[rank].drain()
                if "done" not in self._ranks[rank].last:
                    self._lost(rank)

    def _lost(self, rank: int) -> NoReturn:
        """End this process with what is known of the end of another."""
        channel, name = self._ranks[rank], self._names[rank]
        channel.drain()
        if "failed" in (last := channel.last):
            self._abort(last["place"], f"{name}: {last['failed']}", last["trace"])
        deadline = time.monotonic() + (2 if self._local else 0)
        while (how := self._cause(rank)) is None and time.monotonic() < deadline:
            time.sleep(0.01)
        self._abort(f"{PLACE}:333", f"{name} {how or 'is gone'}", "")


class Link:
    """The other ranks' side. When the root ends, so does this process, unless it is `done`."""

    def __init__(self, host: str, port: int, token: str, rank: int) -> None:
        """Raises CheckFailed where there is no root."""
        try:
            connection = socket.create_connection((host, port), START_PATIENCE)
        except OSError as error:
            message = f"Rank {rank} cannot reach rank 0 at {host}:{port}: {error}"
            raise CheckFailed(message, PLACE, 333) from None
        connection.settimeout(None)
        self._channel = Channel(connection)
        self._done = False
        self.say(rank=rank, token=token, pid=os.getpid(), host=socket.gethostname())
        threading.Thread(target=self._watch, name="watch the root", daemon=True).start()

    def hear(self) -> Message:
        """What the root says next; waits as long as that takes."""
        message = self._channel.receive()
        if message is None:
            os._exit(1)
        return message

    def say(self, **message: object) -> None:
        """Tell the root."""
        try:
            self._channel.send(message)
        except OSError:
            os._exit(1)

    def done(self) -> None:
        """This rank has done its part, and may end."""
        self._done = True
        self.say(done=True)

    def fail(self, place: str, message: str, trace: str) -> NoReturn:
        """Tell the root why this rank cannot go on; it has the last word, then this process ends."""
        self.say(failed=message, place=place, trace=trace)
        self._channel.socket.shutdown(socket.SHUT_WR)  # so that the root looks, whatever it does
        await_end()
        os._exit(1)

    def _watch(self) -> None:
        poll = select.poll()
        poll.register(self._channel.socket, _HUNG_UP)
        poll.poll()
        if not self._done:
            os._exit(1)


def await_end() -> None:
    """Let the threads that watch end this process; returns when they have had no reason to."""
    time.sleep(_LAST_WORDS)
