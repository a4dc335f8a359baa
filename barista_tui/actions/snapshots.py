"""Actions on snapshots."""

from __future__ import annotations

from barista_tui.actions.action import Action, OnPane
from barista_tui.allowed import can_resume_from
from barista_tui.allowed_transfers import can_keep

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
    Action(
        "keep",
        ("a",),
        "Keep",
        "Snapshots",
        "Keep only the last ones, and the best by a test output; others go by themselves, for good",
        lambda ui: ui.carry("keep"),
        can_keep,
        pane="snapshots",
    ),
)
