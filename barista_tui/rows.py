"""A session as one line of the list: which columns fit, and what stands in them. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct

from barista_server.api.messages import SessionInfo, State
from barista_tui import format as fmt

BAR_LEAST = 8
SPARK_WIDTH = 12

MOVING = {State.RUNNING, State.PAUSING, State.QUEUED}
"""States that may have changed since the last news; the others last."""

MARK = "»"
"""Stands in the gap before the name of a marked session."""

LOG_GLYPH = "≡"
"""Stands before the name of an imported log."""

SORTS = ("id", "name", "host", "state", "progress", "loss", "eta")


class Columns(Struct, frozen=True):
    """Cells of each column; 0: not shown. A gap of one cell lies between columns."""

    id: int
    name: int
    host: int
    state: int
    bar: int
    progress: int
    eta: int
    loss: int
    spark: int
    word: bool
    """The state's word is written out (else its glyph alone)."""

    @property
    def reason(self) -> int:
        """Cells from the bar to the row's end, where a failed row says why."""
        parts = [part for part in (self.bar, self.progress, self.eta, self.loss, self.spark) if part]
        return sum(parts) + len(parts) - 1


def columns(
    width: int,
    longest_name: int = 12,
    longest_id: int = 3,
    longest_host: int | None = 6,
    several: bool = False,
) -> Columns:
    """Lay the row out in ``width`` cells (at least about 30); without a column of hosts for None.

    ``several``: there is more than one host, so its column goes only where there is no room at all.
    """
    ids = max(2, min(6, longest_id))
    host = (
        max(6, min(longest_host, 12 if width >= 90 else 8))
        if width >= (48 if several else 72) and longest_host
        else 0
    )
    word = width >= 58
    state = 13 if word else 1
    eta, loss = 7, 7
    progress = 11
    bar = spark = 0
    fixed = ids + state + progress + eta + loss + (host + 1 if host else 0) + 5
    if width < 46:
        # Only what tells one session from the other and how far it is.
        loss = 0
        fixed -= 8
    if width < 38:
        eta = 0
        fixed -= 8
    room = width - fixed
    name = max(8, min(room, longest_name, 28))
    room -= name + 1
    if room >= 30 + SPARK_WIDTH:
        spark = SPARK_WIDTH
        room -= spark + 1
    if room >= BAR_LEAST:
        bar = min(room, 24)
        room -= bar + 1
    name += max(0, min(room, 28 - name))
    return Columns(ids, name, host, state, bar, progress, eta, loss, spark, word)


class Cell(NamedTuple):
    """Text and the tone it is drawn in (a key of the theme's tones, or ``text``, ``dim``, ``faint``)."""

    text: str
    tone: str
    column: str


def heading(layout: Columns, sort: str) -> list[Cell]:
    """The line above the rows; the column sorted by is marked."""
    titles = {
        "id": ("ID", layout.id, False),
        "name": ("NAME", layout.name, False),
        "host": ("HOST", layout.host, False),
        "state": ("STATE" if layout.word else "", layout.state, False),
        "bar": ("PROGRESS", layout.bar, False),
        "progress": ("" if layout.bar else "ITERATION", layout.progress, True),
        "eta": ("ETA", layout.eta, True),
        "loss": ("LOSS", layout.loss, True),
        "spark": ("", layout.spark, False),
    }
    cells = []
    for column, (title, width, right) in titles.items():
        if not width:
            continue
        tone = "accent" if column == sort or (sort == "progress" and column == "bar") else "dim"
        cells.append(Cell(fmt.fit(title, width, right), tone, column))
    return cells


