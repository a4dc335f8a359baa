"""Several runs in one file, their endings, and what the newest is doing."""

from __future__ import annotations

from barista_server.caffe.log import Ending, EventKind, Life, LogParser

from .log_results import glog, parse

DUMP = glog("Use CPU.") + glog("Initializing solver from parameters: ") + "max_iter: 100\ndisplay: 20\n"
TRAIN = glog("Starting Optimization") + glog("Iteration 0, loss = 2") + glog("Iteration 20, loss = 1")
DONE = glog("Optimization Done.")
STOPPED = glog("Optimization stopped early.")
FATAL = glog("Check failed: error == cudaSuccess (2 vs. 0)  out of memory", level="F")


def endings(log: str) -> list[Ending]:
    return [run.ending for run in parse(log.encode()).runs]


def test_endings() -> None:
    assert endings(DUMP + TRAIN) == [Ending.OPEN]
    assert endings(DUMP + TRAIN + DONE + DONE) == [Ending.FINISHED]
    assert endings(DUMP + TRAIN + STOPPED + DONE) == [Ending.STOPPED_EARLY]
    assert endings(DUMP + TRAIN + FATAL) == [Ending.FAILED]
    assert endings(
        DUMP + TRAIN + "*** SIGTERM (@0x1) received by PID 1 (TID 1) from PID 2; stack trace: ***\n"
    ) == [Ending.FAILED]


def test_runs_appended_to_one_file() -> None:
    log = FATAL + DUMP + TRAIN + STOPPED + DONE + DUMP + TRAIN + DUMP + TRAIN + DONE + DONE
    parser = parse(log.encode())
    assert [run.ending for run in parser.runs] == [
        Ending.FAILED,
        Ending.STOPPED_EARLY,
        Ending.OPEN,
        Ending.FINISHED,
    ]
    assert [run.first_line for run in parser.runs] == [0, 1, 10, 17]


def test_workers_that_start_are_no_new_runs() -> None:
    workers = "".join(glog(f"Starting Optimization on GPU {gpu}") for gpu in range(8))
    assert endings(DUMP + glog("Starting Optimization") + workers + TRAIN.split("\n", 1)[1]) == [Ending.OPEN]


def test_a_run_that_goes_on_did_not_fail() -> None:
    assert endings(DUMP + TRAIN + FATAL + glog("Iteration 40, loss = 1")) == [Ending.OPEN]


def test_resume_iteration() -> None:
    named = DUMP + glog("Resuming from models/a_iter_10.solverstate.h5") + TRAIN
    assert parse(named.encode()).runs[0].resume_iteration == 10
    unnamed = DUMP + glog("Restoring previous solver status from state") + glog("Iteration 60, loss = 1")
    assert parse(unnamed.encode()).runs[0].resume_iteration == 60
    assert parse((DUMP + TRAIN).encode()).runs[0].resume_iteration is None


def test_solver_fields() -> None:
    dump = glog("Initializing solver from parameters: ") + (
        'test_iter: 3\ntest_iter: 5\nbase_lr: 0.01\ndisplay: 20\nmax_iter: 2000\nsnapshot_prefix: "a: b"\n'
        'net_param {\n  name: "x"\n  layer {\n    name: "max_iter: 7"\n  }\n}\ntest_interval: 50\n'
    )
    after = glog("Creating training net") + "max_iter: 9\n"
    run = parse((dump + after).encode()).runs[0]
    assert (run.max_iter, run.display, run.test_interval, run.test_iter) == (2000, 20, 50, [3, 5])
    assert run.solver["snapshot_prefix"] == ["a: b"]
    assert run.snapshot is None
    assert "name" not in run.solver


def test_life_as_it_goes() -> None:
    parser = LogParser()
    assert parser.life is Life.EMPTY
    steps = [
        (DUMP, Life.CONSTRUCTING),
        (glog("Starting Optimization"), Life.CONSTRUCTING),
        (glog("Iteration 0, Testing net (#0)"), Life.TESTING),
        (glog("    Test net output #0: accuracy = 0.1"), Life.OPTIMIZING),
        (glog("Iteration 0, loss = 2"), Life.OPTIMIZING),
        (glog("Iteration 50, Testing net (#0)"), Life.TESTING),
        (glog("Iteration 50, loss = 2"), Life.OPTIMIZING),
        (DONE, Life.ENDED),
        (DUMP, Life.CONSTRUCTING),
    ]
    for text, life in steps:
        parser.feed(text.encode())
        assert parser.life is life
    assert parser.iteration is None
    assert parser.test_iteration is None


def test_events_tell_iteration_and_file() -> None:
    snapshot = glog("Snapshotting to binary proto filemodels/a_iter_21.caffemodel", 5)
    state = glog("Snapshotting solver state to HDF5 file a_iter_21.solverstate.h5", 5)
    parser = parse((DUMP + TRAIN + snapshot + state).encode())
    model, solverstate = list(parser.events)[-2:]
    assert (model.kind, model.text) == (EventKind.SNAPSHOT_MODEL, "models/a_iter_21.caffemodel")
    assert (solverstate.kind, solverstate.text) == (EventKind.SNAPSHOT_STATE, "a_iter_21.solverstate.h5")
    assert (model.iteration, model.seconds) == (20, 5.0)
