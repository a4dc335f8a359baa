"""The command line of `barista plot` and `barista export`."""

from __future__ import annotations

import argparse
from datetime import datetime
from pathlib import Path

from barista_tui.verbs.arguments import SESSION_HELP, Verbs, add_json, add_verb, at_least

SESSIONS_HELP = f"{SESSION_HELP}; of another host: HOST:SESSION"


def add_plot(verbs: Verbs[argparse.ArgumentParser]) -> None:
    """Both verbs."""
    export = add_verb(verbs, "export", "write metrics as CSV; also: export csv SESSION")
    export.add_argument("sessions", nargs="+", metavar="SESSION", help=SESSIONS_HELP)
    export.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: standard output")
    _series(export, "all")
    _rfc4180(export)

    plot = add_verb(verbs, "plot", "draw metrics of sessions into one plot: as text, SVG or PNG")
    plot.add_argument("sessions", nargs="+", metavar="SESSION", help=SESSIONS_HELP)
    _series(plot, "training loss and test outputs")
    axes = plot.add_argument_group("axes")
    axes.add_argument(
        "--x", choices=["iteration", "time", "clock"], default="iteration", help="clock: the time of day"
    )
    axes.add_argument("--log", "--log-y", action="store_true", help="logarithmic")
    axes.add_argument("--log-right", action="store_true", help="the right axis logarithmic")
    axes.add_argument("--log-x", action="store_true", help="the x axis logarithmic")
    axes.add_argument(
        "--swap", action="append", default=[], metavar="PHASE.KEY", help="these have the other y axis"
    )
    where = "where the x axis begins: iteration, seconds, or as in 2026-11-25T14:00"
    axes.add_argument("--from", dest="begin", type=_place, metavar="X", help=where)
    axes.add_argument("--to", dest="end", type=_place, metavar="X", help="where it ends")
    axes.add_argument(
        "--smooth", type=int, choices=[0, 1, 2], default=0, help="training curves: off, a little, much"
    )
    files = plot.add_argument_group("files, instead of text")
    files.add_argument("--svg", type=Path, metavar="FILE", help="a drawing")
    files.add_argument("--png", type=Path, metavar="FILE", help="a picture of 2000 x 1120 pixels")
    files.add_argument(
        "--csv", type=Path, metavar="FILE", help="all points within the x axis, as: barista export"
    )
    _rfc4180(files)
    files.add_argument("--title", metavar="TEXT", help="default: the sessions' names")
    text = plot.add_argument_group("text")
    text.add_argument("--plain", action="store_true", help="in words, for screen readers")
    text.add_argument("--ascii", action="store_true", help="plain ASCII")
    text.add_argument(
        "--width", type=at_least(30), metavar="COLUMNS", help="default: the terminal's, at most 120"
    )
    text.add_argument("--height", type=at_least(8), default=18, metavar="LINES", help="default: 18")
    add_json(plot)


def _place(text: str) -> float:
    """A type for places on the x axis; times are local."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is no number, and no time as 2026-11-25T14:00") from None


def _series(verb: argparse.ArgumentParser, default: str) -> None:
    verb.add_argument(
        "--series",
        "--keys",
        action="append",
        metavar="PHASE.KEY",
        help="only these: train.loss, test.accuracy, lr, 'test.*'; several with commas or repeated "
        f"(default: {default})",
    )


def _rfc4180(verb: argparse._ActionsContainer) -> None:
    verb.add_argument(
        "--rfc4180",
        action="store_true",
        help="CSV as one comma-separated table with CRLF instead of one per phase with ;",
    )
