"""Real logs give the counts and values that were read from them by other means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from barista_server.caffe.log import LEARNING_RATE, LOSS, Ending, EventKind, Life, LogParser, Series

from .log_results import FIXTURES, OWN, PUBLIC, parse

# Counted with grep: losses, rates, test begins, test outputs, train outputs, model snapshots; and the ending.
COUNTS = {
    "bvlc1.0-dq": (0, 0, 0, 0, 0, 0, Ending.FAILED),
    "bvlc1.0-gpu_on_cpu": (0, 0, 0, 0, 0, 0, Ending.FAILED),
    "bvlc1.0-missing_lmdb": (0, 0, 0, 0, 0, 0, Ending.FAILED),
    "bvlc1.0-nan": (11, 10, 5, 10, 10, 1, Ending.FINISHED),
    "bvlc1.0-nodir": (62, 62, 25, 50, 62, 0, Ending.FAILED),
    "bvlc1.0-nosolver": (0, 0, 0, 0, 0, 0, Ending.FAILED),
    "bvlc1.0-resume": (5, 5, 3, 6, 5, 2, Ending.FINISHED),
    "bvlc1.0-shape": (0, 0, 0, 0, 0, 0, Ending.FAILED),
    "bvlc1.0-sigint": (19, 19, 8, 16, 19, 2, Ending.STOPPED_EARLY),
    "bvlc1.0-sigkill": (9, 9, 4, 8, 9, 3, Ending.OPEN),
    "bvlc1.0-sigterm": (9, 9, 4, 8, 9, 0, Ending.FAILED),
    "bvlc1.0-test": (0, 0, 0, 0, 0, 0, Ending.OPEN),
    "bvlc1.0-time": (0, 0, 0, 0, 0, 0, Ending.OPEN),
    "bvlc1.0-typo": (0, 0, 0, 0, 0, 0, Ending.FAILED),
    "bvlc1.0-unknown_bottom": (0, 0, 0, 0, 0, 0, Ending.FAILED),
    "local2026-glog06-year": (6, 5, 6, 12, 5, 2, Ending.FINISHED),
}


def read(name: str) -> LogParser:
    return parse((FIXTURES / f"{name}.log").read_bytes())


def points(parser: LogParser, phase: str, *, outputs: bool) -> int:
    return sum(
        len(series)
        for key, series in parser.series.items()
        if key.phase == phase and (key.output >= 0) is outputs
    )


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.stem)
def test_own_logs(path: Path) -> None:
    parser = parse(path.read_bytes())
    losses, rates, tests, test_outputs, train_outputs, models, ending = COUNTS[path.stem]
    assert parser.index.lines == path.read_bytes().count(b"\n")
    assert parser.index.size == path.stat().st_size
    assert len(parser.series.get(LOSS, Series())) == losses
    assert len(parser.series.get(LEARNING_RATE, Series())) == rates
    assert len(parser.tests) == tests
    assert points(parser, "test", outputs=True) == test_outputs
    assert points(parser, "train", outputs=True) == train_outputs
    assert parser.event_counts[EventKind.SNAPSHOT_MODEL] == models
    assert [run.ending for run in parser.runs] == [ending]


def test_a_finished_run_in_full() -> None:
    parser = read("local2026-glog06-year")
    loss = parser.series[LOSS]
    assert (loss.iteration[0], loss.value[0]) == (0, 2.40657)
    assert (loss.iteration[-1], loss.value[-1]) == (500, 0.00259709)
    assert (np.diff(loss.seconds) > 0).all()
    run = parser.runs[0]
    assert (run.max_iter, run.display, run.test_iter) == (500, 100, [3])
    assert run.net_name == "LeNet"
    assert run.solver["lr_policy"] == ["inv"]
    assert (parser.life, parser.iteration, parser.test_iteration) == (Life.ENDED, 500, 500)
    accuracy = next(series for key, series in parser.series.items() if key.name == "accuracy")
    assert accuracy.iteration.tolist() == [0, 100, 200, 300, 400, 500]
    assert accuracy.value[-1] == 0.989899


def test_a_resumed_run_tells_where_it_went_on() -> None:
    run = read("bvlc1.0-resume").runs[0]
    assert (run.resumed_from, run.resume_iteration) == ("kill_iter_150.solverstate", 150)
    assert (run.first_iteration, run.last_iteration) == (150, 250)


def test_failures_tell_why() -> None:
    assert "Unknown bottom blob 'poolX'" in read("bvlc1.0-unknown_bottom").runs[0].error
    assert "No such file or directory" in read("bvlc1.0-missing_lmdb").runs[0].error
    assert read("bvlc1.0-sigterm").runs[0].error == "SIGTERM"


def test_nan_is_a_value() -> None:
    parser = read("bvlc1.0-nan")
    loss = parser.series[LOSS]
    assert loss.value[0] == 2.32016
    assert np.isnan(loss.value[1:]).all()
    assert loss.iteration.tolist() == list(range(0, 201, 20))


TRUTH: dict[str, Any] = (
    json.loads((PUBLIC / "ground-truth.json").read_text()) if (PUBLIC / "ground-truth.json").exists() else {}
)

# An excerpt may begin with outputs whose iteration stands above it: they have no place in a series.
BEFORE_ANY_ITERATION = {"issue-bvlc4449-minus-nan", "issue-pyfrcnn261-speed", "issue-win210-ssd-windows"}
# The list of runs there holds trainings only; and an exception ends a run there only in words.
OTHER_RUNS = {
    "caffetest2017-dsd-alexnet",
    "caffetime2016-googlenet",
    "glogfile2016-caffetest",
    "issue-fastrcnn90-traceback",
}
ENDINGS = {"cut": Ending.OPEN, "killed SIGTERM": Ending.FAILED}


@pytest.mark.skipif(not TRUTH, reason="other people's logs are not here")
@pytest.mark.parametrize("name", TRUTH or ["absent"])
def test_public_logs(name: str) -> None:
    truth = TRUTH[name]
    parser = parse((PUBLIC / f"{name}.log").read_bytes())
    assert (parser.lines, parser.index.size) == (truth["lines"], truth["bytes"])
    loss = parser.series.get(LOSS, Series())
    assert len(loss) == truth["train_points"]
    if len(loss):
        ends = [(int(loss.iteration[row]), str(float(loss.value[row]))) for row in (0, -1)]
        assert ends == [(at, str(float(value))) for at, value in (truth["train_first"], truth["train_last"])]
        assert (~np.isfinite(loss.value)).sum() == truth["train_nonfinite"]
        seconds = loss.seconds[~np.isnan(loss.seconds)]
        assert (np.diff(seconds) >= 0).all()
    assert len(parser.series.get(LEARNING_RATE, Series())) == truth["lr_points"]
    assert len(parser.tests) == truth["test_begin_lines"]
    if name not in BEFORE_ANY_ITERATION:
        assert outputs(parser, "train") == listed(truth["train_outputs"])
        assert outputs(parser, "test") == listed(truth["test_outputs"])
    counts = parser.event_counts
    assert counts[EventKind.SNAPSHOT_MODEL] == truth["snapshot_models"]
    assert counts[EventKind.SNAPSHOT_STATE] == truth["snapshot_states"]
    assert counts[EventKind.RESUMED] == truth["resume_lines"]
    assert counts[EventKind.FINETUNED] == truth["finetune_lines"]
    assert counts[EventKind.DONE] == truth["done_lines"]
    assert counts[EventKind.STOPPED_EARLY] == truth["stopped_early_lines"]
    assert counts[EventKind.TEST_INTERRUPTED] == truth["test_interrupted"]
    assert lines_of(parser, EventKind.FATAL) == truth["fatal_lines"]
    assert lines_of(parser, EventKind.SIGNAL) == truth["signal_lines"]
    if name not in OTHER_RUNS:
        runs = [(run.resumed_from, run.ending) for run in parser.runs]
        assert runs == [(run["resume"], ENDINGS.get(run["end"], run["end"])) for run in truth["runs"]]


def outputs(parser: LogParser, phase: str) -> list[tuple[int, int, str, int, str]]:
    return sorted(
        (key.net, key.output, key.name, len(series), str(float(series.value[-1])))
        for key, series in parser.series.items()
        if key.phase == phase and key.output >= 0
    )


def listed(truth: list[dict[str, Any]]) -> list[tuple[int, int, str, int, str]]:
    return sorted(
        (each.get("net", 0), each["index"], each["name"], each["count"], str(float(each["last"])))
        for each in truth
    )


def lines_of(parser: LogParser, kind: EventKind) -> list[int]:
    return [event.line + 1 for event in parser.events if event.kind is kind]
