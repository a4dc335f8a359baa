"""What sbatch is told, how Slurm's answers are read, what its last word means; without a Slurm."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barista_server.agent.errors import CallError
from barista_server.agent.slurm import commands, fates, options
from barista_server.agent.states import Happening
from barista_server.agent.store import Exit, Ticket
from barista_server.agent.verdict import Verdict
from barista_server.api.messages import Problem, SlurmOptions


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 1800),
        ("1:30", 90),
        ("2:00:00", 7200),
        ("1-12", 129600),
        ("1-0:30", 88200),
        ("", None),
        ("infinite", None),
    ],
)
def test_time_limits(text: str, seconds: int | None) -> None:
    assert options.seconds(text) == seconds


def test_the_warning_leaves_time_for_a_snapshot_but_not_all_of_it() -> None:
    assert options.lead(SlurmOptions(), 10) == 60
    assert options.lead(SlurmOptions(time="60"), 600) == 600
    assert options.lead(SlurmOptions(time="10"), 600) == 300
    assert options.lead(SlurmOptions(time="0:01"), 600) == 1


def test_arguments() -> None:
    asked = SlurmOptions(
        partition="gpu", gres="gpu:2", time="1-0", cpus=4, memory="8G", arguments=["--qos=long"]
    )
    words = options.arguments(asked, name="n", key="k", output="o", lead=60, array="0-3%2")
    assert words[-1] == "--qos=long"
    for word in (
        "--partition=gpu",
        "--gres=gpu:2",
        "--time=1-0",
        "--cpus-per-task=4",
        "--mem=8G",
        "--array=0-3%2",
    ):
        assert word in words
    plain = options.arguments(SlurmOptions(), name="n", key="k", output="o", lead=60)
    assert not any(word.startswith(("--time", "--partition", "--array")) for word in plain)


@pytest.mark.parametrize(
    "asked",
    [
        SlurmOptions(partition="a b"),
        SlurmOptions(partition="-x"),
        SlurmOptions(gres="gpu\n"),
        SlurmOptions(time="soon"),
        SlurmOptions(cpus=-1),
        *(
            SlurmOptions(arguments=[word])
            for word in ("x", "-", "--", "--arr=1", "-J", "--comm=1", "-o", "--q\x1b")
        ),
    ],
)
def test_what_sbatch_cannot_be_given(asked: SlurmOptions) -> None:
    with pytest.raises(CallError):
        options.checked(asked)


def test_rows_of_squeue() -> None:
    rows = [
        "12_3|PENDING|Resources|2026-11-25T14:05:00||barista:ab",
        "13|RUNNING|None|N/A|gpu07|(null)",
        "14|FAILED|JobLaunchFailure|N/A|gpu07|a|comment|with bars",
        "not a row",
        "",
    ]
    found = commands.parse_jobs(rows)
    assert [one.id for one in found] == ["12_3", "13", "14"]
    assert found[0].key == "barista:ab" and found[0].starts is not None and not found[0].node
    assert found[1].key == "" and found[1].starts is None
    assert found[2].fate == "BOOT_FAIL" and found[2].key == "a|comment|with bars"


@given(st.lists(st.text()))
def test_any_rows_of_squeue(rows: list[str]) -> None:
    commands.parse_jobs(rows)


def test_reasons() -> None:
    assert options.reason_words("None") == "waits for the scheduler"
    assert "never start" in options.reason_words("PartitionTimeLimit")
    assert "not available" in options.reason_words("ReqNodeNotAvail, UnavailableNodes:gpu07")
    assert "QOSMaxJobsPerUserLimit" in options.reason_words("QOSMaxJobsPerUserLimit")
    assert options.reason_words("SomethingNew") == "SomethingNew"


def _run(fate: str = "", ended: Exit | None = None, **marks: bool) -> Any:
    facts = {"pausing": False, "forced": False, **marks}
    return cast(Any, SimpleNamespace(fate=fate, exit=ended, ticket=Ticket("7", 0.0), **facts))


def _ended(**how: Any) -> Exit:
    return Exit(ended=0.0, wall_seconds=0.0, monotonic_seconds=0.0, **how)


LOST = Verdict(Happening.LOST, 50, [Problem(text="caffe is gone")])
KILLED = Verdict(Happening.BROKE, 50, [Problem(text="caffe was killed by SIGTERM")])
STOPPED = Verdict(Happening.STOPPED, 50)


@pytest.mark.parametrize(
    ("run", "before", "happening", "words"),
    [
        (_run("NODE_FAIL"), LOST, Happening.LOST, "its node failed"),
        (_run("OUT_OF_MEMORY"), LOST, Happening.BROKE, "more memory"),
        (_run("CANCELLED"), LOST, Happening.BROKE, "cancelled"),
        (_run("CANCELLED", forced=True), LOST, Happening.BROKE, "by force"),
        (_run("TIMEOUT", _ended(signal=15)), KILLED, Happening.LOST, "time limit"),
        (_run("COMPLETED", _ended(signal=15)), KILLED, Happening.BROKE, "killed by SIGTERM"),
        (_run("NEVER"), LOST, Happening.LOST, "gone"),
        (_run("", _ended(signal=15)), KILLED, Happening.BROKE, "killed by SIGTERM"),
    ],
)
def test_what_slurm_says_last(run: Any, before: Verdict, happening: Happening, words: str) -> None:
    after = fates.told(run, before)
    assert after.happening is happening and words in after.problems[0].text


@pytest.mark.parametrize(
    ("run", "verdict", "goes_on"),
    [
        (_run("", _ended(code=0, warned="time limit")), STOPPED, True),
        (_run("", _ended(code=0, warned="time limit"), pausing=True), STOPPED, False),
        (_run("", _ended(code=0)), STOPPED, False),
        (_run("TIMEOUT", _ended(signal=15)), LOST, True),
        (_run("PREEMPTED"), LOST, True),
        (_run("PREEMPTED", forced=True), LOST, False),
        (_run("OUT_OF_MEMORY"), KILLED, False),
        (_run("", _ended(code=0, warned="time limit")), Verdict(Happening.COMPLETED, 50), False),
    ],
)
def test_when_it_is_submitted_again(run: Any, verdict: Verdict, goes_on: bool) -> None:
    assert bool(fates.reason_to_go_on(run, verdict, 1)) is goes_on
    assert not fates.reason_to_go_on(run, verdict, fates.MOST_TRIES)
