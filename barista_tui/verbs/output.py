"""How verbs print: aligned tables, JSON, colour only where it can be seen."""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
from collections.abc import Sequence
from typing import TextIO

import msgspec
from rich.cells import cell_len

from barista_server.api.messages import Message, Problem, SessionInfo, SlurmOptions, State
from barista_tui import format

GREY, GREEN, YELLOW, BLUE, RED, MAGENTA = "90", "32", "33", "36", "31", "35"
TONES = {
    "idle": GREY,
    "queued": MAGENTA,
    "running": GREEN,
    "paused": YELLOW,
    "finished": BLUE,
    "failed": RED,
    "warning": YELLOW,
}
_PLAIN = str.maketrans({"…": "~", "—": "-", "–": "-"})


def use_colour(stream: TextIO) -> bool:
    """On a terminal that shows it, unless NO_COLOR is set."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def use_ascii(stream: TextIO) -> bool:
    """Where no Unicode signs can be shown: TERM=dumb, or an encoding that has none."""
    encoding = (getattr(stream, "encoding", None) or "ascii").lower().replace("-", "")
    return os.environ.get("TERM") == "dumb" or not encoding.startswith("utf")


def paint(text: str, colour: str) -> str:
    """``text`` in a colour, if standard output takes colours."""
    return f"\x1b[{colour}m{text}\x1b[0m" if colour and use_colour(sys.stdout) else text


def say(text: str = "") -> None:
    """A line on standard output, now; signs it cannot show are replaced."""
    if use_ascii(sys.stdout):
        text = text.translate(_PLAIN)
    print(text, flush=True)


def one_line(text: str) -> str:
    """Text of others, made harmless for a terminal and a table."""
    return "".join(char if char.isprintable() else " " for char in text)


def state_word(session: SessionInfo) -> str:
    """``▶ Running``; the word alone where signs cannot be shown."""
    look = format.state_look(session)
    return look.word if use_ascii(sys.stdout) else f"{look.glyph} {look.word}"


def width() -> int:
    """Columns there are: the terminal's, else $COLUMNS, else 80."""
    return shutil.get_terminal_size((80, 24)).columns


def table(
    rows: Sequence[Sequence[str]], right: Sequence[int] = (), wide: int | None = None
) -> list[list[str]]:
    """Cells as wide as their column; columns of ``right`` lean right, column ``wide`` is cut to fit."""
    if not rows:
        return []
    widths = [max(cell_len(row[column]) for row in rows) for column in range(len(rows[0]))]
    if wide is not None:
        over = sum(widths) + 2 * (len(widths) - 1) - width()
        widths[wide] = max(8, widths[wide] - max(0, over))
    return [
        [format.fit(cell, widths[column], column in right) for column, cell in enumerate(row)] for row in rows
    ]


def as_data(value: object) -> object:
    """What JSON can hold: structs as objects with all their fields, numbers that are none as strings."""
    if isinstance(value, Message):
        return {field: as_data(getattr(value, field)) for field in value.__struct_fields__}
    if isinstance(value, dict):
        return {key: as_data(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_data(item) for item in value]
    if isinstance(value, State):
        return value.value
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def print_json(value: object) -> None:
    """One JSON value and a newline."""
    print(json.dumps(as_data(value), indent=2, ensure_ascii=False), flush=True)


def problem_lines(problems: Sequence[Problem], indent: str = "  ") -> list[str]:
    """``net.prototxt:41: bottom "poolX" is unknown``, each with its hint on the next line."""
    lines = []
    for problem in problems:
        where = ":".join(str(part) for part in (problem.file, problem.line) if part is not None)
        lines.append(indent + one_line(f"{where}: {problem.text}" if where else problem.text))
        if problem.hint:
            lines.append(f"{indent}  {one_line(problem.hint)}")
    return lines


def print_session(session: SessionInfo, as_json: bool) -> None:
    """One line, or all of it as JSON."""
    if as_json:
        print_json(session)
        return
    at = f" at iteration {session.iteration}" if session.iteration else ""
    say(f"{session.id}  {one_line(session.name)}  {state_word(session)}{at}")


def job_words(launcher: str, asked: SlurmOptions | None) -> str:
    """Whether a session is a job of Slurm, and what a job of it asks for."""
    said = msgspec.to_builtins(asked or SlurmOptions())
    more = " ".join(map(one_line, said.pop("arguments", [])))
    words = [f"{name} {one_line(str(value))}" for name, value in said.items()]
    asks = ", ".join([*words, *([more] if more else [])]) or "what Slurm gives by itself"
    return f"{'a job' if launcher == 'slurm' else 'as a job it would be one'} of Slurm: {asks}"
