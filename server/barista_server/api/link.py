"""The client's end of a connection to an agent: calls with typed results, events, and a clear end.

link = await Link.open(default_root())
link.on_event = handle
reply = await link.call(Subscribe(), Subscribed)
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from barista_server.api.frames import FrameDecoder, FrameError, encode, from_agent
from barista_server.api.local import LinkError, connect, ensure_agent
from barista_server.api.messages import (
    PROTOCOL,
    AddCaffe,
    Call,
    CheckCaffes,
    CloneSession,
    Event,
    Failure,
    FromAgent,
    GetBlob,
    GetBlobStats,
    GetLabelHistogram,
    GetLines,
    GetSeries,
    Hello,
    ListWeights,
    Message,
    NewSession,
    Refusal,
    Reply,
    Request,
    Result,
    SnapshotSession,
    SummarizeSession,
    Welcome,
)
from barista_server.api.streams import Reader, Writer

__all__ = ["CallFailed", "Link", "LinkError"]

R = TypeVar("R", bound=Message)

HANDSHAKE_TIMEOUT = 10.0
TIMEOUT = 30.0
"""Seconds an answer may take, unless the call has work to wait for."""
PATIENCE: dict[type, float] = {
    SnapshotSession: 3600.0,
    CheckCaffes: 1800.0,
    AddCaffe: 600.0,
    NewSession: 600.0,
    CloneSession: 3600.0,
    SummarizeSession: 120.0,
    GetLines: 120.0,
    GetSeries: 120.0,
    ListWeights: 120.0,
    GetBlob: 120.0,
    GetBlobStats: 600.0,
    GetLabelHistogram: 3600.0,
}

ATTEMPTS = 5
RETRY = 0.1
"""Seconds between two attempts to open a connection that broke at the handshake."""

_CHUNK = 1 << 16


class CallFailed(Exception):
    """The agent did not carry out a call; ``failure`` says why and what to do."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.text)
        self.failure = failure


