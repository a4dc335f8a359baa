"""Verbs that copy: get, put, move, and `input copy`."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from barista_server.api.link import LinkError
from barista_server.api.transfers import ExportSession, Which
from barista_server.copying.names import ParcelError
from barista_tui import format
from barista_tui.calling import command
from barista_tui.moving import MoveError, Report, Wish, copy_dataset
from barista_tui.moving import move as carry_over
from barista_tui.transfer import Outcome, Progress, Source, Target
from barista_tui.transfer_ends import FolderSource, FolderTarget, HostSource, HostTarget, new_attempt
from barista_tui.transfer_tries import links, persistently
from barista_tui.verbs import output
from barista_tui.verbs.agentlink import named_target, target_of
from barista_tui.verbs.errors import CODES, Exit, VerbError

R = TypeVar("R")

LINE = 10.0
"""Seconds between two lines about the progress where there is no terminal."""


async def get(args: argparse.Namespace) -> Exit:
    """Copy a session, or snapshots of one, into a folder here."""
    host = target_of(args)
    which, iteration = _snapshots(args.snapshot)
    call = ExportSession(session=args.session, snapshots=which, iteration=iteration, folder=args.folder)
    into = _here(args.output)

    @asynccontextmanager
    async def ends() -> AsyncIterator[tuple[Source, Target]]:
        async with links(host) as (link,):
            yield HostSource(link, call), FolderTarget(into)

    outcome = await copied(lambda report: persistently(ends, report.tell, report.lost), args)
    if args.json:
        output.print_json(_data(outcome))
        return Exit.OK
    for line in left_words(outcome):
        output.say(line)
    files = format.plural(len(outcome.parcel.files), "file")
    output.say(f"{files}, {format.size(outcome.total)}, checked: {outcome.arrived.path}")
    return Exit.OK


def _here(path: str) -> Path:
    return Path(path).expanduser().absolute()


def _snapshots(given: str) -> tuple[Which, int | None]:
    """Which ones --snapshot means. Raises VerbError."""
    words: dict[str, Which] = {"latest": "newest", "newest": "newest", "all": "all", "none": "none"}
    if given in words:
        return words[given], None
    if given.isdecimal():
        return "none", int(given)
    raise VerbError(f"--snapshot {given}: an iteration, latest, all or none", code=Exit.USAGE)


async def put(args: argparse.Namespace) -> Exit:
    """Make a session of a folder here on a host."""
    host = target_of(args)
    folder = _here(args.path)
    if not await asyncio.to_thread(folder.is_dir):
        raise VerbError(f"{folder} is no folder", None, Exit.NOT_FOUND)
    attempt = new_attempt()

    @asynccontextmanager
    async def ends() -> AsyncIterator[tuple[Source, Target]]:
        async with links(host) as (link,):
            target = HostTarget(link, attempt, args.name, args.caffe, args.device)
            yield FolderSource(folder, folder.name), target

    outcome = await copied(lambda report: persistently(ends, report.tell, report.lost), args)
    session = outcome.arrived.session
    if session is None:
        raise VerbError("it was copied, and taken away again meanwhile", code=Exit.NOT_FOUND)
    if args.json:
        output.print_json({**_data(outcome), "session": session})
        return Exit.OK
    for line in left_words(outcome):
        output.say(line)
    output.print_session(session, False)
    for line in output.problem_lines(session.problems):
        output.say(line)
    return Exit.OK


async def move(args: argparse.Namespace) -> Exit:
    """Move a session to another host and go on with it there."""
    if args.source_host is not None and args.host is not None:
        raise VerbError("--from and --host mean the same: give one", code=Exit.USAGE)
    here = named_target(args, args.source_host) if args.source_host is not None else target_of(args)
    there = named_target(args, args.to)
    wish = Wish(
        session=args.session,
        start=args.start,
        keep=args.keep,
        all_snapshots=args.all_snapshots,
        with_data=args.with_data,
        caffe=args.caffe,
        device=args.device,
    )
    moved = await copied(lambda report: carry_over(here, there, wish, report), args)
    if args.json:
        more = {"session": moved.session, "trash": moved.trash, "problems": moved.problems}
        output.print_json({**_data(moved.outcome), **more})
        return Exit.FAILED if moved.problems else Exit.OK
    for line in left_words(moved.outcome):
        output.say(line)
    output.print_session(moved.session, False)
    output.say(f"It is on {there.name} now: {command(there, 'show', moved.session.id)}")
    if moved.trash:
        where = f"On {here.name}" if here.host is not None else "Here"
        output.say(f"{where} it is in the trash; bring it back with: {command(here, 'restore', moved.trash)}")
    for problem in moved.problems:
        print(f"barista: {output.one_line(problem)}", file=sys.stderr)
    return Exit.FAILED if moved.problems else Exit.OK


async def input_copy(args: argparse.Namespace) -> Exit:
    """Copy a dataset to another host, unless the same data is there."""
    here, there = target_of(args), named_target(args, args.to)
    if here.same_place(there):
        raise VerbError(f"{there.name} is where it is", "Say where it is to go: --to HOST", Exit.USAGE)
    dataset, outcome = await copied(lambda report: copy_dataset(here, there, args.dataset, report), args)
    if args.json:
        output.print_json({"dataset": dataset, "copied": outcome.copied if outcome else 0})
    elif outcome is None:
        output.say(f"The same data is on {there.name} already: {dataset.id}, {output.one_line(dataset.name)} "
                   f"({output.one_line(dataset.path)})")  # fmt: skip
    else:
        output.say(f"{dataset.id}  {output.one_line(dataset.name)}  {format.size(outcome.total)}, "
                   f"checked: {output.one_line(dataset.path)} on {there.name}")  # fmt: skip
    return Exit.OK


def _data(outcome: Outcome) -> dict[str, object]:
    return {
        "path": outcome.arrived.path,
        "files": [file.path for file in outcome.parcel.files],
        "bytes": outcome.total,
        "copied": outcome.copied,
        "left_out": outcome.parcel.left_out,
        "grown": outcome.grown,
        "notes": outcome.arrived.notes,
    }


def left_words(outcome: Outcome) -> list[str]:
    """What a person should know of it."""
    lines = [f"left out: {output.one_line(one)}" for one in outcome.parcel.left_out]
    lines += [f"{output.one_line(one)} has grown since: it is as it was at first" for one in outcome.grown]
    return lines + [output.one_line(note) for note in outcome.arrived.notes]


# --------------------------------------------------------------------------------------------------- progress


class _Bar:
    """Progress on standard error: a line that changes on a terminal, else one now and then."""

    def __init__(self, quiet: bool) -> None:
        self._terminal = sys.stderr.isatty() and not quiet
        self._quiet = quiet
        self._next = time.monotonic() + (0.0 if self._terminal else LINE)
        self.last: Progress | None = None

    def tell(self, progress: Progress) -> None:
        """As often as one likes."""
        first, self.last = self.last is None, progress
        if first and progress.resumed and not self._quiet:
            self.say(f"goes on: {format.size(progress.resumed)} are there already")
        now = time.monotonic()
        if self._quiet or now < self._next:
            return
        self._next = now + (0.1 if self._terminal else LINE)
        if self._terminal:
            print(f"\r\x1b[K{self._line(progress, output.width() - 1)}", end="", file=sys.stderr, flush=True)
        else:
            print(self._line(progress, 200), file=sys.stderr, flush=True)

    @staticmethod
    def _line(progress: Progress, width: int) -> str:
        part = progress.done / progress.total if progress.total else 1.0
        eta = f", {format.duration(progress.eta)} to go" if progress.eta is not None else ""
        rate = f", {format.size(int(progress.rate))}/s" if progress.rate else ""
        numbers = f"{100 * part:3.0f} %  {format.size(progress.done)} of {format.size(progress.total)}"
        what = progress.what if progress.what == "checking" else output.one_line(progress.file)
        return format.fit(f"{numbers}{rate}{eta}  {what}", width).rstrip()

    def say(self, text: str) -> None:
        """A line of its own."""
        self.clear()
        if not self._quiet:
            print(output.one_line(text), file=sys.stderr, flush=True)

    def lost(self, error: LinkError, pause: float) -> None:
        """The link broke."""
        self.clear()
        text = f"barista: {output.one_line(str(error))}; trying again in {pause:g} s"
        print(text, file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Nothing stays of the line that changes."""
        if self._terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


async def copied(work: Callable[[Report], Awaitable[R]], args: argparse.Namespace) -> R:
    """Do it, with progress; what goes wrong in the files becomes a VerbError."""
    bar = _Bar(args.json)
    try:
        return await work(Report(bar.tell, bar.say, bar.lost))
    except (ParcelError, MoveError) as error:
        bar.clear()
        raise VerbError(str(error), error.hint, CODES.get(error.code, Exit.FAILED)) from None
    except asyncio.CancelledError:
        bar.clear()
        if bar.last is not None:
            done = f"{format.size(bar.last.done)} of {format.size(bar.last.total)}"
            print(f"barista: {done} are there; the same command goes on from there", file=sys.stderr)
        raise
    finally:
        bar.clear()
