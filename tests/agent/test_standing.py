"""What a log alone tells of the state of its training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pytest

from barista_server.agent.logfile import Content, Stamp, Told
from barista_server.agent.parts import Facts
from barista_server.agent.standing import BEFORE_FIRST, FACTOR, LEAST, quiet_for, standing
from barista_server.api.messages import State

DAY = 86_400.0
NOW = 1_800_000_000.0


@dataclass
class Log:
    """A log whose last run says ``facts``."""

    facts: dict[str, Any]
    longest: float | None = 20.0
    command: Literal["train", "test", "time"] = "train"

    def standing(self, quiet: float, growth: float = 0.0) -> tuple[State, bool, str]:
        told = Told(
            number=1,
            first=0,
            begin=0,
            facts=Facts(size=9, lines=1, **self.facts),
            ending="open",
            command=self.command,
            longest=self.longest,
        )
        content = Content(Stamp(9, 0, 1), lines=1, size=9, runs=[told])
        found = standing(content, "train.log", quiet, growth)
        return found.state, found.stalled, found.problems[0].text if found.problems else ""


OPEN = {"iteration": 40, "loss": 2.0}


@pytest.mark.parametrize(
    ("quiet", "state", "stalled"),
    [
        (0, State.RUNNING, False),
        (20 * FACTOR - 1, State.RUNNING, False),
        (20 * FACTOR + 1, State.RUNNING, True),
        (20 * FACTOR * FACTOR + 1, State.INTERRUPTED, False),
    ],
)
def test_an_open_end_is_judged_by_the_silence(quiet: float, state: State, stalled: bool) -> None:
    found = Log(OPEN).standing(quiet)
    assert found[:2] == (state, stalled)
    assert found[2] == ("the text just stops at iteration 40" if state is State.INTERRUPTED else "")


def test_short_silences_never_mean_anything() -> None:
    log = Log(OPEN, longest=0.01)
    assert log.standing(LEAST - 1)[:2] == (State.RUNNING, False)
    assert log.standing(LEAST + 1)[:2] == (State.RUNNING, True)
    # Written in bursts, by a pipe with a buffer.
    assert log.standing(LEAST + 1, growth=40.0)[:2] == (State.RUNNING, False)


def test_before_the_first_iteration_one_waits_longer() -> None:
    log = Log({}, longest=None)
    assert log.standing(BEFORE_FIRST - 1)[:2] == (State.RUNNING, False)
    assert log.standing(BEFORE_FIRST + 1)[:2] == (State.RUNNING, True)
    assert log.standing(FACTOR * BEFORE_FIRST + 1) == (
        State.INTERRUPTED,
        False,
        "the text just stops before the first iteration",
    )


def test_words_decide_whatever_the_silence() -> None:
    for quiet in (0.0, 9 * DAY):
        assert Log({"done": True}).standing(quiet)[0] is State.FINISHED
        assert Log({"stopped_early": True}).standing(quiet)[0] is State.PAUSED
        assert Log({"error": "Check failed: x"}).standing(quiet) == (State.FAILED, False, "Check failed: x")


def test_failures_are_decoded() -> None:
    assert Log({"error": "SIGTERM"}).standing(0)[2] == "caffe was killed by SIGTERM"


def test_a_log_without_a_training() -> None:
    text = "the text just stops before caffe test had its results"
    assert Log({}, None, "test").standing(9 * DAY) == (State.INTERRUPTED, False, text)
    assert Log({"done": True}, None, "time").standing(9 * DAY)[0] is State.FINISHED
    assert standing(Content(Stamp(0, 0, 1)), "x", 9 * DAY).state is State.WAITING
    other = Content(Stamp(9, 0, 1), lines=1, size=9)
    assert standing(other, "x", LEAST - 1).state is State.WAITING
    assert standing(other, "x", LEAST + 1).state is State.INVALID


def test_a_copy_is_as_old_as_its_last_stamp() -> None:
    assert quiet_for(NOW, NOW - 5, None, None) == 5
    assert quiet_for(NOW, NOW - 5, NOW - 0.9 * DAY, None) == 5
    assert quiet_for(NOW, NOW - 5, NOW - 30 * DAY, None) == 30 * DAY
    assert quiet_for(NOW, NOW - 5, NOW + 3600, None) == 5
    assert quiet_for(NOW, NOW + 9, None, None) == 0
    # What was seen to grow is written to, whatever its stamps say.
    assert quiet_for(NOW, NOW - 5, NOW - 30 * DAY, 2.0) == 2.0
