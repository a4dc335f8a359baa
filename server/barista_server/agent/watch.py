"""Watching a run to its end, and finding out what it came to."""

from __future__ import annotations

import asyncio
import logging
import time

import msgspec

from barista_server.agent import process
from barista_server.agent.errors import CallError
from barista_server.agent.launchers import GRACE_ORPHAN
from barista_server.agent.logcare import LogCare
from barista_server.agent.runs import Run, discard
from barista_server.agent.session import LIVE, Session
from barista_server.agent.signalling import carry_pause, end_left
from barista_server.agent.slurm import fates
from barista_server.agent.states import Happening, Refused
from barista_server.agent.verdict import Verdict, judge
from barista_server.api.messages import Problem, Snapshot, State

TICK = 0.5
"""Seconds between two looks at a run: a handful of stat calls, and what was printed since is parsed. Each
interrupts a training that has all cores for itself.
"""
AWAITED = 0.25
"""The same of a run that somebody waits for, as while it pauses."""
LOOKS = 16
"""Looks a second at all runs together; where there are many, each is looked at less often."""

GRACE_BEGIN = 1.0
"""Seconds for which others are not loaded while a runner is about to write process.json."""

CLOCK_STEP = 0.05
"""Seconds by which a file's time may lag behind the clock."""

log = logging.getLogger("barista.agent")


async def load(session: Session) -> None:
    """Bring a session up from its folder: adopt what lives, judge what has ended meanwhile."""
    await session.remember()
    last = session.last
    if last is not None and last.verdict is not None:
        session.happen(last.verdict.happening)
    elif last is not None:
        await _recover(session, last)
    await session.look(settled=last is None or last.verdict is not None)
    await session.check()


async def _recover(session: Session, run: Run) -> None:
    if run.command is not None and run.command.slurm is not None:
        # What became of the job, Slurm tells in its own time.
        adopt(session, run)
        return
    coming = await _settled(run)
    if run.process is None and await asyncio.to_thread(run.find_process):
        session.tell(f"process.json of run {run.number} was lost; caffe was found by its mark", error=True)
    if coming or (run.caffe is not None and run.exit is None and process.is_alive(run.caffe)):
        adopt(session, run)
        session.tell(f"went on while no agent was there; its run {run.number} is adopted")
    elif run.never_began:
        await _forget(session, run)
    else:
        session.happen(Happening.ADOPTED)
        await _finish(session, run)


async def _settled(run: Run) -> bool:
    """Wait, for a moment, for a runner that is about to begin. True if it still is."""
    deadline = time.monotonic() + GRACE_BEGIN
    while run.process is None and not run.damage:
        # Asked before the folder is read: what the runner wrote last is then seen.
        coming = await asyncio.to_thread(run.may_begin)
        run.refresh()
        if not coming or run.process is not None:
            break
        if time.monotonic() > deadline:
            return True
        await asyncio.sleep(GRACE_BEGIN / 20)
    return False


async def _forget(session: Session, run: Run) -> None:
    """The agent was killed between making the run's folder and starting caffe: all is as before."""
    await session.note("run failed to start", run=run.number, reason="the agent ended")
    await session.host.disk(discard, run.path)
    del session.runs[run.number]
    session.tell(f"run {run.number} was never started: the agent ended while starting it", error=True)
    last = session.last
    if last is not None and last.verdict is not None:
        session.happen(last.verdict.happening)
    elif last is not None:
        await _recover(session, last)


def adopt(session: Session, run: Run) -> None:
    """Take a live run under watch, and go on with what was being done to it."""
    waits = run.process is None and run.exit is None
    session.happen(Happening.SUBMITTED if waits else Happening.ADOPTED)
    if run.pausing and not waits:
        session.happen(Happening.PAUSE)
        session.spawn(carry_pause(session, run))
    session.spawn(follow(session, run))


