"""Actions that open a manager."""

from __future__ import annotations

from barista_tui.actions.action import Action, Opens

ACTIONS: tuple[Action, ...] = (
    Action(
        "inputs",
        # Where a terminal tells it apart from tab.
        ("f2", "ctrl+i"),
        "Inputs",
        "Barista",
        "The datasets of all hosts: add, search, hash, look into them",
        Opens("barista_tui.screens.inputs:InputManager"),
        menu="Tools",
    ),
)
