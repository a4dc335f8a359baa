"""Verbs that take metrics of sessions: export them as CSV, plot them as text, SVG or PNG."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from barista_server.api.link import Link
from barista_server.api.messages import ListSeries, Series, SeriesKey, SeriesList, SessionInfo
from barista_tui import export as csv
from barista_tui import feeds
from barista_tui.plotting.curves import Choice, Curve, View, text_of, usual_keys
from barista_tui.plotting.scene import Slots
from barista_tui.plotting.sources import Ask, Source, curves_of
from barista_tui.store import Key
from barista_tui.verbs import output, several
from barista_tui.verbs.errors import Exit, VerbError

PICTURE = (1000, 560)
"""Pixels of a picture: an SVG's, a PNG has twice as many."""


async def export(args: argparse.Namespace) -> Exit:
    """Write the chosen series of the sessions as CSV."""
    async with AsyncExitStack() as stack:
        found = await several.sessions(args, _without_format(args.sessions), stack)
        chosen = [(each, await chosen_keys(each.link, each.session, args.series or [])) for each in found]
        tables = [
            table
            for each, keys in chosen
            for table in await feeds.tables(each.link, each.session.id, each.title, keys)
        ]
    write_csv(tables, args.output, args.rfc4180)
    return Exit.OK


def _without_format(words: list[str]) -> list[str]:
    """`export csv mine` is `export mine`; a session that is called csv can be named by its number."""
    return words[1:] if words[0] == "csv" and len(words) > 1 else words


def write_csv(tables: Sequence[csv.Table], path: Path | None, rfc4180: bool) -> None:
    """To a file, or to standard output. Raises OSError."""
    text = csv.rfc4180(tables) if rfc4180 else csv.plain(tables)
    if path is None:
        sys.stdout.buffer.write(text.encode())
        sys.stdout.flush()
    else:
        path.write_bytes(text.encode())
        rows = sum(len(table.rows) for table in tables)
        print(f"{rows} rows written to {path}", file=sys.stderr)


async def plot(args: argparse.Namespace) -> Exit:
    """Draw the chosen series of the sessions, all into one plot."""
    view = View(
        axis=args.x,
        log=args.log,
        smooth=args.smooth,
        x0=args.begin,
        x1=args.end,
        log_right=args.log_right,
        log_x=args.log_x,
    )
    args.width = args.width or min(output.width(), 120)
    if args.x == "clock" and args.log_x:
        raise VerbError(
            "a time of day has no logarithm: --log-x needs --x iteration or time", None, Exit.USAGE
        )
    async with AsyncExitStack() as stack:
        found = await several.sessions(args, args.sessions, stack)
        chosen = [(each, await chosen_keys(each.link, each.session, args.series)) for each in found]
        if args.csv is not None:
            tables = []
            for each, keys in chosen:
                within = csv.Range(view.axis, view.x0, view.x1)
                tables += await feeds.tables(each.link, each.session.id, each.title, keys, within)
            write_csv(tables, args.csv, args.rfc4180)
        files = [path for path in (args.svg, args.png) if path is not None]
        if args.csv is not None and not files:
            return Exit.OK
        ask = Ask(view.axis, view.log_x, view.x0, view.x1, 2 * (PICTURE[0] if files else args.width))
        sources = [await _source(each, keys, ask) for each, keys in chosen]
    if args.json:
        output.print_json(
            [
                as_points(each.key, series)
                for (each, _), source in zip(chosen, sources, strict=True)
                for series in source.series
            ]
        )
        return Exit.OK
    swapped = frozenset(
        text_of(key) for _, keys in chosen for key in csv.select(keys, args.swap)[0] if args.swap
    )
    curves = curves_of(sources, view, Choice(swapped=swapped), Slots())
    title = args.title if args.title is not None else ", ".join(each.title for each, _ in chosen)
    for path in files:
        write_picture(path, curves, view, title, path is args.png)
    if not files:
        _say(curves, view, output.one_line(title), args)
    return Exit.OK


async def _source(each: several.Found, keys: Sequence[SeriesKey], ask: Ask) -> Source:
    source = Source(each.key, output.one_line(each.title))
    began = each.session.runs[0].started if each.session.runs else 0.0
    source.take(await feeds.window(each.link, each.session.id, ask, keys, began))
    return source


def _say(curves: Sequence[Curve], view: View, title: str, args: argparse.Namespace) -> None:
    from barista_tui.plotting.chart import chart, words

    if args.plain:
        for line in words(curves, view):
            output.say(line)
        return
    ascii_only = args.ascii or output.use_ascii(sys.stdout)
    colour = output.use_colour(sys.stdout) and not args.ascii
    try:
        output.say(chart(curves, view, title, args.width, args.height, ascii_only, colour))
    except ValueError as error:
        raise VerbError(f"{title}: {error}", "Without --log-y?" if view.log else None) from None


def write_picture(path: Path, curves: Sequence[Curve], view: View, title: str, png: bool) -> None:
    """Raises OSError, VerbError."""
    from barista_tui.plotting.figure import figure
    from barista_tui.plotting.svg import svg

    if not any(not each.off for each in curves):
        raise VerbError(f"{title}: no points to draw")
    drawn = figure(curves, view, title, *PICTURE)
    if png:
        from barista_tui.plotting import raster

        path.write_bytes(raster.write(drawn, 2))
    else:
        path.write_text(svg(drawn))
    print(f"{path} written", file=sys.stderr)


async def chosen_keys(link: Link, session: SessionInfo, patterns: Iterable[str] | None) -> list[SeriesKey]:
    """The session's series that the patterns name, the smoothed loss first; None: those worth a curve.

    Raises VerbError.
    """
    known = (await link.call(ListSeries(session=session.id), SeriesList)).keys
    known = sorted(known, key=lambda key: (csv.phase_name(key) != "TRAIN", key.net, key.output))
    if not known:
        raise VerbError(
            f"{session.name} has no metrics yet",
            f"Is it running? See: barista show {session.id}",
            Exit.NOT_FOUND,
        )
    if patterns is None:
        return usual_keys(known) or known[:1]
    keys, unknown = csv.select(known, patterns)
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


def as_points(key: Key, series: Series) -> dict[str, object]:
    """One series for --json: x, and the least and greatest value of each bucket."""
    return {
        "host": key.host,
        "session": key.session,
        "key": series.key,
        "x": list(csv.floats(series.x)),
        "low": list(csv.floats(series.low)),
        "high": list(csv.floats(series.high)),
    }
