"""What is said of a host's caffe builds, and what may be done to one. Pure: what is known in, text out."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import PurePosixPath

from msgspec import Struct
from rich.cells import cell_len
from textual.content import Content

from barista_server.api.messages import CaffeInfo, SessionInfo
from barista_server.api.text import clean_name
from barista_tui import format as fmt

KIND, VERSION, GPU, WHERE, TRIED = 13, 10, 8, 12, 6
"""Widths of the columns; the name has what is left."""
WHERES = {"added": "added", "path": "on the PATH", "found": "found", "embedded": "with agent"}
_PLACES = {
    "added": "added by a person",
    "path": "on the agent's PATH",
    "found": "in a usual place",
    "embedded": "came with the agent",
}
_COMMON = re.compile(r"\.?build(_release)?|install|tools|bin|caffe(\.bin)?|/")
"""Parts of a path that do not tell one build from another."""


class Look(Struct, frozen=True):
    """What the screen knows beside the build itself."""

    default: str = ""
    """Name of the default of new sessions; empty: the first that trains."""
    trying: frozenset[str] = frozenset()
    """Names of those that are being tried."""
    sessions: tuple[SessionInfo, ...] = ()
    alive: bool = True
    viewer: bool = False
    admin: bool = True
    """May say what is run on the host."""


def first_choice(found: Sequence[CaffeInfo], default: str) -> str:
    """Name of what a new session gets, as far as it is known: the default, or the first that trains."""
    usable = [each.name for each in found if each.problem is None]
    return default or (usable[0] if usable else "")


def state(one: CaffeInfo, look: Look) -> tuple[str, str, str]:
    """Glyph, words, tone."""
    if one.name in look.trying:
        return "◌", "is being tried …", "$warning"
    if one.problem is not None:
        return "✖", clean_name(one.problem), "$error"
    if one.checked is None:
        return "◌", "not tried yet", "$dim"
    return "✔", "trains", "$success"


def _name_width(width: int) -> int:
    return max(10, width - (KIND + VERSION + GPU + WHERE + TRIED + 9))


def heading(width: int) -> str:
    """The titles of the columns."""
    cells = [
        fmt.fit("NAME", _name_width(width)),
        fmt.fit("KIND", KIND),
        fmt.fit("VERSION", VERSION),
        fmt.fit("GPU", GPU),
        fmt.fit("WHERE", WHERE),
        fmt.fit("TRIED", TRIED, True),
    ]
    return "    " + " ".join(cells)


def row(one: CaffeInfo, look: Look, now: float, width: int) -> Content:
    """A build in so many cells; ``●`` marks the default."""
    glyph, words, tone = state(one, look)
    tried = fmt.age(now - one.checked) if one.checked is not None else ""
    usable = "$foreground" if one.problem is None else "$dim"
    about = [
        (fmt.fit(clean_name(one.kind), KIND) + " ", usable),
        (fmt.fit(clean_name(one.version), VERSION) + " ", "$dim"),
        (fmt.fit(fmt.gpu_word(one), GPU) + " ", "$dim"),
    ]
    if not one.kind or one.name in look.trying:
        about = [(fmt.fit(words, KIND + VERSION + GPU + 2) + " ", tone)]
    return Content.assemble(
        ("● " if one.name == look.default else "  ", "$accent"),
        (f"{glyph} ", tone),
        (end_of(clean_name(one.name), _name_width(width)) + " ", usable),
        *about,
        (fmt.fit(WHERES[one.source], WHERE) + " ", "$dim"),
        (fmt.fit(tried, TRIED, True), "$dim"),
    )


def end_of(name: str, width: int) -> str:
    """So many cells; of a path that is too long its end, which tells it from others."""
    if name.startswith("/"):
        short = name
        while cell_len(short) > width:
            short = fmt.ELLIPSIS + short.lstrip(fmt.ELLIPSIS)[1:]
        name = short
    return fmt.fit(name, width)


def details(one: CaffeInfo, look: Look, now: float) -> Content:
    """All that is known of a build, and what to do about its problem."""
    _, words, tone = state(one, look)
    name = Content.assemble((clean_name(one.name), "bold $accent"), (f"  {fmt.caffe_words(one)}", "$dim"))
    lines = [name, Content.styled(words, tone)]
    if one.problem is not None and one.hint and one.name not in look.trying:
        lines.append(Content.assemble(("→ ", "$dim"), clean_name(one.hint)))
    tried = f"{fmt.age(now - one.checked)} ago, at {fmt.clock(one.checked)}" if one.checked else ""
    users = [f"{each.id} {each.name}" for each in look.sessions if each.caffe == one.name]
    facts = [
        ("command", clean_name(shlex.join(one.argv))),
        ("where", _PLACES[one.source]),
        ("tried", tried),
        ("chosen by", ", ".join(users[:8]) + (f" and {len(users) - 8} more" if len(users) > 8 else "")),
        ("default", "of new sessions" if one.name == look.default else ""),
    ]
    lines += [Content.assemble((fmt.fit(label, 11), "$dim"), text) for label, text in facts if text]
    return Content("\n").join(lines)


def summary(found: Sequence[CaffeInfo]) -> Content:
    """A line each, for where there is little room: name, kind and version, or what is wrong with it."""
    lines = [Content.styled("Caffe", "$accent")]
    width = min(26, max((cell_len(clean_name(one.name)) for one in found), default=0))
    for one in found:
        glyph, words, tone = state(one, Look())
        about = fmt.caffe_words(one) if one.checked is not None and one.problem is None else words
        lines.append(
            Content.assemble(
                (f"{glyph} ", tone),
                (f"{end_of(clean_name(one.name), width)} ", "$foreground"),
                (about, tone if one.problem else "$dim"),
            )
        )
    return Content("\n").join(lines)


def refused(deed: str, one: CaffeInfo | None, look: Look, host: str) -> str | None:
    """Why a deed cannot be done to the chosen one now, or None."""
    if not look.alive:
        return f"{host} is not connected"
    if look.viewer:
        return f"you may only look on {host}: ask its owner for a key with more rights"
    if deed in ("add", "rename", "remove", "undo") and not look.admin:
        return (
            f"with this key you may choose among the builds of {host}, but not say what is run there: "
            'do it by a login, or with a key that has barista-role="admin"'
        )
    if deed in ("add", "undo", "try-all"):
        return None
    if one is None:
        return "no build is chosen"
    if deed in ("rename", "remove") and one.source != "added":
        return f"it is {_PLACES[one.source]}, and on the list while its file is there; a adds it by a name"
    if deed == "default" and not one.argv:
        return "it is none that can be run"
    if deed == "try" and one.name in look.trying:
        return "it is being tried"
    return None


def name_for(argv: Sequence[str]) -> str:
    """What a build is called if nobody says otherwise: the part of its path that tells it from others."""
    parts = PurePosixPath(argv[0]).parts if argv else ()
    telling = [part for part in parts if not _COMMON.fullmatch(part)]
    name = re.sub(r"[^\w.+-]", "-", telling[-1] if telling else "").strip("-.")
    return re.sub(r"\.(sh|py)$", "", name)[:40]


def split(command: str) -> list[str]:
    """A command line as a shell would take it, without being one. Raises ValueError with what is wrong."""
    try:
        argv = shlex.split(command)
    except ValueError as error:
        raise ValueError(f"the command is not whole: {error}") from None
    if not argv:
        raise ValueError("the path of an executable is needed: /opt/caffe/build/tools/caffe")
    return argv
