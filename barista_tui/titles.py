"""What the one-line bars say: header, pane titles, legend, footer. Pure: state in, pieces out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rich.cells import cell_len

from barista_server.api.messages import SessionInfo, State
from barista_server.api.text import clean_name
from barista_tui import format as fmt
from barista_tui import rows
from barista_tui.actions import ACTIONS, BY_ID, MENUS, Action, first_key, keys_of, label
from barista_tui.allowed import Context, needs_cause
from barista_tui.frame import WIDE, Shape
from barista_tui.hosts import Cause
from barista_tui.listing import link_words
from barista_tui.panes.table import PANES, SPECS, PaneSpec
from barista_tui.plotting.curves import View
from barista_tui.rows import Cell
from barista_tui.store import HostKnown, Known
from barista_tui.widgets.bar import Piece
from barista_tui.widgets.session_list import LINKS

NO_SESSIONS = (
    "No sessions yet. Three ways to make one:",
    "",
    "n                  here, from a template or prototxt files",
    "barista new FILE   in a shell, from a solver.prototxt",
    "barista demo       in a shell: LeNet learns digits",
    "",
    "i                  a log of any caffe that lies here",
)
"""An empty list teaches."""


_CAUSES: dict[Cause, str] = {
    "key-unknown": "key? F3",
    "key-changed": "KEY CHANGED",
    "auth-failed": "auth failed",
    "no-agent": "no agent",
}
"""What keeps a link from being made, in the few cells of a lamp."""


_HINT_WORDS = {
    "new": "new session",
    "toggle": "starts, pauses",
    "menu": "menus",
    "palette": "all by name",
}
_ALWAYS_WORDS = {"help": "keys here", "back": "hides this"}
"""At the right end of the hint, which has room on every screen."""


def hint(context: Context) -> tuple[list[Piece], list[Piece]]:
    """For whoever is here for the first time; the keys are the person's own."""

    def pieces(words: Mapping[str, str]) -> list[Piece]:
        return [
            piece
            for name, word in words.items()
            for piece in (
                Piece(f" {first_key(BY_ID[name], context)} ", "accent", name),
                Piece(f"{word} ", "text", name),
            )
        ]

    return [Piece(" New here? ", "accent", bold=True), *pieces(_HINT_WORDS)], pieces(_ALWAYS_WORDS)


def empty_list(known: Known, words: str, now: float) -> tuple[str, ...]:
    """What stands where no session is to be shown."""
    if words and known.sessions:
        return (f"No session matches “{words}”. esc shows all.",)
    waiting = [host for host in known.hosts.values() if not host.alive]
    if len(waiting) < len(known.hosts):
        return NO_SESSIONS
    return tuple(f"{host.name} {link_words(host, now)}" for host in waiting)


def no_log(session: SessionInfo) -> str:
    """What stands where the lines of a session without any log will be."""
    if session.queued is not None:
        return f"No log yet: it waits: {clean_name(session.queued.reason)}"
    return "No log yet: space starts the training."


def nothing_to_plot(session: SessionInfo) -> tuple[str, ...]:
    """What stands where a session's curves will be."""
    if session.kind == "log":
        waits = session.busy or session.state is State.RUNNING
        if waits:
            return ("No points yet", session.busy or "the log is watched")
        return ("No points in this log",)
    if session.queued is not None:
        return ("No points yet", f"it waits: {clean_name(session.queued.reason)}")
    if not session.runs:
        return ("No points yet", "space starts the training")
    if session.state in (State.FAILED, State.INVALID):
        return ("No points", "enter shows the reasons")
    return ("No points yet", "the first line comes with the first display")


def header(
    title: str, session: SessionInfo | None, known: Known, now: float, width: int
) -> tuple[list[Piece], list[Piece]]:
    """Name and project (on a narrow screen the session whose pane is shown), menus; right hosts and clock."""
    left = [Piece(" Barista ", "accent", bold=True)]
    if session is not None:
        look = fmt.state_look(session)
        left += [Piece(f" {session.id} {session.name} ", "text"), Piece(f"{look.glyph} ", look.tone)]
    else:
        left.append(Piece(f" {title} ", "text"))
    if width >= WIDE:
        left.append(Piece("   "))
        left += [Piece(f" {name} ", "dim", f"menu:{name}") for name in MENUS]
    else:
        left.append(Piece(" ≡ ", "dim", "menu:Session"))
    clock = Piece(f"  {fmt.clock(now)} ", "dim")
    room = width - sum(cell_len(piece.text) for piece in [*left, clock]) - 1
    return left, [*lamps(known, now, room), clock]


def lamps(known: Known, now: float, room: int) -> list[Piece]:
    """``● local  ✖ gpu02 not connected, 12 s``; where room is short, one word each, then none, then those
    that are well are only counted.
    """
    pieces: list[Piece] = []
    for say in (link_words, _short_words, lambda host, now: ""):
        pieces = [_lamp(host, say(host, now)) for host in known.hosts.values()]
        if sum(cell_len(piece.text) for piece in pieces) <= room:
            return pieces
    well = [host for host in known.hosts.values() if host.alive]
    count = [Piece(f"  ● {len(well)} hosts", "running", reason=", ".join(host.name for host in well))]
    rest = [_lamp(host, "") for host in known.hosts.values() if not host.alive]
    return [*(count if well else []), *rest]


def _lamp(host: HostKnown, words: str) -> Piece:
    glyph, tone = LINKS[host.link.state]
    text = f"  {glyph} {host.name}" + (f" {words}" if words else "")
    return Piece(text, tone, f"lamp:{host.name}", reason=host.link.detail)


