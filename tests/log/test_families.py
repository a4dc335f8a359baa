"""Short logs in the grammar of every family, and everything that is in each of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from barista_server.caffe.log import (
    LEARNING_RATE,
    LOSS,
    PASS_TIME,
    Ending,
    EventKind,
    Kind,
    LogParser,
    SeriesKey,
)
from barista_server.caffe.log.echoed import echoed_net, echoed_solver

from .log_results import FIXTURES, everything, parse

FAMILIES = FIXTURES / "families"
E = EventKind
ENDED = {
    "finished": Ending.FINISHED,
    "stopped": Ending.STOPPED_EARLY,
    "failed": Ending.FAILED,
    "cut": Ending.OPEN,
}


@dataclass
class Holds:
    """What a log holds. Points are written ``iteration:value iteration:value``."""

    runs: str
    """Ending, first and last iteration of each run."""
    loss: str = ""
    rate: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    """By phase, net, number and name."""
    tests: str = ""
    """Iteration/net of each test begun."""
    events: dict[EventKind, int] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    """Of the losses."""
    dumps: int = 0
    solver: dict[str, Any] = field(default_factory=dict)


TIDE = {"max_iter": 200, "display": 50, "snapshot": 100}
SNAPSHOT = {E.SNAPSHOT_MODEL: 1, E.SNAPSHOT_STATE: 1}
BEGUN = {E.CONSTRUCTING: 1, E.STARTED: 1}
TABLE = {
    "bvlc2013": Holds(
        "finished 100-300", "100:2.2981 200:1.9042 300:1.1277", "100:.01 200:.01 300:.01",
        {"test 0 0 score0": "200:.3125", "test 0 1 score1": "200:1.8844"}, "200/0",
        SNAPSHOT | {E.STARTED: 1, E.DONE: 2}, [9, 11, 18],
    ),
    "bvlc2014a": Holds(
        "finished 0-60", "20:2.01 40:1.7 60:.125", "20:.05 40:.05 60:.05",
        {"test 0 0 score0": "0:.125 40:.5", "test 0 1 score1": "0:2.0794 40:1.6", "test 0 -1 loss": "40:1.6"},
        "0/0 40/0", BEGUN | SNAPSHOT | {E.DONE: 2}, [10, 12, 18], 1,
        {"max_iter": 60, "display": 20, "test_interval": 40, "test_iter": [10]},
    ),
    "bvlc2014b": Holds(
        "cut 0-100", "0:4.5 50:3.25 100:nan", "0:.02 50:.02 100:.02",
        {"train 0 0 loss": "0:4.5 50:3.25 100:nan"}, "", BEGUN, [7, 10, 13], 1, TIDE | {"test_iter": []},
    ),
    "bvlc2015-two-test-nets": Holds(
        "finished 0-200", "0:2 100:1 200:.5", "0:.02 100:.002",
        {
            "train 0 0 loss": "0:2 100:1",
            "test 0 0 accuracy": "0:.15 100:.25 200:.75", "test 0 1 loss": "0:3 100:2 200:.6",
            "test 1 0 accuracy": "0:.25 100:.35 200:.8", "test 1 1 loss": "0:2.5 100:1.5 200:.55",
        },
        "0/0 0/1 100/0 100/1 200/0 200/1",
        BEGUN | SNAPSHOT | {E.MULTISTEP: 1, E.DONE: 2}, [19, 28, 34], 2,
        TIDE | {"test_iter": [4, 4], "test_interval": 100},
    ),
    "bvlc2016-resumed": Holds(
        "finished 100-200", "100:.9 150:.7 200:.65", "100:.01 150:.01",
        {"train 0 0 loss": "100:.9 150:.7"}, "",
        BEGUN | SNAPSHOT | {E.RESUMED: 2, E.CLIPPING: 2, E.DONE: 2},
        [13, 16, 23], 2, TIDE,
    ),
    "bvlc2017-stopped": Holds(
        "stopped 0-100", "0:2.5 50:1.5", "0:.02 50:.02",
        {"train 0 0 loss": "0:2.5 50:1.5", "test 0 0 accuracy": "0:.1", "test 0 1 loss": "0:2.5"},
        "0/0 100/0",
        BEGUN | SNAPSHOT | {E.TEST_INTERRUPTED: 1, E.STOPPED_EARLY: 1, E.DONE: 1},
        [15, 18], 2, TIDE,
    ),
    "glog-year": Holds(
        "finished 0-200", "0:1 50:.5 100:.25 150:.125 200:.0625", "0:.02 50:.02 100:.02 150:.02",
        {"train 0 0 loss": "0:1 50:.5 100:.25 150:.125"}, "",
        BEGUN | {E.DONE: 2}, [10, 13, 16, 19, 22], 2, TIDE,
    ),
    "nvcaffe0.12": Holds(
        "finished 0-56", "28:1.75", "0:.02 28:.02 56:.01",
        {"train 0 0 loss": "28:1.5", "test 0 0 accuracy": "0:.1 56:.6"}, "0/0 56/0",
        {E.STARTED: 1, E.DONE: 2}, [5],
    ),
    "nvcaffe0.15-two-gpus": Holds(
        "finished 0-158", "0:2.75 79:1.5 158:.75", "0:.02 0:.02 79:.02 79:.02 158:.02 158:.02",
        {"train 0 0 loss": "0:2.75 79:1.5 158:.75"}, "",
        SNAPSHOT | {E.STARTED: 1, E.DONE: 2}, [3, 5.9996, 8.9992],
    ),
    "nvcaffe0.16": Holds(
        "finished 0-200", "0:6.5 1:6.25 2:6 50:3 199:1.5 200:1.25", "0:.02 1:.02 2:.02 50:.02 199:1e-5",
        {"train 0 0 loss": "0:6.5 1:6.25 2:6 50:3 199:1.5"}, "",
        BEGUN | {E.DONE: 1}, [5, 8, 11, 14, 17, 20], 1, TIDE,
    ),
    "nvcaffe0.17-epochs": Holds(
        "finished 0-199", "0:6.5 100:5.5 199:4.5", "0:.5 100:.5 199:.5",
        {"train 0 0 loss": "0:6.5 100:5.5 199:4.5"}, "",
        SNAPSHOT | {E.STARTED: 2, E.DONE: 1}, [4, 7, 10],
    ),
    "nvcaffe0.17.3-tags": Holds(
        "cut 0-100", "0:6.5 100:inf", "0:.25 100:.25",
        {
            "train 0 0 loss": "0:6.5 100:inf", "test 0 0 top-1": "0:.125", "test 0 1 mAP": "0:.25",
            "test 0 -1 class AP 3": "0:.5",
        },
        "0/0", {}, [6, 9],
    ),
    # Two processes: rank 0 is followed; rank 1 lives three hours east, and ends first.
    "intel-mpi": Holds(
        "finished 0-39", "0:4.25 0:4.5 20:3.75 20:3.5 39:3", "0:.02 0:.02 20:.02 20:.02",
        {"train 0 0 loss": "0:4.25 0:4.5 20:3.75 20:3.5"}, "",
        {E.CONSTRUCTING: 2, E.STARTED: 2, E.MULTISTEP: 1, E.SNAPSHOT_MODEL: 1, E.DONE: 2},
        [1.25, 2.25, 2.75, 3.75, 5], 2, {"max_iter": 40, "display": 20},
    ),
    "intel-cpu": Holds(
        "stopped 0-50", "0:2.5 50:2.25", "0:.02 50:.02", {"train 0 0 loss": "0:2.5 50:2.25"}, "",
        BEGUN | {E.MULTISTEP: 1, E.STOPPED_EARLY: 1}, [8, 14], 2, TIDE,
    ),
    "ssd": Holds(
        "cut 0-500", "0:nan 500:nan", "0:.001 500:.001",
        {
            "train 0 0 mbox_loss": "0:0 500:1.25", "test 0 -1 class1": "500:.75",
            "test 0 -1 class3": "500:.5", "test 0 0 detection_eval": "500:.625",
        },
        "500/0", {E.FINETUNED: 1, E.STARTED: 1}, [4, 12],
    ),
    # Nothing tells that the F line is another process's: the run before it does not go on.
    "appended": Holds(
        "failed 0-50, finished 0-200", "0:3 50:2 0:3 50:1 200:.5", "0:.02 50:.02 0:.02 50:.02", {}, "",
        {E.CONSTRUCTING: 2, E.STARTED: 2, E.FATAL: 1, E.DONE: 2}, [9, 11, 909, 911, 913], 4, TIDE,
    ),
    "killed": Holds(
        "cut 0-50", "0:3 50:2", "0:.02 50:.02", {"train 0 0 loss": "0:3 50:2"}, "", BEGUN, [9, 12], 2, TIDE,
    ),
    "windows-no-numbers": Holds(
        "cut 0-110",
        "0:nan 10:nan 20:nan 30:inf 40:-inf 50:nan 60:nan 70:inf 80:-inf 90:nan 100:nan 110:4.5",
        " ".join(f"{i}:.02" for i in range(0, 111, 10)),
        {
            "train 0 0 loss":
            "0:nan 10:nan 20:nan 30:inf 40:-inf 50:nan 60:nan 70:inf 80:-inf 90:nan 100:nan 110:4.5",
        },
        "", {E.STARTED: 1, E.SNAPSHOT_MODEL: 1}, [0.03 + 0.045 * i for i in range(12)],
    ),
    "fatal-no-trace": Holds("failed", events={E.CONSTRUCTING: 1, E.FATAL: 1}, dumps=2, solver=TIDE),
    "fatal-trace": Holds("failed", events={E.PROTOBUF: 1, E.FATAL: 1, E.VERDICT: 1}),
    "torn": Holds(
        "cut 0-2", "0:2.5 1:2 2:1.5", "0:.02 1:.01", {"train 0 0 loss": "0:2.25 1:1.75"}, "", {E.STARTED: 1},
        [2, 5, 9],
    ),
    "python-driver": Holds(
        "failed 0-40", "0:.75 20:nan 40:.5", "0:.001 20:.001 40:.001",
        {"train 0 0 bbox": "0:.75 20:nan 40:.5", "train 0 1 cls": "0:.125 20:.125 40:.125"}, "",
        {E.TRACEBACK: 1, E.EXCEPTION: 1}, [0, 4, 8],
    ),
    "fcn-driver": Holds(""),
    "spdlog": Holds(
        "cut 0-50", "0:2 50:1.5", "0:.02 50:.02", {"train 0 0 loss": "0:2 50:1.5"}, "", {}, [1, 4],
    ),
    "epoch-seconds": Holds(
        "cut 0-1", "0:nan 1:1.5", "", {"train 0 0 loss": "0:nan"}, "", {E.STARTED: 1}, [2, 4],
    ),
    "letter-lost": Holds("cut 0-50", "0:2.5 50:2", "0:.02 50:.02", seconds=[1, 3]),
    "quoted": Holds(
        "cut 0-50", "0:2.5 50:2", "0:.02 50:.02", events={E.CONSTRUCTING: 1}, seconds=[8, 10], dumps=2,
        solver=TIDE,
    ),
    "kubernetes": Holds(
        "failed 0-50", "0:2.5 50:2", "0:.02 50:.02", {"train 0 0 loss": "0:2.5 50:2"}, "",
        BEGUN | {E.EXCEPTION: 1, E.SIGNAL: 1}, [9, 12], 2, TIDE,
    ),
    "srun": Holds(
        "failed 0-50", "0:2.5 50:2", "0:.02 50:.02", events=BEGUN | {E.VERDICT: 1}, seconds=[9, 11], dumps=2,
        solver=TIDE,
    ),
    "journal": Holds(
        "failed 0-0", "0:2.5", "0:.02", events={E.CONSTRUCTING: 1, E.VERDICT: 1}, seconds=[8], dumps=2,
        solver=TIDE,
    ),
    "dst": Holds("cut 0-30", "0:3 10:2.5 20:2 30:1.5", seconds=[0, 1, 2, 3]),
    "caffe-test": Holds(
        "finished",
        outputs={
            "test 0 0 accuracy": "0:.5 1:.75", "test 0 1 accuracy": "0:.25 1:.5",
            "test 0 2 loss": "0:1.5 1:1",
        },
    ),
    "caffe-time": Holds("finished", outputs={"train 0 -1 forward-backward ms": "1:15 2:16.5"}),
}  # fmt: skip


def load(name: str) -> bytes:
    return (FAMILIES / f"{name}.log").read_bytes()


def points(text: str) -> list[tuple[int, str]]:
    pairs = (each.split(":") for each in text.split())
    return [(int(iteration), repr(float(value))) for iteration, value in pairs]


def shown(parser: LogParser, key: SeriesKey) -> list[tuple[int, str]]:
    if key not in parser.series:
        return []
    series = parser.series[key]
    return list(zip(series.iteration.tolist(), map(repr, series.value.tolist()), strict=True))


def runs(parser: LogParser) -> list[tuple[Ending, int | None, int | None]]:
    return [(run.ending, run.first_iteration, run.last_iteration) for run in parser.runs]


def expected_runs(text: str) -> list[tuple[Ending, int | None, int | None]]:
    found = []
    for each in filter(None, text.split(", ")):
        word, _, span = each.partition(" ")
        first, last = map(int, span.split("-")) if span else (None, None)
        found.append((ENDED[word], first, last))
    return found


@pytest.mark.parametrize("name", TABLE)
def test_all_that_is_in_it(name: str) -> None:
    holds, parser = TABLE[name], parse(load(name))
    assert runs(parser) == expected_runs(holds.runs)
    assert shown(parser, LOSS) == points(holds.loss)
    assert shown(parser, LEARNING_RATE) == points(holds.rate)
    others = {
        f"{key.phase} {key.net} {key.output} {key.name}": shown(parser, key)
        for key in parser.series
        if key not in (LOSS, LEARNING_RATE)
    }
    assert others == {label: points(text) for label, text in holds.outputs.items()}
    tests = zip(parser.tests.iteration.tolist(), parser.tests.net.tolist(), strict=True)
    assert " ".join(f"{iteration}/{net}" for iteration, net in tests) == holds.tests
    assert {kind: count for kind, count in parser.event_counts.items() if count} == holds.events
    if LOSS in parser.series:
        assert parser.series[LOSS].seconds.tolist() == pytest.approx(holds.seconds, abs=1e-9)
    for series in parser.series.values():
        assert (np.diff(series.seconds) >= 0).all()
    assert len(parser.dumps) == holds.dumps
    for run in parser.runs:
        assert {field: getattr(run, field) for field in holds.solver} == holds.solver


@pytest.mark.parametrize("name", TABLE)
def test_readers_and_pieces_agree(name: str) -> None:
    data = load(name)
    whole = everything(parse(data))
    assert whole == everything(parse(data, exact=True))
    assert whole == everything(parse(data, range(len(data))))
    # Enough lines for the reader of whole blocks.
    data = data.rstrip(b"\r\n") + (b"\r\n" if b"\r\n" in data else b"\n")
    assert everything(parse(data * 8)) == everything(parse(data * 8, exact=True))


def test_every_log_is_in_the_table() -> None:
    assert sorted(TABLE) == sorted(path.stem for path in FAMILIES.glob("*"))


@pytest.mark.parametrize(
    "name", [name for name, holds in TABLE.items() if holds.solver and name != "intel-mpi"]
)
def test_what_they_echo(name: str) -> None:
    data = load(name)
    for dump in parse(data).dumps:
        if dump.kind == "solver":
            solver = echoed_solver(data, dump)
            assert (solver.message.max_iter, solver.cut) == (TABLE[name].solver["max_iter"], False)
            forks = ["global_grad_scale", "min_lr"] if name == "nvcaffe0.16" else []
            assert [field.name for field in solver.unknown] == forks
        else:
            net = echoed_net(data, dump).message
            assert (net.name, net.state.phase, [layer.name for layer in net.layer]) == (
                "TideNet",
                0,
                ["loss"],
            )


@pytest.mark.parametrize(
    ("name", "kind", "parts"),
    [
        ("fatal-no-trace", Kind.NET, {"layer": "surge", "found": "12", "expected": "10"}),
        (
            "fatal-trace",
            Kind.SYNTAX,
            {
                "file": "tide_solver.prototxt",
                "line": 3,
                "column": 12,
                "text": 'Message type "caffe.SolverParameter" has no field named "max_iters".',
            },
        ),
        ("python-driver", Kind.PYTHON, {"text": "KeyError: 'box'", "file": "lib/wrap.py", "line": 57}),
        ("kubernetes", Kind.MEMORY, {}),
        ("srun", Kind.SIGNAL, {"text": "SIGKILL"}),
        ("journal", Kind.SIGNAL, {"text": "SIGKILL"}),
        ("appended", Kind.FILE, {"file": "tidal.prototxt"}),
    ],
)
def test_why_they_failed(name: str, kind: Kind, parts: dict[str, Any]) -> None:
    [run] = [run for run in parse(load(name)).runs if run.ending is Ending.FAILED]
    reason = run.reason
    assert reason is not None and reason.kind is kind
    assert {part: getattr(reason, part) for part in parts} == parts


def test_where_they_went_on() -> None:
    [run] = parse(load("bvlc2016-resumed")).runs
    assert (run.resumed_from, run.resume_iteration) == ("tide_iter_100.solverstate", 100)
    files = [
        event.text
        for event in parse(load("bvlc2015-two-test-nets")).events
        if event.text.startswith("tide_iter")
    ]
    assert files == ["tide_iter_200.caffemodel", "tide_iter_200.solverstate"]


def test_the_tools() -> None:
    [test] = parse(load("caffe-test")).runs
    assert (test.kind, test.results.batches, test.results.loss) == ("test", 2, 1.25)
    assert test.results.final == [("accuracy", 0.625), ("accuracy", 0.375), ("loss", 1.25)]
    parser = parse(load("caffe-time"))
    [time] = parser.runs
    assert (time.kind, len(parser.series[PASS_TIME])) == ("time", 2)
    assert time.results.layers == {
        "tide": {"forward": 0.125, "backward": 0.25},
        "harbour/very_long": {"forward": 2, "backward": 4},
    }
    assert time.results.average == {
        "Forward pass": 2.125,
        "Backward pass": 4.25,
        "Forward-Backward": 15.75,
        "Time": 31.5,
    }


def test_a_failure_after_the_end_is_another_process() -> None:
    log = load("glog-year").decode()
    fatal = "F20260102 00:00:00.000000 {} io.cpp:36] Check failed: fd != -1 (-1 vs. -1) File not found: x\n"
    assert runs(parse((log + fatal.format(40000)).encode()))[1] == (Ending.FAILED, None, None)
    # One of its own threads, as when the driver shuts down before them.
    assert len(parse((log + fatal.format(15283)).encode()).runs) == 1