class Link:
    """One connection. Make it with :meth:`open`, or with :meth:`over` on any pair of streams.

    ``on_event`` is called on the event loop for each event and must not block; events that arrive while it is
    not set are dropped, so set it before subscribing.
    """

    def __init__(
        self,
        reader: Reader,
        writer: Writer,
        decoder: FrameDecoder[FromAgent],
        welcome: Welcome,
        early: list[FromAgent],
    ) -> None:
        self.welcome = welcome
        self.on_event: Callable[[Event], None] | None = None
        self.error: LinkError | None = None
        """Why the connection ended; None while it lives and after :meth:`close`."""
        self._reader = reader
        self._writer = writer
        self._decoder = decoder
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Result]] = {}
        self._closed = False
        self._task = asyncio.create_task(self._read(early))

    @classmethod
    async def open(cls, root: Path, start_agent: bool = True, client: str = "barista 0.1.0") -> Link:
        """Connect to the agent of this machine that serves ``root``. Raises LinkError."""
        for left in reversed(range(ATTEMPTS)):
            if start_agent:
                await ensure_agent(root)
            try:
                reader, writer = await connect(root)
                return await cls.over(reader, writer, client)
            except LinkError as error:
                # A dying agent still accepts connections for a moment, only to close them.
                lost = (ConnectionError, FileNotFoundError) if start_agent else ConnectionError
                if not left or not isinstance(error.__cause__, lost):
                    raise
                await asyncio.sleep(RETRY)
        raise LinkError(f"no attempt was made to reach {root}")

    @classmethod
    async def over(cls, reader: Reader, writer: Writer, client: str = "barista 0.1.0") -> Link:
        """Shake hands over a pair of streams. Raises LinkError, then the streams are closed."""
        decoder = from_agent()
        try:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT):
                writer.write(encode(Hello(protocol=PROTOCOL, client=client)))
                await writer.drain()
                messages: list[FromAgent] = []
                while not messages:
                    data = await reader.read(_CHUNK)
                    if not data:
                        raise ConnectionResetError("the agent closed the connection at the handshake")
                    messages = decoder.feed(data)
            answer = messages.pop(0)
            if isinstance(answer, Refusal):
                raise LinkError(answer.reason)
            if not isinstance(answer, Welcome):
                raise FrameError(f"{type(answer).__name__} instead of a welcome")
        except LinkError:
            writer.close()
            raise
        except (FrameError, OSError) as error:
            writer.close()
            raise _as_link_error(error) from error
        return cls(reader, writer, decoder, answer, messages)

    @property
    def closed(self) -> bool:
        """The connection has ended, from whichever side."""
        return self._closed

    async def call(self, call: Call, result: type[R], patience: float | None = None) -> R:
        """The agent's answer to ``call``.

        Raises CallFailed when the agent says no, LinkError when the connection ends or no answer comes within
        ``patience`` seconds (default: as long as this call may sensibly take).
        """
        if self._closed:
            raise self.error or LinkError("the connection is closed")
        number = next(self._ids)
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        patience = patience or PATIENCE.get(type(call), TIMEOUT)
        try:
            async with asyncio.timeout(patience):
                self._writer.write(encode(Request(id=number, call=call)))
                await self._writer.drain()
                answer = await future
        except TimeoutError:
            raise LinkError(f"no answer to {type(call).__name__} within {patience:g} s") from None
        except FrameError as error:
            raise CallFailed(Failure(code="invalid", text=str(error))) from None
        except LinkError:
            raise
        except OSError as error:
            raise _as_link_error(error) from error
        finally:
            self._waiting.pop(number, None)
            # An end of the connection that nobody waited for any more is told by wait_closed().
            if future.done() and not future.cancelled():
                future.exception()
        if isinstance(answer, Failure):
            raise CallFailed(answer)
        if not isinstance(answer, result):
            raise LinkError(f"the agent answered {type(call).__name__} with {type(answer).__name__}")
        return answer

    async def wait_closed(self) -> None:
        """Return when the connection has ended; ``error`` says why."""
        await asyncio.wait([self._task])

    async def close(self) -> None:
        """End the connection. Open calls fail with LinkError."""
        self._task.cancel()
        await asyncio.wait([self._task])
        # A task that is cancelled before its first step has cleaned up nothing.
        self._end()
        try:
            await self._writer.wait_closed()
        except OSError:
            pass

    async def _read(self, early: list[FromAgent]) -> None:
        try:
            for message in early:
                self._take(message)
            while data := await self._reader.read(_CHUNK):
                for message in self._decoder.feed(data):
                    self._take(message)
            self.error = LinkError("the agent closed the connection")
        except (FrameError, OSError) as error:
            self.error = _as_link_error(error)
        finally:
            self._end()

    def _end(self) -> None:
        self._closed = True
        self._writer.close()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(self.error or LinkError("the connection was closed"))

    def _take(self, message: FromAgent) -> None:
        if isinstance(message, Reply):
            future = self._waiting.get(message.id)
            if future is not None and not future.done():
                future.set_result(message.result)
        elif isinstance(message, Event):
            self._tell(message)
        else:
            raise FrameError(f"{type(message).__name__} after the handshake")

    def _tell(self, event: Event) -> None:
        if self.on_event is None:
            return
        try:
            self.on_event(event)
        except Exception as error:
            # A widget's mistake must not cut the connection.
            asyncio.get_running_loop().call_exception_handler(
                {"message": "a handler of agent events failed", "exception": error}
            )


def _as_link_error(error: Exception) -> LinkError:
    if isinstance(error, LinkError):
        return error
    if isinstance(error, TimeoutError):
        return LinkError(f"the agent did not answer the handshake within {HANDSHAKE_TIMEOUT:g} s")
    if isinstance(error, FrameError):
        return LinkError(f"the agent sent something else than this protocol: {error}")
    return LinkError(f"the connection to the agent broke: {error}")