async def follow(session: Session, run: Run) -> None:
    """Read the log as it grows until caffe has ended; then judge the run."""
    watcher = _Watcher(session, run)
    session.host.watched += 1
    try:
        while True:
            try:
                if await watcher.look():
                    break
            except (OSError, ValueError) as error:
                watcher.complain(f"its folder cannot be read: {error}")
            awaited = session.busy is not None or session.state is not State.RUNNING
            await asyncio.sleep(AWAITED if awaited else max(TICK, session.host.watched / LOOKS))
    finally:
        session.host.watched -= 1
        watcher.close()
    await _finish(session, run)


class _Watcher:
    def __init__(self, session: Session, run: Run) -> None:
        self._session = session
        self._run = run
        self._folder_time = -1
        self._gone_since: float | None = None
        self._complaint = ""
        self._care: LogCare | None = None

    async def look(self) -> bool:
        """One look; True when caffe has ended. Raises OSError, ValueError."""
        session, run = self._session, self._run
        # Asked before the log is read: what caffe wrote last is then in it.
        run.refresh()
        over = run.exit is not None or self._vanished()
        self._tell_of_waiting()
        read = run.log.read
        self._care_for_log()
        await run.read_log()
        now = time.monotonic()
        if run.log.read > read:
            run.pulse.beat(now)
            if run.facts().began:
                run.began.set()
            session.changed()
        stalled = run.pulse.stalled(now)
        if stalled != session.stalled:
            session.stalled = stalled
            session.changed()
        try:
            await self._look_for_snapshots()
        except OSError as error:
            # Somebody moved the folder: that must not hide the end of the run.
            self.complain(f"its folder cannot be read: {error}")
        return over

    def _care_for_log(self) -> None:
        """Somebody may rotate, cut off or delete it while caffe writes to it."""
        session, run = self._session, self._run
        if self._care is None and run.ticket is None and run.process and run.process.log and run.caffe:
            self._care = LogCare(run.log.path, run.process.log, run.caffe)
        if self._care is None:
            return
        read = max(run.log.read, session.host.hub.stands(session.id, run.number))
        try:
            said = self._care.look(read, run.log.cut)
        except OSError as error:
            # That must not hide the end of the run either.
            self.complain(f"its log is not at its place: {error}")
            return
        if said:
            run.log.mended()
            session.tell(said, error=True)

    def close(self) -> None:
        """Let go of what it holds."""
        if self._care is not None:
            self._care.close()

    def _tell_of_waiting(self) -> None:
        """A job may wait for days before it trains."""
        session, run = self._session, self._run
        if session.launcher(run) is not session.host.launchers.slurm:
            return
        queued = session.host.launchers.slurm.waiting(run)
        if queued is None and session.state not in LIVE:
            session.happen(Happening.ADOPTED)
        if queued != session.queued:
            session.queued = queued
            session.changed()

    async def _look_for_snapshots(self) -> None:
        session = self._session
        changed = session.folder.path.stat().st_mtime_ns
        if changed != self._folder_time or session.shelf.unsettled:
            self._folder_time = changed
            await session.look(settled=False)

    def complain(self, text: str) -> None:
        """Tell what is wrong, once."""
        if text != self._complaint:
            self._complaint = text
            self._session.tell(text, error=True)

    def _vanished(self) -> bool:
        """caffe is gone, and so long that no exit.json will come any more."""
        run = self._run
        launcher = self._session.launcher(run)
        if launcher.lives(run):
            self._gone_since = None
            return False
        now = time.monotonic()
        self._gone_since = self._gone_since or now
        return now - self._gone_since > launcher.grace(run)


