"""The one table of everything a person can do: keys, footer, menus, palette and help are made from it.

An action that cannot be done now gives the reason; it is shown dim, and says the reason when tried anyway.
"""

from __future__ import annotations

from barista_tui.actions import (
    barista,
    console,
    managers,
    network,
    plot,
    session,
    snapshots,
    solver,
    together,
    transfers,
    view,
    weights,
)
from barista_tui.actions.action import (
    MENUS,
    Action,
    Menu,
    OnPane,
    Opens,
    first_key,
    keys_of,
    label,
)
from barista_tui.keynames import key_word

__all__ = [
    "ACTIONS",
    "BY_ID",
    "GROUPS",
    "MENUS",
    "Action",
    "Menu",
    "OnPane",
    "Opens",
    "first_key",
    "key_word",
    "keys_of",
    "label",
    "menu_of",
]

ACTIONS: tuple[Action, ...] = (
    *session.ACTIONS,
    *together.ACTIONS,
    *transfers.ACTIONS,
    *view.ACTIONS,
    *plot.ACTIONS,
    *console.ACTIONS,
    *network.ACTIONS,
    *solver.ACTIONS,
    *weights.ACTIONS,
    *snapshots.ACTIONS,
    *managers.ACTIONS,
    *barista.ACTIONS,
)

BY_ID: dict[str, Action] = {action.id: action for action in ACTIONS}

GROUPS: tuple[str, ...] = tuple(dict.fromkeys(action.group for action in ACTIONS))
"""In the order of the table."""

_MENUS: dict[str, Menu] = {"Session": "Session", "Panes": "View", "Barista": "Tools"}


def menu_of(action: Action) -> Menu:
    """The menu it is found in."""
    return action.menu or _MENUS.get(action.group, "Pane")
