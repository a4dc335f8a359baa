"""The life of a session as one table: what may happen in which state, and what comes of it.

A cell is the next state, or the reason why not, as the end of a sentence that starts with the session's name.
"""

from __future__ import annotations

from enum import StrEnum

from barista_server.api.messages import State


class Happening(StrEnum):
    """What a person asks for (first block) and what the agent finds out (second block)."""

    START = "start"
    QUEUE = "queue"
    PAUSE = "pause"
    FORCE = "force"
    SNAPSHOT = "snapshot"
    RESET = "reset"
    DELETE = "delete"

    CHECK_PASSED = "check passed"
    CHECK_FAILED = "check failed"
    ADOPTED = "adopted"
    SUBMITTED = "submitted"
    PAUSE_GIVEN_UP = "pause given up"
    COMPLETED = "completed"
    STOPPED = "stopped"
    BROKE = "broke"
    LOST = "lost"
    MORE_TO_DO = "more to do"
    GIVEN_WEIGHTS = "given weights"


class Refused(Exception):
    """Not in this state; the text says which and what to do first."""


_S = State
_H = Happening

_NOT_RUNNING = "is not running: start it first"
_PAUSE_FIRST = "is running: pause it first"
_WAIT = "is pausing: wait until it is paused, or force it to stop"
_IN_LINE = "waits in the queue: take it out first"
_NO_RUN = "has no run this could be about"
_AT_END = "has reached max_iter: raise max_iter in its solver to go on, or reset it to start over"
_DEFECT = "is invalid: correct what is listed first"

_OUTCOMES = {
    _H.ADOPTED: _S.RUNNING,
    _H.COMPLETED: _S.FINISHED,
    _H.STOPPED: _S.PAUSED,
    _H.BROKE: _S.FAILED,
    _H.LOST: _S.INTERRUPTED,
}
"""What reading a session's folder finds out about its last run."""

_IDLE = {
    _H.START: _S.RUNNING,
    _H.QUEUE: _S.QUEUED,
    _H.PAUSE: _NOT_RUNNING,
    _H.FORCE: _NOT_RUNNING,
    _H.SNAPSHOT: _NOT_RUNNING,
    _H.RESET: _S.WAITING,
    _H.CHECK_FAILED: _S.INVALID,
    _H.SUBMITTED: _S.QUEUED,
    _H.PAUSE_GIVEN_UP: _NO_RUN,
    **_OUTCOMES,
}
_LIVE = {
    _H.FORCE: _S.PAUSING,
    _H.RESET: _PAUSE_FIRST,
    _H.DELETE: _PAUSE_FIRST,
    # Editing the files of a running session changes its next run, not this one.
    _H.CHECK_PASSED: "is running: its files are checked when it has ended",
    _H.CHECK_FAILED: "is running: its files are checked when it has ended",
    _H.MORE_TO_DO: "is running already",
    _H.GIVEN_WEIGHTS: "is running already",
    _H.SUBMITTED: "is running already",
    **_OUTCOMES,
}


def _idle(state: State, **changed: State | str) -> dict[Happening, State | str]:
    """A row of a state without a process; what is not changed leaves the state as it is."""
    row: dict[Happening, State | str] = dict.fromkeys(Happening, state)
    return row | _IDLE | {Happening[name.upper()]: value for name, value in changed.items()}


TABLE: dict[State, dict[Happening, State | str]] = {
    _S.WAITING: _idle(_S.WAITING, given_weights=_S.PRETRAINED),
    _S.QUEUED: _idle(_S.QUEUED, start=_S.RUNNING, reset=_IN_LINE, delete=_IN_LINE, pause=_S.WAITING),
    _S.RUNNING: {
        _H.START: "is running already",
        _H.QUEUE: "is running already",
        _H.PAUSE: _S.PAUSING,
        _H.SNAPSHOT: _S.RUNNING,
        _H.PAUSE_GIVEN_UP: "was not asked to pause",
        **_LIVE,
    },
    _S.PAUSING: {
        _H.START: _WAIT,
        _H.QUEUE: _WAIT,
        _H.PAUSE: "is pausing already",
        _H.SNAPSHOT: "is pausing, which takes a snapshot",
        _H.PAUSE_GIVEN_UP: _S.RUNNING,
        **_LIVE,
        _H.RESET: _WAIT,
        _H.DELETE: _WAIT,
        _H.ADOPTED: _S.PAUSING,
    },
    _S.PAUSED: _idle(_S.PAUSED),
    _S.FINISHED: _idle(
        _S.FINISHED,
        start=_AT_END,
        queue=_AT_END,
        more_to_do=_S.PAUSED,
    ),
    # A start takes the weights of another session's snapshot.
    _S.PRETRAINED: _idle(_S.PRETRAINED, reset=_S.PRETRAINED),
    _S.FAILED: _idle(_S.FAILED),
    _S.INTERRUPTED: _idle(_S.INTERRUPTED),
    # From here, and from the queue by PAUSE, the state before is not known: what follows is what the last run
    # came to.
    _S.INVALID: _idle(_S.INVALID, start=_DEFECT, queue=_DEFECT, reset=_S.INVALID, check_passed=_S.WAITING),
}


def next_state(state: State, happening: Happening) -> State:
    """The state after ``happening``. Raises Refused with the reason."""
    cell = TABLE[state][happening]
    if not isinstance(cell, State):
        raise Refused(cell)
    return cell
