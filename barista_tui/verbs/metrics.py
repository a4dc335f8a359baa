"""Verbs that take a session's metrics: export as CSV, plot as text."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterable

from msgspec.structs import replace

from barista_server.api.link import Link
from barista_server.api.messages import (
    GetSeries,
    ListSeries,
    Series,
    SeriesKey,
    SeriesList,
    SeriesWindow,
    SessionInfo,
)
from barista_tui import export as csv
from barista_tui.verbs import output
from barista_tui.verbs.agentlink import linked, session_of, target_of
from barista_tui.verbs.errors import Exit, VerbError

MOST_POINTS = 100_000
"""Points asked for at a time: 4 MB."""


async def export(args: argparse.Namespace) -> Exit:
    """Write the chosen series of the sessions as CSV."""
    tables: list[csv.Table] = []
    async with linked(target_of(args)) as link:
        for name in args.sessions:
            session = await session_of(link, name)
            keys = await chosen_keys(link, session, args.series or [])
            by_iteration = [await whole(link, session, key, "iteration") for key in keys]
            by_time = [await whole(link, session, key, "time") for key in keys]
            tables += csv.tables(session.name, by_iteration, by_time)
    text = csv.rfc4180(tables) if args.rfc4180 else csv.plain(tables)
    if args.output is None:
        sys.stdout.buffer.write(text.encode())
        sys.stdout.flush()
    else:
        args.output.write_bytes(text.encode())
        rows = sum(len(table.rows) for table in tables)
        print(f"{rows} rows written to {args.output}", file=sys.stderr)
    return Exit.OK


async def plot(args: argparse.Namespace) -> Exit:
    """Draw each chosen series, by default the training loss."""
    async with linked(target_of(args)) as link:
        session = await session_of(link, args.session)
        keys = await chosen_keys(link, session, args.series or ["train.loss"])
        if not args.series:
            keys = keys[:1]
        series = await window(link, session, keys, "iteration", buckets=2 * args.width)
    if args.json:
        output.print_json([as_points(one) for one in series])
        return Exit.OK
    for one in series:
        print_curve(session, one, args.width, args.height, args.log, args.ascii)
    return Exit.OK


async def chosen_keys(link: Link, session: SessionInfo, patterns: Iterable[str]) -> list[SeriesKey]:
    """The session's series that the patterns name, the smoothed loss first. Raises VerbError."""
    known = (await link.call(ListSeries(session=session.id), SeriesList)).keys
    known = sorted(known, key=lambda key: (csv.phase_name(key) != "TRAIN", key.net, key.output))
    keys, unknown = csv.select(known, patterns)
    if not known:
        raise VerbError(
            f"{session.name} has no metrics yet",
            f"Is it running? See: barista show {session.id}",
            Exit.NOT_FOUND,
        )
    if unknown:
        names = (
            f"{csv.phase_name(key).lower()}.{column}"
            for key, column in zip(known, csv.column_names(known), strict=True)
        )
        raise VerbError(
            f"{session.name} has no series {', '.join(unknown)}",
            f"It has: {', '.join(names)}",
            Exit.NOT_FOUND,
        )
    return keys


async def window(
    link: Link, session: SessionInfo, keys: list[SeriesKey], axis: csv.Axis, buckets: int
) -> list[Series]:
    """Some series from end to end, stitched over all runs."""
    call = GetSeries(session=session.id, keys=keys, axis=axis, buckets=buckets)
    return (await link.call(call, SeriesWindow)).series


async def whole(
    link: Link, session: SessionInfo, key: SeriesKey, axis: csv.Axis, most: int = MOST_POINTS
) -> Series:
    """Every point of one series, stitched over all runs; asked for in pieces that each fit a frame."""
    call = GetSeries(session=session.id, keys=[key], axis=axis, buckets=2)
    pieces: list[Series] = []
    stretches = [call]
    while stretches:
        call = stretches.pop()
        halves = (await link.call(call, SeriesWindow)).series[0]
        ends = csv.floats(halves.x)
        if halves.points > most and ends[0] < ends[-1]:
            # The earlier half comes off the stack first.
            stretches += [replace(call, x0=math.nextafter(ends[0], math.inf)), replace(call, x1=ends[0])]
        else:
            pieces += (await link.call(replace(call, buckets=csv.WHOLE), SeriesWindow)).series
    return csv.joined(pieces)


def as_points(series: Series) -> dict[str, object]:
    """One series for --json: x, and the least and greatest value of each bucket."""
    return {
        "key": series.key,
        "x": list(csv.floats(series.x)),
        "low": list(csv.floats(series.low)),
        "high": list(csv.floats(series.high)),
    }


def print_curve(
    session: SessionInfo, series: Series, width: int, height: int, log: bool, ascii_only: bool
) -> None:
    """One curve as text, or a line that says why there is none."""
    from barista_tui.textplot import text_plot

    x, y = csv.curve(series)
    title = f"{output.one_line(session.name)}: {csv.phase_name(series.key).lower()} {series.key.name}"
    try:
        drawn = text_plot(
            x,
            y,
            title=title,
            width=width,
            height=height,
            log=log,
            ascii_only=ascii_only or output.use_ascii(sys.stdout),
        )
    except ValueError as error:
        raise VerbError(f"{title}: {error}", "Without --log?" if log else None) from None
    output.say(drawn)
