"""What the Weights pane says around its picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from barista_server.api.messages import BlobInfo, BlobStats, SessionInfo, Snapshot
from barista_tui import format as fmt
from barista_tui.widgets.bar import Piece

if TYPE_CHECKING:
    from barista_tui.panes.weightdraw import Drawn

_MODES = {"colour": "in colour, ", "channels": "", "mean": "mean of channels, "}


def why_none(session: SessionInfo | None) -> str:
    """Why there is nothing to draw."""
    if session is None:
        return "No session is selected."
    if session.kind == "log":
        return "An imported log: its snapshots lie where its caffe wrote them."
    return "No snapshots yet: s takes one while it runs."


def as_snapshots(path: Path) -> tuple[Snapshot, ...]:
    """A model that is a file of this machine, as it is now; gone, it is asked for all the same: the agent
    says what is wrong.
    """
    try:
        found = path.stat()
    except OSError:
        return (Snapshot(iteration=0, model=path.name, state="", size=0, time=0.0),)
    return (Snapshot(iteration=0, model=path.name, state="", size=found.st_size, time=found.st_mtime),)


def shape(blob: BlobInfo) -> str:
    """``96x3x11x11``."""
    return "x".join(map(str, blob.shape)) or "scalar"


def title(layer: str, blob: int, blobs: int, info: BlobInfo) -> str:
    """``conv1 96x3x11x11``; of several blobs those after the first by number."""
    number = f" blob {blob + 1}/{blobs}" if blob else ""
    return f"{layer or '(no name)'}{number} {shape(info)}"


def caption(drawn: Drawn, file: Path | None = None) -> tuple[list[Piece], list[Piece]]:
    """What is drawn; how values become light."""
    left = [Piece(f" {file.name}", "accent")] if file is not None else []
    left.append(Piece(f" {drawn.title} "))
    grid, blocks = drawn.grid, drawn.blocks
    if grid.pages > 1:
        what = "rows" if drawn.form.kind == "matrix" else "blocks"
        left.append(Piece(f"{what} {blocks.start + 1}-{blocks.stop}/{grid.blocks} ", "accent"))
    how = _MODES[drawn.mode] if file is None else ""
    image = drawn.image
    if image.low is not None and image.high is not None:
        span = f"black {fmt.value(image.low)} white {fmt.value(image.high)}"
    elif drawn.stats is not None and drawn.stats.least is None:
        span = "nothing finite"
    else:
        span = "each filter its own range"
    return left, [Piece(f"{how}{span} ", "dim")]


def foot(stats: BlobStats | None) -> list[Piece]:
    """What the values of the whole blob are like."""
    if stats is None:
        return []
    spoilt = stats.nans + stats.infinite
    pieces = [Piece(f" NaN/Inf {spoilt:,}  ", "failed" if spoilt else "dim", bold=bool(spoilt))]
    if stats.least is not None:
        numbers = (stats.least, stats.mean, stats.greatest, stats.deviation)
        named = zip(("min", "mean", "max", "std"), numbers, strict=True)
        pieces += [Piece(f"{name} {fmt.value(number)}  ", "dim") for name, number in named]
    return pieces
