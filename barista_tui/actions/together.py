"""Actions on what a session has to do with others."""

from __future__ import annotations

from barista_tui.actions.action import Action, Opens
from barista_tui.allowed import can_clone, has_settings

ACTIONS: tuple[Action, ...] = (
    Action(
        "clone",
        ("c",),
        "Clone",
        "Session",
        "Make a session from it, with the weights of a snapshot or net and solver alone",
        Opens("barista_tui.screens.clone:CloneScreen"),
        can_clone,
        footer=7,
    ),
    Action(
        "diff",
        ("V",),
        "Diff",
        "Session",
        "What tells its net and solver from those of the marked session, or of the one it was made from",
        Opens("barista_tui.screens.diff:DiffScreen"),
        has_settings,
        menu="Tools",
    ),
    Action(
        "compare",
        ("S",),
        "Side by side",
        "Session",
        "The marked sessions, or all of the list, in a table: what differs, what they came to",
        Opens("barista_tui.screens.compare:CompareScreen"),
        menu="Tools",
    ),
    Action(
        "tree",
        ("Y",),
        "Family tree",
        "Session",
        "Which session was made from which",
        Opens("barista_tui.screens.tree:TreeScreen"),
        menu="Tools",
    ),
)