def row(
    session: SessionInfo,
    layout: Columns,
    host: str = "local",
    link: str = "",
    spark: Sequence[float] = (),
    marked: bool = False,
) -> list[Cell]:
    """The cells of one session. ``link``: age of the last news where the link is lost (``2 m``)."""
    look = fmt.state_look(session)
    state = look.glyph
    if layout.word:
        state = f"{look.glyph} {look.word}"
        if link and session.state in MOVING:
            state = f"{look.glyph} {look.word} {link.replace(' ', '')}"
    cells = [
        Cell(fmt.fit(session.id, layout.id), "dim", "id"),
        *([Cell(MARK, "accent", "mark")] if marked else []),
        *_name(session, layout.name),
    ]
    if layout.host:
        cells.append(Cell(fmt.fit(host, layout.host), "dim", "host"))
    cells.append(Cell(fmt.fit(state, layout.state), "idle" if link else look.tone, "state"))
    if fmt.has_reason(session):
        cells.append(Cell(fmt.fit(fmt.reason(session), layout.reason), look.tone, "reason"))
        return cells
    if session.busy and session.state is not State.RUNNING:
        room = layout.progress + (layout.bar + 1 if layout.bar else 0)
        cells.append(Cell(fmt.fit(session.busy, room), "warning", "reason"))
    else:
        cells += _progress(session, layout, look.tone)
    if layout.eta:
        eta = fmt.duration(session.eta) if session.state is State.RUNNING else ""
        cells.append(Cell(fmt.fit(eta, layout.eta, right=True), "text", "eta"))
    if layout.loss:
        bad = session.loss is not None and fmt.value(session.loss) in ("NaN", "Inf", "-Inf")
        text = fmt.fit(fmt.value(session.loss), layout.loss, right=True)
        cells.append(Cell(text, "failed" if bad else "text", "loss"))
    if layout.spark:
        cells.append(Cell(fmt.fit(fmt.sparkline(spark, layout.spark), layout.spark), "accent", "spark"))
    return cells


def _name(session: SessionInfo, width: int) -> list[Cell]:
    if session.kind != "log":
        return [Cell(fmt.fit(session.name, width), "text", "name")]
    # One blank lies between the two.
    return [Cell(LOG_GLYPH, "accent", "kind"), Cell(fmt.fit(session.name, width - 2), "text", "name")]


def name_length(session: SessionInfo) -> int:
    """Cells that its name wants."""
    return len(session.name) + (2 if session.kind == "log" else 0)


def _progress(session: SessionInfo, layout: Columns, tone: str) -> list[Cell]:
    cells = []
    if layout.bar:
        filled, empty = fmt.bar(fmt.fraction(session), layout.bar)
        cells += [Cell(filled, tone, "bar"), Cell(empty, "faint", "bar-rest")]
    cells.append(Cell(fmt.fit(fmt.progress(session), layout.progress, right=True), "text", "progress"))
    return cells


def matches(session: SessionInfo, host: str, words: str) -> bool:
    """Every word of the filter is in the id, name, state or host."""
    hay = f"{session.id} {session.name} {fmt.state_look(session).word} {host} {session.caffe}"
    hay = f"{hay} log".casefold() if session.kind == "log" else hay.casefold()
    return all(word in hay for word in words.casefold().split())


def natural(text: str) -> tuple[int, int, str]:
    """Ids in the order they were given."""
    return (0, int(text), "") if text.isdigit() else (1, 0, text.casefold())


def rank(session: SessionInfo, sort: str) -> str | float:
    """What the list is sorted by, least first: ``sort`` is one of SORTS but id and host."""
    match sort:
        case "name":
            return session.name.casefold()
        case "state":
            return _STATE_ORDER.index(session.state)
        case "progress":
            return -fmt.fraction(session)
        case "loss":
            return session.loss if session.loss is not None and session.loss == session.loss else math.inf
        case "eta":
            return session.eta if session.eta is not None else math.inf
    raise ValueError(sort)


_STATE_ORDER = (
    State.RUNNING,
    State.PAUSING,
    State.FAILED,
    State.INTERRUPTED,
    State.INVALID,
    State.QUEUED,
    State.PAUSED,
    State.WAITING,
    State.PRETRAINED,
    State.FINISHED,
)
