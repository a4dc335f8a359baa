"""What the console needs from agents beside windows of lines: found lines, lines of iterations."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from barista_server.api.messages import (
    MOST_FOUND,
    FoundLines,
    GetSeries,
    Lines,
    PickLines,
    SeriesWindow,
)
from barista_tui.export import WHOLE
from barista_tui.feeds import TRAIN_LOSS
from barista_tui.host import Host
from barista_tui.lines import Source, Window

SPAN = 1000
"""Iterations looked through at first for one that was displayed."""


async def found_lines(host: Host, source: Source, window: Window, places: Sequence[int]) -> Lines:
    """A window of the lines in which something was found; ``places``: of all these, as far as is known."""
    start = window.start if window.start >= 0 else max(0, len(places) + window.start)
    some = list(places[start : start + min(window.count, MOST_FOUND)])
    call = PickLines(session=source.key.session, run=source.run, places=some, kinds=list(source.kinds))
    lines = (await host.call(call, FoundLines)).lines if some else []
    return Lines(session=source.key.session, run=source.run, start=start, total=len(places), lines=lines)


async def line_of_iteration(host: Host, session: str, iteration: int, last: int) -> tuple[int, int] | None:
    """Run and line of the first point of the training loss at an iteration or after it; None if there is
    none up to ``last``.
    """
    span = SPAN
    while True:
        # All points of a stretch, which is made longer until there is one.
        call = GetSeries(session=session, keys=[TRAIN_LOSS], x0=iteration, x1=iteration + span, buckets=WHOLE)
        series = (await host.call(call, SeriesWindow)).series
        if series and series[0].points:
            return array("i", series[0].run)[0], array("q", series[0].line)[0]
        if iteration + span >= last:
            return None
        iteration, span = iteration + span, span * 8
