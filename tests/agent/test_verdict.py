"""What a run came to, as a table of what is left of it."""

from __future__ import annotations

import msgspec
import pytest

from barista_server.agent.parts import Facts
from barista_server.agent.states import Happening
from barista_server.agent.store import Exit
from barista_server.agent.tail import Pulse
from barista_server.agent.verdict import judge

H = Happening


def ended(code: int | None = 0, signal: int | None = None, exec_error: str | None = None) -> Exit:
    return Exit(
        ended=9.0, wall_seconds=1, monotonic_seconds=1, code=code, signal=signal, exec_error=exec_error
    )


DONE = Facts(began=True, iteration=90, max_iter=100, done=True)
STOPPED = Facts(began=True, iteration=40, max_iter=100, stopped_early=True)
GOING = Facts(began=True, iteration=40, max_iter=100)
FATAL = Facts(began=True, iteration=40, max_iter=100, error="Check failed: fd != -1 File not found: x")


@pytest.mark.parametrize(
    ("left", "facts", "snapshot", "happening", "iteration", "words"),
    [
        (ended(), DONE, 100, H.COMPLETED, 100, ""),
        # display does not divide max_iter and nothing was written: the log's word counts
        (ended(), DONE, None, H.COMPLETED, 100, ""),
        (ended(), STOPPED, 43, H.STOPPED, 43, ""),
        (ended(), STOPPED, 40, H.STOPPED, 40, ""),
        # the snapshot is an old one: what was trained since is lost, and that is no pause
        (ended(), STOPPED, 20, H.BROKE, 40, "no snapshot"),
        (ended(), STOPPED, None, H.BROKE, 40, "no snapshot"),
        # SIGINT in the last iteration: there is nothing left to go on with
        (ended(), STOPPED, 100, H.COMPLETED, 100, ""),
        (ended(), GOING, None, H.BROKE, 40, "exit code 0 at iteration 40 of 100"),
        (ended(code=1), GOING, 20, H.BROKE, 40, "exit code 1"),
        (ended(code=None, signal=6), FATAL, 20, H.BROKE, 40, "File not found"),
        (ended(code=134), FATAL, 20, H.BROKE, 40, "File not found"),
        (ended(code=None, signal=9), GOING, 20, H.BROKE, 40, "SIGKILL"),
        (ended(code=None, signal=9), DONE, 100, H.BROKE, 90, "SIGKILL"),
        (ended(code=None, signal=64), GOING, 20, H.BROKE, 40, "SIGRTMAX"),
        (ended(code=127, exec_error="caffe: No such file"), Facts(), None, H.BROKE, 0, "No such file"),
        # without exit.json
        (None, GOING, 20, H.LOST, 40, "gone"),
        (None, DONE, 100, H.LOST, 100, "not known"),
        (None, STOPPED, 43, H.STOPPED, 43, ""),
        (None, Facts(), None, H.LOST, 0, "gone"),
    ],
)
def test_judgement(
    left: Exit | None, facts: Facts, snapshot: int | None, happening: H, iteration: int, words: str
) -> None:
    verdict = judge(left, facts, snapshot, 100)
    assert (verdict.happening, verdict.iteration) == (happening, iteration)
    assert bool(verdict.problems) == bool(words)
    if words:
        assert words in verdict.problems[0].text
        assert verdict.problems[0].hint


@pytest.mark.parametrize(
    ("iteration", "begun", "happening"),
    [(0, 0, H.STOPPED), (40, 40, H.STOPPED), (40, 0, H.BROKE), (40, None, H.BROKE)],
)
def test_a_stop_before_the_first_iteration_loses_nothing(
    iteration: int, begun: int | None, happening: Happening
) -> None:
    facts = msgspec.structs.replace(STOPPED, untrained=True, iteration=iteration)
    verdict = judge(ended(), facts, None, 100, begun=begun)
    assert (verdict.happening, verdict.iteration) == (happening, iteration)


@pytest.mark.parametrize("left", [ended(), None])
def test_without_a_known_max_iter_no_snapshot_reaches_it(left: Exit | None) -> None:
    unknown = msgspec.structs.replace(STOPPED, max_iter=None)
    verdict = judge(left, unknown, 43, 0)
    assert (verdict.happening, verdict.iteration) == (H.STOPPED, 43)


def test_force_is_told_apart_from_the_system() -> None:
    problem = judge(ended(code=None, signal=9), GOING, 20, 100, forced=True).problems[0]
    assert "by force (SIGKILL)" in problem.text


def test_force_on_a_wrapper_is_told_as_its_code() -> None:
    assert "by force (exit code 137)" in judge(ended(code=137), GOING, 20, 100, forced=True).problems[0].text


def test_a_stop_whose_last_words_did_not_fit_on_the_disk_is_a_stop() -> None:
    verdict = judge(ended(), GOING, 42, 100, interrupted=True)
    assert (verdict.happening, verdict.iteration, verdict.problems) == (H.STOPPED, 42, [])
    for left, snapshot in ((ended(), 20), (ended(code=1), 42), (None, 42)):
        assert judge(left, GOING, snapshot, 100, interrupted=True).happening in {H.BROKE, H.LOST}


def test_a_pulse_measures_silence_by_its_own_past() -> None:
    pulse = Pulse(0)
    assert not pulse.stalled(800) and pulse.stalled(1000)
    for now in (10, 20, 30, 40):
        pulse.beat(now)
    assert not pulse.stalled(40 + 99) and pulse.stalled(40 + 101)
    quick = Pulse(0)
    for now in range(1, 50):
        quick.beat(now / 10)
    assert not quick.stalled(5 + 50) and quick.stalled(5 + 61)


def test_the_log_counts_where_the_runner_told_and_that_cannot_be_read() -> None:
    assert judge(None, DONE, 100, 100, told=True).happening is H.COMPLETED


@pytest.mark.parametrize(("number", "forced"), [(15, False), (9, False), (15, True), (11, False)])
def test_a_shutdown_is_no_failure_of_caffe(number: int, forced: bool) -> None:
    left = ended(code=None, signal=number)
    verdict = judge(left, GOING, 20, 100, forced=forced, shut_down=True)
    lost = number != 11 and not forced
    assert verdict.happening is (H.LOST if lost else H.BROKE)
    assert ("shut down" in verdict.problems[0].text) is lost


def test_memory_that_ran_out_is_named() -> None:
    left = msgspec.structs.replace(ended(code=None, signal=9), oom_kills=1)
    assert "memory ran out" in judge(left, GOING, 20, 100).problems[0].text
    left = msgspec.structs.replace(ended(code=None, signal=11), oom_kills=1)
    assert "SIGSEGV" in judge(left, GOING, 20, 100).problems[0].text
