"""One connected client: its requests, and what goes out to it at the speed it reads."""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from barista_server.agent.files import open_regular
from barista_server.api.frames import FrameDecoder, FrameError, encode
from barista_server.api.messages import (
    Call,
    DatasetChanged,
    DatasetRemoved,
    Event,
    Failure,
    FromClient,
    LogBytes,
    Message,
    Notice,
    Noticed,
    Reply,
    Request,
    Result,
    Role,
    SessionChanged,
    SessionRemoved,
    Strange,
)
from barista_server.api.streams import Reader, Writer

CHUNK = 128 * 1024
"""Log bytes in one event."""
BUFFERED = 2 * CHUNK
"""Bytes that a connection holds for a client that does not read, before writing waits."""
MOST_BEHIND = 4 * 1024 * 1024
"""A follower further behind the end of a growing log is brought forward, with the gap marked."""
MOST_NOTICES = 200
"""Messages that wait for a slow client; older ones are dropped, and it is told how many."""
LOOK = 0.04
"""Seconds between two looks whether a followed log has grown, while it grows fast: with what the link takes,
a line is with its reader within a tenth of a second.
"""
CALM = 0.2
"""The same of logs that grow slowly: what a person sees as at once. Each look interrupts a training that has
all cores for itself.
"""
FAST = 4096
"""Bytes that a look has to bring for the next one to come after ``LOOK``."""
MOST_CALLS = 32
"""Requests of one client under way or answered and not yet read by it; the rest stays in its socket."""


def not_known(message: Strange) -> Failure:
    """The answer to a call from a newer client."""
    text = f"this agent is older than the client: it does not know {message.what!r} ({message.error})"
    hint = "Update it with barista host install; trainings go on."
    return Failure(code="unknown", text=text, hint=hint)


@dataclass
class Follow:
    """Where a client stands in a log."""

    session: str
    run: int
    path: Path
    offset: int
    history: int
    """Size of the log when following began: so much is always sent in full."""
    is_over: Callable[[], bool]
    begin: int = 0
    """Byte of the file at which the run's log begins: an imported file may hold several."""
    end: Callable[[], int | None] = lambda: None
    """Byte of the file before which it ends; None: it has all the rest."""
    replaced: Callable[[], bool] = lambda: False
    """Another file is in its place."""
    work: Callable[..., Awaitable[LogBytes | None]] | None = None
    """Runs what may block off the event loop: an imported log may lie on a disk that hangs."""

    def grown(self) -> bool:
        """There is more than was sent. Blocks briefly."""
        try:
            return self.path.stat().st_size > self.begin + self.offset
        except OSError:
            return False


