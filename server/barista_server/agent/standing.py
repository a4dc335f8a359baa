"""In which state a training is that is known by its log alone. Pure."""

from __future__ import annotations

from typing import NamedTuple

from barista_server.agent.logfile import Content, Told
from barista_server.agent.verdict import explained
from barista_server.api.messages import Problem, State

LEAST = 60.0
"""Seconds of silence that never mean anything."""
BEFORE_FIRST = 900.0
"""Until there is a history: loading data and building nets may take minutes."""
FACTOR = 10.0
"""A silence so many times the longest so far is a stall; one so many times longer still, an end."""
DAY = 86_400.0


class Standing(NamedTuple):
    """What to show of it."""

    state: State
    stalled: bool = False
    problems: list[Problem] = []


def quiet_for(now: float, mtime: float, last: float | None, grew: float | None) -> float:
    """Seconds without a word. ``last``: its last stamp; ``grew``: seconds since it was seen to grow.

    A file that was copied is as new as the copy: a stamp of more than a day before, whatever the time zone,
    tells that nobody writes to it.
    """
    if grew is not None:
        return grew
    copied = last is not None and last < mtime - DAY
    return max(0.0, now - (last if copied and last is not None else mtime))


def patience(run: Told, growth: float) -> float:
    """Seconds of silence that are nothing unusual. ``growth``: the longest wait between two growths seen."""
    if run.longest is None:
        return BEFORE_FIRST
    return max(LEAST, FACTOR * max(run.longest, growth))


def standing(content: Content, name: str, quiet: float, growth: float = 0.0) -> Standing:
    """``name``: of the file, to say where a failure is told; ``quiet``: see :func:`quiet_for`."""
    if not content.runs:
        if not content.size or quiet < LEAST:
            return Standing(State.WAITING)
        hint = "It stays under watch; if it is the wrong file, delete takes it off the list."
        return Standing(State.INVALID, False, [Problem(text="no line in it is from caffe", hint=hint)])
    run = content.runs[-1]
    facts = run.facts
    if facts.done:
        return Standing(State.FINISHED)
    if facts.stopped_early:
        return Standing(State.PAUSED)
    if facts.error is not None:
        return Standing(State.FAILED, False, [explained(facts, name)])
    usual = patience(run, growth)
    if quiet <= FACTOR * usual:
        return Standing(State.RUNNING, quiet > usual)
    where = f"at iteration {facts.iteration}" if facts.loss is not None else "before the first iteration"
    where = where if run.command == "train" else f"before caffe {run.command} had its results"
    hint = "caffe was killed without a word, or the file is a copy from before its end."
    return Standing(State.INTERRUPTED, False, [Problem(text=f"the text just stops {where}", hint=hint)])
