"""All the screen knows, as one immutable value that is replaced when something happens.

Events come in from the host link; the screen reads ``store.known``. No Textual here, and no I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from barista_server.api.messages import (
    Event,
    Notice,
    Noticed,
    SessionChanged,
    SessionInfo,
    SessionRemoved,
    Subscribed,
)

MAX_NOTICES = 2000


@dataclass(frozen=True)
class LinkState:
    """Where the link to a host stands, ``since`` when; ``retry_at``: the time of the next attempt.

    ``silent``: connected, but no answer comes.
    """

    state: Literal["connecting", "alive", "silent", "lost"] = "connecting"
    since: float = 0.0
    host: str = "local"
    detail: str = ""
    retry_at: float | None = None


@dataclass(frozen=True)
class Known:
    """One state of knowledge. ``sessions`` and ``notices`` are never changed in place."""

    link: LinkState = field(default_factory=LinkState)
    sessions: Mapping[str, SessionInfo] = field(default_factory=dict)
    notices: tuple[Notice, ...] = ()
    notices_seen: int = 0
    """Number of notices ever received; those before ``notices`` were dropped."""
    epoch: str = ""
    sequence: int = 0

    @property
    def stale(self) -> bool:
        """Nothing is heard from the host: what is known has an age."""
        return self.link.state in ("silent", "lost")


class Store:
    """Takes what happens, keeps :class:`Known`, calls ``changed`` each time it was replaced."""

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self.known = Known()
        self.changed = changed
        self._own: list[Notice] = []
        """Notices of this side: no agent sends them again."""

    def _set(self, known: Known) -> None:
        self.known = known
        self.changed()

    def linked(self, link: LinkState) -> None:
        """The link changed its state."""
        self._set(replace(self.known, link=link))

    def remembered(self, sessions: list[SessionInfo]) -> None:
        """The list as an earlier screen saw it: shown until the agent tells the truth."""
        if not self.known.epoch:
            self._set(replace(self.known, sessions={session.id: session for session in sessions}))

    def subscribed(self, reply: Subscribed, epoch: str) -> None:
        """The agent answered a subscription: either the whole truth, or the missed events follow."""
        if not reply.complete:
            self._set(replace(self.known, epoch=epoch))
            return
        self._set(
            replace(
                self.known,
                epoch=epoch,
                sequence=reply.sequence,
                sessions={session.id: session for session in reply.sessions},
                notices=tuple(
                    sorted([*reply.notices, *self._own], key=lambda notice: notice.time)[-MAX_NOTICES:]
                ),
                notices_seen=self.known.notices_seen + len(reply.notices),
            )
        )

    def happened(self, event: Event) -> None:
        """One event of the subscription. One seen before (repeated after a reconnect) changes nothing."""
        if event.sequence <= self.known.sequence:
            return
        known = replace(self.known, sequence=event.sequence)
        match event.what:
            case SessionChanged(session=session):
                known = replace(known, sessions={**known.sessions, session.id: session})
            case SessionRemoved(session=gone):
                rest = {key: session for key, session in known.sessions.items() if key != gone}
                known = replace(known, sessions=rest)
            case Noticed(notice=notice):
                known = _noticed(known, notice)
        self._set(known)

    def noticed(self, notice: Notice) -> None:
        """A message of this side, such as a lost link."""
        self._own = [*self._own, notice][-MAX_NOTICES:]
        self._set(_noticed(self.known, notice))

    def changed_session(self, session: SessionInfo) -> None:
        """A reply brought a newer state of one session than the last event."""
        self._set(replace(self.known, sessions={**self.known.sessions, session.id: session}))


def _noticed(known: Known, notice: Notice) -> Known:
    notices = (*known.notices, notice)[-MAX_NOTICES:]
    return replace(known, notices=notices, notices_seen=known.notices_seen + 1)