async def _finish(session: Session, run: Run) -> None:
    """Read the rest, verify what was written, judge, tell."""
    await end_left(session, run)
    session.queued = None
    if run.withdrawn and run.process is None and run.exit is None:
        await _take_back(session, run)
        return
    if run.ticket is not None and (run.exit is None or run.exit.signal is not None):
        await session.host.launchers.slurm.settle(run)
    try:
        verdict = fates.told(run, await _judge(session, run))
    except (OSError, ValueError) as error:
        problem = Problem(text=f"what is left of the run cannot be read: {error}")
        verdict = Verdict(Happening.LOST, session.iteration, [problem])
    run.end(verdict)
    session.busy = None
    session.stalled = False
    session.happen(verdict.happening)
    session.host.hub.log_grew(session.id, run.number)
    facts = msgspec.to_builtins(run.facts())
    await session.note("run ended", run=run.number, verdict=msgspec.to_builtins(verdict), facts=facts)
    if verdict.problems:
        session.tell(f"{session.state}: {verdict.problems[0].text}", error=True)
    else:
        session.tell(f"{session.state} at iteration {verdict.iteration}")
    await _tell_of_orphans(session, run)
    await session.check()
    await _go_on(session, run, verdict)


async def _take_back(session: Session, run: Run) -> None:
    """A person took back a job before it started: as if it had never been."""
    run.over.set()
    del session.runs[run.number]
    await session.note("run failed to start", run=run.number, reason="taken back")
    try:
        await session.host.disk(discard, run.path)
    except OSError as error:
        session.tell(f"the folder of run {run.number} is left: {error}", error=True)
    session.busy = None
    if session.state is State.QUEUED:
        session.settle(Happening.PAUSE)
    session.changed()


async def _go_on(session: Session, run: Run, verdict: Verdict) -> None:
    """Submit a job again whose time was up or whose node was lost."""
    at = run.command.resumed_from if run.command else None
    past = [one for one in session.runs.values() if one.command and one.command.resumed_from == at]
    reason = fates.reason_to_go_on(run, verdict, len(past))
    if not reason or session.last is not run:
        return
    try:
        async with session.lock:
            again = await session.start(None)
    except (Refused, CallError, OSError) as error:
        session.tell(f"{reason}, and it could not be submitted again: {error}", error=True)
        return
    await session.note("submitted again", run=again.number, reason=reason)
    session.tell(f"{reason}; submitted again, goes on from iteration {session.iteration}")
    session.spawn(follow(session, again))


async def _tell_of_orphans(session: Session, run: Run) -> None:
    """A wrapper may end, or be killed, before the caffe it started."""
    if not await asyncio.to_thread(run.remaining):
        return
    # Helpers of caffe may take a moment to notice.
    await asyncio.sleep(GRACE_ORPHAN)
    if left := await asyncio.to_thread(run.remaining):
        pids = " ".join(str(one.pid) for one in left)
        session.tell(f"run {run.number} has ended, but what it started lives on; see: ps {pids}", error=True)


def _is_of(run: Run, snapshot: Snapshot, session: Session) -> bool:
    """Written by this run. The clock may have been put back since, or be another one's: it is asked last."""
    if run.before is not None:
        return session.shelf.stamp_of(snapshot) not in run.before
    return snapshot.time >= run.started - CLOCK_STEP


async def _judge(session: Session, run: Run) -> Verdict:
    run.refresh()
    await run.read_log()
    run.log.parser.finish()
    if run.never_began:
        text = "the run was never started: the agent ended while starting it"
        return Verdict(Happening.BROKE, session.iteration, [Problem(text=text, hint="Start it again.")])
    await session.look(settled=True)
    written = [one for one in session.shelf.good if _is_of(run, one, session)]
    newest = written[-1].iteration if written else None
    begun = (run.command.resumed_from or 0) if run.command else None
    if begun and all(one.iteration != begun for one in session.shelf.good):
        begun = None
    verdict = judge(
        run.exit,
        run.log.facts(),
        newest,
        session.max_iter,
        begun=begun,
        forced=run.forced,
        interrupted=run.interrupted,
        told="exit.json" in run.damage,
        # Of a job the boot is its node's.
        shut_down=run.ticket is None and run.caffe is not None and process.rebooted(run.caffe),
    )
    if run.damage and verdict.happening is Happening.LOST:
        text = f"how it ended is not known, a file of the run is damaged: {'; '.join(run.damage.values())}"
        problem = Problem(text=text, hint="Start goes on from the snapshot.")
        return Verdict(Happening.LOST, verdict.iteration, [problem])
    return verdict
