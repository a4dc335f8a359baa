"""Actions on the plot."""

from __future__ import annotations

from barista_tui.actions.action import Action, OnPane
from barista_tui.allowed import needs_plot

ACTIONS: tuple[Action, ...] = (
    Action(
        "scale",
        ("l",),
        "Log scale",
        "Plot",
        "Linear or logarithmic scale",
        OnPane("plot", "scale"),
        needs_plot,
    ),
    Action(
        "axis",
        ("x",),
        "Time axis",
        "Plot",
        "Against iterations or training time",
        OnPane("plot", "cycle_axis"),
        needs_plot,
    ),
    Action(
        "smooth",
        ("m",),
        "Smoothing",
        "Plot",
        "Smooth the training curve: off, a little, much",
        OnPane("plot", "smooth"),
        needs_plot,
        pane="plot",
    ),
    Action(
        "zoom-in",
        ("plus", "equals_sign"),
        "Zoom in",
        "Plot",
        "Half the range",
        OnPane("plot", "zoom", (0.5,)),
        needs_plot,
    ),
    Action(
        "zoom-out",
        ("minus",),
        "Zoom out",
        "Plot",
        "Twice the range",
        OnPane("plot", "zoom", (2.0,)),
        needs_plot,
    ),
    Action(
        "zoom-reset",
        ("z",),
        "Whole range",
        "Plot",
        "Show all of it",
        OnPane("plot", "reset_range"),
        needs_plot,
    ),
    Action(
        "pan-left",
        ("left", "h"),
        "Pan left",
        "Plot",
        "Earlier iterations",
        OnPane("plot", "pan", (-0.25,)),
        needs_plot,
        pane="plot",
    ),
    Action(
        "pan-right",
        ("right",),
        "Pan right",
        "Plot",
        "Later iterations",
        OnPane("plot", "pan", (0.25,)),
        needs_plot,
        pane="plot",
    ),
)
