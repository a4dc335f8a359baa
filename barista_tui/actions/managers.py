"""Actions that open a manager."""

from __future__ import annotations

from barista_tui.actions.action import Action, Opens
from barista_tui.allowed import needs_connected

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
    Action(
        "caffes",
        (),
        "Caffe builds",
        "Barista",
        "Executables of the selected session's host: what each is, add one, choose the default",
        Opens("barista_tui.screens.caffes:CaffeManager"),
        needs_connected,
        menu="Tools",
    ),
)
