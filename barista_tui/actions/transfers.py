"""Actions that carry sessions from machine to machine."""

from __future__ import annotations

from barista_tui.actions.action import Action
from barista_tui.allowed_transfers import can_deploy, can_fetch, can_move, can_put

ACTIONS: tuple[Action, ...] = (
    Action(
        "deploy",
        ("D",),
        "Deploy",
        "Session",
        "Make a net to be used of a snapshot: prototxt, weights, preprocessing; checked by running both",
        lambda ui: ui.carry("deploy"),
        can_deploy,
    ),
    Action(
        "fetch",
        ("y",),
        "Fetch here",
        "Session",
        "Copy a snapshot, or all of the session's folder, to this machine",
        lambda ui: ui.carry("fetch"),
        can_fetch,
    ),
    Action(
        "put",
        ("B",),
        "Bring folder",
        "Session",
        "Make a session, on any host, of a training's folder that lies on this machine",
        lambda ui: ui.carry("put"),
        can_put,
    ),
    Action(
        "move",
        ("M",),
        "Move to host",
        "Session",
        "Pause the session, copy it to another host, and go on with it there",
        lambda ui: ui.carry("move"),
        can_move,
    ),
)
