"""One line of the console: from a log's line or a message to coloured text. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from msgspec import Struct
from rich.segment import Segment
from rich.style import Style

from barista_server.api.messages import LogLine, Notice
from barista_tui import format as fmt
from barista_tui.store import Key
from barista_tui.theme import Palette, ink
from barista_tui.widgets.bar import color_of

GLOG = re.compile(r"^[IWEF](?:\d{4}|\d{8}) (\d\d:\d\d:\d\d)(?:\.\d+)? +\d+ [^\]\s]+\] ?")
"""What glog puts before each line; only its time of day is shown."""

KIND_TONES = {
    "plain": "dim",
    "metric": "text",
    "test": "finished",
    "event": "running",
    "warning": "warning",
    "error": "failed",
    "text": "text",
}

TYPES: dict[str, tuple[str, ...]] = {
    "all": (),
    "text": ("plain", "metric", "test", "event"),
    "errors": ("warning", "error"),
    "metrics": ("metric", "test"),
}
"""The console's types by name, and which kinds of a log's lines they are; of messages *errors* are those of
kind error, *text* all others, and *metrics* none.
"""

TYPE_WORDS = {"all": "All", "text": "Text", "errors": "Errors", "metrics": "Metrics"}

STAMP = 9
"""Cells of the time of day before a line."""


class Row(Struct, frozen=True):
    """``text`` as it was written, of which the first ``skip`` characters are not shown: the time is."""

    text: str
    kind: str = "plain"
    stamp: str = ""
    """Time of day, ``14:02:31``."""
    skip: int = 0
    caller: str = ""
    """Who says it; empty in a log, where it is known."""
    key: Key | None = None
    """Whose log it is in, and there in which run, at which line."""
    run: int = 0
    number: int = -1

    @property
    def message(self) -> str:
        """Without what glog puts before it."""
        return self.text[self.skip :]

    @property
    def whole(self) -> str:
        """As it is copied and saved: ``[14:02:31, Session 7] text``, of a single log the line as written."""
        return f"{prefix(self)}{self.message}" if self.caller else self.text


def prefix(row: Row) -> str:
    """``[14:02:31, Session 7] ``."""
    return f"[{row.stamp}, {row.caller}] "


@lru_cache(4096)
def log_row(line: LogLine) -> Row:
    """A line of a single log."""
    match = GLOG.match(line.text)
    if match is None:
        return Row(line.text, line.kind, number=line.number)
    return Row(line.text, line.kind, match.group(1), match.end(), number=line.number)


def notice_row(notice: Notice) -> Row:
    """A message of an agent, a host's link, or this program."""
    text = " ".join(notice.text.split("\n"))
    return Row(text, notice.kind, fmt.clock(notice.time), caller=notice.caller)


def is_of_type(notice: Notice, type_: str) -> bool:
    """Whether a message passes the filter by type."""
    return type_ == "all" or (type_ != "metrics" and (notice.kind == "error") == (type_ == "errors"))


def segments(row: Row, palette: Palette, raw: bool, spans: Sequence[int] = ()) -> list[Segment]:
    """A line painted: who and when dim, message in the colour of its kind, matches marked."""
    color = ink(color_of(palette, KIND_TONES[row.kind]))
    dim = ink(palette.dim)
    before: list[Segment] = []
    shown_from = 0 if raw else row.skip
    if row.caller:
        before = [Segment(prefix(row), dim)]
    elif not raw:
        before = [Segment(f"{row.stamp:{STAMP}}", dim)]
    if not spans:
        return [*before, Segment(row.text[shown_from:], color)]
    return [*before, *_marked(row.text, shown_from, color, palette, spans)]


def _marked(text: str, start: int, color: Style, palette: Palette, spans: Sequence[int]) -> list[Segment]:
    # Reversed, it is seen without colours too.
    mark = Style(color=palette.tones["warning"], bold=True, reverse=True)
    parts: list[Segment] = []
    at = start
    for begin, end in zip(spans[::2], spans[1::2], strict=True):
        begin, end = max(begin, start), max(end, start)
        if end > begin >= at:
            parts += [Segment(text[at:begin], color), Segment(text[begin:end], mark)]
            at = end
    return [*parts, Segment(text[at:], color)]
