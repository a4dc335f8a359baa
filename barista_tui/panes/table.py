"""Which panes there are: a new one is a class in a module of its own, and one entry here.

No widget is imported before its pane is shown.
"""

from __future__ import annotations

from msgspec import Struct


class PaneSpec(Struct, frozen=True):
    """A pane. ``where``: module and class, imported when it is first shown."""

    name: str
    key: str
    """Goes there; the digits 1 to 6 in the order of the strip."""
    title: str
    """On the strip; also the group of its actions."""
    where: str
    about: str
    """One or two sentences for its help."""
    footer: tuple[str, ...] = ()
    """Actions that the footer offers while it has the focus."""
    short: str = ""
    """The title where room is short; empty: it is short enough."""


PANES: tuple[PaneSpec, ...] = (
    PaneSpec(
        "sessions",
        "0",
        "Sessions",
        "barista_tui.panes.sessions:SessionsPane",
        "Each row is a session: a folder with net, solver, snapshots, logs. Quitting stops nothing.",
        ("mark",),
        short="List",
    ),
    PaneSpec(
        "plot",
        "1",
        "Plot",
        "barista_tui.panes.plot:PlotPane",
        "Curves of the selected session and of all marked ones (t). ★: best value; ✖: NaN or infinite.",
        ("plot-choose", "plot-toggle", "scale", "axis", "zoom-in", "plot-export"),
    ),
    PaneSpec(
        "console",
        "2",
        "Console",
        "barista_tui.panes.console:ConsolePane",
        "The selected session's log, or what everybody says: sessions, inputs, hosts, agents. Moving up "
        "stops following, G follows again. / searches all of it, n and N go to matches, & hides the rest.",
        ("follow", "filter", "types", "callers", "to-point", "copy"),
        short="Log",
    ),
    PaneSpec(
        "network",
        "3",
        "Network",
        "barista_tui.panes.network:NetworkPane",
        "The selected session's net as Caffe builds it, with its branches; / searches, ← folds, v: TEST.",
        ("net-open", "net-add", "net-editor", "net-phase", "net-fold", "net-details"),
        short="Net",
    ),
    PaneSpec(
        "solver",
        "4",
        "Solver",
        "barista_tui.panes.solver:SolverPane",
        "Every property of the solver: • is set, the others are as caffe takes them. The curve is the rate.",
        ("solver-edit", "solver-unset", "solver-text", "solver-editor", "solver-undo"),
    ),
    PaneSpec(
        "weights",
        "5",
        "Weights",
        "barista_tui.panes.weights:WeightsPane",
        "Weights of a snapshot: filters as blocks, light is high; matrices as heat maps. Red is not finite.",
        ("weights-before", "weights-after", "weights-play", "weights-scale", "weights-save"),
    ),
    PaneSpec(
        "snapshots",
        "6",
        "Snapshots",
        "barista_tui.panes.snapshots:SnapshotsPane",
        "Snapshots of the selected session. Each was read back and is good: both files, right iteration.",
        ("resume-from", "keep", "deploy", "fetch"),
        short="Snaps",
    ),
)

SPECS: dict[str, PaneSpec] = {spec.name: spec for spec in PANES}