def _short_words(host: HostKnown, now: float) -> str:
    known_cause = _CAUSES.get(host.link.cause)
    return known_cause or (fmt.age(now - host.link.since) if host.link.state in ("silent", "lost") else "")


def strip(shape: Shape, right: list[Piece], width: int) -> tuple[list[Piece], list[Piece]]:
    """The tabs, and what finds room right of them. Where it is short, names are too; then what matters least
    at the right goes, and digits alone are the last resort.
    """
    specs = [
        spec
        for spec in PANES
        if not (shape.wide and spec.name == "sessions") and not (shape.docked and spec.name == "console")
    ]
    current = shape.tab if shape.wide else shape.active

    def tabs(word: Callable[[PaneSpec, bool], str]) -> list[Piece]:
        made = ((spec, spec.name == current) for spec in specs)
        return [piece for spec, here in made for piece in _tab(spec, here, shape.active, word(spec, here))]

    def length(pieces: list[Piece]) -> int:
        return sum(cell_len(piece.text) for piece in pieces)

    names = (
        tabs(lambda spec, here: spec.title),
        tabs(lambda spec, here: spec.title if here else spec.short or spec.title),
        tabs(lambda spec, here: spec.short or spec.title),
    )
    for first in range(len(right) + 1):
        for pieces in names:
            if length(pieces) + length(right[first:]) < width:
                return pieces, right[first:]
    return tabs(lambda spec, here: spec.title if here else ""), right


def _tab(spec: PaneSpec, current: bool, active: str, word: str) -> list[Piece]:
    tone = "accent" if spec.name == active else "text" if current else "dim"
    pieces = [Piece(f" {spec.key} ", tone, spec.name)]
    return [*pieces, Piece(f"{word} ", tone, spec.name, bold=current)] if word else pieces


def dock(shape: Shape) -> list[Piece]:
    """The title of the console where it has a place of its own."""
    return _tab(SPECS["console"], True, shape.active, SPECS["console"].title)


def sessions(shown: int, total: int, words: str) -> list[Piece]:
    """How many sessions, and the filter."""
    pieces = [Piece(f"/{words}  ", "accent", "filter")] if words else []
    return [*pieces, Piece(f"{shown} of {total} " if words else f"{total} ", "dim")]


def columns(cells: list[Cell]) -> list[Piece]:
    """Column titles; a click sorts."""
    pieces = [Piece(" ")]
    for cell in cells:
        sort = "progress" if cell.column == "bar" else cell.column
        pieces.append(Piece(cell.text + " ", cell.tone, f"sort:{sort}" if sort in rows.SORTS else ""))
    return pieces


_AXIS_WORDS = {"iteration": "iteration", "time": "time", "clock": "time of day"}


def plot(view: View, zoomed: bool, sessions: tuple[int, int] = (1, 1)) -> list[Piece]:
    """How the curves are drawn, and of how many of the wanted sessions."""
    axis = _AXIS_WORDS[view.axis] + (" (log)" if view.log_x else "")
    log = "log" if view.log else "linear"
    if view.log_right != view.log:
        log += "/log" if view.log_right else "/linear"
    right = [Piece(("unsmoothed  ", "smoothed  ", "very smooth  ")[view.smooth], "dim", "smooth")]
    shown, wanted = sessions
    if wanted > 1:
        count = f"{shown} sessions  " if shown == wanted else f"{shown} of {wanted} sessions  "
        right.append(Piece(count, "dim" if shown == wanted else "warning", "plot-choose"))
    right += [Piece(f"{log}  ", "dim", "scale"), Piece(f"{axis} ", "dim", "axis")]
    if zoomed:
        right.append(Piece(" zoomed ", "accent", "zoom-reset"))
    return right


def footer(context: Context, wide: bool) -> tuple[list[Piece], list[Piece]]:
    """Keys that matter now, left those of the work, right those that are always there.

    What cannot be done is faint and tells why when the mouse rests on it; where room is short it is left out.
    """
    ranked = sorted((action for action in ACTIONS if action.footer), key=lambda action: action.footer)
    offered = [action for action in ranked if action.group != "Barista"]
    own = [BY_ID[name] for name in SPECS[context.pane].footer]
    offered = [action for action in offered if action not in own]
    offered[1:1] = own
    if needs_cause(context) is None:
        offered.insert(1, BY_ID["cause"])
    if context.can_undo:
        offered.insert(1, BY_ID["undo"])
    if context.session is not None and context.session.state is State.PAUSING:
        offered.insert(1, BY_ID["force"])
    taken = {key for action in ACTIONS if action.pane == context.pane for key in keys_of(action, context)[:1]}
    # A key that means something else in this pane is not offered for what it means elsewhere.
    offered = [each for each in offered if each.pane or not taken.intersection(keys_of(each, context)[:1])]
    if not wide:
        offered = [action for action in offered if not action.refused(context)]
    left = [piece for action in offered for piece in _key(action, context)]
    always = [action for action in ranked if action.group == "Barista" and (wide or action.id != "palette")]
    return left, [piece for action in always for piece in _key(action, context)]


def _key(action: Action, context: Context) -> list[Piece]:
    refused = action.refused(context)
    reason = refused or ""
    return [
        Piece(f" {first_key(action, context)} ", "faint" if refused else "accent", action.id, reason=reason),
        Piece(f"{label(action, context)} ", "faint" if refused else "dim", action.id, reason=reason),
    ]
