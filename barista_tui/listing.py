"""The list of sessions of all hosts as rows: filtered, sorted, and flat or below their hosts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from barista_server.api.messages import SessionInfo, State
from barista_tui import format as fmt
from barista_tui import rows
from barista_tui.hosts import CAUSE_WORDS
from barista_tui.store import HostKnown, Key, Known, LinkState


class SessionRow(Struct, frozen=True):
    """A session; ``age``: of the last news where nothing is heard of its host (``2 m``)."""

    key: Key
    session: SessionInfo
    age: str = ""
    spark: tuple[float, ...] = ()
    marked: bool = False


class HostRow(Struct, frozen=True):
    """A host above its sessions. ``running`` and ``count`` are of all of them, hidden ones included."""

    key: Key
    link: LinkState
    words: str
    count: int
    running: int
    folded: bool


Row = SessionRow | HostRow


class Wish(Struct, frozen=True):
    """How the list is wanted. ``folded``: hosts whose sessions are hidden, where it is grouped."""

    words: str = ""
    sort: str = "id"
    grouped: bool = False
    folded: frozenset[str] = frozenset()
    hidden: frozenset[Key] = frozenset()
    """Sessions that the project does not show."""
    marked: tuple[Key, ...] = ()
    """Sessions to be looked at together, in the order in which they were marked."""


def link_words(host: HostKnown, now: float) -> str:
    """What is wrong with a link and since when, and what to do: ``connecting …``, ``not connected, 12 s``."""
    link = host.link
    match link.state:
        case "connecting":
            return "connecting …"
        case "alive":
            return "" if host.role == "owner" else "you may only look"
        case "silent":
            return f"does not answer, {fmt.age(now - link.since)}"
        case "offline":
            return "offline"
    match link.cause:
        case "key-unknown":
            return "host key unknown: press F3 to accept"
        case "dead" | "":
            return f"not connected, {fmt.age(now - link.since)}"
    return CAUSE_WORDS[link.cause]


def listed(known: Known, wish: Wish, now: float, sparks: Mapping[Key, tuple[float, ...]]) -> tuple[Row, ...]:
    """The rows in their order. A filter opens what is folded, and leaves out hosts where nothing matches."""
    ages = {name: _age(host, now) for name, host in known.hosts.items()}

    def chosen(host: HostKnown) -> list[SessionRow]:
        shown = (
            each
            for each in host.sessions.values()
            if rows.matches(each, host.name, wish.words) and Key(host.name, each.id) not in wish.hidden
        )
        made = []
        for session in shown:
            key = Key(host.name, session.id)
            made.append(SessionRow(key, session, ages[host.name], sparks.get(key, ()), key in wish.marked))
        return made

    if not wish.grouped:
        return tuple(_ordered((row for host in known.hosts.values() for row in chosen(host)), wish.sort))
    result: list[Row] = []
    for name, host in known.hosts.items():
        below = _ordered(chosen(host), wish.sort)
        if wish.words and not below:
            continue
        folded = name in wish.folded and not wish.words
        result.append(_head(host, now, folded))
        if not folded:
            result += below
    return tuple(result)


def _age(host: HostKnown, now: float) -> str:
    return fmt.age(now - host.news) if host.news is not None else ""


def _head(host: HostKnown, now: float, folded: bool) -> HostRow:
    running = sum(each.state is State.RUNNING and each.kind != "log" for each in host.sessions.values())
    return HostRow(Key(host.name), host.link, link_words(host, now), len(host.sessions), running, folded)


def _ordered(some: Iterable[SessionRow], sort: str) -> list[SessionRow]:
    """Newest first by id; otherwise by what the word says, newest first among equals; then by host."""
    newest = sorted(some, key=lambda row: rows.natural(row.session.id), reverse=True)
    if sort == "id":
        return newest
    if sort == "host":
        return sorted(newest, key=lambda row: row.key.host)
    return sorted(newest, key=lambda row: rows.rank(row.session, sort))
