"""`barista demo`: LeNet learns handwritten digits, on the screen or, without a terminal, line by line.

With a terminal the session is made once, started and shown; later it is only shown again, as it is. In line
mode a training that goes on is followed to its end, and otherwise a fresh one is made, so that the command
always ends with the accuracy of a training it has watched.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import sys
import time
from pathlib import Path

from barista_server.api.link import Link
from barista_server.api.messages import (
    EditText,
    FieldEdit,
    FileText,
    ListSessions,
    NewSession,
    SessionInfo,
    SessionList,
    SessionReply,
    StartSession,
    State,
)
from barista_tui import format
from barista_tui.calling import command
from barista_tui.opening import Opening
from barista_tui.store import Key
from barista_tui.target import Target
from barista_tui.verbs import output
from barista_tui.verbs.agentlink import Watch, linked
from barista_tui.verbs.errors import Exit, VerbError

TEMPLATE = NAME = "lenet-digits"
CAFFE = "embedded"
"""Name of the embedded engine among the agent's executables."""
ENOUGH = 0.95
"""Test accuracy at which the line mode calls the demo a success."""
EVERY = 3.0
"""Seconds between two lines of progress."""
LIVE = {State.QUEUED, State.RUNNING, State.PAUSING}


def demo(args: argparse.Namespace) -> int:
    """Run the demo; returns the exit code."""
    if args.host is not None:
        hint = f"There: barista new --template {TEMPLATE} --start --host {args.host}"
        raise VerbError("the demo trains on this machine", hint, Exit.USAGE)
    root = demo_root(args.root)
    check_engine()
    iterations: int | None = args.iterations
    # The screen is drawn on standard error.
    if sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty():
        session = asyncio.run(_shown(root, iterations))
        from barista_tui.app import run

        return run(Opening(Target(root), select=session.id, title="demo"))
    return asyncio.run(_line_mode(root, args.ascii, iterations))


def demo_root(given: Path | None) -> Path:
    """``given``; in a clone of Barista its ``.demo``; else a folder beside the user's own data."""
    if given is not None:
        return given.expanduser().absolute()
    here = Path.cwd()
    if (here / "pyproject.toml").is_file() and (here / "barista_tui").is_dir():
        return here / ".demo"
    from platformdirs import user_data_dir

    return Path(user_data_dir("barista-demo"))


def check_engine() -> None:
    """Raise VerbError, with the command that helps, when the embedded engine cannot run here."""
    for module in ("torch", "barista_engine"):
        if importlib.util.find_spec(module) is None:
            raise VerbError(
                f"the demo trains on the embedded engine, which needs the Python module {module}",
                f"In a clone: make demo. Else: {sys.executable} -m pip install 'barista-server[engine]'",
            )


async def _shown(root: Path, iterations: int | None) -> SessionInfo:
    """The demo session; made and started if there is none."""
    async with linked(Target(root)) as link:
        found = await _existing(link)
        if not found:
            return await _fresh(link, NAME, iterations)
        if found[-1].state is State.WAITING:
            return (await link.call(StartSession(session=found[-1].id), SessionReply)).session
        return found[-1]


async def _existing(link: Link) -> list[SessionInfo]:
    """Sessions of earlier demos, oldest first."""
    sessions = (await link.call(ListSessions(), SessionList)).sessions
    named = [one for one in sessions if one.name == NAME or one.name.startswith(f"{NAME}-")]
    return sorted(named, key=lambda one: one.created)


async def _fresh(link: Link, name: str, iterations: int | None) -> SessionInfo:
    """Made and started; ``iterations`` instead of the template's 2000."""
    call = NewSession(name=name, template=TEMPLATE, caffe=CAFFE)
    made = (await link.call(call, SessionReply)).session
    if made.state is State.INVALID:
        raise VerbError(
            f"the demo's session is invalid: {format.reason(made)}",
            f"See: {command(Target(Path(link.welcome.root)), 'show', made.id)}",
        )
    if iterations is not None:
        fewer = [FieldEdit(path="max_iter", typed=str(iterations))]
        await link.call(EditText(session=made.id, file="solver", edits=fewer, strict=True), FileText)
    return (await link.call(StartSession(session=made.id), SessionReply)).session


