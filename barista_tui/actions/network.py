"""Actions on the drawing of a net."""

from __future__ import annotations

from barista_tui.actions.action import Action, OnPane
from barista_tui.allowed import Context, needs_pane


def _needs_net(context: Context) -> str | None:
    shown = needs_pane(context, "network")
    return shown or (None if context.facts.get("network") else "no net is shown")


def _action(id: str, keys: tuple[str, ...], label: str, help: str, method: str, *args: object) -> Action:
    handler = OnPane("network", method, args)
    return Action(id, keys, label, "Network", help, handler, _needs_net, pane="network")


ACTIONS: tuple[Action, ...] = (
    _action("net-phase", ("v",), "TRAIN/TEST", "The net as it is trained, or tested", "next_net"),
    _action("net-open", ("enter",), "Unfold/details", "Unfold the row, or go to the layer's details", "open"),
    _action("net-fold", ("left",), "Fold", "Fold the layers whose names begin alike; again: more", "fold"),
    _action("net-unfold", ("right",), "Unfold", "Unfold the row", "unfold"),
    _action("net-fold-all", ("minus",), "Fold all", "Fold all layers whose names begin alike", "fold_all"),
    _action("net-unfold-all", ("plus", "equals_sign"), "Unfold all", "Show every layer", "unfold_all"),
    _action("net-next", ("right_square_bracket",), "Next found", "Next layer that matches", "next_found", 1),
    _action("net-last", ("left_square_bracket",), "Last found", "The match before", "next_found", -1),
    _action("net-reload", ("ctrl+l",), "Read again", "Read the net's files again", "reload"),
)
