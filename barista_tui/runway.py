"""How long a disk has room for a session's snapshots. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from itertools import pairwise

from msgspec import Struct

from barista_server.api.messages import Keep, Snapshot
from barista_tui import format as fmt

LATELY = 8
"""Snapshots that the time between two is taken from."""


class Runway(Struct, frozen=True):
    """``more``: how many have room besides those that are there; ``seconds`` until then, None where nobody
    can tell. ``enough``: no more than have room are kept.
    """

    more: int
    seconds: float | None = None
    enough: bool = False


def runway(snapshots: Sequence[Snapshot], keep: Keep | None, free: int, trains: bool) -> Runway | None:
    """Of snapshots, oldest first, and free bytes; None before the first snapshot."""
    if not snapshots or snapshots[-1].size <= 0:
        return None
    more = max(0, free // snapshots[-1].size)
    if keep is not None and (keep.last or keep.best):
        # One more than stay is there for a moment, and those that are not judged yet.
        to_come = max(0, max(1, keep.last) + keep.best + (2 if keep.best else 1) - len(snapshots))
        if to_come <= more:
            return Runway(more, enough=True)
    lately = [one.time for one in snapshots[-LATELY:]]
    between = [later - earlier for earlier, later in pairwise(lately) if later > earlier]
    each = statistics.median(between) if between else None
    return Runway(more, more * each if each is not None and trains else None)


def keep_words(keep: Keep | None) -> str:
    """``keeps the last 5 and the best 2 by accuracy``; empty where all are kept."""
    if keep is None or not (keep.last or keep.best):
        return ""
    parts = [f"the last {keep.last}"] if keep.last else []
    parts += [f"the {'best' if keep.high else 'lowest'} {keep.best} by {keep.by}"] if keep.best else []
    return "keeps " + " and ".join(parts)


def runway_words(found: Runway | None) -> str:
    """``room for 1,240 more: 3 d``."""
    if found is None:
        return ""
    if found.enough:
        return "the disk has room for these"
    when = f": {fmt.duration(found.seconds)}" if found.seconds is not None else ""
    return f"room for {fmt.count(found.more)} more{when}"


def is_short(found: Runway | None) -> bool:
    """Worth a warning: the disk is full within a day, or there is hardly room for one."""
    if found is None or found.enough:
        return False
    return found.more < 3 or (found.seconds is not None and found.seconds < 86400)


def guess_high(name: str) -> bool:
    """Whether the greatest values of a test output are the best: not of losses and errors."""
    return not any(word in name.lower() for word in ("loss", "err", "perplexity", "rmse", "mse", "l2"))
