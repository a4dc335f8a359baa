"""The queue of one host: sessions that wait for room on their devices, or for others to end.

``<root>/queue.json`` holds the order. A session leaves it after its run's folder is there: an agent that was
killed in between sees a run newer than the entry, and does not start it again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from barista_server.agent import files, lineup, watch
from barista_server.agent.devices import Cards, held_by_others, processor
from barista_server.agent.errors import CallError
from barista_server.agent.graphics import devices_of
from barista_server.agent.lineup import Entry, Room, Standing
from barista_server.agent.session import LIVE, Host, Session
from barista_server.agent.states import Happening, Refused
from barista_server.api import messages as m

if TYPE_CHECKING:
    from barista_server.agent.imported import Imported

TICK = 0.5
"""Seconds between two looks at who may start, while somebody waits."""
LOOK = 2.0
"""Seconds for which what was seen of the graphics cards is good."""
AGAIN = 30.0
"""Seconds until a session that could not be started is tried again."""
MOST_SLOTS = 1000

log = logging.getLogger("barista.agent")


class Saved(msgspec.Struct, omit_defaults=True):
    """``queue.json``."""

    entries: list[Entry] = []
    slots: dict[str, int] = {}


class Queue:
    """``everything`` tells sessions and imported logs: one may wait for a log to end."""

    def __init__(self, host: Host, everything: Callable[[], list[Session | Imported]]) -> None:
        self._host = host
        self._everything = everything
        self._path = host.root / "queue.json"
        self._saved = Saved()
        self._lock = asyncio.Lock()
        """Held by whatever changes the order; a session's lock is taken before it, never after."""
        self._wake = asyncio.Event()
        self._starting: dict[str, asyncio.Task[None]] = {}
        self._failed: dict[str, tuple[str, float]] = {}
        """Why a session could not be started, and when it is tried again (monotonic)."""
        self._checked: dict[str, float] = {}
        """When an invalid session is to be checked again (monotonic)."""
        self._cards = Cards()
        self._seen: tuple[float, list[m.DeviceInfo]] = (-LOOK, [])
        self._task: asyncio.Task[None] | None = None
        self._complaint = ""

    # ---------------------------------------------------------------------------------------------- life

    async def load(self) -> None:
        """Take up what waits, once all sessions are loaded."""
        try:
            self._saved = await self._host.disk(files.read_json, self._path, Saved)
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            self._host.hub.notice("Agent", f"the queue is lost: {error}", "error")
            with suppress(OSError):
                aside = self._path.with_name(f"queue.json.damaged-{int(time.time())}")
                await self._host.disk(self._path.replace, aside)
        for entry in self._saved.entries:
            last = session.last if (session := self._sessions().get(entry.session)) else None
            if last is not None and last.number > entry.runs and last.never_began:
                entry.runs = last.number
        await self._advance_if_possible()
        self._task = asyncio.create_task(self._work())

    async def close(self) -> None:
        """Let go; what waits is on disk."""
        tasks = [*self._starting.values(), *([self._task] if self._task else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def waiting(self) -> bool:
        """Somebody is in the queue: an agent is needed."""
        return bool(self._saved.entries)

    async def _work(self) -> None:
        while True:
            await self._advance_if_possible()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), TICK if self.waiting else None)
            self._wake.clear()

    async def _advance_if_possible(self) -> None:
        try:
            await self._advance()
        except OSError as error:
            self._complain(f"the queue stands still: {error}")

    def _complain(self, text: str) -> None:
        if text != self._complaint:
            self._complaint = text
            self._host.hub.notice("Agent", text, "error")

    # --------------------------------------------------------------------------------------- its progress

    async def _advance(self) -> None:
        """Bring the order up to date and start who may. Raises OSError."""
        async with self._lock:
            await self._tidy()
            entries = self._saved.entries
            if not entries:
                return
            if any(self._sessions()[entry.session].uses != "cpu" for entry in entries):
                await self.look()
            reasons = lineup.plan(entries, self._standings(), self._room(), self._held_back())
            for place, entry in enumerate(entries, 1):
                # It may have been deleted while the cards were looked at.
                session = self._sessions().get(entry.session)
                if session is None:
                    continue
                self._tell(session, _queued(entry, place, reasons[entry.session]))
                if session.state is m.State.INVALID:
                    self._check_now_and_then(session)
                elif not reasons[entry.session]:
                    self._begin(session)

    async def _tidy(self) -> None:
        """Drop entries of sessions that were started or are gone; show the others as queued."""
        left = [entry for entry in self._saved.entries if self._stays(entry)]
        if left != self._saved.entries:
            await self._save(left)

    def _stays(self, entry: Entry) -> bool:
        session = self._sessions().get(entry.session)
        if session is None:
            return False
        if session.id in self._starting or session.lock.locked():
            return True
        if session.last is not None and session.last.number > entry.runs:
            self._tell(session, None)
            return False
        if session.state not in (m.State.QUEUED, m.State.INVALID):
            try:
                session.happen(Happening.QUEUE)
            except Refused as refused:
                session.tell(f"is out of the queue: it {refused}", error=True)
                self._tell(session, None)
                return False
        return True

    def _standings(self) -> dict[str, Standing]:
        """Of those that wait and those that they wait for."""
        queued = {entry.session for entry in self._saved.entries}
        named = queued | {entry.after for entry in self._saved.entries}
        return {
            one.id: Standing(
                one.meta.name,
                one.state if isinstance(one, Session) else one.info().state,
                self._devices_of(one) if isinstance(one, Session) else (),
                one.id in queued,
            )
            for one in self._everything()
            if one.id in named
        }

    def _devices_of(self, session: Session) -> tuple[str, ...]:
        if session.meta.launcher == "slurm":
            # It finds its device on its node.
            return ()
        return devices_of(session.uses, [card.id for card in self._seen[1]])

    def _room(self) -> Room:
        held: dict[str, list[str]] = {}
        for session in self._sessions().values():
            # One that starts again in a moment keeps its place.
            if session.state in LIVE or session.id in self._starting or session.resumes is not None:
                for device in self._devices_of(session):
                    held.setdefault(device, []).append(session.meta.name)
        others = {card.id: why for card in self._seen[1] if (why := held_by_others(card))}
        return Room(self._saved.slots, held, others)

    async def look(self) -> list[m.DeviceInfo]:
        """The graphics cards, as they were LOOK ago at most."""
        seen, cards = self._seen
        if time.monotonic() - seen >= LOOK:
            ours = {
                one.pid: session.id
                for session in self._sessions().values()
                if session.state in LIVE and session.last is not None
                for one in (session.last.caffe, session.last.runner)
                if one is not None and one.pid
            }
            cards = await asyncio.to_thread(self._cards.look, ours)
            self._seen = (time.monotonic(), cards)
        return cards

    def _held_back(self) -> dict[str, str]:
        now = time.monotonic()
        found = {id_: why for id_, (why, until) in self._failed.items() if now < until}
        for session in self._sessions().values():
            if session.id in self._starting:
                found[session.id] = "starts"
            elif session.state is m.State.INVALID:
                found[session.id] = "is invalid: correct what is listed"
        return found

    def _begin(self, session: Session) -> None:
        """Start it in the background: a slow start holds up nobody."""

        async def begun() -> None:
            try:
                await self._start_queued(session)
            finally:
                del self._starting[session.id]
                self._wake.set()

        self._starting[session.id] = asyncio.create_task(begun())

    async def _start_queued(self, session: Session) -> None:
        async with session.lock:
            if session.state is not m.State.QUEUED or self._entry(session) is None:
                return
            try:
                await self.start(session, None)
            except (Refused, CallError, OSError) as error:
                text = getattr(error, "text", None) or getattr(error, "strerror", None) or str(error)
                session.tell(f"waits in the queue, as it could not be started: {text}", error=True)
                # An invalid one is held back by its state alone, until it is corrected.
                if not getattr(error, "problems", None):
                    self._failed[session.id] = (f"not started: {text}", time.monotonic() + AGAIN)

    def _check_now_and_then(self, session: Session) -> None:
        """Its data may have come back; that its files were edited is noticed anyway."""
        now = time.monotonic()
        if now < self._checked.get(session.id, 0.0):
            return
        self._checked[session.id] = now + AGAIN

        async def checked() -> None:
            with suppress(OSError):
                async with session.lock:
                    await session.check(again=True)

        session.spawn(checked())

    async def start(self, session: Session, snapshot: int | None) -> None:
        """Start a session, queued or not, whose lock is held. Raises CallError, Refused, OSError."""
        run = await session.start(snapshot)
        session.spawn(watch.follow(session, run))
        await self.started(session)

    async def started(self, session: Session) -> None:
        """It waits here no longer."""
        if self._entry(session) is not None:
            try:
                await self._drop(session)
            except OSError as error:
                # Its run is newer than the entry that is left: nobody starts it again.
                self._complain(f"the queue cannot be written: {error}")

    # ------------------------------------------------------------------------------------------ its order

    def _sessions(self) -> dict[str, Session]:
        return {one.id: one for one in self._everything() if isinstance(one, Session)}

    def _entry(self, session: Session) -> Entry | None:
        return next((one for one in self._saved.entries if one.session == session.id), None)

    async def _save(self, entries: list[Entry] | None = None, slots: dict[str, int] | None = None) -> None:
        """Write, then believe it. Raises OSError."""
        saved = Saved(
            self._saved.entries if entries is None else entries,
            self._saved.slots if slots is None else slots,
        )
        await self._host.disk(files.write_json, self._path, saved)
        self._saved = saved
        self._wake.set()

    async def _drop(self, session: Session) -> None:
        self._failed.pop(session.id, None)
        self._tell(session, None)
        async with self._lock:
            await self._save([one for one in self._saved.entries if one.session != session.id])

    def _tell(self, session: Session, queued: m.Queued | None) -> None:
        if session.queued != queued:
            session.queued = queued
            session.changed()

    async def take_out(self, session: Session) -> None:
        """Out of the queue, to what it was before; its lock is held. Raises CallError, OSError."""
        if self._entry(session) is None:
            raise CallError("refused", "is not in the queue", "See who is: barista queue.")
        await self._drop(session)
        if session.state is m.State.QUEUED:
            session.settle(Happening.PAUSE)
        await session.note("unqueued")

    async def add(self, session: Session, call: m.QueueSession, after: str) -> None:
        """Behind all of its priority; one that is there changes how it waits.

        Raises CallError, Refused, OSError.
        """
        async with session.lock:
            await session.ready(Happening.QUEUE)
            async with self._lock:
                if after and lineup.goes_round(self._saved.entries, session.id, after):
                    raise CallError("refused", "would wait for itself", "See: barista queue ls")
                old = self._entry(session)
                entry = Entry(
                    session=session.id,
                    queued=old.queued if old else time.time(),
                    runs=session.last.number if session.last else 0,
                    priority=call.priority,
                    after=after,
                    after_any=call.after_any,
                )
                if old is not None and old.priority == entry.priority:
                    await self._save([entry if one is old else one for one in self._saved.entries])
                else:
                    await self._save(lineup.put(self._saved.entries, entry))
            self._failed.pop(session.id, None)
            session.happen(Happening.QUEUE)
            await session.note("queued", priority=call.priority, after=after)

    async def rearrange(self, session: Session, call: m.MoveInQueue) -> None:
        """Another place or priority. Raises CallError, OSError."""
        async with self._lock:
            entry = self._entry(session)
            if entry is None:
                raise CallError("refused", "is not in the queue", "Put it there: barista queue add")
            entries = self._saved.entries
            if call.priority is not None:
                entries = lineup.put(entries, msgspec.structs.replace(entry, priority=call.priority))
            if call.where:
                entries = lineup.move(entries, session.id, call.where)
            await self._save(entries)

    async def set_slots(self, device: str, slots: int) -> None:
        """How many at a time. Raises CallError, OSError."""
        there = ["cpu", *(card.id for card in await self.look())]
        if device not in there:
            hint = f"Devices here: {', '.join(there)}."
            raise CallError("not-found", f"there is no device '{device}'", hint)
        if not 0 <= slots <= MOST_SLOTS:
            raise CallError("invalid", f"{slots} is not from 0 to {MOST_SLOTS}")
        async with self._lock:
            await self._save(slots={**self._saved.slots, device: slots})

    async def settled(self, session: Session | None = None) -> None:
        """Look at who may start; of a session that may, wait for the outcome."""
        await self._advance_if_possible()
        if session is not None and (starting := self._starting.get(session.id)):
            await asyncio.wait([starting])
            await self._advance_if_possible()

    def listed(self) -> m.QueueList:
        """For clients."""
        there = self._sessions()
        queued = [there[one.session].info() for one in self._saved.entries if one.session in there]
        return m.QueueList(sessions=queued, slots=self._saved.slots)

    async def devices(self) -> m.DeviceList:
        """For clients."""
        cpu, cards = await asyncio.gather(asyncio.to_thread(processor, self._host.root), self.look())
        live = [one for one in self._sessions().values() if one.state in LIVE]

        def whole(one: m.DeviceInfo) -> m.DeviceInfo:
            sessions = [session.id for session in live if one.id in self._devices_of(session)]
            slots = self._saved.slots.get(one.id, 1)
            return msgspec.structs.replace(one, slots=slots, sessions=sessions, busy=held_by_others(one))

        return m.DeviceList(devices=[whole(one) for one in [cpu, *cards]])


def _queued(entry: Entry, place: int, reason: str) -> m.Queued:
    return m.Queued(
        place=place,
        since=entry.queued,
        priority=entry.priority,
        after=entry.after,
        after_any=entry.after_any,
        reason=reason,
    )
