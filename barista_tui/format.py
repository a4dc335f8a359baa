"""How numbers, states and bars read on the screen. Pure text: no colour is decided here."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size

from barista_server.api.messages import Ancestor, CaffeInfo, Notice, RunInfo, SessionInfo, State
from barista_server.api.text import clean_name

ELLIPSIS = "…"
UNKNOWN_FIELD = re.compile(r'Message type "[\w.]+" has no field named ("[^"]*")')
"""How protobuf puts it: the file is named before, and a row is short."""
SPARKS = "▁▂▃▄▅▆▇█"


class StateLook(NamedTuple):
    """A state is a glyph, a word and a colour; ``tone`` names the colour in the theme."""

    glyph: str
    word: str
    tone: str


STATES: dict[State, StateLook] = {
    State.WAITING: StateLook("○", "Waiting", "idle"),
    State.QUEUED: StateLook("⧗", "Queued", "queued"),
    State.RUNNING: StateLook("▶", "Running", "running"),
    State.PAUSING: StateLook("◐", "Pausing", "paused"),
    State.PAUSED: StateLook("‖", "Paused", "paused"),
    State.FINISHED: StateLook("✔", "Finished", "finished"),
    State.PRETRAINED: StateLook("◇", "Pre-trained", "idle"),
    State.FAILED: StateLook("✖", "Failed", "failed"),
    State.INTERRUPTED: StateLook("↯", "Interrupted", "warning"),
    State.INVALID: StateLook("!", "Invalid", "failed"),
}


def state_look(session: SessionInfo) -> StateLook:
    """Glyph, word and tone of a session's state; a stalled run says so, a queued one its place."""
    look = STATES[session.state]
    if session.state is State.QUEUED and session.queued is not None:
        place = f" #{session.queued.place}" if session.queued.place else ""
        return StateLook(look.glyph, f"{look.word}{place}", look.tone)
    if session.stalled and session.state is State.RUNNING:
        return StateLook(look.glyph, "Stalled", "warning")
    return look


def duration(seconds: float | None) -> str:
    """At most seven cells: ``42 s``, ``03:12`` (minutes:seconds), ``5 h 07``, ``3 d 4 h``; empty for None."""
    if seconds is None or not math.isfinite(seconds):
        return ""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60:02d}:{whole % 60:02d}"
    if whole < 48 * 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d}"
    days = whole // 86400
    return f"{days} d {whole % 86400 // 3600} h" if days < 100 else f"{days} d"


def age(seconds: float) -> str:
    """How long ago, in one unit: ``12 s``, ``3 m``, ``5 h``, ``2 d``."""
    whole = max(0, int(seconds))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if whole >= size:
            return f"{whole // size} {unit}"
    return f"{whole} s"


def count(number: int) -> str:
    """Exact below ten thousand, then ``10k``, ``131k``, ``1.2M``."""
    if abs(number) < 10_000:
        return str(number)
    for size, unit in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        # 999 950 and up would round to four digits of the smaller unit.
        if abs(number) >= size * 0.99995:
            short = f"{number / size:.0f}" if abs(number) >= 100 * size else f"{number / size:.1f}"
            return f"{short.removesuffix('.0')}{unit}"
    return str(number)


def progress(session: SessionInfo) -> str:
    """``4210/10k``; only the iteration where the solver has no end; empty before anything is known."""
    if session.max_iter <= 0:
        return count(session.iteration) if session.iteration else ""
    return f"{count(session.iteration)}/{count(session.max_iter)}"


def fraction(session: SessionInfo) -> float:
    """Part of the iterations done, 0 to 1."""
    if session.max_iter <= 0:
        return 0.0
    return min(1.0, max(0.0, session.iteration / session.max_iter))


def value(number: float | None) -> str:
    """A loss or a metric in at most eight cells, four significant digits; empty for None."""
    if number is None:
        return ""
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Inf" if number > 0 else "-Inf"
    size = abs(number)
    if size != 0 and (size < 1e-4 or size >= 1e5):
        return f"{number:.1e}".replace("e-0", "e-").replace("e+0", "e")
    if size >= 1000:
        return f"{number:.0f}"
    decimals = 4 if size < 1 else 3 if size < 10 else 2 if size < 100 else 1
    return f"{number:.{decimals}f}"


def size(bytes_: int) -> str:
    """``812 B``, ``1.3 MB``."""
    if bytes_ < 1000:
        return f"{bytes_} B"
    number, unit = bytes_ / 1e3, "kB"
    for bigger in ("MB", "GB", "TB"):
        if number < 999.5:
            break
        number, unit = number / 1000, bigger
    return f"{number:.1f} {unit}" if number < 99.95 else f"{number:.0f} {unit}"


def spaced(number: int) -> str:
    """``1 234 567``, by narrow blanks."""
    return f"{number:,}".replace(",", "\u202f")


