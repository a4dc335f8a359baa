"""What happened, in order, for everybody who subscribed; and for those who come back after a while."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Callable
from typing import Literal, Protocol

from barista_server.api.messages import (
    Event,
    Notice,
    Noticed,
    Occurrence,
    SessionChanged,
    SessionInfo,
    SessionRemoved,
)

INTERVAL = 0.2
"""Seconds between two events of the same session, at least: less than between two looks at its run, so that
what a look finds goes out at once.
"""
NOTICES = 500
"""So many are kept for clients that come later."""


class Listener(Protocol):
    """A subscribed client. Neither method may block."""

    def take(self, event: Event) -> None: ...

    def log_grew(self, session: str, run: int) -> None: ...

    def stands(self, session: str, run: int) -> int: ...


class Hub:
    """Counts events within one epoch, merges those of one session, keeps what a returning client needs.

    ``describe`` gives the current SessionInfo of an id, None where there is no such session any more.
    """

    def __init__(self, describe: Callable[[str], SessionInfo | None]) -> None:
        self.epoch = secrets.token_hex(8)
        self.sequence = 0
        self.listeners: set[Listener] = set()
        self._describe = describe
        self._dirty: dict[str, None] = {}
        self._flush_at: asyncio.TimerHandle | None = None
        self._flushed = -INTERVAL
        self._latest: dict[str, Event] = {}
        self._notices: deque[Event] = deque(maxlen=NOTICES)
        self._lost_before = 0

    def changed(self, session: str) -> None:
        """Tell of this session's new state soon; several changes at once become one event."""
        self._dirty[session] = None
        if self._flush_at is None:
            loop = asyncio.get_running_loop()
            self._flush_at = loop.call_at(max(loop.time(), self._flushed + INTERVAL), self._flush)

    def removed(self, session: str) -> None:
        """Tell that a session is gone."""
        self._dirty.pop(session, None)
        self._latest[session] = self._send(SessionRemoved(session=session))

    def notice(self, caller: str, text: str, kind: Literal["text", "error"] = "text") -> None:
        """Put a message on every console."""
        event = self._send(Noticed(notice=Notice(time=time.time(), caller=caller, kind=kind, text=text)))
        if len(self._notices) == NOTICES:
            self._lost_before = self._notices[0].sequence
        self._notices.append(event)

    def log_grew(self, session: str, run: int) -> None:
        """Wake those who follow this log."""
        for listener in self.listeners:
            listener.log_grew(session, run)

    def stands(self, session: str, run: int) -> int:
        """Bytes of a log that some follower has had, at most."""
        return max((listener.stands(session, run) for listener in self.listeners), default=0)

    def since(self, epoch: str, after: int) -> list[Event] | None:
        """What a client that stood at ``after`` has missed, merged; None when that is not known any more."""
        if epoch != self.epoch or after < self._lost_before or after > self.sequence:
            return None
        missed = [event for event in [*self._latest.values(), *self._notices] if event.sequence > after]
        return sorted(missed, key=lambda event: event.sequence)

    def notices(self) -> list[Notice]:
        """The kept messages, oldest first."""
        return [event.what.notice for event in self._notices if isinstance(event.what, Noticed)]

    def _flush(self) -> None:
        self._flush_at = None
        self._flushed = asyncio.get_running_loop().time()
        dirty, self._dirty = self._dirty, {}
        for session in dirty:
            info = self._describe(session)
            if info is not None:
                self._latest[session] = self._send(SessionChanged(session=info))

    def _send(self, what: Occurrence) -> Event:
        self.sequence += 1
        event = Event(sequence=self.sequence, what=what)
        for listener in self.listeners:
            listener.take(event)
        return event
