"""Actions on the console."""

from __future__ import annotations

from barista_tui.actions.action import Action, OnPane
from barista_tui.allowed import needs_cause, needs_console

ACTIONS: tuple[Action, ...] = (
    Action(
        "follow",
        ("G", "end"),
        "Follow",
        "Console",
        "Go to the last line and stay there",
        OnPane("console", "set_follow"),
        needs_console,
        pane="console",
    ),
    Action(
        "cause",
        ("e",),
        "Cause",
        "Console",
        "Go to the line of the log that tells why the session failed",
        OnPane("console", "cause", go=True),
        needs_cause,
    ),
    Action(
        "source",
        ("v",),
        "Log/notices",
        "Console",
        "The session's log, or the messages of agent and host",
        OnPane("console", "switch"),
        needs_console,
    ),
    Action(
        "kinds",
        ("f",),
        "Filter lines",
        "Console",
        "All lines, only errors and warnings, or only metrics",
        OnPane("console", "next_kinds"),
        needs_console,
    ),
    Action(
        "raw",
        ("w",),
        "Raw lines",
        "Console",
        "Log lines just as caffe wrote them",
        OnPane("console", "raw"),
        needs_console,
    ),
)
