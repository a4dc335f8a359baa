"""All the screen knows, as one immutable value that is replaced when something happens.

Events come in from the links, one a host; the screen reads ``store.known``. No Textual here, and no I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Literal, NamedTuple

from msgspec import Struct, field, structs
from msgspec.structs import replace

from barista_server.api.messages import (
    DatasetChanged,
    DatasetInfo,
    DatasetRemoved,
    Event,
    Notice,
    Noticed,
    Role,
    SessionChanged,
    SessionInfo,
    SessionRemoved,
    Subscribed,
)
from barista_tui.hosts import LOCAL, Cause

MAX_NOTICES = 2000

Link = Literal["connecting", "alive", "silent", "lost", "offline"]


class Key(NamedTuple):
    """A session of a host; with an empty ``session`` the host itself."""

    host: str
    session: str = ""

    @classmethod
    def of(cls, text: str) -> Key:
        """The key that was written as ``host/id``."""
        return cls(*text.partition("/")[::2])

    def __str__(self) -> str:
        return f"{self.host}/{self.session}"


class LinkState(Struct, frozen=True):
    """Where the link to a host stands, ``since`` when; ``retry_at``: the time of the next attempt, if any.

    ``silent``: connected, but no answer comes. ``offline``: closed because a person said so.
    ``cause``: what kind of trouble ended it or keeps it from being made.
    """

    state: Link = "connecting"
    since: float = 0.0
    detail: str = ""
    retry_at: float | None = None
    cause: Cause = ""


class HostKnown(Struct, frozen=True):
    """What is known of one host. ``heard``: time of its last word before this link, None without one."""

    name: str = LOCAL
    link: LinkState = field(default_factory=LinkState)
    sessions: Mapping[str, SessionInfo] = field(default_factory=dict)
    datasets: Mapping[str, DatasetInfo] = field(default_factory=dict)
    """Those on its list, by id."""
    epoch: str = ""
    sequence: int = 0
    heard: float | None = None
    role: Role = "owner"
    """What the agent lets this person do."""

    @property
    def alive(self) -> bool:
        """It answers."""
        return self.link.state == "alive"

    @property
    def news(self) -> float | None:
        """The time that what is known dates from, where nothing is heard now; None while it is up to date."""
        if self.alive:
            return None
        return self.link.since if self.link.state == "silent" else self.heard


class Known(Struct, frozen=True, dict=True):
    """One state of knowledge. Mappings and ``notices`` are never changed in place."""

    hosts: Mapping[str, HostKnown] = field(default_factory=dict)
    """By name, in the order of the list."""
    notices: tuple[Notice, ...] = ()
    notices_seen: int = 0
    """Number of notices ever received; those before ``notices`` were dropped."""

    @cached_property
    def sessions(self) -> Mapping[Key, SessionInfo]:
        """Those of all hosts."""
        return {
            Key(host.name, id): session
            for host in self.hosts.values()
            for id, session in host.sessions.items()
        }

    def host(self, name: str) -> HostKnown:
        """That host, known or not."""
        return self.hosts.get(name) or HostKnown(name)

    @property
    def stale(self) -> bool:
        """Ages are on the screen, and grow."""
        return any(host.news is not None or host.link.retry_at is not None for host in self.hosts.values())


class Store:
    """Takes what happens, keeps :class:`Known`, calls ``changed`` each time it was replaced."""

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self.known = Known()
        self.changed = changed
        self._notices: dict[str, list[Notice]] = {}
        """By host; those of this side, which no agent sends again, under the empty name."""
        self._told: dict[Key, int] = {}
        """Sequence of the last event about a session, where there was one."""

    def _set(self, known: Known) -> None:
        self.known = known
        self.changed()

    def _set_host(self, host: HostKnown) -> None:
        self._set(replace(self.known, hosts={**self.known.hosts, host.name: host}))

    def keep_hosts(self, names: Iterable[str]) -> None:
        """These hosts in this order; what is known of others is forgotten."""
        self._set(replace(self.known, hosts={name: self.known.host(name) for name in names}))

    def linked(self, host: str, link: LinkState) -> None:
        """The link changed its state."""
        before = self.known.host(host)
        ended = before.alive and link.state != "alive"
        heard = link.since if ended else before.heard
        self._set_host(replace(before, link=link, heard=heard))

    def remembered(self, host: str, sessions: Iterable[SessionInfo], at: float) -> None:
        """The list as it was seen at that time: shown until the agent tells the truth."""
        before = self.known.host(host)
        if not before.epoch:
            self._set_host(replace(before, sessions={each.id: each for each in sessions}, heard=at))

    def subscribed(self, host: str, reply: Subscribed, epoch: str, role: Role = "owner") -> None:
        """The agent answered a subscription: either the whole truth, or the missed events follow."""
        before = replace(self.known.host(host), epoch=epoch, role=role)
        if not reply.complete:
            self._set_host(before)
            return
        self._told = {key: at for key, at in self._told.items() if key.host != host}
        self._notices[host] = [_named(notice, host) for notice in reply.notices][-MAX_NOTICES:]
        merged = sorted((each for some in self._notices.values() for each in some), key=lambda one: one.time)
        known = replace(
            before, sequence=reply.sequence, sessions={session.id: session for session in reply.sessions}
        )
        self._set(
            replace(
                self.known,
                hosts={**self.known.hosts, host: known},
                notices=tuple(merged[-MAX_NOTICES:]),
                notices_seen=self.known.notices_seen + len(reply.notices),
            )
        )

    def listed_datasets(self, host: str, datasets: Iterable[DatasetInfo]) -> None:
        """The datasets on a host's list; changes come as events."""
        self._set_host(replace(self.known.host(host), datasets={each.id: each for each in datasets}))

    def happened(self, host: str, event: Event) -> None:
        """One event of a subscription. One seen before (repeated after a reconnect) changes nothing."""
        known = self.known.host(host)
        match event.what:
            # These are not repeated: after a reconnect the whole list comes.
            case DatasetChanged(dataset=dataset):
                self._set_host(replace(known, datasets={**known.datasets, dataset.id: dataset}))
                return
            case DatasetRemoved(dataset=lost):
                left = {key: dataset for key, dataset in known.datasets.items() if key != lost}
                self._set_host(replace(known, datasets=left))
                return
        if event.sequence <= known.sequence:
            return
        known = replace(known, sequence=event.sequence)
        match event.what:
            case SessionChanged(session=session):
                known = replace(known, sessions={**known.sessions, session.id: session})
                self._told[Key(host, session.id)] = event.sequence
            case SessionRemoved(session=gone):
                rest = {key: session for key, session in known.sessions.items() if key != gone}
                known = replace(known, sessions=rest)
                self._told[Key(host, gone)] = event.sequence
            case Noticed(notice=notice):
                self.known = replace(self.known, hosts={**self.known.hosts, host: known})
                self._noticed(host, _named(notice, host))
                return
        self._set_host(known)

    def noticed(self, notice: Notice) -> None:
        """A message of this side, such as a lost link."""
        self._noticed("", notice)

    def _noticed(self, host: str, notice: Notice) -> None:
        kept = self._notices.setdefault(host, [])
        kept.append(notice)
        del kept[:-MAX_NOTICES]
        notices = (*self.known.notices, notice)[-MAX_NOTICES:]
        self._set(replace(self.known, notices=notices, notices_seen=self.known.notices_seen + 1))

    def changed_session(self, host: str, session: SessionInfo, since: int = 0) -> None:
        """A reply brought a state of one session, of some time after the event ``since`` (0: it is new).

        An event that came meanwhile may be newer; if it is older another one follows.
        """
        if self._told.get(Key(host, session.id), 0) > since:
            return
        before = self.known.host(host)
        self._set_host(replace(before, sessions={**before.sessions, session.id: session}))


def _named(notice: Notice, host: str) -> Notice:
    """``Session 7@gpu01``: every host has a session 7."""
    if host == LOCAL:
        return notice
    return structs.replace(notice, caller=f"{notice.caller}@{host}")
