"""Actions on the solver's form and text."""

from __future__ import annotations

from barista_tui.actions.action import Action, OnPane
from barista_tui.allowed import Context, needs_agent, needs_pane


def _needs_form(context: Context) -> str | None:
    if refused := needs_pane(context, "solver") or needs_agent(context):
        return refused
    if context.fact("solver", "text"):
        return f"press {context.key('solver-text', 'v')} for the form first"
    return None if context.fact("solver", "form") else "there is no form to fill in"


def needs_solver(context: Context) -> str | None:
    """A solver that can be read."""
    if refused := needs_pane(context, "solver"):
        return refused
    return None if context.fact("solver", "form") or context.fact("solver", "text") else "no solver is shown"


def _may_edit(context: Context) -> str | None:
    return needs_solver(context) or needs_agent(context)


def _can_undo(context: Context) -> str | None:
    return _may_edit(context) or (
        None if context.fact("solver", "undo") else "there is nothing to undo in it"
    )


def _can_redo(context: Context) -> str | None:
    return _may_edit(context) or (None if context.fact("solver", "redo") else "there is nothing to do again")


def _text_now(context: Context) -> str:
    return "Form" if context.fact("solver", "text") and context.fact("solver", "form") else "Text"


ACTIONS: tuple[Action, ...] = (
    Action(
        "solver-edit",
        ("enter",),
        "Edit",
        "Solver",
        "Change the chosen property: type, choose, or turn over",
        OnPane("solver", "edit"),
        _needs_form,
        pane="solver",
    ),
    Action(
        "solver-unset",
        ("backspace", "delete"),
        "Default",
        "Solver",
        "Leave the chosen property out: what caffe then takes stands dim",
        OnPane("solver", "unset"),
        _needs_form,
        pane="solver",
    ),
    Action(
        "solver-undo",
        ("z", "ctrl+z"),
        "Undo edit",
        "Solver",
        "Undo the last change of the solver, also one of an earlier day or another program",
        OnPane("solver", "step", (1,)),
        _can_undo,
        pane="solver",
    ),
    Action(
        "solver-redo",
        ("Z", "ctrl+y"),
        "Redo edit",
        "Solver",
        "Do again what was undone",
        OnPane("solver", "step", (-1,)),
        _can_redo,
        pane="solver",
    ),
    Action(
        "solver-text",
        ("v",),
        "Text",
        "Solver",
        "The text as it is written, or the form",
        OnPane("solver", "toggle_text"),
        needs_solver,
        label_now=_text_now,
        pane="solver",
    ),
    Action(
        "solver-editor",
        ("e",),
        "Edit text",
        "Solver",
        "The text in an editor that tells what is wrong while one types",
        OnPane("solver", "open_editor"),
        _may_edit,
        pane="solver",
    ),
    Action(
        "solver-save",
        ("w",),
        "Save to file",
        "Solver",
        "Save the text on this machine, byte for byte",
        OnPane("solver", "save"),
        needs_solver,
        pane="solver",
    ),
)
