"""Real logs give the counts and values that were read from them by other means."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from barista_server.caffe.log import (
    LEARNING_RATE,
    LOSS,
    PASS_TIME,
    Ending,
    EventKind,
    Life,
    LogParser,
    Run,
    Series,
)

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
    "bvlc1.0-test": (0, 0, 0, 6, 0, 0, Ending.FINISHED),
    "bvlc1.0-time": (0, 0, 0, 0, 0, 0, Ending.FINISHED),
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

needs_truth = pytest.mark.skipif(not TRUTH, reason="other people's logs are not here")
public = pytest.mark.parametrize("name", TRUTH or ["absent"])

# An excerpt may begin with outputs whose iteration stands above it: they have no place in a series.
BEFORE_ANY_ITERATION = {
    "issue-bvlc4449-minus-nan": "Iteration 0, Testing net (#0)",
    "issue-pyfrcnn261-speed": "Iteration 4180, loss = 0",
    "issue-win210-ssd-windows": "Iteration 11980, loss = 0",
}


def load(name: str) -> tuple[dict[str, Any], bytes]:
    return TRUTH[name], (PUBLIC / f"{name}.log").read_bytes()


@needs_truth
@public
def test_displays(name: str) -> None:
    truth, data = load(name)
    parser = parse(data)
    assert (parser.lines, parser.index.size) == (truth["lines"], truth["bytes"])
    loss = parser.series.get(LOSS, Series())
    assert len(loss) == truth["train_points"]
    assert len(set(loss.iteration.tolist())) == truth["train_distinct_iters"]
    assert int((np.diff(loss.iteration) < 0).sum()) == truth["train_jumps_back"]
    assert first_and_last(loss) == [point(truth["train_first"]), point(truth["train_last"])]
    assert (~np.isfinite(loss.value)).sum() == truth["train_nonfinite"]
    text = data.split(b"\n")
    shown = [re.search(rb"Iteration \d+ \(", text[line]) for line in loss.line.tolist()]
    assert sum(map(bool, shown)) == truth["points_with_rate"]
    rate = parser.series.get(LEARNING_RATE, Series())
    assert len(rate) == truth["lr_points"]
    assert first_and_last(rate) == [point(truth["lr_first"]), point(truth["lr_last"])]
    for series in parser.series.values():
        assert (np.diff(series.seconds[~np.isnan(series.seconds)]) >= 0).all()


@needs_truth
@public
def test_outputs(name: str) -> None:
    truth, data = load(name)
    data = BEFORE_ANY_ITERATION.get(name, "").encode() + b"\n" + data
    parser = parse(data)
    before = name == "issue-bvlc4449-minus-nan"
    assert len(parser.tests) == truth["test_begin_lines"] + before
    assert outputs(parser, "train") == listed(truth["train_outputs"])
    if "caffe_test" not in truth:
        expected = (
            [each | {"last_iter": 0} for each in truth["test_outputs"]] if before else truth["test_outputs"]
        )
        assert outputs(parser, "test") == listed(expected)


@needs_truth
@public
def test_events(name: str) -> None:
    truth, data = load(name)
    parser = parse(data)
    counts = parser.event_counts
    assert counts[EventKind.SNAPSHOT_MODEL] == truth["snapshot_models"]
    assert counts[EventKind.SNAPSHOT_STATE] == truth["snapshot_states"]
    models = [event.text for event in parser.events if event.kind is EventKind.SNAPSHOT_MODEL]
    assert (models or [None])[-1] == truth["last_snapshot"]
    assert counts[EventKind.RESUMED] == truth["resume_lines"]
    assert counts[EventKind.FINETUNED] == truth["finetune_lines"]
    assert counts[EventKind.DONE] == truth["done_lines"]
    assert counts[EventKind.STOPPED_EARLY] == truth["stopped_early_lines"]
    assert counts[EventKind.TEST_INTERRUPTED] == truth["test_interrupted"]
    assert counts[EventKind.MULTISTEP] == truth["multistep_lines"]
    assert counts[EventKind.CLIPPING] == truth["clipping_lines"]
    assert lines_of(parser, EventKind.FATAL) == truth["fatal_lines"]
    assert lines_of(parser, EventKind.SIGNAL) == truth["signal_lines"]


@needs_truth
@public
def test_runs(name: str) -> None:
    truth, data = load(name)
    parser = parse(data)
    trainings = [run for run in parser.runs if run.kind == "train"]
    found = []
    for run in trainings:
        stop = next(
            (other.first_line for other in parser.runs if other.first_line > run.first_line), parser.lines
        )
        loss = parser.series.get(LOSS, Series())
        mine = np.flatnonzero((loss.line >= run.first_line) & (loss.line < stop))
        ends = (
            [(int(loss.iteration[row]), repr(float(loss.value[row]))) for row in mine[[0, -1]]]
            if len(mine)
            else [None] * 2
        )
        # There a run begins where its solver is told.
        dumps = [dump.first_line for dump in parser.dumps if dump.kind == "solver"]
        otherwise = run.first_line + 1 if b"<<<<<<<" in data[:10] else 1
        line = next((line for line in dumps if run.first_line < line <= stop), otherwise)
        found.append((line, len(mine), *ends, run.resumed_from, word(run)))
    expected = [
        (run["line"], run["points"], point(run["first"]), point(run["last"]), run["resume"], run["end"])
        for run in truth["runs"]
    ]
    if name == "issue-fastrcnn90-traceback":  # there in words only: "failed (Traceback)"
        expected = [(*run[:-1], "failed") for run in expected]
    assert found == expected
    assert (" / ".join(word(run) for run in parser.runs) or "cut") == END_WORDS.get(
        truth["end"], truth["end"]
    )


END_WORDS = {
    "excerpt": "cut",
    "failed (Traceback)": "failed",
    "finished (caffe test)": "finished",
    "finished (caffe time)": "finished",
    "caffe test: third final value missing": "cut",
}


def word(run: Run) -> str:
    """The ending in the words of the truth."""
    if run.ending is Ending.FAILED and run.error.startswith("SIG"):
        return f"killed {run.error}"
    return "cut" if run.ending is Ending.OPEN else str(run.ending)


def point(truth: list[Any] | None) -> tuple[int, str] | None:
    return (truth[0], repr(float(truth[1]))) if truth and truth[1] is not None else None


def first_and_last(series: Series) -> list[tuple[int, str] | None]:
    if not len(series):
        return [None, None]
    return [(int(series.iteration[row]), repr(float(series.value[row]))) for row in (0, -1)]


def outputs(parser: LogParser, phase: str) -> list[tuple[int, int, str, int, str, int | None]]:
    return sorted(
        (
            key.net,
            key.output,
            key.name,
            len(series),
            str(float(series.value[-1])),
            int(series.iteration[-1]) if phase == "test" else None,
        )
        for key, series in parser.series.items()
        if key.phase == phase and key.output >= 0
    )


def listed(truth: list[dict[str, Any]]) -> list[tuple[int, int, str, int, str, int | None]]:
    return sorted(
        (
            each.get("net", 0),
            each["index"],
            each["name"],
            each["count"],
            str(float(each["last"])),
            each.get("last_iter"),
        )
        for each in truth
    )


def lines_of(parser: LogParser, kind: EventKind) -> list[int]:
    return [event.line + 1 for event in parser.events if event.kind is kind]


@needs_truth
@pytest.mark.parametrize(
    "name", [name for name, truth in TRUTH.items() if "caffe_test" in truth] or ["absent"]
)
def test_caffe_test(name: str) -> None:
    truth, data = load(name)
    parser = parse(data)
    [run] = parser.runs
    assert run.kind == "test"
    batches = [(key, series) for key, series in parser.series.items() if key.phase == "test"]
    assert sum(len(series) for _, series in batches) == truth["caffe_test"]["batch_lines"]
    # Each output has a value of every batch, whatever the others are called.
    assert [key.output for key, _ in batches] == [0, 1, 2]
    for _, series in batches:
        assert series.iteration.tolist() == list(range(run.results.batches or 0))
    assert run.results.loss == float(truth["caffe_test"]["loss"])
    final = [
        (name, value) for name, _, value in (each.partition(" = ") for each in truth["caffe_test"]["final"])
    ]
    assert run.results.final == [(name, float(value.split(" (* ")[0])) for name, value in final]


@needs_truth
@pytest.mark.parametrize(
    "name", [name for name, truth in TRUTH.items() if "caffe_time" in truth] or ["absent"]
)
def test_caffe_time(name: str) -> None:
    truth, data = load(name)
    parser = parse(data)
    [run] = parser.runs
    assert (run.kind, run.ending) == ("time", Ending.FINISHED)
    assert len(parser.series[PASS_TIME]) == truth["caffe_time"]["iteration_lines"]
    average = run.results.average
    keys = {"avg_fwd": "Forward pass", "avg_bwd": "Backward pass", "avg_fb": "Forward-Backward"}
    for key, label in keys.items():
        assert f"{average[label]:g} ms." == truth["caffe_time"][key]
    # The layers' times add up to the pass.
    for way, label in (("forward", "Forward pass"), ("backward", "Backward pass")):
        assert sum(each[way] for each in run.results.layers.values()) == pytest.approx(
            average[label], rel=0.02
        )


def test_own_tools() -> None:
    run = read("bvlc1.0-test").runs[0]
    assert (run.kind, run.results.batches, run.results.loss) == ("test", 3, 0.0236219)
    assert run.results.final == [("accuracy", 0.989899), ("loss", 0.0236219)]
    parser = read("bvlc1.0-time")
    run = parser.runs[0]
    assert parser.series[PASS_TIME].value.tolist() == [15, 16, 16, 15, 15]
    assert run.results.layers["conv1"] == {"forward": 0.959, "backward": 1.509}
    assert run.results.average["Time"] == 79
