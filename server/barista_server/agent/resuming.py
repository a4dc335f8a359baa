"""Starting again by itself what a reboot, or a crash, has ended: with growing pauses, and not for ever.

What is planned stands in the session's journal, so a new agent goes on with it.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from barista_server.agent.errors import CallError
from barista_server.agent.journal import Record
from barista_server.agent.runs import Run
from barista_server.agent.session import Session
from barista_server.agent.states import Happening, Refused
from barista_server.api.messages import AutoResume, Resumes, State
from barista_server.caffe.log import Kind

if TYPE_CHECKING:
    from barista_server.agent.imported import Imported

TICK = 1.0
"""Seconds between two looks."""
FIRST_PAUSE = 60.0
LONGEST_PAUSE = 3600.0
"""Seconds: each try waits twice as long as the one before."""
MOST_TRIES = 10
"""Tries that come no further than the one before."""

ENDED = (State.INTERRUPTED, State.FAILED)


def pause_before(attempt: int) -> float:
    """Seconds before a try; the first is 1."""
    return float(min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(attempt - 1, 16)))


def wanted(auto: AutoResume, run: Run) -> bool:
    """Whether what ended ``run`` is something the session is to be started again after."""
    if auto == "off" or run.verdict is None:
        return False
    if run.verdict.happening is Happening.LOST:
        return True
    return auto == "crash" and run.verdict.happening is Happening.BROKE and crashed(run)


def crashed(run: Run) -> bool:
    """By a signal nobody of ours sent, or for want of memory. A failed check would only fail again."""
    if run.exit is None or run.forced:
        return False
    reason = run.facts().reason
    if reason is not None:
        return reason.kind in (Kind.MEMORY, Kind.SIGNAL)
    number = run.exit.signal
    if number is None and run.exit.code is not None and run.exit.code > 128:
        # As a shell tells it.
        number = run.exit.code - 128
    return number in set(signal.Signals) - {signal.SIGINT}


class Plan(msgspec.Struct, frozen=True):
    """The record ``resume planned``: after which run, which try, when, and how far the training was."""

    run: int
    attempt: int
    due: float
    reached: int


def planned(records: Iterable[Record], run: int) -> Plan | None:
    """The newest plan after a run."""
    found = None
    for record in records:
        if record["kind"] == "resume planned" and record.get("run") == run:
            with suppress(msgspec.ValidationError):
                found = msgspec.convert(record, Plan)
    return found


def next_attempt(before: Plan | None, started: float, reached: int) -> int:
    """Number of the next try. ``before``: the plan that may have led to the run that ended; ``started``: when
    that run was; ``reached``: iteration of the newest good snapshot now.
    """
    if before is None or started < before.due or reached > before.reached:
        return 1
    return before.attempt + 1


class Resuming:
    """``start`` starts a session whose lock is held, from its newest good snapshot."""

    def __init__(
        self,
        everything: Callable[[], list[Session | Imported]],
        start: Callable[[Session, int | None], Awaitable[None]],
    ) -> None:
        self._everything = everything
        self._start = start
        self._task: asyncio.Task[None] | None = None
        self._done: dict[str, int] = {}
        """The run of a session after which there is nothing to do any more."""

    def load(self) -> None:
        """Begin to look, once all sessions are loaded."""
        self._task = asyncio.create_task(self._work())

    async def close(self) -> None:
        """Let go; what is planned is on disk."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def waiting(self) -> bool:
        """A session is to be started: an agent is needed."""
        return any(one.resumes is not None for one in self._sessions())

    def _sessions(self) -> list[Session]:
        return [one for one in self._everything() if isinstance(one, Session)]

    async def _work(self) -> None:
        while True:
            for session in self._sessions():
                if session.meta.auto_resume != "off" or session.resumes is not None:
                    try:
                        await self._look(session)
                    except OSError as error:
                        session.tell(f"cannot be started again by itself: {error}", error=True)
            await asyncio.sleep(TICK)

    async def _look(self, session: Session) -> None:
        if session.lock.locked():
            return
        run = session.last
        # A disk that is missing after a boot makes it invalid for a while.
        ended = session.state in ENDED or (session.state is State.INVALID and session.resumes is not None)
        if run is None or not ended or not wanted(session.meta.auto_resume, run):
            self._tell(session, None)
        elif session.resumes is None:
            if self._done.get(session.id) != run.number:
                await self._plan(session, run)
        elif min(session.resumes.due, time.time() + pause_before(session.resumes.attempt)) <= time.time():
            await self._begin(session, run, session.resumes)

    def _tell(self, session: Session, resumes: Resumes | None) -> None:
        if session.resumes != resumes:
            session.resumes = resumes
            session.changed()

    async def _plan(self, session: Session, run: Run) -> None:
        records = await session.host.disk(session.folder.journal)
        if any(one["kind"] == "resume given up" and one.get("run") == run.number for one in records):
            self._done[session.id] = run.number
        elif known := planned(records, run.number):
            self._tell(session, Resumes(due=known.due, attempt=known.attempt, most=MOST_TRIES))
        else:
            earlier = max((number for number in session.runs if number < run.number), default=0)
            attempt = next_attempt(planned(records, earlier), run.started, _reached(session))
            await self._try_later(session, run, attempt)

    async def _try_later(self, session: Session, run: Run, attempt: int) -> None:
        if attempt > MOST_TRIES:
            self._done[session.id] = run.number
            await session.note("resume given up", run=run.number)
            text = f"is not started again: {MOST_TRIES} tries came no further. Start it by hand"
            session.tell(text, error=True)
            self._tell(session, None)
            return
        pause = pause_before(attempt)
        plan = Plan(run.number, attempt, time.time() + pause, _reached(session))
        await session.note("resume planned", **msgspec.to_builtins(plan))
        session.tell(f"starts again by itself in {pause / 60:.0f} min (try {attempt} of {MOST_TRIES})")
        self._tell(session, Resumes(due=plan.due, attempt=attempt, most=MOST_TRIES))

    async def _begin(self, session: Session, run: Run, plan: Resumes) -> None:
        async with session.lock:
            if session.resumes is not plan or session.last is not run:
                return
            session.tell(f"starts again by itself (try {plan.attempt} of {plan.most})")
            try:
                await self._start(session, None)
                self._tell(session, None)
                return
            except (Refused, CallError, OSError) as error:
                text = getattr(error, "text", None) or getattr(error, "strerror", None) or str(error)
                session.tell(f"could not be started again: {text}", error=True)
            await self._try_later(session, run, plan.attempt + 1)


def _reached(session: Session) -> int:
    """Iteration of the newest good snapshot."""
    return session.shelf.good[-1].iteration if session.shelf.good else 0
