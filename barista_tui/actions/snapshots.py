"""Actions on snapshots."""

from __future__ import annotations

from barista_tui.actions.action import Action, OnPane
from barista_tui.allowed import can_resume_from

ACTIONS: tuple[Action, ...] = (
    Action(
        "resume-from",
        ("enter",),
        "Go on from it",
        "Snapshots",
        "Start the session from the chosen snapshot",
        OnPane("snapshots", "resume"),
        can_resume_from,
        pane="snapshots",
    ),
)