def plural(number: int, word: str) -> str:
    """``1 file``, ``3 files``."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def bar(part: float, width: int) -> tuple[str, str]:
    """Filled and empty part of a progress bar of ``width`` cells, in halves of a cell."""
    halves = round(min(1.0, max(0.0, part)) * width * 2)
    full, half = divmod(halves, 2)
    filled = "━" * full + "╸" * half
    return filled, "─" * (width - len(filled))


def sparkline(values: Sequence[float], width: int) -> str:
    """The last ``width`` values as blocks, low to high; NaN is a gap."""
    shown = list(values)[-width:]
    finite = [number for number in shown if math.isfinite(number)]
    if not finite:
        return ""
    low, high = min(finite), max(finite)
    span = high - low
    blocks = [
        " " if not math.isfinite(number) else SPARKS[round((number - low) / span * 7) if span > 0 else 0]
        for number in shown
    ]
    return "".join(blocks)


def fit(text: str, width: int, right: bool = False) -> str:
    """``text`` in exactly ``width`` cells, cut with an ellipsis, filled with blanks."""
    if width <= 0:
        return ""
    length = cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + ELLIPSIS
    blanks = " " * (width - length)
    return blanks + text if right else text + blanks


def pad(text: str, width: int) -> str:
    """``text`` filled with blanks to ``width`` cells; one that is longer stays whole."""
    return text + " " * (width - cell_len(text))


def clock(at: float) -> str:
    """Local time of day, ``14:02:31``."""
    return time.strftime("%H:%M:%S", time.localtime(at))


def date(at: float) -> str:
    """Local day, ``2026-11-25``."""
    return time.strftime("%Y-%m-%d", time.localtime(at))


def ending(run: RunInfo) -> str:
    """How a run of an imported log ended: ``stopped early``, ``just stops``; empty where processes tell."""
    if run.ending == "open":
        return "going on" if run.ended is None else "just stops"
    return run.ending


def notice_prefix(notice: Notice) -> str:
    """``[14:02:31, Session 7]``."""
    return f"[{clock(notice.time)}, {notice.caller}]"


def _within_a_sentence(text: str) -> str:
    """``It was told`` as ``it was told``; abbreviations and names of one letter stay."""
    return text[0].lower() + text[1:] if text[:1].isupper() and text[1:2].islower() else text


_REASONED = {State.FAILED, State.INVALID, State.INTERRUPTED}


def has_reason(session: SessionInfo) -> bool:
    """Its problems say why it is in its state, or the queue why it waits."""
    if session.state is State.QUEUED:
        return session.queued is not None and bool(session.queued.reason)
    return bool(session.problems) and session.state in _REASONED


def reason(session: SessionInfo) -> str:
    """Why a session is invalid, failed or queued, in one line: ``net.prototxt:41 bottom "poolX" unknown``."""
    if session.state is State.QUEUED and session.queued is not None:
        return session.queued.reason
    if not session.problems:
        return ""
    worst = session.problems[0]
    text = UNKNOWN_FIELD.sub(r"no field \1", worst.text)
    if worst.hint and "\n" not in worst.hint:
        text = f"{text}, {_within_a_sentence(worst.hint)}"
    # Of a log, its cause is worth the row's few cells; the place is in the details.
    in_log = worst.log_line is not None and worst.log_line == worst.line
    where = "" if in_log or worst.file is None else worst.file
    if where and worst.line is not None:
        where = f"{where}:{worst.line}"
    more = f" (+{len(session.problems) - 1} more)" if len(session.problems) > 1 else ""
    return f"{where} {text}".strip().replace("\n", " ") + more


def resume_words(session: SessionInfo) -> str:
    """Whether and when the agent starts it again by itself; empty where it does not."""
    if session.auto_resume == "off":
        return ""
    words = "after a reboot or a crash" if session.auto_resume == "crash" else "after a reboot"
    if session.resumes is None:
        return words
    left = duration(max(0.0, session.resumes.due - time.time()))
    return f"{words}; starts again in {left} (try {session.resumes.attempt} of {session.resumes.most})"


def queue_words(session: SessionInfo) -> str:
    """Where it stands in the queue and why it waits: ``2, priority 5, after lenet-base``."""
    queued = session.queued
    if queued is None:
        return ""
    priority = f"priority {queued.priority}" if queued.priority else ""
    return ", ".join(filter(None, [str(queued.place or ""), priority, queued.reason]))


def lineage_words(session: SessionInfo) -> list[str]:
    """What it was made from, nearest first: ``7 lenet, weights of iteration 500``."""
    return [f"{each.id} {clean_name(each.name)}, {taken_words(each)}" for each in session.lineage]


def taken_words(one: Ancestor) -> str:
    """What was taken from an ancestor."""
    if one.how == "copy":
        return f"copied from {clean_name(one.place)}" if one.place else "a copy of its folder"
    if one.how == "settings":
        return "settings only"
    return "its own weights" if one.iteration is None else f"weights of iteration {one.iteration}"


def gpu_word(caffe: CaffeInfo) -> str:
    """Whether a caffe was built for graphics cards: ``yes``, ``CPU only``, or nothing where nobody knows."""
    return {True: "yes", False: "CPU only", None: ""}[caffe.gpu]


def caffe_words(caffe: CaffeInfo) -> str:
    """``BVLC 1.0.0, CPU only``; nothing of one that was not tried yet."""
    words = f"{caffe.kind} {caffe.version}".strip()
    return ", ".join(filter(None, [words, {True: "GPU", False: "CPU only", None: ""}[caffe.gpu]]))
