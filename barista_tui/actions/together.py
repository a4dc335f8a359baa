"""Actions on what a session has to do with others."""

from __future__ import annotations

from barista_tui.actions.action import Action, Opens
from barista_tui.allowed import can_clone

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
)
