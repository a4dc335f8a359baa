"""The link to one host, kept alive: connect (starting an agent where none answers), subscribe, try again."""

from __future__ import annotations

import asyncio
import time
from typing import Literal, TypeVar

from barista_server.api.link import CallFailed, Link, LinkError
from barista_server.api.messages import (
    Call,
    DatasetList,
    Done,
    Event,
    FollowDatasets,
    Message,
    Notice,
    Ping,
    Subscribe,
    Subscribed,
    Welcome,
)
from barista_tui.hosts import CAUSE_WORDS, Cause, HostsError, cause_of
from barista_tui.store import LinkState, Store
from barista_tui.target import Target

__all__ = ["CallFailed", "Host", "LinkError"]

R = TypeVar("R", bound=Message)

SILENT = "the agent is there but does not answer: stopped, swapped out, or its disk hangs"

BACKOFF = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds until the next attempt, the last one for good."""

PATIENT = 60.0
"""Seconds until the next attempt where a person has to do something first."""

PULSE = 3.0
"""Seconds between two questions whether the agent still answers, and that an answer may take."""


class Host:
    """Runs the link and feeds the store. ``run()`` is one long task; ``call`` works while linked."""

    def __init__(self, target: Target, store: Store) -> None:
        self.target = target
        self.name = target.name
        self.problem: Exception | None = None
        """Why the last attempt failed; a HostKeyUnknown carries the key that the host offered."""
        self.welcome: Welcome | None = None
        """What the agent said of itself when it was connected last."""
        self._store = store
        self._link: Link | None = None
        self._wake = asyncio.Event()

    @property
    def link_state(self) -> LinkState:
        """Where the link stands."""
        return self._store.known.host(self.name).link

    async def run(self) -> None:
        """Keep the link until cancelled; never raises because of the link."""
        attempt = 0
        self._tell("connecting")
        try:
            while True:
                cause: Cause = "dead"
                try:
                    link = await self.target.open()
                    await self._subscribe(link)
                except (OSError, CallFailed, HostsError) as error:
                    self.problem, cause = error, cause_of(error)
                    problem = str(error)
                else:
                    attempt = 0
                    await self._watch(link)
                    problem = str(link.error or "the connection was closed")
                self._link = None
                wait = _wait(cause, attempt)
                attempt += 1
                self._lost(problem, wait, cause)
                await self._sleep(wait)
        finally:
            if self._link is not None:
                link, self._link = self._link, None
                await link.close()

    def retry_now(self) -> None:
        """Do not wait for the next attempt."""
        self._wake.set()

    async def call(self, call: Call, result: type[R]) -> R:
        """The agent's answer. Raises CallFailed when it says no, LinkError when it cannot be asked."""
        if self._link is None:
            link = self.link_state
            why = "you told it to stay offline" if link.state == "offline" else link.detail or "connecting"
            raise LinkError(f"{self.name} is not connected: {why}")
        return await self._link.call(call, result)

    async def _subscribe(self, link: Link) -> None:
        # Events may overtake the reply that says whether they continue what is known or start anew.
        early: list[Event] = []
        link.on_event = early.append
        known = self._store.known.host(self.name)
        try:
            reply = await link.call(Subscribe(epoch=known.epoch, after=known.sequence), Subscribed)
        except BaseException:
            await link.close()
            raise
        self._store.subscribed(self.name, reply, link.welcome.epoch, link.welcome.role)
        for event in early:
            self._happened(event)
        link.on_event = self._happened
        self._link = link
        self.problem, self.welcome = None, link.welcome
        self._tell("alive")

    def _happened(self, event: Event) -> None:
        self._store.happened(self.name, event)

    async def _watch(self, link: Link) -> None:
        """Return when the connection has ended; a frozen agent keeps it open, but does not answer."""
        beside = [asyncio.create_task(each) for each in (self._feel_pulse(link), self._follow_datasets(link))]
        try:
            await link.wait_closed()
        finally:
            for task in beside:
                task.cancel()

    async def _follow_datasets(self, link: Link) -> None:
        try:
            reply = await link.call(FollowDatasets(), DatasetList)
        except (LinkError, CallFailed):
            return
        self._store.listed_datasets(self.name, reply.datasets)

    async def _feel_pulse(self, link: Link) -> None:
        heard = time.time()
        while not link.closed:
            try:
                await link.call(Ping(), Done, patience=PULSE)
            except (LinkError, CallFailed):
                if not link.closed and self.link_state.state == "alive":
                    self._store.linked(self.name, LinkState("silent", since=heard, detail=SILENT))
                continue
            heard = time.time()
            if self.link_state.state == "silent":
                self._tell("alive")
            await asyncio.sleep(PULSE)

    def _tell(self, state: Literal["connecting", "alive"]) -> None:
        self._store.linked(self.name, LinkState(state=state, since=time.time()))

    def _lost(self, problem: str, wait: float | None, cause: Cause) -> None:
        link = self.link_state
        now = time.time()
        first = link.state != "lost"
        retry_at = now + wait if wait is not None else None
        since = now if first else link.since
        self._store.linked(self.name, LinkState("lost", since, problem, retry_at, cause))
        if first or problem != link.detail:
            what = "connection lost" if cause == "dead" else CAUSE_WORDS[cause]
            then = "no further attempt is made" if wait is None else f"trying again in {wait:g} s"
            text = f"{what}: {problem}; {then}"
            self._store.noticed(Notice(time=now, caller=f"Host {self.name}", kind="error", text=text))

    async def _sleep(self, seconds: float | None) -> None:
        self._wake.clear()
        try:
            await asyncio.wait_for(self._wake.wait(), seconds)
        except TimeoutError:
            pass


def _wait(cause: Cause, attempt: int) -> float | None:
    """Seconds until the next attempt; None: only when asked."""
    if cause == "key-changed":
        return None
    return BACKOFF[min(attempt, len(BACKOFF) - 1)] if cause == "dead" else PATIENT
