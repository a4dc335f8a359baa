"""Frames: 4 bytes of big-endian length, then one MessagePack message.

Both sides read untrusted bytes: what is too long, cut or no message of the expected union raises
:class:`FrameError`, and the connection it came from is closed.

The other side may be newer within one version of the protocol. Of a whole MessagePack message that is no
member of the union, a request becomes :class:`Strange`, a reply a Failure, and an event is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

from barista_server.api.messages import (
    Failure,
    FromAgent,
    FromClient,
    Hello,
    Introduction,
    Message,
    Reply,
    Request,
    Strange,
)

MAX_FRAME = 16 * 1024 * 1024
"""Greatest length of a frame's message in bytes."""

_HEADER = 4

T = TypeVar("T")


class FrameError(ValueError):
    """Bytes that are no frame of this protocol, or a message too long for one."""


def encode(message: Message) -> bytes:
    """One whole frame. Raises FrameError when the message is longer than MAX_FRAME."""
    try:
        body = msgspec.msgpack.encode(message)
    except UnicodeEncodeError:
        # File names may be any bytes: one odd file must not silence all that is told about the others.
        body = msgspec.msgpack.encode(_legible(msgspec.to_builtins(message, builtin_types=(bytes,))))
    if len(body) > MAX_FRAME:
        raise FrameError(
            f"a {type(message).__name__} of {len(body)} bytes is over the frame limit of {MAX_FRAME}"
        )
    return len(body).to_bytes(_HEADER, "big") + body


def _legible(value: Any) -> Any:
    """``value`` with ``?`` where text cannot be written as UTF-8."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_legible(key): _legible(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_legible(item) for item in value]
    return value


class _Tagged(msgspec.Struct):
    type: str


class _Outline(msgspec.Struct):
    """As much of a message as must be there, whatever it carries."""

    type: str
    id: int | None = None
    call: _Tagged | None = None
    result: _Tagged | None = None
    what: _Tagged | None = None


_OUTLINE = msgspec.msgpack.Decoder(_Outline)


class FrameDecoder(Generic[T]):
    """Turns a stream of bytes, cut anywhere, into messages of one union."""

    def __init__(
        self, decoder: msgspec.msgpack.Decoder[T], newer: Callable[[_Outline, str], list[T]]
    ) -> None:
        self._decoder = decoder
        self._newer = newer
        self._pending = bytearray()

    def feed(self, data: bytes) -> list[T]:
        """The messages completed by ``data``. Raises FrameError; the stream is lost after that."""
        self._pending += data
        messages: list[T] = []
        start = 0
        while len(self._pending) - start >= _HEADER:
            length = int.from_bytes(self._pending[start : start + _HEADER], "big")
            if length > MAX_FRAME:
                raise FrameError(f"a frame of {length} bytes is over the limit of {MAX_FRAME}")
            end = start + _HEADER + length
            if len(self._pending) < end:
                break
            messages.extend(self._decode(bytes(self._pending[start + _HEADER : end])))
            start = end
        del self._pending[:start]
        return messages

    @property
    def pending(self) -> int:
        """Bytes of a frame that has begun and is not complete."""
        return len(self._pending)

    def _decode(self, body: bytes) -> list[T]:
        try:
            return [self._decoder.decode(body)]
        except msgspec.ValidationError as error:
            try:
                return self._newer(_OUTLINE.decode(body), str(error))
            except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
                raise FrameError(f"not a message of this protocol: {error}") from None
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise FrameError(f"not a message of this protocol: {error}") from None


def from_agent() -> FrameDecoder[FromAgent]:
    """A decoder for what agents send."""
    return FrameDecoder(msgspec.msgpack.Decoder(FromAgent), _from_newer_agent)


def from_client() -> FrameDecoder[FromClient]:
    """A decoder for what clients send."""
    return FrameDecoder(msgspec.msgpack.Decoder(Introduction | Hello | Request), _from_newer_client)


def _from_newer_agent(found: _Outline, error: str) -> list[FromAgent]:
    if found.type == "event" and found.what is not None:
        return []
    if found.type == "reply" and found.id is not None and found.result is not None:
        text = f"the agent is newer than this client, which does not know {found.result.type!r} ({error})"
        return [Reply(id=found.id, result=Failure(code="unknown", text=text, hint="Update barista."))]
    raise msgspec.ValidationError(error)


def _from_newer_client(found: _Outline, error: str) -> list[FromClient]:
    if found.type == "request" and found.id is not None and found.call is not None:
        return [Strange(id=found.id, what=found.call.type[:80], error=error[:200])]
    raise msgspec.ValidationError(error)