async def _line_mode(root: Path, ascii_only: bool, iterations: int | None) -> int:
    output.say(f"Barista demo: LeNet learns handwritten digits. Sessions are kept in {root}")
    async with linked(Target(root)) as link:
        found = await _existing(link)
        session = next((one for one in reversed(found) if one.state in LIVE), None)
        if session is None:
            taken = {one.name for one in found}
            name = next(
                name
                for n in range(1, len(found) + 2)
                if (name := NAME if n == 1 else f"{NAME}-{n}") not in taken
            )
            session = await _fresh(link, name, iterations)
            output.say(f"Session {session.id} ({session.name}): training started.")
        else:
            output.say(f"Session {session.id} ({session.name}): training goes on.")
    try:
        session = await _follow(root, session)
    except asyncio.CancelledError:
        print(
            "\nThe training goes on.\n"
            f"  Watch it: {command(Target(root))}\n"
            f"  Stop it:  {command(Target(root), 'pause', session.id)}",
            file=sys.stderr,
        )
        raise
    return await _conclude(root, session, ascii_only)


async def _follow(root: Path, session: SessionInfo) -> SessionInfo:
    """Print a line every few seconds until the training ends; returns the session then."""
    said, last = time.monotonic() - EVERY, -1
    async with Watch(Target(root), session.id) as watch:
        while (session := await watch.next()).state in LIVE:
            news = session.loss is not None and session.iteration > last
            if news and time.monotonic() - said >= EVERY:
                output.say(progress_line(session))
                said, last = time.monotonic(), session.iteration
    return session


def progress_line(session: SessionInfo) -> str:
    """``iteration 400 of 800, loss 0.0612, accuracy 97.2 %, 61 it/s, 12 s to go``, as far as it is known."""
    parts = [f"iteration {session.iteration} of {session.max_iter}", f"loss {format.value(session.loss)}"]
    if (accuracy := session.tests.get("accuracy")) is not None:
        parts.append(f"accuracy {100 * accuracy:.1f} %")
    if session.speed:
        parts.append(f"{session.speed:.0f} it/s")
    if session.eta is not None:
        parts.append(f"{format.duration(session.eta)} to go")
    return ", ".join(parts)


async def _conclude(root: Path, session: SessionInfo, ascii_only: bool) -> int:
    from barista_tui import feeds
    from barista_tui.plotting.chart import chart
    from barista_tui.plotting.curves import Choice, View
    from barista_tui.plotting.scene import Slots
    from barista_tui.plotting.sources import Ask, Source, curves_of

    if session.state is not State.FINISHED:
        why = f": {format.reason(session)}" if session.problems else ""
        raise VerbError(
            f"the demo's training is {session.state.value}{why}",
            f"See: {command(Target(root), 'logs', '-n', '30', session.id)}",
        )
    async with linked(Target(root)) as link:
        source = Source(Key("local", session.id), session.name)
        source.take(await feeds.window(link, session.id, Ask(buckets=144), [feeds.TRAIN_LOSS]))
    loss = curves_of([source], View(), Choice(), Slots())
    run = session.runs[-1]
    took = f" in {format.duration(run.ended - run.started)}" if run.ended is not None else ""
    output.say(f"Finished: {session.iteration} iterations{took}.")
    output.say()
    plain = ascii_only or output.use_ascii(sys.stdout)
    output.say(chart(loss, View(), f"{session.name}: train loss", 72, 16, plain))
    output.say()
    accuracy = session.tests.get("accuracy")
    if accuracy is None:
        see = command(Target(root), "logs", session.id)
        raise VerbError("the training never tested its accuracy", f"See: {see}")
    output.say(f"Test accuracy: {100 * accuracy:.2f} %")
    output.say(f"See it on the screen: {command(Target(root))}")
    if accuracy < ENOUGH:
        raise VerbError(
            f"an accuracy of {100 * accuracy:.2f} % is less than the {100 * ENOUGH:g} % this demo reaches"
        )
    return Exit.OK
