"""Actions on sessions."""

from __future__ import annotations

from barista_server.api.messages import State
from barista_tui.actions.action import Action, Opens
from barista_tui.allowed import (
    Context,
    can_force,
    can_move_down,
    can_move_up,
    can_queue,
    can_remove,
    can_reset,
    can_set,
    can_snapshot,
    can_toggle,
    can_undo,
    needs_any_agent,
    needs_session,
)


def toggle_label(context: Context) -> str:
    """What it does now."""
    state = context.session.state if context.session else None
    if state is State.RUNNING:
        return "Pause"
    if state is State.PAUSING:
        return "Pausing"
    if state is State.QUEUED:
        return "Unqueue"
    return "Resume" if context.session and context.session.snapshots else "Start"


def _queue_label(context: Context) -> str:
    return "Unqueue" if context.session and context.session.queued else "Queue"


ACTIONS: tuple[Action, ...] = (
    Action(
        "toggle",
        ("space",),
        "Start/Pause",
        "Session",
        "Start, pause with a snapshot, or go on from the last one",
        lambda ui: ui.toggle_run(),
        can_toggle,
        toggle_label,
        footer=1,
    ),
    Action(
        "snapshot",
        ("s",),
        "Snapshot",
        "Session",
        "Take a snapshot now, the training goes on",
        lambda ui: ui.snapshot(),
        can_snapshot,
        footer=2,
    ),
    Action(
        "new",
        ("n",),
        "New",
        "Session",
        "Make a session from a template or from prototxt files",
        lambda ui: ui.new_session(),
        needs_any_agent,
        footer=3,
    ),
    Action(
        "import",
        ("i",),
        "Import log",
        "Session",
        "Show a log file of any caffe, wherever it lies, beside the sessions",
        lambda ui: ui.import_log(),
        needs_any_agent,
    ),
    Action(
        "open",
        ("enter",),
        "Open",
        "Session",
        "Reasons, runs and snapshots of the session; start from any snapshot",
        lambda ui: ui.open_details(),
        lambda context: None if context.session or context.grouped else "no session is selected",
        footer=4,
    ),
    Action(
        "settings",
        ("P",),
        "Settings",
        "Session",
        "Its caffe, device, launcher and Slurm options, auto-resume, place in the queue",
        Opens("barista_tui.screens.session_settings:SessionSettings"),
        can_set,
    ),
    Action(
        "rename",
        ("r",),
        "Rename",
        "Session",
        "Give the session another name",
        lambda ui: ui.rename(),
        needs_session,
    ),
    Action(
        "delete",
        ("d", "delete"),
        "Delete",
        "Session",
        "Move the session and all its files to the trash, of an imported log only the entry; u undoes it",
        lambda ui: ui.delete(),
        can_remove,
        footer=7,
    ),
    Action(
        "reset",
        ("R",),
        "Reset",
        "Session",
        "Throw away runs and snapshots, keep net and solver; u brings them back",
        lambda ui: ui.reset(),
        can_reset,
    ),
    Action(
        "undo",
        ("u",),
        "Undo",
        "Session",
        "Bring back what was deleted or reset last",
        lambda ui: ui.undo(),
        can_undo,
    ),
    Action(
        "trash",
        ("alt+u",),
        "Trash",
        "Session",
        "All that was deleted or reset, of all hosts: bring it back, or delete it for good",
        Opens("barista_tui.screens.trash:TrashScreen"),
        menu="Tools",
    ),
    Action(
        "force",
        ("F",),
        "Force stop",
        "Session",
        "End a process that does not react to pause; shows first what is lost",
        lambda ui: ui.force_stop(),
        can_force,
    ),
    Action(
        "queue",
        ("Q",),
        "Queue",
        "Session",
        "Start as soon as the session's device has room, or take it out of the queue",
        lambda ui: ui.toggle_queue(),
        can_queue,
        _queue_label,
    ),
    Action(
        "queue-up",
        ("shift+up", "K"),
        "Up in queue",
        "Session",
        "One place forward in the queue",
        lambda ui: ui.move_in_queue("up"),
        can_move_up,
    ),
    Action(
        "queue-down",
        ("shift+down", "J"),
        "Down in queue",
        "Session",
        "One place back in the queue",
        lambda ui: ui.move_in_queue("down"),
        can_move_down,
    ),
)
