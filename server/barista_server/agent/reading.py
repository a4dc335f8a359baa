"""Calls that read: lines, metrics and bytes of the logs of sessions, and of imported ones."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from barista_server.agent import files, series
from barista_server.agent.client import Client, Follow
from barista_server.agent.errors import CallError
from barista_server.agent.finding import Child, find, match, pick
from barista_server.agent.hub import Hub
from barista_server.agent.imported import Imported
from barista_server.agent.lastlines import last_lines
from barista_server.agent.logfile import LogFile
from barista_server.agent.parts import Facts
from barista_server.agent.runs import Run
from barista_server.agent.session import Session
from barista_server.agent.tail import Log
from barista_server.api import messages as m

T = TypeVar("T")

MOST_LOGS = 8
"""Logs nobody writes to that are kept parsed for GetLines and GetSeries; live ones always are."""


class _Parsed(Protocol):
    def release(self) -> None: ...


class Reading:
    """Has logs parsed when they are asked for, and only the last few of what has ended stay so."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._parsed: dict[tuple[str, int], _Parsed] = {}
        self._searcher = Child()
        self._tasks: set[asyncio.Task[None]] = set()

    def calls(
        self, find: Callable[[Any], Session | Imported]
    ) -> dict[type, Callable[[Any, Client], Awaitable[m.Result]]]:
        """The calls this class answers; ``find`` tells what a call is about."""
        return {
            m.GetLines: lambda call, client: self.lines(find(call), call),
            m.FindLines: lambda call, client: self.find(find(call), call),
            m.PickLines: lambda call, client: self.pick(find(call), call),
            m.MatchTexts: lambda call, client: match(call, self._searcher),
            m.ListSeries: lambda call, client: self.keys(find(call)),
            m.GetSeries: lambda call, client: self.windows(find(call), call),
            m.FollowLog: lambda call, client: self.follow(find(call), call, client),
        }

    async def close(self) -> None:
        """End what was started for searching and reading."""
        for task in self._tasks:
            task.cancel()
        await self._searcher.close()

    async def lines(self, one: Session | Imported, call: m.GetLines) -> m.Result:
        """Lines of a run's log. Raises CallError, OSError."""
        count = min(call.count, m.MOST_LINES)
        if told := await self._last_lines(one, call, count):
            return told
        with _known_kinds():
            start, total, lines = await self._use(
                one, call.run, lambda log, within: log.lines(call.kinds, call.start, count, within)
            )
        return m.Lines(session=one.id, run=call.run, start=start, total=total, lines=lines)

    async def _last_lines(self, one: Session | Imported, call: m.GetLines, count: int) -> m.Lines | None:
        """What a log at rest ends with, if it would have to be parsed first; that is done meanwhile."""
        path, facts = _at_rest(one, call.run)
        if facts is None or call.kinds or call.start >= 0:
            return None
        work = asyncio.to_thread if isinstance(one, Session) else one.work
        lines = await work(last_lines, path, facts, call.start, count)
        if lines is None:
            return None
        ahead = asyncio.create_task(self._read_ahead(one, call.run))
        self._tasks.add(ahead)
        ahead.add_done_callback(self._tasks.discard)
        start = max(0, facts.lines + call.start)
        return m.Lines(session=one.id, run=call.run, start=start, total=facts.lines, lines=lines)

    async def find(self, one: Session | Imported, call: m.FindLines) -> m.Result:
        """Lines with a pattern. Raises CallError, OSError."""
        with _known_kinds():
            found = await find(partial(self._use, one, call.run), call, self._searcher)
        return msgspec.structs.replace(found, session=one.id)

    async def pick(self, one: Session | Imported, call: m.PickLines) -> m.Result:
        """Lines by their places. Raises CallError, OSError."""
        with _known_kinds():
            picked = await pick(partial(self._use, one, call.run), call)
        return msgspec.structs.replace(picked, session=one.id)

    async def _use(
        self, one: Session | Imported, number: int, work: Callable[[Log, tuple[int, int | None]], T]
    ) -> T:
        """What ``work`` makes of a parsed log and the lines of it that are the run's. Raises CallError,
        OSError, what ``work`` does.
        """
        _check(one, number)
        if isinstance(one, Imported):
            self._keep(one.id, 0, one)
            return await one.use(lambda file: work(file, _within(file, number)))
        run = one.runs[number]
        await self._read(one, run)
        return work(run.log, (0, None))

    async def keys(self, one: Session | Imported) -> m.Result:
        """Every metric there is. Raises OSError."""
        if isinstance(one, Imported):
            self._keep(one.id, 0, one)
            return m.SeriesList(keys=await one.use(lambda file: series.keys(file.sources())))
        return m.SeriesList(keys=series.keys(await self._runs(one)))

    async def windows(self, one: Session | Imported, call: m.GetSeries) -> m.Result:
        """Windows of metrics. Raises OSError."""
        if isinstance(one, Imported):
            self._keep(one.id, 0, one)
            found = await one.use(lambda file: _windows(file.sources(), call))
        else:
            found = _windows(await self._runs(one), call)
        return m.SeriesWindow(session=one.id, series=found[0], origin=found[1])

    async def results(self, one: Session | Imported) -> m.Summary:
        """What it came to. Raises OSError."""
        from barista_server.agent import summaries

        if isinstance(one, Imported):
            self._keep(one.id, 0, one)
            return await one.use(lambda file: summaries.results(one.id, file.sources()))
        return summaries.results(one.id, await self._runs(one))

    async def follow(self, one: Session | Imported, call: m.FollowLog, client: Client) -> m.Result:
        """Have a log's bytes sent. Raises CallError, OSError."""
        _check(one, call.run)
        follow = await _follow_import(one, call) if isinstance(one, Imported) else _follow_run(one, call)
        size = follow.history
        if call.offset < 0 or call.offset > size:
            text = f"has {size} bytes in the log of run {call.run}, so none at offset {call.offset}"
            raise CallError("invalid", text, "Follow it from offset 0.")
        client.follow(follow)
        self._hub.listeners.add(client)
        return m.Done()

    def imported(self, one: Imported) -> None:
        """It is about to be looked at."""
        one.keep()
        self._keep(one.id, 0, one)

    async def _runs(self, session: Session) -> list[Run]:
        """All runs, oldest first, with their logs parsed."""
        found = [run for _, run in sorted(session.runs.items())]
        for run in found:
            await self._read(session, run)
        return found

    async def _read_ahead(self, one: Session | Imported, run: int) -> None:
        with suppress(OSError, CallError):  # whoever asks next is told
            await self._use(one, run, lambda log, within: None)

    async def _read(self, session: Session, run: Run) -> None:
        if run.verdict is None:
            return
        async with run.reading:
            if run.log.read == 0:
                await run.read_log()
                run.log.parser.finish()
        self._keep(session.id, run.number, run)

    def _keep(self, session: str, number: int, parsed: _Parsed) -> None:
        self._parsed.pop((session, number), None)
        self._parsed[session, number] = parsed
        # What is asked for together, as all runs of a session are, has to be there together.
        while len(self._parsed) > MOST_LOGS and (oldest := next(iter(self._parsed)))[0] != session:
            self._parsed.pop(oldest).release()


