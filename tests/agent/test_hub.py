"""Events: merged, numbered, and found again after an absence."""

from __future__ import annotations

import asyncio

from barista_server.agent.hub import NOTICES, Hub
from barista_server.api.messages import Event, Noticed, SessionChanged, SessionInfo, SessionRemoved, State

from .agents import until


class Listener:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def take(self, event: Event) -> None:
        self.events.append(event)

    def iterations(self) -> list[int]:
        whats = [event.what for event in self.events]
        return [what.session.iteration for what in whats if isinstance(what, SessionChanged)]

    def log_grew(self, session: str, run: int) -> None:
        raise AssertionError("no log grew")


def info(session: str, iteration: int = 0) -> SessionInfo:
    return SessionInfo(
        id=session, name="n", state=State.WAITING, folder="/", created=0, caffe="c", iteration=iteration
    )


async def test_many_changes_are_few_events_and_the_newest_wins() -> None:
    state = {"1": 0, "2": 0}
    hub = Hub(lambda session: info(session, state[session]) if session in state else None)
    listener = Listener()
    hub.listeners.add(listener)
    loop = asyncio.get_running_loop()
    end = loop.time() + 0.6
    while loop.time() < end:
        state["1"] += 1
        hub.changed("1")
        await asyncio.sleep(0.001)
    hub.changed("gone")
    await until(lambda: listener.iterations()[-1] == state["1"], "the newest")
    seen = listener.iterations()
    assert 2 <= len(seen) <= 5
    assert [event.sequence for event in listener.events] == list(range(1, len(seen) + 1))


async def test_what_was_missed_is_merged_and_in_order() -> None:
    hub = Hub(info)
    hub.notice("Agent", "one")
    hub.removed("7")
    hub.notice("Agent", "two")
    stood = hub.sequence
    for _ in range(3):
        hub.changed("1")
        before = hub.sequence
        await until(lambda before=before: hub.sequence > before, "an event")  # type: ignore[misc]
    hub.notice("Agent", "three")
    missed = hub.since(hub.epoch, stood)
    assert missed is not None
    kinds = [type(event.what) for event in missed]
    assert kinds == [SessionChanged, Noticed]
    everything = hub.since(hub.epoch, 0)
    assert everything is not None
    assert [type(event.what) for event in everything] == [Noticed, SessionRemoved, Noticed, *kinds]
    assert hub.since(hub.epoch, hub.sequence) == []
    assert hub.since(hub.epoch, hub.sequence + 1) is None
    assert hub.since("before", 0) is None


def test_too_many_missed_messages_are_not_passed_off_as_all() -> None:
    hub = Hub(info)
    for number in range(NOTICES + 10):
        hub.notice("Agent", str(number))
    assert hub.since(hub.epoch, 9) is None
    missed = hub.since(hub.epoch, 10)
    assert missed is not None and len(missed) == NOTICES
    assert len(hub.notices()) == NOTICES
