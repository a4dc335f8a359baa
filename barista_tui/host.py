"""The link to one host, kept alive: connect (starting an agent where none answers), subscribe, try again."""

from __future__ import annotations

import asyncio
import time
from typing import Literal, TypeVar

from barista_server.api.link import CallFailed, Link, LinkError
from barista_server.api.messages import Call, Done, Event, Message, Notice, Ping, Subscribe, Subscribed
from barista_tui.store import LinkState, Store
from barista_tui.target import Target

__all__ = ["CallFailed", "Host", "LinkError"]

R = TypeVar("R", bound=Message)

SILENT = "the agent is there but does not answer: stopped, swapped out, or its disk hangs"

BACKOFF = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds until the next attempt, the last one for good."""

PULSE = 3.0
"""Seconds between two questions whether the agent still answers, and that an answer may take."""


class Host:
    """Runs the link and feeds the store. ``run()`` is one long task; ``call`` works while linked."""

    def __init__(
        self,
        target: Target,
        store: Store,
    ) -> None:
        self.target = target
        self.name = target.name
        self._store = store
        self._link: Link | None = None
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Keep the link until cancelled; never raises because of the link."""
        attempt = 0
        self._tell("connecting")
        try:
            while True:
                try:
                    link = await self.target.open()
                    await self._subscribe(link)
                except (OSError, CallFailed) as error:
                    problem = str(error)
                else:
                    attempt = 0
                    await self._watch(link)
                    problem = str(link.error or "the connection was closed")
                self._link = None
                wait = BACKOFF[min(attempt, len(BACKOFF) - 1)]
                attempt += 1
                self._lost(problem, wait)
                await self._sleep(wait)
        finally:
            if self._link is not None:
                await self._link.close()

    def retry_now(self) -> None:
        """Do not wait for the next attempt."""
        self._wake.set()

    async def call(self, call: Call, result: type[R]) -> R:
        """The agent's answer. Raises CallFailed when it says no, LinkError when it cannot be asked."""
        if self._link is None:
            raise LinkError(f"{self.name} is not connected: {self._store.known.link.detail or 'connecting'}")
        return await self._link.call(call, result)

    async def _subscribe(self, link: Link) -> None:
        # Events may overtake the reply that says whether they continue what is known or start anew.
        early: list[Event] = []
        link.on_event = early.append
        known = self._store.known
        reply = await link.call(Subscribe(epoch=known.epoch, after=known.sequence), Subscribed)
        self._store.subscribed(reply, link.welcome.epoch)
        for event in early:
            self._store.happened(event)
        link.on_event = self._store.happened
        self._link = link
        self._tell("alive")

    async def _watch(self, link: Link) -> None:
        """Return when the connection has ended; a frozen agent keeps it open, but does not answer."""
        pulse = asyncio.create_task(self._feel_pulse(link))
        try:
            await link.wait_closed()
        finally:
            pulse.cancel()

    async def _feel_pulse(self, link: Link) -> None:
        heard = time.time()
        while not link.closed:
            try:
                await link.call(Ping(), Done, patience=PULSE)
            except (LinkError, CallFailed):
                if not link.closed and self._store.known.link.state == "alive":
                    self._store.linked(LinkState("silent", since=heard, host=self.name, detail=SILENT))
                continue
            heard = time.time()
            if self._store.known.link.state == "silent":
                self._tell("alive")
            await asyncio.sleep(PULSE)

    def _tell(self, state: Literal["connecting", "alive"]) -> None:
        self._store.linked(LinkState(state=state, since=time.time(), host=self.name))

    def _lost(self, problem: str, wait: float) -> None:
        link = self._store.known.link
        now = time.time()
        first = link.state != "lost"
        self._store.linked(
            LinkState(
                state="lost",
                since=now if first else link.since,
                host=self.name,
                detail=problem,
                retry_at=now + wait,
            )
        )
        if first or problem != link.detail:
            text = f"connection lost: {problem}; trying again in {wait:g} s"
            self._store.noticed(Notice(time=now, caller=f"Host {self.name}", kind="error", text=text))

    async def _sleep(self, seconds: float) -> None:
        self._wake.clear()
        try:
            await asyncio.wait_for(self._wake.wait(), seconds)
        except TimeoutError:
            pass
