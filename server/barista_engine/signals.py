"""SIGINT and SIGHUP as Caffe takes them: noted when they come, looked at between iterations."""

from __future__ import annotations

import enum
import signal
from types import FrameType

from barista_engine.errors import CheckFailed


class Action(enum.Enum):
    """What a signal asks of the solver."""

    NONE = "none"
    STOP = "stop"
    SNAPSHOT = "snapshot"


def parse_effect(text: str) -> Action:
    """Action of a ``--sigint_effect`` value. Raises CheckFailed for an unknown one."""
    try:
        return Action(text)
    except ValueError:
        raise CheckFailed(f'Invalid signal effect "{text}" was specified', "caffe.cpp", 172) from None


class SignalHandler:
    """Catches both signals from now on; `requested` tells about each of them once."""

    def __init__(self, sigint: Action, sighup: Action) -> None:
        self._effects = {signal.SIGHUP: sighup, signal.SIGINT: sigint}  # SIGHUP is looked at first
        self._caught: set[int] = set()
        for number in self._effects:
            signal.signal(number, self._catch)

    def requested(self) -> Action:
        """What the next pending signal asks for, NONE when there is none. Repeated signals count once."""
        for number, effect in self._effects.items():
            if number in self._caught:
                self._caught.discard(number)
                return effect
        return Action.NONE

    def _catch(self, number: int, frame: FrameType | None) -> None:
        self._caught.add(number)
