"""Calls that read: lines, metrics and bytes of the logs of sessions."""

from __future__ import annotations

from barista_server.agent import series
from barista_server.agent.client import Client, Follow
from barista_server.agent.errors import CallError
from barista_server.agent.hub import Hub
from barista_server.agent.runs import Run
from barista_server.agent.session import Session
from barista_server.api import messages as m

MOST_LOGS = 8
"""Logs of ended runs kept parsed for GetLines and GetSeries; live ones always are."""


class Reading:
    """Has logs parsed when they are asked for, and only the last few of what has ended stay so."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._parsed: dict[tuple[str, int], Run] = {}

    async def lines(self, session: Session, call: m.GetLines) -> m.Result:
        """Lines of a run's log. Raises CallError, OSError."""
        run = _run(session, call.run)
        await self._read(session, run)
        try:
            start, total, lines = run.log.lines(call.kinds, call.start, min(call.count, m.MOST_LINES))
        except KeyError as error:
            raise CallError("invalid", f"there is no kind of line called {error}") from None
        return m.Lines(session=session.id, run=run.number, start=start, total=total, lines=lines)

    async def keys(self, session: Session) -> m.Result:
        """Every metric there is. Raises OSError."""
        return m.SeriesList(keys=series.keys(await self._runs(session)))

    async def windows(self, session: Session, call: m.GetSeries) -> m.Result:
        """Windows of metrics. Raises OSError."""
        found = series.windows(await self._runs(session), call)
        return m.SeriesWindow(session=session.id, series=found)

    def follow(self, session: Session, call: m.FollowLog, client: Client) -> m.Result:
        """Have a log's bytes sent. Raises CallError, OSError."""
        run = _run(session, call.run)
        path = run.log.path
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            size = 0
        if call.offset < 0 or call.offset > size:
            text = f"has {size} bytes in the log of run {run.number}, so none at offset {call.offset}"
            raise CallError("invalid", text, "Follow it from offset 0.")
        client.follow(Follow(session.id, run.number, path, call.offset, size, run.over.is_set))
        self._hub.listeners.add(client)
        return m.Done()

    async def _runs(self, session: Session) -> list[Run]:
        """All runs, oldest first, with their logs parsed."""
        found = [run for _, run in sorted(session.runs.items())]
        for run in found:
            await self._read(session, run)
        return found

    async def _read(self, session: Session, run: Run) -> None:
        """Have a log parsed; of ended runs only the last few stay so."""
        if run.verdict is None:
            return
        if run.log.read == 0:
            await run.read_log()
            run.log.parser.finish()
        self._parsed.pop((session.id, run.number), None)
        self._parsed[session.id, run.number] = run
        while len(self._parsed) > MOST_LOGS:
            self._parsed.pop(next(iter(self._parsed))).release()


def _run(session: Session, number: int) -> Run:
    if number in session.runs:
        return session.runs[number]
    there = ", ".join(str(one) for one in sorted(session.runs)) or "none"
    raise CallError("not-found", f"has no run {number}", f"Runs there are: {there}.")
