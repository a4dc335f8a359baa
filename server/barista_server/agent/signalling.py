"""Telling a live caffe what to do, by signals, and waiting until it has done it: pause, snapshot, force."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from barista_server.agent import process
from barista_server.agent.errors import CallError
from barista_server.agent.runs import LaunchError, Run, patience
from barista_server.agent.session import Session
from barista_server.agent.states import Happening, Refused, next_state
from barista_server.api.messages import Snapshot, State

START_PATIENCE = 600.0
"""Seconds a caffe has until ``Starting Optimization``; signals before it kill it."""
POLL = 0.1
GRACE_LEFT = 0.5
"""Seconds for what caffe started to notice that it has ended."""
GRACE_TERM = 3.0
"""Seconds between asking what is left to end, and ending it."""
UNREACHABLE_POLL = 5.0


class Unreachable(CallError):
    """Who would pass a signal on does not answer just now."""


async def pause(session: Session) -> None:
    """Ask caffe to stop; the rest happens in the background. Raises Refused, CallError."""
    if session.state is State.QUEUED and session.underway is not None:
        await _withdraw(session, session.underway)
        return
    run = _live_run(session, Happening.PAUSE)
    session.happen(Happening.PAUSE)
    session.busy = "pausing"
    await session.note("pause asked", run=run.number)
    session.spawn(carry_pause(session, run))


async def _withdraw(session: Session, run: Run) -> None:
    """Take back a job that waits; who watches it notices. Raises CallError."""
    run.withdrawn = True
    await session.note("withdrawn", run=run.number)
    await _send(session.launcher(run).end_all, run, signal.SIGTERM)
    session.busy = "is taken back from Slurm"
    session.changed()


async def force(session: Session, number: signal.Signals) -> None:
    """End caffe without its consent. Raises Refused, CallError."""
    run = _live_run(session, Happening.FORCE)
    run.forced = True
    await session.note("forced", run=run.number, signal=number.name)
    await _send(session.launcher(run).end_all, run, number)
    session.happen(Happening.FORCE)
    session.busy = f"ended by force ({number.name})"


async def snapshot(session: Session) -> Snapshot:
    """Have caffe take a snapshot; return it verified. Raises Refused, CallError."""
    run = _live_run(session, Happening.SNAPSHOT)
    if not await _until_began(run):
        raise CallError("timeout", "has not begun to train yet", "Try again when it shows iterations.")
    # Also those that are there and not verified yet: none of them is the one asked for.
    known = await asyncio.to_thread(session.shelf.stamps)
    await _send(session.launcher(run).signal, run, signal.SIGHUP)
    session.busy = busy = "taking a snapshot"
    session.changed()
    deadline = time.monotonic() + patience(run, session.shelf.good)
    try:
        while time.monotonic() < deadline:
            await session.look(settled=run.over.is_set())
            fresh = [one for one in session.shelf.good if session.shelf.stamp_of(one) not in known]
            if fresh:
                return fresh[-1]
            if run.over.is_set():
                raise CallError("refused", "ended before it took the snapshot")
            await asyncio.sleep(POLL)
    finally:
        if session.busy == busy:
            session.busy = None
        session.changed()
    raise CallError("timeout", "has not taken the snapshot", "See its log: the disk may be full.")


async def carry_pause(session: Session, run: Run) -> None:
    """Wait for the right moment, interrupt, wait for the end; the end itself is judged by who watches."""
    if not run.interrupted:
        session.busy = "waits for training to begin, to pause then"
        session.changed()
        if not await _until_began(run):
            if not run.over.is_set():
                session.busy = None
                session.happen(Happening.PAUSE_GIVEN_UP)
                session.tell("cannot be paused: training has not begun. Force ends it.", error=True)
            return
        if not await _interrupt(session, run):
            return
        run.interrupted = True
        await session.note("interrupt sent", run=run.number, iteration=session.iteration)
    session.busy = f"stopping after iteration {session.iteration}"
    session.changed()
    seconds = patience(run, session.shelf.good)
    try:
        async with asyncio.timeout(seconds):
            await run.over.wait()
    except TimeoutError:
        newest = session.shelf.good[-1].iteration if session.shelf.good else 0
        session.busy = f"does not stop; by force, {max(0, session.iteration - newest)} iterations are lost"
        session.changed()
        session.tell(f"has not stopped within {seconds:.0f} s; {session.busy}", error=True)


async def _interrupt(session: Session, run: Run) -> bool:
    """Send SIGINT as soon as that can be done. False when there is nobody left to send it to."""
    while not run.over.is_set():
        try:
            await _send(session.launcher(run).signal, run, signal.SIGINT)
        except Unreachable as error:
            session.busy = error.text
            session.changed()
            await asyncio.sleep(UNREACHABLE_POLL)
        except CallError:
            return False
        else:
            return True
    return False


async def _until_began(run: Run) -> bool:
    """Whether caffe understands signals by now; waits for it as long as that may take."""
    try:
        async with asyncio.timeout(START_PATIENCE):
            await run.began.wait()
    except TimeoutError:
        return False
    return not run.over.is_set()


def _live_run(session: Session, happening: Happening) -> Run:
    next_state(session.state, happening)
    run = session.last
    if run is None or run.verdict is not None:
        raise Refused("is about to end")
    return run


async def _send(send: Callable[[Run, signal.Signals], bool], run: Run, number: signal.Signals) -> None:
    """Have a launcher signal a run. Raises CallError."""
    try:
        sent = await asyncio.to_thread(send, run, number)
    except LaunchError as error:
        raise Unreachable("refused", f"was not told: {error}", "Try again.") from None
    if not sent:
        raise CallError("refused", "has no process of its own any more; it is about to be seen as ended")


async def end_left(session: Session, run: Run) -> None:
    """Whoever stopped a run stopped all of it: end what is left of it when its first process has ended.

    A training that outlived its wrapper has its time to write the snapshot it was asked for.
    """
    # An agent that died as it had sent the signal did not note that: to have been asked is enough.
    if run.nonce is None or not (run.forced or run.interrupted or run.pausing):
        return
    begun = time.monotonic()
    patient = GRACE_LEFT if run.forced else patience(run, session.shelf.good)
    told = False
    left: list[process.Identity] = []
    while left := await asyncio.to_thread(run.remaining, left):
        passed = time.monotonic() - begun
        trains = any(process.trains(one) for one in left)
        grace = patient if trains else min(patient, GRACE_LEFT)
        if passed >= grace:
            number = signal.SIGTERM if passed < grace + GRACE_TERM else signal.SIGKILL
            if not told:
                told = True
                pids = ", ".join(str(one.pid) for one in left)
                session.tell(f"ends what run {run.number} left behind: process {pids}")
            for one in left:
                with suppress(PermissionError):
                    process.send(one, number)
            if passed >= grace + 2 * GRACE_TERM:
                # Not even SIGKILL ends it: it hangs in the kernel, or is somebody else's.
                return
        await asyncio.sleep(POLL)
