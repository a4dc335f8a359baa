"""The one table of everything a person can do: keys, footer, command palette and help are made from it.

An action that cannot be done now gives the reason; it is shown dim, and says the reason when tried anyway.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from barista_server.api.messages import State
from barista_tui.allowed import (
    Context,
    Pane,
    can_force,
    can_move_down,
    can_move_up,
    can_queue,
    can_remove,
    can_reset,
    can_snapshot,
    can_toggle,
    can_undo,
    needs_agent,
    needs_cause,
    needs_console,
    needs_groups,
    needs_plot,
    needs_session,
    only_disconnected,
)
from barista_tui.ui import Ui

Group = Literal["Session", "Panes", "Plot", "Console", "Barista"]


Check = Callable[[Context], str | None]


@dataclass(frozen=True)
class Action:
    """One row of the table. ``keys``: Textual's names, first the one to show; ``pane``: bound only there."""

    id: str
    keys: tuple[str, ...]
    label: str
    group: Group
    help: str
    handler: Callable[[Ui], None]
    refused: Check = lambda context: None
    """The reason why it cannot be done now, or None."""
    label_now: Callable[[Context], str] | None = None
    pane: Pane | None = None
    footer: int = 0
    """Place in the footer, 1 first; 0: not there."""


def _toggle_label(context: Context) -> str:
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
        _toggle_label,
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
        needs_agent,
        footer=3,
    ),
    Action(
        "import",
        ("i",),
        "Import log",
        "Session",
        "Show a log file of any caffe, wherever it lies, beside the sessions",
        lambda ui: ui.import_log(),
        needs_agent,
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
    Action(
        "filter",
        ("slash",),
        "Filter",
        "Panes",
        "Show only sessions whose id, name, state or host holds the words",
        lambda ui: ui.filter_sessions(),
        footer=6,
    ),
    Action(
        "sort",
        ("o",),
        "Sort",
        "Panes",
        "Sort by id, name, host, state, progress, loss or time to go",
        lambda ui: ui.sort_sessions(),
    ),
    Action(
        "group",
        ("H",),
        "Group by host",
        "Panes",
        "Sessions below their hosts, or all in one list",
        lambda ui: ui.group_sessions(),
        label_now=lambda context: "One list" if context.grouped else "Group by host",
    ),
    Action(
        "fold",
        ("Z",),
        "Fold host",
        "Panes",
        "Hide or show the sessions of the host, where the list is grouped",
        lambda ui: ui.fold(),
        needs_groups,
    ),
    Action("sessions", ("1",), "Sessions", "Panes", "Go to the list", lambda ui: ui.show_pane("sessions")),
    Action("plot", ("2",), "Plot", "Panes", "Go to the plot", lambda ui: ui.show_pane("plot")),
    Action("console", ("3",), "Console", "Panes", "Go to the console", lambda ui: ui.show_pane("console")),
    Action("next-pane", ("tab",), "Pane", "Panes", "Next pane", lambda ui: ui.next_pane(1), footer=5),
    Action("last-pane", ("shift+tab",), "Pane back", "Panes", "Last pane", lambda ui: ui.next_pane(-1)),
    Action(
        "scale",
        ("l",),
        "Log scale",
        "Plot",
        "Linear or logarithmic scale",
        lambda ui: ui.plot_scale(),
        needs_plot,
    ),
    Action(
        "axis",
        ("x",),
        "Time axis",
        "Plot",
        "Against iterations or training time",
        lambda ui: ui.plot_axis(),
        needs_plot,
    ),
    Action(
        "smooth",
        ("m",),
        "Smoothing",
        "Plot",
        "Smooth the training curve: off, a little, much",
        lambda ui: ui.plot_smooth(),
        needs_plot,
    ),
    Action(
        "zoom-in",
        ("plus", "equals_sign"),
        "Zoom in",
        "Plot",
        "Half the range",
        lambda ui: ui.plot_zoom(0.5),
        needs_plot,
    ),
    Action(
        "zoom-out", ("minus",), "Zoom out", "Plot", "Twice the range", lambda ui: ui.plot_zoom(2), needs_plot
    ),
    Action(
        "zoom-reset", ("0",), "Whole range", "Plot", "Show all of it", lambda ui: ui.plot_reset(), needs_plot
    ),
    Action(
        "pan-left",
        ("left", "h"),
        "Pan left",
        "Plot",
        "Earlier iterations",
        lambda ui: ui.plot_pan(-0.25),
        needs_plot,
        pane="plot",
    ),
    Action(
        "pan-right",
        ("right",),
        "Pan right",
        "Plot",
        "Later iterations",
        lambda ui: ui.plot_pan(0.25),
        needs_plot,
        pane="plot",
    ),
    Action(
        "follow",
        ("G", "end"),
        "Follow",
        "Console",
        "Go to the last line and stay there",
        lambda ui: ui.console_follow(),
        needs_console,
        pane="console",
    ),
    Action(
        "cause",
        ("e",),
        "Cause",
        "Console",
        "Go to the line of the log that tells why the session failed",
        lambda ui: ui.console_cause(),
        needs_cause,
    ),
    Action(
        "source",
        ("v",),
        "Log/notices",
        "Console",
        "The session's log, or the messages of agent and host",
        lambda ui: ui.console_source(),
        needs_console,
    ),
    Action(
        "kinds",
        ("f",),
        "Filter lines",
        "Console",
        "All lines, only errors and warnings, or only metrics",
        lambda ui: ui.console_kinds(),
        needs_console,
    ),
    Action(
        "raw",
        ("w",),
        "Raw lines",
        "Console",
        "Log lines just as caffe wrote them",
        lambda ui: ui.console_raw(),
        needs_console,
    ),
    Action(
        "palette",
        ("ctrl+p",),
        "Palette",
        "Barista",
        "Everything by name",
        lambda ui: ui.show_palette(),
        footer=8,
    ),
    Action(
        "help",
        ("question_mark", "f1"),
        "Help",
        "Barista",
        "The keys, those of the focused pane first",
        lambda ui: ui.show_help(),
        footer=9,
    ),
    Action("theme", ("t",), "Theme", "Barista", "Dark or light", lambda ui: ui.toggle_theme()),
    Action(
        "reconnect",
        ("C",),
        "Connect now",
        "Barista",
        "Do not wait for the next attempt",
        lambda ui: ui.reconnect(),
        only_disconnected,
    ),
    Action(
        "link",
        ("U",),
        "Unlink",
        "Barista",
        "Close the link to the host, or open it again; trainings there do not notice",
        lambda ui: ui.toggle_link(),
        label_now=lambda context: f"{'Link' if context.link.state == 'offline' else 'Unlink'} {context.host}",
    ),
    Action(
        "back",
        ("escape",),
        "Back",
        "Barista",
        "Leave filter, zoom or pane, in this order",
        lambda ui: ui.back(),
    ),
    Action("quit", ("q",), "Quit", "Barista", "Leave; trainings go on", lambda ui: ui.leave(), footer=10),
)

BY_ID: dict[str, Action] = {action.id: action for action in ACTIONS}

_KEY_WORDS = {
    "space": "space",
    "slash": "/",
    "question_mark": "?",
    "plus": "+",
    "minus": "-",
    "equals_sign": "=",
    "ctrl+p": "^p",
    "shift+tab": "⇧tab",
    "shift+up": "⇧↑",
    "shift+down": "⇧↓",
    "left": "←",
    "right": "→",
    "escape": "esc",
    "delete": "del",
    "f1": "F1",
}


def key_word(key: str) -> str:
    """A key as people read it: ``^p`` for ctrl+p."""
    return _KEY_WORDS.get(key, key)


def label(action: Action, context: Context) -> str:
    """The action's name as it reads now: *Pause* while running."""
    return action.label_now(context) if action.label_now else action.label
