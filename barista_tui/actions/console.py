"""Actions on the console."""

from __future__ import annotations

from barista_tui.actions.action import Action, Check, OnPane
from barista_tui.allowed import Context, needs_cause, needs_console


def _facts(context: Context) -> object:
    return context.facts.get("console")


def _if(fact: str, why: str) -> Check:
    """Refused where the console is not seen, or that is not so."""

    def refused(context: Context) -> str | None:
        if unseen := needs_console(context):
            return unseen
        return None if getattr(_facts(context), fact, False) else why

    return refused


def _runs(context: Context) -> str | None:
    if unseen := needs_console(context):
        return unseen
    facts = _facts(context)
    if not getattr(facts, "log", False):
        return f"messages are shown: {context.key('source', 'v')} shows the log"
    return None if getattr(facts, "runs", 0) > 1 else "there is no other run"


_LINES = _if("lines", "there are no lines")
_FOUND = _if("found", "nothing is searched: / does")


def _action(
    id: str,
    keys: tuple[str, ...],
    label: str,
    help: str,
    method: str,
    refused: Check,
    *args: object,
    here: bool = True,
) -> Action:
    """``here``: the key is the console's own, and may mean something else in other panes."""
    pane = "console" if here else None
    return Action(id, keys, label, "Console", help, OnPane("console", method, args), refused, pane=pane)


ACTIONS: tuple[Action, ...] = (
    _action(
        "follow", ("G", "end"), "Follow", "Go to the last line and stay there", "set_follow", needs_console
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
    _action(
        "source",
        ("v",),
        "Log/messages",
        "The selected session's log, the messages of everybody, or both together",
        "next_caller",
        needs_console,
        here=False,
    ),
    _action(
        "types",
        ("f",),
        "Type",
        "Only text, only errors and warnings, only metrics, or all",
        "choose_type",
        needs_console,
        here=False,
    ),
    _action(
        "callers",
        ("c",),
        "Caller",
        "Whose lines: the selected log, one session's, the input manager's, the links', everybody's",
        "choose_caller",
        needs_console,
    ),
    _action("find-next", ("n",), "Next match", "Next line that matches", "next_hit", _FOUND, 1),
    _action("find-last", ("N",), "Match before", "The matching line before", "next_hit", _FOUND, -1),
    _action(
        "find-only",
        ("ampersand",),
        "Only matches",
        "Hide the lines that do not match, or show them again",
        "only_hits",
        _FOUND,
    ),
    _action(
        "find-regex",
        ("alt+r",),
        "Regular expression",
        "Search for a regular expression, or for a text as it is typed",
        "switch_find",
        needs_console,
        "regex",
    ),
    _action(
        "find-case", ("alt+c",), "Capitals", "Whether capitals count", "switch_find", needs_console, "case"
    ),
    _action("go-to", ("colon",), "Go to", "Go to a line or an iteration", "go_to", _LINES),
    _action("runs", (), "Runs", "Choose an earlier run of the session", "choose_run", _runs),
    _action(
        "run-before", ("left_square_bracket",), "Run before", "The run before this one", "next_run", _runs, -1
    ),
    _action("run-after", ("right_square_bracket",), "Next run", "The next run", "next_run", _runs, 1),
    _action("to-point", ("p",), "In the plot", "Show the line's iteration in the plot", "to_point", _LINES),
    _action(
        "select",
        ("V",),
        "Select",
        "Select lines from here on; shift with an arrow, or the mouse, does the same",
        "select",
        _LINES,
    ),
    _action("copy", ("y",), "Copy", "Copy the selected lines to the terminal's clipboard", "copy", _LINES),
    _action(
        "console-save",
        ("S",),
        "Save",
        "Write all lines, or those that match while the others are hidden, to a file",
        "save",
        _LINES,
    ),
    _action(
        "raw", ("w",), "Raw lines", "Log lines just as caffe wrote them", "raw", needs_console, here=False
    ),
)