class Client:
    """Everything waiting for one client, bounded however slow it is.

    Replies are few (requests are limited), session events are merged (newest wins), messages are counted when
    dropped, log bytes are read from the file when the client can take them.
    """

    def __init__(
        self,
        writer: Writer,
        answer: Callable[[Client, Call], Awaitable[Result]],
        role: Role = "owner",
        local: bool = False,
        admin: bool = False,
    ) -> None:
        self.role = role
        self.local = local
        """On this machine, by the Unix socket, and nobody's gateway."""
        self.admin = admin
        """It may say which programs are run here."""
        self._writer = writer
        self._answer = answer
        self._replies: deque[bytes] = deque()
        self._sessions: dict[str, Event] = {}
        self._notices: deque[Event] = deque()
        self._dropped = 0
        self._follows: dict[tuple[str, int], Follow] = {}
        self._ready: dict[tuple[str, int], None] = {}
        self._wake = asyncio.Event()
        self._looking: asyncio.TimerHandle | None = None
        self._brought = 0
        """Bytes of own logs since the last look."""
        self._slots = asyncio.Semaphore(MOST_CALLS)
        self._tasks: set[asyncio.Task[None]] = set()

    # ------------------------------------------------------------------------------------------ from the hub

    def take(self, event: Event) -> None:
        """Queue an event."""
        if isinstance(event.what, SessionChanged | SessionRemoved):
            session = event.what.session
            key = session if isinstance(session, str) else session.id
            # Newest wins, and stands where the newest belongs in the order of sequence numbers.
            self._sessions.pop(key, None)
            self._sessions[key] = event
        elif isinstance(event.what, DatasetChanged | DatasetRemoved):
            dataset = event.what.dataset
            key = f"dataset {dataset if isinstance(dataset, str) else dataset.id}"
            self._sessions.pop(key, None)
            self._sessions[key] = event
        else:
            self._notices.append(event)
            if len(self._notices) > MOST_NOTICES:
                self._notices.popleft()
                self._dropped += 1
        self._wake.set()

    def log_grew(self, session: str, run: int) -> None:
        """Send more of a log if this client follows it."""
        if (session, run) in self._follows:
            self._ready[session, run] = None
            self._wake.set()

    def stands(self, session: str, run: int) -> int:
        """Bytes of a log that it was sent, as offset; 0 if it does not follow it."""
        follow = self._follows.get((session, run))
        return follow.offset if follow else 0

    # ---------------------------------------------------------------------------------------- from the calls

    def follow(self, follow: Follow) -> None:
        """Send a log from ``follow.offset`` on."""
        self._follows[follow.session, follow.run] = follow
        self.log_grew(follow.session, follow.run)

    def unfollow(self, session: str, run: int) -> None:
        """Stop sending a log."""
        self._follows.pop((session, run), None)

    # ------------------------------------------------------------------------------------------------ traffic

    async def serve(self, reader: Reader, decoder: FrameDecoder[FromClient], early: list[FromClient]) -> None:
        """Answer requests until the client goes. Raises FrameError on bytes that are no frames."""
        pump = asyncio.create_task(self._pump())
        try:
            messages = early
            while True:
                for message in messages:
                    if isinstance(message, Strange):
                        await self._slots.acquire()
                        self._reply(encode(Reply(id=message.id, result=not_known(message))))
                        continue
                    if not isinstance(message, Request):
                        raise FrameError(f"{type(message).__name__} after the handshake")
                    await self._slots.acquire()
                    task = asyncio.create_task(self._handle(message))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
                data = await reader.read(1 << 16)
                if not data:
                    return
                messages = decoder.feed(data)
        finally:
            # Calls under way are carried out: a client that goes must not leave half a start behind.
            self._follows.clear()
            pump.cancel()
            await asyncio.wait([pump])

    async def _handle(self, request: Request) -> None:
        try:
            result = await self._answer(self, request.call)
            try:
                frame = encode(Reply(id=request.id, result=result))
            except FrameError as error:
                failure = Failure(
                    code="invalid", text=f"the answer is too long: {error}", hint="Ask for less."
                )
                frame = encode(Reply(id=request.id, result=failure))
        except BaseException:
            self._slots.release()
            raise
        self._reply(frame)

    def _reply(self, frame: bytes) -> None:
        """Queue a reply. It keeps its slot until it goes out: who never reads is not read from either."""
        self._replies.append(frame)
        self._wake.set()

    async def _pump(self) -> None:
        try:
            while True:
                self._wake.clear()
                frame = self._next() or await self._next_bytes()
                if frame is None:
                    await self._rest()
                    continue
                self._writer.write(frame)
                await self._writer.drain()
        except ConnectionError:
            pass

    async def _rest(self) -> None:
        """Until something may have to be sent."""
        self._look_later()
        try:
            await self._wake.wait()
        finally:
            if self._looking is not None:
                self._looking.cancel()

    def _look_later(self) -> None:
        own = any(follow.work is None for follow in self._follows.values())
        pause = LOOK if self._brought >= FAST else CALM
        self._looking = asyncio.get_running_loop().call_later(pause, self._look) if own else None

    def _look(self) -> None:
        """Wake if a followed log has grown. Not left to whoever watches the run: that also parses, and is
        done less often.
        """
        self._brought = 0
        self._ready |= {key: None for key, one in self._follows.items() if one.work is None and one.grown()}
        if self._ready:
            self._wake.set()
        else:
            self._look_later()

    def _next(self) -> bytes | None:
        """The next frame that is due before all log bytes: replies, then events in their order."""
        if self._replies:
            self._slots.release()
            return self._replies.popleft()
        event = self._next_event()
        return encode(event) if event else None

    async def _next_bytes(self) -> bytes | None:
        """The next frame of log bytes, of each followed log in turn."""
        while self._ready:
            key = next(iter(self._ready))
            del self._ready[key]
            follow = self._follows.get(key)
            if follow is None:
                continue
            message = await follow.work(self._read, follow) if follow.work else self._read(follow)
            # It may have been given up meanwhile, or begun anew.
            if message and self._follows.get(key) is follow:
                if message.ended:
                    del self._follows[key]
                elif follow.work or len(message.data) == CHUNK or follow.is_over():
                    self._ready[key] = None
                self._brought += 0 if follow.work else len(message.data)
                return encode(Event(sequence=0, what=message))
        return None

    def _next_event(self) -> Event | None:
        if self._dropped and self._notices:
            text = f"{self._dropped} messages were left out: this client was too slow"
            self._dropped = 0
            notice = Notice(time=time.time(), caller="Agent", kind="error", text=text)
            return Event(sequence=self._notices[0].sequence - 1, what=Noticed(notice=notice))
        session = next(iter(self._sessions), None)
        if self._notices and (
            session is None or self._notices[0].sequence < self._sessions[session].sequence
        ):
            return self._notices.popleft()
        return self._sessions.pop(session) if session is not None else None

    def _read(self, follow: Follow) -> LogBytes | None:
        """The next bytes of a log, or None when it has not grown."""
        # Asked before reading: what caffe wrote last is then in the file.
        over = follow.is_over()
        data, gap = b"", 0
        try:
            if follow.replaced():
                over = True
            else:
                data, gap = self._bytes(follow)
        except OSError:
            over = True
        if not data and not over:
            return None
        offset = follow.offset + gap
        follow.offset = offset + len(data)
        return LogBytes(
            session=follow.session, run=follow.run, offset=offset, data=data, gap=gap, ended=over and not data
        )

    def _bytes(self, follow: Follow) -> tuple[bytes, int]:
        """What comes next, and how many bytes before it are left out. Raises OSError."""
        with open_regular(follow.path) as file:
            stop = os.fstat(file.fileno()).st_size
            end = follow.end()
            size = (stop if end is None else min(stop, end)) - follow.begin
            gap = self._gap(follow, size)
            at = follow.offset + gap
            file.seek(follow.begin + at)
            return file.read(max(0, min(CHUNK, size - at))), gap

    @staticmethod
    def _gap(follow: Follow, size: int) -> int:
        if follow.offset < follow.history or size - follow.offset <= MOST_BEHIND:
            return 0
        return size - CHUNK - follow.offset


def shorten(message: Message) -> str:
    """A call for the agent's log."""
    text = repr(message)
    return text if len(text) < 200 else text[:197] + "..."
