"""Actions on weights."""

from __future__ import annotations

from barista_tui.actions.action import Action, OnPane
from barista_tui.allowed import Context, needs_pane


def needs_drawn(context: Context) -> str | None:
    """Anything about the picture."""
    if refused := needs_pane(context, "weights"):
        return refused
    return None if context.fact("weights", "drawn", False) else "nothing is drawn: it needs a snapshot"


def _needs_several(context: Context) -> str | None:
    if refused := needs_pane(context, "weights"):
        return refused
    several = context.fact("weights", "snapshots", 0) > 1
    return None if several else "there are not two snapshots yet"


def _needs(fact: str, why: str, context: Context) -> str | None:
    return needs_drawn(context) or (None if context.fact("weights", fact, 1) > 1 else why)


def _needs_pages(context: Context) -> str | None:
    return _needs("pages", "all of it is on this page", context)


def _needs_modes(context: Context) -> str | None:
    return _needs("modes", "there is only one channel to show", context)


def _needs_blobs(context: Context) -> str | None:
    return _needs("blobs", "the layer has no other blob", context)


def _film(context: Context) -> str:
    return "Stop the film" if context.fact("weights", "playing", False) else "Film"


ACTIONS: tuple[Action, ...] = (
    Action(
        "weights-before",
        ("left", "h"),
        "Snapshot before",
        "Weights",
        "Weights of the snapshot before this one",
        OnPane("weights", "step", (-1,)),
        _needs_several,
        pane="weights",
    ),
    Action(
        "weights-after",
        ("right",),
        "Snapshot after",
        "Weights",
        "Weights of the next snapshot; from the newest on it follows the training",
        OnPane("weights", "step", (1,)),
        _needs_several,
        pane="weights",
    ),
    Action(
        "weights-play",
        ("p",),
        "Film",
        "Weights",
        "Play all snapshots one after the other; again, or esc: stop",
        OnPane("weights", "play"),
        _needs_several,
        label_now=_film,
        pane="weights",
    ),
    Action(
        "weights-scale",
        ("a",),
        "Scale",
        "Weights",
        "One range of grey for all, or one for each filter",
        OnPane("weights", "rescale"),
        needs_drawn,
        pane="weights",
    ),
    Action(
        "weights-mode",
        ("m",),
        "Channels",
        "Weights",
        "Filters in colour where they have three channels, each channel by itself, or their mean",
        OnPane("weights", "next_mode"),
        _needs_modes,
        pane="weights",
    ),
    Action(
        "weights-blob",
        ("b",),
        "Next blob",
        "Weights",
        "The layer's next blob: weights, bias ...",
        OnPane("weights", "next_blob"),
        _needs_blobs,
        pane="weights",
    ),
    Action(
        "weights-larger",
        ("plus", "equals_sign"),
        "Larger",
        "Weights",
        "Larger blocks, on several pages if need be",
        OnPane("weights", "zoom", (1,)),
        needs_drawn,
        pane="weights",
    ),
    Action(
        "weights-smaller",
        ("minus",),
        "Smaller",
        "Weights",
        "Smaller blocks, down to what fits one page",
        OnPane("weights", "zoom", (-1,)),
        needs_drawn,
        pane="weights",
    ),
    Action(
        "weights-next-page",
        ("full_stop",),
        "Next page",
        "Weights",
        "More blocks, or more rows of a large matrix",
        OnPane("weights", "turn", (1,)),
        _needs_pages,
        pane="weights",
    ),
    Action(
        "weights-page-before",
        ("comma",),
        "Page before",
        "Weights",
        "The blocks or rows before",
        OnPane("weights", "turn", (-1,)),
        _needs_pages,
        pane="weights",
    ),
    Action(
        "weights-alone",
        ("f",),
        "Only the picture",
        "Weights",
        "All the room for the picture, or the layers beside it",
        OnPane("weights", "alone"),
        lambda context: needs_pane(context, "weights"),
        pane="weights",
    ),
    Action(
        "weights-save",
        ("w",),
        "Save as PNG",
        "Weights",
        "Write what is drawn as a PNG file",
        OnPane("weights", "save"),
        needs_drawn,
        pane="weights",
    ),
)
