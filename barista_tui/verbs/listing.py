"""Verbs that look: ls, show, templates."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence

import msgspec

from barista_server.api.link import CallFailed, LinkError
from barista_server.api.messages import (
    ListSessions,
    ListTemplates,
    RunInfo,
    SessionInfo,
    SessionList,
    State,
    TemplateList,
)
from barista_tui import format
from barista_tui.calling import command
from barista_tui.hosts import Hosts
from barista_tui.target import Target
from barista_tui.verbs import output
from barista_tui.verbs.agentlink import ask, linked, session_of, target_of
from barista_tui.verbs.errors import Exit, VerbError

ROOMY, SHORT = 120, 24
"""Below so many columns names are cut to so many, which leaves room for the reason of a failure."""


async def ls(args: argparse.Namespace) -> Exit:
    """A row a session, newest first."""
    target = target_of(args)
    if args.everywhere:
        return await _everywhere(args, target)
    sessions = (await ask(target, ListSessions(), SessionList)).sessions
    if args.json:
        output.print_json(sessions)
    elif not sessions:
        how = command(target, "new", "--template", "lenet-digits", "--start")
        output.say(f"No sessions in {target} yet. Make one with: {how}")
    else:
        for line in session_table(sessions):
            output.say(line)
    return Exit.OK


async def _everywhere(args: argparse.Namespace, here: Target) -> Exit:
    """Of all hosts at once; whichever cannot be asked is named, and holds up no other. Raises VerbError."""
    if here.host is not None:
        raise VerbError("--everywhere and --host exclude each other", None, Exit.USAGE)
    targets = [here, *(Target(here.root, entry) for entry in Hosts().all() if not entry.offline)]
    answers = [ask(target, ListSessions(), SessionList) for target in targets]
    told = await asyncio.gather(*answers, return_exceptions=True)
    found: list[tuple[str, SessionInfo]] = []
    missing = False
    for target, answer in zip(targets, told, strict=True):
        if isinstance(answer, SessionList):
            found += [(target.name, session) for session in answer.sessions]
        elif isinstance(answer, CallFailed | LinkError):
            missing = True
            print(f"barista: {target.name}: {output.one_line(str(answer))}", file=sys.stderr)
        else:
            raise answer
    if args.json:
        output.print_json([{"host": host, **msgspec.to_builtins(session)} for host, session in found])
    else:
        for line in session_table([session for _, session in found], [host for host, _ in found]):
            output.say(line)
    return Exit.UNREACHABLE if missing else Exit.OK


def session_table(sessions: Sequence[SessionInfo], hosts: Sequence[str] = ()) -> list[str]:
    """Header and rows: id, name, state, progress or the reason of a failure, time to go, loss; ``hosts``: of
    each, where there are several.
    """
    places = sorted(range(len(sessions)), key=lambda place: sessions[place].created, reverse=True)
    ordered = [sessions[place] for place in places]
    rows = [["ID", "NAME", "STATE", "PROGRESS", "ETA", "LOSS"], *map(_row, ordered)]
    # What kind a row is of is only said where there are two.
    if any(session.kind != "session" for session in ordered):
        kinds = ["KIND", *(session.kind for session in ordered)]
        rows = [[*row[:2], kind, *row[2:]] for row, kind in zip(rows, kinds, strict=True)]
    if hosts:
        names = ["HOST", *(hosts[place] for place in places)]
        rows = [[*row[:2], name, *row[2:]] for row, name in zip(rows, names, strict=True)]
    state = rows[0].index("STATE")
    filled = output.table(rows, right=(state + 1, state + 2, state + 3), wide=1)
    lines = []
    for cells, session in zip(filled, [None, *ordered], strict=True):
        if session is None:
            lines.append("  ".join(cells).rstrip())
            continue
        reason = output.one_line(format.reason(session)) if _has_reason(session) else ""
        if reason:
            # The reason takes the place of the numbers.
            room = output.width() - sum(len(cell) + 2 for cell in cells[: state + 1])
            cells = [*cells[: state + 1], format.fit(reason, room)]
        tone = output.TONES[format.state_look(session).tone]
        cells[state] = output.paint(cells[state], tone)
        lines.append("  ".join(cells).rstrip())
    return lines


def _has_reason(session: SessionInfo) -> bool:
    """Where it stands is more of an interrupted one than why."""
    return format.has_reason(session) and session.state is not State.INTERRUPTED


def _row(session: SessionInfo) -> list[str]:
    name = output.one_line(session.name)
    done = format.progress(session)
    percent = f"{100 * format.fraction(session):3.0f} %" if session.max_iter > 0 else ""
    return [
        session.id,
        name if output.width() >= ROOMY or len(name) <= SHORT else format.fit(name, SHORT),
        output.state_word(session),
        f"{done} {percent}".strip(),
        format.duration(session.eta),
        format.value(session.loss),
    ]


async def show(args: argparse.Namespace) -> Exit:
    """All about one session."""
    async with linked(target_of(args)) as link:
        session = await session_of(link, args.session)
    if args.json:
        output.print_json(session)
    else:
        for line in details(session):
            output.say(line)
    return Exit.OK


def details(session: SessionInfo) -> list[str]:
    """Facts, problems, runs and snapshots, a line each."""
    of = f" of {session.max_iter} ({100 * format.fraction(session):.0f} %)" if session.max_iter > 0 else ""
    speed = f"{session.speed:.1f} it/s" if session.speed else ""
    facts = [
        ("session", f"{session.id}  {output.one_line(session.name)}"),
        ("state", " ".join(filter(None, [output.state_word(session), session.busy and f"({session.busy})"]))),
        ("queue", output.one_line(format.queue_words(session))),
        ("auto-resume", format.resume_words(session)),
        ("progress", f"iteration {session.iteration}{of}"),
        ("loss", format.value(session.loss)),
        *((f"test {output.one_line(name)}", format.value(value)) for name, value in session.tests.items()),
        ("speed", speed),
        ("to go", format.duration(session.eta)),
        *_place(session),
    ]
    shown = [(name, text) for name, text in facts if text]
    column = max(len(name) for name, _ in shown)
    lines = [f"{name:<{column}}  {text}" for name, text in shown]
    if session.problems:
        lines += ["", "problems", *output.problem_lines(session.problems)]
    if session.warnings:
        lines += ["", "warnings", *output.problem_lines(session.warnings)]
    if session.runs:
        lines += ["", "runs", *map(_run_line, session.runs)]
    if session.snapshots:
        rows = [
            [
                f"iteration {snapshot.iteration}",
                format.size(snapshot.size),
                _when(snapshot.time),
                snapshot.model,
            ]
            for snapshot in session.snapshots
        ]
        lines += [
            "",
            "snapshots",
            *("  " + "  ".join(cells).rstrip() for cells in output.table(rows, right=(1,))),
        ]
    return lines


def _place(session: SessionInfo) -> list[tuple[str, str]]:
    if session.log is not None:
        size = f"{format.size(session.log.size)}, {format.plural(session.log.lines, 'line')}"
        return [
            ("imported", _when(session.created)),
            ("log file", output.one_line(session.log.path)),
            ("size", size),
        ]
    return [
        ("caffe", f"{session.caffe} on {session.device}"),
        ("runs as", _job(session)),
        ("parent", "; from ".join(format.lineage_words(session)[:3])),
        ("weights", output.one_line(session.weights) if not session.snapshots else ""),
        ("created", _when(session.created)),
        ("folder", session.folder),
    ]


def _job(session: SessionInfo) -> str:
    if session.launcher != "slurm":
        return ""
    runs = bool(session.runs) and session.runs[-1].ended is None
    number = f"; its number is {output.one_line(session.job)}" if session.job and runs else ""
    return output.job_words(session.launcher, session.slurm) + number


def _run_line(run: RunInfo) -> str:
    parts = [f"  {run.number}", f"started {_when(run.started)}"]
    if run.resumed_from is not None:
        parts.append(f"from iteration {run.resumed_from}")
    if run.ended is None:
        parts.append("going on")
    elif run.ending:
        parts += [f"took {format.duration(run.ended - run.started)}", format.ending(run)]
    else:
        parts.append(f"took {format.duration(run.ended - run.started)}")
        if run.signal is not None:
            parts.append(f"ended by signal {run.signal}")
        elif run.exit_code is not None:
            parts.append(f"exit code {run.exit_code}")
    return ", ".join([*parts, format.plural(run.lines, "line")])


def _when(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


async def templates(args: argparse.Namespace) -> Exit:
    """The ready-made networks."""
    found = (await ask(target_of(args), ListTemplates(), TemplateList)).templates
    if args.json:
        output.print_json(found)
        return Exit.OK
    rows = [["NAME", "TITLE"], *([template.name, template.title] for template in found)]
    abouts = ["", *(template.about for template in found)]
    for cells, about in zip(output.table(rows), abouts, strict=True):
        output.say("  ".join(cells).rstrip())
        if about:
            output.say(f"    {about}")
    return Exit.OK
