"""Actions on the drawing of a net."""

from __future__ import annotations

from barista_tui.actions.action import Action, Check, OnPane
from barista_tui.allowed import Context, needs_agent, needs_pane


def _needs_net(context: Context) -> str | None:
    shown = needs_pane(context, "network")
    return shown or (None if context.fact("network", "net") else "no net is shown")


def _needs_file(context: Context) -> str | None:
    return needs_pane(context, "network") or (
        None if context.fact("network", "file") else "no session's net is shown"
    )


def _may_edit(context: Context) -> str | None:
    return _needs_file(context) or needs_agent(context)


def _may_relayer(context: Context) -> str | None:
    return _needs_net(context) or needs_agent(context)


def _action(
    id: str,
    keys: tuple[str, ...],
    label: str,
    help: str,
    method: str,
    *args: object,
    needs: Check = _needs_net,
) -> Action:
    handler = OnPane("network", method, args)
    return Action(id, keys, label, "Network", help, handler, needs, pane="network")


ACTIONS: tuple[Action, ...] = (
    _action("net-phase", ("v",), "TRAIN/TEST", "The net as it is trained, or tested", "next_net"),
    _action(
        "net-open", ("enter",), "Form", "The layer's form, to look at and to fill in; unfold a fold", "open"
    ),
    _action("net-details", ("x",), "Details", "Go to the layer's details, and back", "toggle_details"),
    _action("net-fold", ("left",), "Fold", "Fold the layers whose names begin alike; again: more", "fold"),
    _action("net-unfold", ("right",), "Unfold", "Unfold the row", "unfold"),
    _action("net-fold-all", ("minus",), "Fold all", "Fold all layers whose names begin alike", "fold_all"),
    _action("net-unfold-all", ("plus", "equals_sign"), "Unfold all", "Show every layer", "unfold_all"),
    _action("net-next", ("right_square_bracket",), "Next found", "Next layer that matches", "next_found", 1),
    _action("net-last", ("left_square_bracket",), "Last found", "The match before", "next_found", -1),
    _action(
        "net-editor",
        ("e",),
        "Edit text",
        "The net's text in an editor that tells what is wrong while one types",
        "open_editor",
        needs=_may_edit,
    ),
    _action(
        "net-add",
        ("a", "insert"),
        "Add layer",
        "A new layer behind the chosen one; those that follow read it",
        "relayer",
        "add",
        needs=_may_relayer,
    ),
    _action(
        "net-copy",
        ("c",),
        "Copy layer",
        "Double the chosen layer: the copy stands behind it",
        "relayer",
        "copy",
        needs=_may_relayer,
    ),
    _action(
        "net-remove",
        ("delete", "backspace"),
        "Remove layer",
        "Take the chosen layer out; those that read it read what it read; z undoes it",
        "relayer",
        "remove",
        needs=_may_relayer,
    ),
    _action(
        "net-undo",
        ("z", "ctrl+z"),
        "Undo edit",
        "Undo the last change of the net",
        "step",
        1,
        needs=_may_edit,
    ),
    _action("net-redo", ("Z", "ctrl+y"), "Redo edit", "Do it again", "step", -1, needs=_may_edit),
    _action(
        "net-save",
        ("w",),
        "Save to file",
        "Save the net's text on this machine, byte for byte",
        "save",
        needs=_needs_file,
    ),
    _action("net-reload", ("ctrl+l",), "Read again", "Read the net's files again", "reload"),
)
