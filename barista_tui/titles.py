"""What the one-line bars say: header, pane titles, legend, footer. Pure: state in, pieces out."""

from __future__ import annotations

from dataclasses import dataclass

from barista_server.api.messages import SessionInfo, State
from barista_tui import format as fmt
from barista_tui import rows
from barista_tui.actions import ACTIONS, BY_ID, Action, key_word, label
from barista_tui.allowed import Context, Pane, needs_cause
from barista_tui.curves import View
from barista_tui.hosts import Cause
from barista_tui.listing import link_words
from barista_tui.rows import Cell
from barista_tui.store import Known
from barista_tui.widgets.bar import Piece
from barista_tui.widgets.session_list import LINKS

PANES: tuple[Pane, ...] = ("sessions", "plot", "console")
_NAMES: dict[Pane, str] = {"sessions": "Sessions", "plot": "Plot", "console": "Console"}
NO_SESSIONS = (
    "No sessions yet. Three ways to make one:",
    "",
    "n                      here, from a template or prototxt files",
    "barista new FILE       in a shell, from a solver.prototxt",
    "barista demo           in a shell: LeNet learns handwritten digits",
    "",
    "i                      shows a log of any caffe that lies here already",
)
"""An empty list teaches."""


_CAUSES: dict[Cause, str] = {
    "key-unknown": "key? F3",
    "key-changed": "KEY CHANGED",
    "auth-failed": "auth failed",
    "no-agent": "no agent",
}
"""What keeps a link from being made, in the few cells of a lamp."""


def empty_list(known: Known, words: str, now: float) -> tuple[str, ...]:
    """What stands where no session is to be shown."""
    if words and known.sessions:
        return (f"No session matches “{words}”. esc shows all.",)
    waiting = [host for host in known.hosts.values() if not host.alive]
    if len(waiting) < len(known.hosts):
        return NO_SESSIONS
    return tuple(f"{host.name} {link_words(host, now)}" for host in waiting)


def nothing_to_plot(session: SessionInfo) -> tuple[str, ...]:
    """What stands where a session's curves will be."""
    if session.kind == "log":
        waits = session.busy or session.state is State.RUNNING
        if waits:
            return ("No points yet", session.busy or "the log is watched")
        return ("No points in this log",)
    if not session.runs:
        return ("No points yet", "space starts the training")
    if session.state in (State.FAILED, State.INVALID):
        return ("No points", "enter shows the reasons")
    return ("No points yet", "the first line comes with the first display")


def header(title: str, known: Known, now: float, wide: bool) -> tuple[list[Piece], list[Piece]]:
    """Name and project left, hosts and clock right."""
    left = [Piece(" Barista ", "accent", bold=True), Piece(f" {title}", "text")]
    running = sum(each.state is State.RUNNING and each.kind != "log" for each in known.sessions.values())
    if running and wide:
        left.append(Piece(f"   {running} running", "dim"))
    return left, [*lamps(known, now, wide), Piece(f"  {fmt.clock(now)} ", "dim")]


def lamps(known: Known, now: float, wide: bool) -> list[Piece]:
    """``● local  ✖ gpu02 not connected, 12 s``; of many hosts one word each, or their age."""
    pieces: list[Piece] = []
    terse = len(known.hosts) > (4 if wide else 1)
    for host in known.hosts.values():
        glyph, tone = LINKS[host.link.state]
        words = link_words(host, now)
        if terse and words:
            short = {"silent": fmt.age(now - host.link.since), "lost": fmt.age(now - host.link.since)}
            words = _CAUSES.get(host.link.cause) or short.get(host.link.state, "")
        gap = "  " if pieces else ""
        text = f"{gap}{glyph} {host.name}" + (f" {words}" if words else "")
        pieces.append(Piece(text, tone, f"lamp:{host.name}", reason=host.link.detail))
    return pieces


def tabs(pane: Pane, active: Pane, wide: bool) -> list[Piece]:
    """The pane's own name; in the narrow layout all three, as tabs."""
    pieces = []
    for number, each in enumerate(PANES, 1):
        if wide and each != pane:
            continue
        focused = each == active
        pieces += [
            Piece(f" {number} ", "accent" if focused else "dim", each),
            Piece(f"{_NAMES[each]} ", "accent" if focused else "dim", each, bold=focused),
        ]
    return pieces


def _named(session: SessionInfo | None) -> list[Piece]:
    return [Piece(f" {session.id} {session.name}", "text")] if session is not None else []


