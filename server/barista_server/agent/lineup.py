"""Who is next: the order of the queue, and which of its sessions may start now. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from barista_server.api.messages import State

Where = Literal["up", "down", "first", "last"]

_ENDED = {
    State.FAILED: "failed",
    State.INTERRUPTED: "was interrupted",
    State.INVALID: "is invalid",
}


class Entry(msgspec.Struct, omit_defaults=True):
    """A session in the queue, as ``queue.json`` has it."""

    session: str
    queued: float
    """When, in seconds since the epoch."""
    runs: int = 0
    """Number of its newest run then: a newer one tells that it was started since."""
    priority: int = 0
    after: str = ""
    """Session that has to be Finished before."""
    after_any: bool = False
    """Any end of that one will do."""


@dataclass(frozen=True)
class Standing:
    """What matters of a session, queued or not."""

    name: str
    state: State
    devices: tuple[str, ...] = ()
    """``cpu`` or numbers of graphics cards."""
    queued: bool = False


@dataclass(frozen=True)
class Room:
    """What the devices take: how many trainings at a time, what is on them, why no more can be had."""

    slots: Mapping[str, int] = field(default_factory=dict)
    held: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Names of sessions on each device."""
    others: Mapping[str, str] = field(default_factory=dict)
    """Reasons why somebody else has a device."""

    def slots_of(self, device: str) -> int:
        """One at a time unless told otherwise."""
        return self.slots.get(device, 1)


def device_word(device: str) -> str:
    """``cpu``, ``GPU 0``."""
    return device if device == "cpu" else f"GPU {device}"


def put(entries: Sequence[Entry], entry: Entry) -> list[Entry]:
    """The order with ``entry`` behind all of its priority or higher."""
    rest = [one for one in entries if one.session != entry.session]
    place = sum(one.priority >= entry.priority for one in rest)
    return [*rest[:place], entry, *rest[place:]]


def move(entries: Sequence[Entry], session: str, where: Where) -> list[Entry]:
    """The order with a session moved; past others of another priority it takes theirs."""
    at = next(place for place, one in enumerate(entries) if one.session == session)
    rest = [one for one in entries if one.session != session]
    to = {"up": max(0, at - 1), "down": min(len(rest), at + 1), "first": 0, "last": len(rest)}[where]
    priority = entries[at].priority
    if to < len(rest):
        priority = max(priority, rest[to].priority)
    if to > 0:
        priority = min(priority, rest[to - 1].priority)
    return [*rest[:to], msgspec.structs.replace(entries[at], priority=priority), *rest[to:]]


def goes_round(entries: Sequence[Entry], session: str, after: str) -> bool:
    """Whether ``session`` would in the end wait for itself."""
    waits = {one.session: one.after for one in entries} | {session: after}
    seen: set[str] = set()
    while after and after not in seen:
        if after == session:
            return True
        seen.add(after)
        after = waits.get(after, "")
    return False


def plan(
    entries: Sequence[Entry], sessions: Mapping[str, Standing], room: Room, held_back: Mapping[str, str]
) -> dict[str, str]:
    """Why each session has to wait still; empty: it starts now. ``held_back``: reasons known before.

    Who waits for trainings of ours to end keeps its place on all its devices, so that one on several cards
    is not overtaken for ever. Who waits for anything else holds up nobody.
    """
    taken = {device: list(names) for device, names in room.held.items()}
    kept: dict[str, list[str]] = {}
    reasons: dict[str, str] = {}
    for entry in entries:
        session = sessions[entry.session]
        why = held_back.get(entry.session) or _awaits(entry, sessions) or _shut(session.devices, room)
        if not why:
            why = _crowded(session.devices, room, taken, kept)
            for device in session.devices:
                (kept if why else taken).setdefault(device, []).append(session.name)
        reasons[entry.session] = why
    return reasons


def _awaits(entry: Entry, sessions: Mapping[str, Standing]) -> str:
    if not entry.after:
        return ""
    other = sessions.get(entry.after)
    if other is None:
        return "" if entry.after_any else f"waits for session {entry.after}, which is gone"
    if other.state is State.FINISHED:
        return ""
    ended = None if other.queued else _ENDED.get(other.state)
    if ended is None:
        return f"after {other.name}"
    return "" if entry.after_any else f"after {other.name}, which {ended}"


def _shut(devices: Sequence[str], room: Room) -> str:
    for device in devices:
        if room.slots_of(device) < 1:
            return f"{device_word(device)} has no slots"
        if device in room.others:
            return room.others[device]
    return ""


def _crowded(
    devices: Sequence[str], room: Room, taken: Mapping[str, list[str]], kept: Mapping[str, list[str]]
) -> str:
    for device in devices:
        there, ahead = taken.get(device, []), kept.get(device, [])
        if len(there) + len(ahead) >= room.slots_of(device):
            return f"{device_word(device)}: {', '.join([*there, *ahead])}"
    return ""
