"""What the console's titles and lists say. Pure."""

from __future__ import annotations

from barista_server.api.messages import RunInfo, SessionInfo
from barista_tui import format as fmt
from barista_tui.consolerows import TYPE_WORDS
from barista_tui.lines import logs_of, shown_log
from barista_tui.widgets.bar import Piece
from barista_tui.widgets.console import Console

TYPE_NOTES = {
    "all": "everything",
    "text": "no errors, no warnings",
    "errors": "errors and warnings",
    "metrics": "losses, rates, outputs of the nets",
}


def follow(console: Console) -> list[Piece]:
    """Whether it follows, and what came meanwhile."""
    if console.follow:
        return [Piece("following ", "running")]
    if console.unseen:
        return [Piece(f"+{fmt.spaced(console.unseen)} new, G follows ", "warning", "follow")]
    return [Piece("G follows ", "dim", "follow")]


def choices(
    total: int, type_: str, caller: str, session: SessionInfo | None, number: int | None
) -> list[Piece]:
    """The drop-downs, and how many lines pass them; ``session``: whose log it is, ``number``: of its run."""
    pieces = [Piece(f"{fmt.spaced(total)} line{'' if total == 1 else 's'}  ", "dim")]
    run = shown_log(session, number) if session is not None else None
    if session is not None and run is not None:
        several = len(logs_of(session)) > 1
        name = f"run {run.number}" if run.number else "whole file"
        of = f" of {session.runs[-1].number}" if several and run.number else ""
        pieces.append(Piece(f"{session.id} {session.name}  ", "dim"))
        pieces.append(
            Piece(f"{name}{of}{' ▾' if several else ''}  ", "dim" if number is None else "accent", "runs")
        )
    pieces += [
        Piece("Type ", "dim", "types"),
        Piece(f"{TYPE_WORDS[type_]} ▾  ", "text" if type_ == "all" else "accent", "types"),
        Piece("Caller ", "dim", "callers"),
        Piece(f"{caller} ▾  ", "text", "callers"),
    ]
    return pieces


def run_words(run: RunInfo) -> tuple[str, str]:
    """``run 2``, and what became of it."""
    lines = f"{fmt.spaced(run.lines)} lines"
    if not run.number:
        return "whole file", lines
    parts = [f"{fmt.date(run.started)} {fmt.clock(run.started)}", lines]
    if run.resumed_from is not None:
        parts.insert(1, f"from iteration {run.resumed_from}")
    if run.ended is None:
        parts.append(fmt.ending(run) or "goes on")
    elif run.signal is not None:
        parts.append(f"signal {run.signal}")
    elif run.exit_code is not None:
        parts.append(f"exit code {run.exit_code}")
    elif run.ending:
        parts.append(run.ending)
    return f"run {run.number}", ", ".join(parts)
