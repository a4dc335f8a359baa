"""Metrics as CSV: pure functions from windows of a session's series to text.

The plain format has one table a session and phase, introduced by a comment line, ``; `` between the cells and
the header ``Iterations; Time; NAME.PHASE.KEY; ...``. Time is in seconds since the session's first run began.
The other is RFC 4180: one comma-separated table with a column for session and phase, and CRLF.
"""

from __future__ import annotations

import csv
import fnmatch
import io
import math
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from barista_server.api.messages import Series, SeriesKey

WHOLE = 0
"""The number of buckets that asks for every point as it is."""

Axis = Literal["iteration", "time"]


class Range(Struct, frozen=True):
    """A part of an axis of the plot, None: open. Seconds of ``clock`` are those of Unix."""

    axis: Literal["iteration", "time", "clock"] = "iteration"
    x0: float | None = None
    x1: float | None = None

    def has(self, iteration: float, time: float | None, origin: float) -> bool:
        """A row lies within; without a known time it does unless that is asked for."""
        x = iteration if self.axis == "iteration" else time
        if x is None:
            return self.x0 is None and self.x1 is None
        x += origin if self.axis == "clock" else 0.0
        return (self.x0 is None or x >= self.x0) and (self.x1 is None or x <= self.x1)


class Table(Struct, frozen=True):
    """Metrics of one phase of one session. ``rows``: iteration, seconds, one value or None a column."""

    session: str
    phase: str
    columns: list[str]
    rows: list[tuple[float, float | None, list[float | None]]]


def phase_name(key: SeriesKey) -> str:
    """TRAIN; TEST for the first test net, TEST1, TEST2 ... for the others."""
    if key.phase == "train":
        return "TRAIN"
    return f"TEST{key.net}" if key.net else "TEST"


def column_names(keys: Sequence[SeriesKey]) -> list[str]:
    """The name of each key within its phase; outputs with the same name get their number: ``loss#0``."""
    count = Counter((phase_name(key), key.name) for key in keys)
    return [
        f"{key.name}#{key.output}" if key.output >= 0 and count[phase_name(key), key.name] > 1 else key.name
        for key in keys
    ]


def select(keys: Sequence[SeriesKey], patterns: Iterable[str]) -> tuple[list[SeriesKey], list[str]]:
    """Keys that any pattern names (``loss``, ``test.loss``, ``*``), and the patterns that name none.

    Without patterns all keys. Capitals and small letters are the same.
    """
    wanted = [
        pattern.strip().lower() for given in patterns for pattern in given.split(",") if pattern.strip()
    ]
    if not wanted:
        return list(keys), []
    chosen: set[int] = set()
    unknown: list[str] = []
    for pattern in wanted:
        # Only a name that no column has alone may mean the several outputs that share it.
        hits = _named(pattern, keys, column_names(keys)) or _named(pattern, keys, [key.name for key in keys])
        chosen |= hits
        if not hits:
            unknown.append(pattern)
    return [key for index, key in enumerate(keys) if index in chosen], unknown


def _named(pattern: str, keys: Sequence[SeriesKey], names: Sequence[str]) -> set[int]:
    """Positions of the keys whose name, with or without its phase, fits the pattern."""
    return {
        index
        for index, (key, name) in enumerate(zip(keys, names, strict=True))
        if fnmatch.fnmatchcase(f"{phase_name(key)}.{name}".lower(), pattern)
        or fnmatch.fnmatchcase(name.lower(), pattern)
    }


def tables(session: str, by_iteration: Sequence[Series], by_time: Sequence[Series]) -> list[Table]:
    """Join the series of one session, against iterations and against time, into a table a phase.

    Points of both are the same where run and line are; a time that is not known stays open.
    """
    keys = [series.key for series in by_iteration]
    columns = column_names(keys)
    found: dict[str, Table] = {}
    for phase in sorted(
        {phase_name(key) for key in keys}, key=lambda name: (name != "TRAIN", len(name), name)
    ):
        members = [index for index, key in enumerate(keys) if phase_name(key) == phase]
        rows: dict[tuple[int, float], tuple[float | None, list[float | None]]] = {}
        for column, index in enumerate(members):
            times = dict(zip(_places(by_time[index]), floats(by_time[index].x), strict=True))
            at, values = floats(by_iteration[index].x), floats(by_iteration[index].low)
            for place, x, value in zip(_places(by_iteration[index]), at, values, strict=True):
                _, cells = rows.setdefault((place[0], x), (times.get(place), [None] * len(members)))
                cells[column] = value
        found[phase] = Table(
            session,
            phase,
            [columns[index] for index in members],
            [(iteration, time, cells) for (_, iteration), (time, cells) in sorted(rows.items())],
        )
    return list(found.values())


def _places(series: Series) -> Iterable[tuple[int, int]]:
    """Run and log line of each point."""
    return zip(array("i", series.run), array("q", series.line), strict=True)


def floats(raw: bytes) -> array[float]:
    """Raw little-endian float64 as numbers (every machine Barista runs on is little-endian)."""
    return array("d", raw)


def joined(pieces: Sequence[Series]) -> Series:
    """One series of several stretches of the same metric, at least one, in their order."""

    def join(name: str) -> bytes:
        return b"".join(getattr(piece, name) for piece in pieces)

    return Series(
        key=pieces[0].key,
        x=join("x"),
        low=join("low"),
        high=join("high"),
        line=join("line"),
        run=join("run"),
        points=sum(piece.points for piece in pieces),
        nonfinite=join("nonfinite"),
    )


def cut(table: Table, within: Range, origin: float) -> Table:
    """The rows within a range; ``origin``: the time that the table's seconds are counted from."""
    rows = [row for row in table.rows if within.has(row[0], row[1], origin)]
    return replace(table, rows=rows)


def number(value: float | None) -> str:
    """Shortest text that reads back as the same number; whole ones without a point, None as nothing."""
    if value is None:
        return ""
    if math.isfinite(value) and value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return repr(value)


def seconds(value: float | None) -> str:
    """Microseconds are what the log has."""
    return "" if value is None else f"{value:.6f}"


def plain(all_tables: Iterable[Table]) -> str:
    """The ``;`` format, lines ended by a newline and tables parted by an empty line."""
    parts: list[str] = []
    for table in all_tables:
        name = _cell(table.session)
        header = [
            "Iterations",
            "Time",
            *(f"{name}.{table.phase}.{_cell(column)}" for column in table.columns),
        ]
        lines = [f"# {name} {table.phase}", "; ".join(header)]
        for iteration, time, cells in table.rows:
            lines.append("; ".join([number(iteration), seconds(time), *map(number, cells)]))
        parts.append("".join(line + "\n" for line in lines))
    return "\n".join(parts)


def rfc4180(all_tables: Iterable[Table]) -> str:
    """One table for all sessions and phases: Session, Phase, Iterations, Time and every column."""
    given = list(all_tables)
    columns = list(dict.fromkeys(column for table in given for column in table.columns))
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["Session", "Phase", "Iterations", "Time", *columns])
    for table in given:
        places = [columns.index(column) for column in table.columns]
        for iteration, time, cells in table.rows:
            row = [""] * len(columns)
            for place, cell in zip(places, cells, strict=True):
                row[place] = number(cell)
            writer.writerow([table.session, table.phase, number(iteration), seconds(time), *row])
    return out.getvalue()


def _cell(text: str) -> str:
    """The plain format has no quoting: what would end a cell or a line is replaced."""
    return "".join("," if char == ";" else char if char.isprintable() else " " for char in text)
