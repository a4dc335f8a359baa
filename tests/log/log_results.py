"""Helpers of the log tests: parse in one go or in pieces, and compare everything a parser knows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from barista_server.caffe.log import LogParser

FIXTURES = Path(__file__).parents[1] / "fixtures" / "logs"
OWN = sorted(FIXTURES.glob("*.log"))
"""Runs of BVLC caffe 1.0."""
PUBLIC = Path(__file__).parents[3] / "shared" / "logs"
"""Other people's logs: read where they are, never part of the project."""


def parse(
    data: bytes, cuts: Iterable[int] = (), *, exact: bool = False, year: int | None = None
) -> LogParser:
    """Feed ``data``, cut at the places given."""
    parser = LogParser(year, exact=exact)
    begin = 0
    for cut in [*sorted(cuts), len(data)]:
        parser.feed(data[begin:cut])
        begin = max(begin, cut)
    parser.finish()
    return parser


def everything(parser: LogParser) -> dict[str, Any]:
    """All results of a parser, comparable with ``==`` (NaN equals NaN)."""
    index = parser.index
    return {
        "lines": index.lines,
        "size": index.size,
        "kinds": index.kinds.tolist(),
        "spans": [index.span(line, line + 1) for line in range(0, index.lines, 64)],
        "series": {
            key: (
                series.iteration.tolist(),
                list(map(repr, series.seconds.tolist())),
                list(map(repr, series.value.tolist())),
                series.line.tolist(),
            )
            for key, series in parser.series.items()
        },
        "order": list(parser.series),
        "tests": [
            getattr(parser.tests, name).astype(str).tolist()
            for name in ("iteration", "begin", "end", "net", "line")
        ],
        "runs": [asdict(run) for run in parser.runs],
        "dumps": [asdict(dump) for dump in parser.dumps],
        "counts": dict(parser.event_counts),
        "events": [str(event) for event in parser.events],
        "life": (parser.life, parser.iteration, parser.test_iteration, repr(parser.seconds), parser.epoch),
    }


def glog(text: str, second: float = 0.0, level: str = "I", day: str = "20261123") -> str:
    """A line as glog prints it, ``second`` seconds into the day."""
    hour, minute = int(second // 3600), int(second // 60 % 60)
    return f"{level}{day} {hour:02d}:{minute:02d}:{second % 60:09.6f} 31578 solver.cpp:239] {text}\n"
