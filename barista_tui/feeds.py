"""What panes need from the agent beyond the list: log lines, curves, the small curves of the rows."""

from __future__ import annotations

import asyncio
import math
from array import array
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, TypeVar

from msgspec import structs
from msgspec.structs import replace

from barista_server.api.messages import (
    Call,
    GetLines,
    GetSeries,
    Lines,
    ListSeries,
    Message,
    Series,
    SeriesKey,
    SeriesList,
    SeriesWindow,
)
from barista_tui import export
from barista_tui.lines import Source
from barista_tui.lines import Window as LineWindow
from barista_tui.plotting.curves import Choice, chosen_keys
from barista_tui.plotting.sources import Ask, Window

R = TypeVar("R", bound=Message)

TRAIN_LOSS = SeriesKey(phase="train", name="loss")


class Asked(Protocol):
    """A host of the screen, or a link of a verb."""

    async def call(self, call: Call, result: type[R]) -> R: ...


class Curves(NamedTuple):
    """Windows of the chosen metrics, and every metric there is."""

    window: Window
    known: tuple[SeriesKey, ...]


async def lines(host: Asked, source: Source, window: LineWindow) -> Lines:
    """A window of a run's log."""
    call = GetLines(
        session=source.key.session,
        run=source.run,
        start=window.start,
        count=window.count,
        kinds=list(source.kinds),
    )
    return await host.call(call, Lines)


async def curves(
    host: Asked, session: str, ask: Ask, choice: Choice, known: Sequence[SeriesKey] = (), origin: float = 0.0
) -> Curves:
    """The chosen metrics as ``ask`` bounds them.

    ``known``: metrics that the session had before, which spares a way there and back; ``origin``: when it
    began, for agents that do not tell since when they count seconds.
    """
    found = tuple(known)
    if not found:
        found = tuple((await host.call(ListSeries(session=session), SeriesList)).keys)
        return Curves(await window(host, session, ask, chosen_keys(found, choice), origin), found)
    made, listed = await asyncio.gather(
        window(host, session, ask, chosen_keys(found, choice), origin),
        host.call(ListSeries(session=session), SeriesList),
    )
    if tuple(listed.keys) == found:
        return Curves(made, found)
    return await curves(host, session, ask, choice, origin=origin)


async def window(
    host: Asked, session: str, ask: Ask, keys: Sequence[SeriesKey], origin: float = 0.0
) -> Window:
    """Some metrics as ``ask`` bounds them."""
    ask = replace(ask, metrics=tuple(keys))
    if not keys:
        return Window(ask, (), origin)
    shift = 0.0
    if ask.axis == "clock" and (ask.x0 is not None or ask.x1 is not None):
        # The agent counts seconds, and only an answer tells since when.
        first = GetSeries(session=session, keys=list(keys[:1]), axis="time", x1=0.0, buckets=1)
        shift = (await host.call(first, SeriesWindow)).origin or origin
    call = GetSeries(
        session=session,
        keys=list(keys),
        axis="iteration" if ask.axis == "iteration" else "time",
        x0=ask.x0 - shift if ask.x0 is not None else None,
        x1=ask.x1 - shift if ask.x1 is not None else None,
        buckets=ask.buckets,
        log=ask.log_x,
    )
    reply = await host.call(call, SeriesWindow)
    return Window(ask, tuple(reply.series), reply.origin or origin)


MOST_POINTS = 100_000
"""Points asked for at a time: 4 MB."""


async def whole(
    host: Asked, session: str, key: SeriesKey, axis: export.Axis, most: int = MOST_POINTS
) -> tuple[Series, float]:
    """Every point of one metric, stitched over all runs, and the time that seconds are counted from.

    Asked for in pieces that each fit a frame.
    """
    call = GetSeries(session=session, keys=[key], axis=axis, buckets=2)
    pieces: list[Series] = []
    origin = 0.0
    stretches = [call]
    while stretches:
        call = stretches.pop()
        halves = (await host.call(call, SeriesWindow)).series[0]
        ends = export.floats(halves.x)
        if halves.points > most and ends[0] < ends[-1]:
            # The earlier half comes off the stack first.
            stretches += [
                structs.replace(call, x0=math.nextafter(ends[0], math.inf)),
                structs.replace(call, x1=ends[0]),
            ]
        else:
            answer = await host.call(structs.replace(call, buckets=export.WHOLE), SeriesWindow)
            pieces += answer.series
            origin = answer.origin
    return export.joined(pieces), origin


async def tables(
    host: Asked,
    session: str,
    title: str,
    keys: Sequence[SeriesKey],
    within: export.Range | None = None,
    told: Callable[[int], None] = lambda done: None,
) -> list[export.Table]:
    """Every point of some metrics, a table a phase. ``told``: how many of the metrics have come."""
    by_iteration, by_time, origin = [], [], 0.0
    for done, key in enumerate(keys, 1):
        by_iteration.append((await whole(host, session, key, "iteration"))[0])
        seconds, origin = await whole(host, session, key, "time")
        by_time.append(seconds)
        told(done)
    made = export.tables(title, by_iteration, by_time)
    return [export.cut(table, within, origin) for table in made] if within is not None else made


async def spark(host: Asked, session: str, width: int) -> tuple[float, ...]:
    """The training loss in at most ``width`` buckets."""
    call = GetSeries(session=session, keys=[TRAIN_LOSS], buckets=width)
    window = await host.call(call, SeriesWindow)
    return tuple(array("d", window.series[0].low)) if window.series else ()
