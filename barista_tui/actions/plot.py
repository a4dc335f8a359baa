"""Actions on the plot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from barista_tui.actions.action import Action, Check, OnPane, Opens
from barista_tui.actions.session import toggle_label
from barista_tui.allowed import (
    Context,
    can_toggle,
    needs_best,
    needs_curves,
    needs_no_clock,
    needs_plot,
    needs_right,
    needs_selection,
    plot_facts,
)


def _action(
    name: str,
    keys: tuple[str, ...],
    label: str,
    help: str,
    does: tuple[str, ...] | tuple[str, float],
    refused: Check = needs_plot,
    *,
    here: bool = True,
    label_now: Callable[[Context], str] | None = None,
) -> Action:
    """``does``: a method of the pane and what it is given; ``here``: the keys are bound in the plot alone."""
    method, *given = does
    arguments: tuple[Any, ...] = tuple(given)
    handler = OnPane("plot", str(method), arguments)
    return Action(name, keys, label, "Plot", help, handler, refused, label_now, "plot" if here else None)


ACTIONS: tuple[Action, ...] = (
    _action("scale", ("l",), "Log scale", "Linear or logarithmic scale", ("scale",), here=False),
    _action("scale-right", ("L",), "Log right", "The same of the right axis", ("scale_right",), needs_right),
    _action("scale-x", ("ctrl+l",), "Log x", "The same of the x axis", ("scale_x",), needs_no_clock),
    _action(
        "axis",
        ("x",),
        "Time axis",
        "Against iterations, training time, or the time of day",
        ("cycle_axis",),
        here=False,
    ),
    _action("smooth", ("m",), "Smoothing", "Smooth training curves: off, a little, much", ("smooth",)),
    _action(
        "zoom-in",
        ("plus", "equals_sign"),
        "Zoom in",
        "Half the range, around the cursor",
        ("zoom", 0.5),
        here=False,
    ),
    _action("zoom-out", ("minus",), "Zoom out", "Twice the range", ("zoom", 2.0), here=False),
    _action("zoom-reset", ("z",), "Whole range", "Show all of it", ("reset_range",), here=False),
    _action("pan-left", ("shift+left", "comma"), "Pan left", "Earlier iterations", ("pan", -0.25)),
    _action("pan-right", ("shift+right", "full_stop"), "Pan right", "Later iterations", ("pan", 0.25)),
    _action(
        "plot-toggle",
        ("space",),
        "Curve off/on",
        "Switch the curve under the cursor off, or on again; ↑ and ↓ choose it, a click in the legend too",
        ("toggle_series",),
        lambda context: needs_plot(context) if plot_facts(context).curves else can_toggle(context),
        label_now=lambda context: "Curve off/on" if plot_facts(context).curves else toggle_label(context),
    ),
    _action(
        "plot-swap",
        ("y",),
        "Other axis",
        "The metric under the cursor goes to the other y axis",
        ("swap_axis",),
        needs_curves,
    ),
    _action(
        "plot-best",
        ("b",),
        "To best",
        "The cursor goes to the best value of its curve (★)",
        ("to_best",),
        needs_best,
    ),
    _action(
        "plot-line",
        ("p", "enter"),
        "Log line",
        "Go to the line of the log that told the point under the cursor; p in the console comes back",
        ("to_log",),
        lambda context: needs_plot(context) if plot_facts(context).curves else needs_selection(context),
        label_now=lambda context: "Log line" if plot_facts(context).curves else "Open",
    ),
    Action(
        "plot-choose",
        ("a",),
        "Curves",
        "Plot",
        "Choose sessions, logs, and metrics by phase",
        Opens("barista_tui.screens.plot_chooser:PlotChooser"),
        needs_plot,
        pane="plot",
    ),
    _action(
        "plot-export",
        ("e",),
        "Export",
        "CSV of just the curves that are shown, or a picture of them: SVG, PNG",
        ("export",),
        needs_curves,
    ),
)