def sessions(active: Pane, wide: bool, shown: int, total: int, words: str) -> tuple[list[Piece], list[Piece]]:
    """Title of the list: how many, and the filter."""
    right = [Piece(f"{shown} of {total} " if words else f"{total} ", "dim")]
    if words:
        right.insert(0, Piece(f"/{words}  ", "accent", "filter"))
    return tabs("sessions", active, wide), right


def columns(cells: list[Cell]) -> list[Piece]:
    """Column titles; a click sorts."""
    pieces = [Piece(" ")]
    for cell in cells:
        sort = "progress" if cell.column == "bar" else cell.column
        pieces.append(Piece(cell.text + " ", cell.tone, f"sort:{sort}" if sort in rows.SORTS else ""))
    return pieces


def plot(
    active: Pane, wide: bool, session: SessionInfo | None, view: View, zoomed: bool
) -> tuple[list[Piece], list[Piece]]:
    """Title of the plot: whose curves, and how they are drawn."""
    right = [
        Piece("log  " if view.log else "linear  ", "dim", "scale"),
        Piece(f"{view.axis}  ", "dim", "axis"),
        Piece(("unsmoothed ", "smoothed ", "very smooth ")[view.smooth], "dim", "smooth"),
    ]
    if zoomed:
        right.insert(0, Piece("zoomed  ", "accent", "zoom-reset"))
    return [*tabs("plot", active, wide), *_named(session)], right


@dataclass(frozen=True)
class ConsoleLook:
    """What the console's title tells about it."""

    showing: str
    kinds: str
    follow: bool
    unseen: int
    total: int


def console(
    active: Pane, wide: bool, session: SessionInfo | None, look: ConsoleLook
) -> tuple[list[Piece], list[Piece]]:
    """Title of the console: whose lines, which of them, and whether it follows."""
    left = tabs("console", active, wide)
    if look.showing == "notices":
        left.append(Piece(" notices of agent and hosts", "text"))
    elif session is not None:
        run = f", run {session.runs[-1].number}" if session.runs else ""
        if session.log is not None:
            run = f", {session.log.path.rpartition('/')[2]}" if wide else ""
        left += [*_named(session), Piece(run, "dim")]
    right = []
    if wide:
        lines = f"{look.total:,} line".replace(",", "\u202f") + ("" if look.total == 1 else "s")
        right.append(Piece(f"{lines}  ", "dim"))
    right.append(Piece("notices  " if look.showing == "notices" else "log  ", "dim", "source"))
    if look.showing == "log":
        right.append(Piece(f"{look.kinds}  ", "dim" if look.kinds == "all lines" else "accent", "kinds"))
    if look.follow:
        right.append(Piece("following ", "running"))
    elif look.unseen:
        right.append(Piece(f"{look.unseen} new lines, G follows ", "warning", "follow"))
    else:
        right.append(Piece("G follows ", "dim", "follow"))
    return left, right


_OWN: dict[Pane, tuple[str, ...]] = {
    "sessions": (),
    "plot": ("scale", "axis", "smooth", "zoom-in"),
    "console": ("follow", "kinds", "source", "raw"),
}
"""What the footer offers of the focused pane, after starting and pausing."""


def footer(context: Context, wide: bool) -> tuple[list[Piece], list[Piece]]:
    """Keys that matter now, left those of the work, right those that are always there.

    What cannot be done is faint and tells why when the mouse rests on it; where room is short it is left out.
    """
    ranked = sorted((action for action in ACTIONS if action.footer), key=lambda action: action.footer)
    offered = [action for action in ranked if action.group != "Barista"]
    own = [BY_ID[name] for name in _OWN[context.pane]]
    offered[1:1] = own
    if needs_cause(context) is None:
        offered.insert(1, BY_ID["cause"])
    if context.can_undo:
        offered.insert(1, BY_ID["undo"])
    if context.session is not None and context.session.state is State.PAUSING:
        offered.insert(1, BY_ID["force"])
    if not wide:
        offered = [action for action in offered if not action.refused(context)]
    left = [piece for action in offered for piece in _key(action, context)]
    always = [action for action in ranked if action.group == "Barista" and (wide or action.id != "palette")]
    return left, [piece for action in always for piece in _key(action, context)]


def _key(action: Action, context: Context) -> list[Piece]:
    refused = action.refused(context)
    reason = refused or ""
    return [
        Piece(f" {key_word(action.keys[0])} ", "faint" if refused else "accent", action.id, reason=reason),
        Piece(f"{label(action, context)} ", "faint" if refused else "dim", action.id, reason=reason),
    ]
