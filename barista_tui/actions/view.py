"""Actions on panes: where to go, how the list is shown, how much room each has."""

from __future__ import annotations

from barista_tui.actions.action import Action, OnPane
from barista_tui.allowed import Context, needs_groups, needs_selection
from barista_tui.panes.table import PANES, PaneSpec


def _narrow(context: Context) -> str | None:
    return None if context.wide else "one pane has the whole screen: from 120 columns on there are two"


def _undocked(context: Context) -> str | None:
    return None if context.docked else "the console has no place of its own: make the window larger"


def _to(spec: PaneSpec) -> Action:
    name = spec.name
    return Action(
        name, (spec.key,), spec.title, "Panes", f"Go to: {spec.title}", lambda ui: ui.show_pane(name)
    )


ACTIONS: tuple[Action, ...] = (
    Action(
        "filter",
        ("slash",),
        "Filter",
        "Panes",
        "Filter or search what has the focus; sessions by words of id, name, state or host",
        lambda ui: ui.find(),
        label_now=lambda context: "Search" if context.pane in ("console", "network") else "Filter",
        footer=6,
    ),
    Action(
        "sort",
        ("o",),
        "Sort",
        "Panes",
        "Sort by id, name, host, state, progress, loss or time to go",
        OnPane("sessions", "sort_next"),
    ),
    Action(
        "group",
        ("H",),
        "Group by host",
        "Panes",
        "Sessions below their hosts, or all in one list",
        OnPane("sessions", "group"),
        label_now=lambda context: "One list" if context.grouped else "Group by host",
    ),
    Action(
        "fold",
        ("Z",),
        "Fold host",
        "Panes",
        "Hide or show the sessions of the host, where the list is grouped",
        OnPane("sessions", "fold"),
        needs_groups,
    ),
    Action(
        "mark",
        ("t", "insert"),
        "Mark",
        "Panes",
        "Mark the session to be looked at together with others, in the plot and beside each other; or unmark",
        OnPane("sessions", "mark"),
        needs_selection,
    ),
    Action(
        "mark-all",
        ("asterisk",),
        "Mark all",
        "Panes",
        "Take all marks away; where there are none, mark all sessions that the list shows",
        OnPane("sessions", "mark_all"),
        label_now=lambda context: "Unmark all" if context.marked else "Mark all",
    ),
    Action(
        "hide",
        ("ctrl+k",),
        "Hide",
        "Panes",
        "Do not show the session here any more; nothing happens to it",
        OnPane("sessions", "hide"),
        needs_selection,
    ),
    Action(
        "reveal",
        ("ctrl+r",),
        "Show hidden",
        "Panes",
        "Show all sessions that were hidden here",
        OnPane("sessions", "reveal"),
        lambda context: None if context.hidden else "nothing is hidden",
    ),
    *(_to(spec) for spec in PANES),
    Action("next-pane", ("tab",), "Pane", "Panes", "Next pane", lambda ui: ui.next_pane(1), footer=5),
    Action("last-pane", ("shift+tab",), "Pane back", "Panes", "Last pane", lambda ui: ui.next_pane(-1)),
    Action(
        "jump",
        (
            "ctrl+o",
            "semicolon",
        ),
        "Jump",
        "Panes",
        "Letters stand on all that can be gone to: press one",
        lambda ui: ui.jump(),
        menu="Help",
    ),
    Action(
        "narrower",
        ("less_than_sign",),
        "List narrower",
        "Panes",
        "Less room for the list; the mouse drags the line between",
        lambda ui: ui.resize(-0.04, 0.0),
        _narrow,
    ),
    Action(
        "wider",
        ("greater_than_sign",),
        "List wider",
        "Panes",
        "More room for the list",
        lambda ui: ui.resize(0.04, 0.0),
        _narrow,
    ),
    Action(
        "lower",
        ("left_curly_bracket",),
        "Console lower",
        "Panes",
        "Less room for the console below",
        lambda ui: ui.resize(0.0, -0.05),
        _undocked,
    ),
    Action(
        "higher",
        ("right_curly_bracket",),
        "Console higher",
        "Panes",
        "More room for the console below",
        lambda ui: ui.resize(0.0, 0.05),
        _undocked,
    ),
)