def _windows(runs: Sequence[series.Source], call: m.GetSeries) -> tuple[list[m.Series], float]:
    """What is asked, and the time that seconds are counted from."""
    return series.windows(runs, call), series.origin_of(runs)


def _at_rest(one: Session | Imported, number: int) -> tuple[Path, Facts | None]:
    """A log, and what it said when it was read to its end, if it is not parsed now."""
    if isinstance(one, Imported):
        return one.path, one.unparsed if number == 0 else None
    run = one.runs.get(number)
    if run is None:
        return one.folder.path, None
    return run.log.path, run.told if run.verdict is not None and not run.log.read else None


def _check(one: Session | Imported, number: int) -> None:
    """Raises CallError for a run that is not there."""
    if number not in one.runs and not (isinstance(one, Imported) and number == 0):
        there = ", ".join(str(each) for each in sorted(one.runs)) or "none"
        raise CallError("not-found", f"has no run {number}", f"Runs there are: {there}.")


@contextmanager
def _known_kinds() -> Iterator[None]:
    try:
        yield
    except KeyError as error:
        raise CallError("invalid", f"there is no kind of line called {error}") from None


def _within(file: LogFile, number: int) -> tuple[int, int | None]:
    """The lines of a run, or of the whole file."""
    for source in file.sources():
        if source.number == number:
            return source.part.first, source.part.stop
    return 0, None


def _follow_run(session: Session, call: m.FollowLog) -> Follow:
    run = session.runs[call.run]
    try:
        size = run.log.path.stat().st_size
    except FileNotFoundError:
        size = 0
    return Follow(session.id, run.number, run.log.path, call.offset, size, run.over.is_set)


async def _follow_import(one: Imported, call: m.FollowLog) -> Follow:
    await one.work(files.stat_regular, one.path)
    begin = one.runs[call.run].begin if call.run else 0
    generation = one.generation
    return Follow(
        one.id,
        call.run,
        one.path,
        call.offset,
        one.end_of(call.run) - begin,
        partial(one.over, call.run),
        begin,
        partial(one.end_of, call.run),
        lambda: one.generation != generation,
        one.work,
    )
