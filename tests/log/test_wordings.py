"""Every wording of the lines that carry numbers, from 2013 to the forks of 2018."""

from __future__ import annotations

import math

import pytest

from barista_server.caffe.log import LEARNING_RATE, LOSS, LineKind, LogParser, SeriesKey

from .log_results import glog, parse

PREFIX = "I1123 02:39:30.268702 31578 solver.cpp:239] "


def points(line: str, key: SeriesKey, before: str = "") -> list[tuple[int, float]]:
    parser = parse((before + line + "\n").encode("latin-1"))
    if key not in parser.series:
        return []
    series = parser.series[key]
    return list(zip(series.iteration.tolist(), series.value.tolist(), strict=True))


@pytest.mark.parametrize(
    ("line", "iteration", "value"),
    [
        (PREFIX + "Iteration 20, loss = 1.5", 20, 1.5),
        (PREFIX + "Iteration 20 (55.2 iter/s, 0.36s/20 iters), loss = 1.23457e+06", 20, 1.23457e6),
        (PREFIX + "Iteration 0 (-8.08549e-43 iter/s, 0s/100 iters), loss = -1e-07", 0, -1e-7),
        (PREFIX + "Iteration 79 (312.443 iter/s, 0.252846s/79 iter), loss = 0.35", 79, 0.35),
        (PREFIX + "Iteration 0 (5.50154 s), loss = 6.92188", 0, 6.92188),
        (PREFIX + "Iteration 100 (20 iter/s, 5s/100 iter), 0.2/90.9ep, loss = 6.9", 100, 6.9),
        (PREFIX + "    [0.0] Iteration 100 (20 iter/s, 5s/100 iter), loss = 6.9", 100, 6.9),
        (PREFIX + "Iteration 81920000, loss = 2", 81920000, 2.0),
        (PREFIX + "Iteration 20, loss = 1.5\r", 20, 1.5),
        (PREFIX + "Iteration 20, loss = 1.5   ", 20, 1.5),
        ("I20261123 02:39:30.268702 31578 solver.cpp:239] Iteration 20, loss = 1.5", 20, 1.5),
        ("I1123 02:39:30.268702  5721 solver.cpp:239] Iteration 20, loss = 1.5", 20, 1.5),
        ("E1123 02:39:30.268702 1234567890 solver.cpp:239] Iteration 20, loss = 1.5", 20, 1.5),
        ("    " + PREFIX + "Iteration 20, loss = 1.5", 20, 1.5),
        ("[5] " + PREFIX + "Iteration 20, loss = 1.5", 20, 1.5),
        ("> " + PREFIX + "Iteration 20, loss = 1.5", 20, 1.5),
        (PREFIX[1:] + "Iteration 20, loss = 1.5", 20, 1.5),
        (f"COULD NOT CREATE A LOGGINGFILE 20261123-025932.16773!{PREFIX}Iteration 20, loss = 1.5", 20, 1.5),
        ("1508138445  INFO: src/caffe/solver.cpp : line 218 : Iteration 20, loss = 1.5", 20, 1.5),
        ("INFO - 18:34:44 - Iteration 20, loss = 1.5", 20, 1.5),
        ("Iteration 20, loss = 1.5", 20, 1.5),
        ("\x1b[32m" + PREFIX + "Iteration 20, loss = 1.5", 20, 1.5),
    ],
)
def test_losses(line: str, iteration: int, value: float) -> None:
    assert points(line, LOSS) == [(iteration, value)]


@pytest.mark.parametrize(
    "line",
    [
        "\t>>> 2016-07-11 17:11:40.982484 Iteration 4000 loss 40536.5665925",
        PREFIX + "Iteration: 3 forward-backward time: 484 ms.",
        PREFIX + "Iteration 20, loss = ",
        PREFIX + "Iteration 20, loss = big",
        PREFIX + "MultiStep Status: Iteration 5000, step = 1",
        PREFIX + "Creating layer Iteration 20, loss = 1.5",
        '  name: "Iteration 20, loss = 1.5"',
        "a very long text that stands before what looks like a prefix of glog; "
        + PREFIX
        + "Iteration 2, loss = 1",
    ],
)
def test_no_losses(line: str) -> None:
    assert points(line, LOSS) == []


@pytest.mark.parametrize(
    ("token", "value"),
    [
        ("nan", math.nan),
        ("-nan", math.nan),
        ("NaN", math.nan),
        ("inf", math.inf),
        ("-inf", -math.inf),
        ("1.#QNAN", math.nan),
        ("-1.#IND", math.nan),
        ("1.#INF", math.inf),
        ("-1.#INF00", -math.inf),
    ],
)
def test_no_finite_value_is_lost(token: str, value: float) -> None:
    for line, key in (
        (f"Iteration 7, loss = {token}", LOSS),
        (f"Iteration 7 (2 iter/s, 1s/2 iters), loss = {token}", LOSS),
        (f"Iteration 7, lr = {token}", LEARNING_RATE),
    ):
        [(iteration, seen)] = points(PREFIX + line, key)
        assert iteration == 7
        assert seen == value or (math.isnan(seen) and math.isnan(value))
    text = f"    Train net output #0: loss = {token} (* 1 = {token} loss)"
    [(_, seen)] = points(
        PREFIX + text, SeriesKey("train", 0, 0, "loss"), before=glog("Iteration 7, loss = 1")
    )
    assert seen == value or (math.isnan(seen) and math.isnan(value))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Iteration 20, lr = 0.01", 0.01),
        ("Iteration 20, lr = 1e-07, m = 0.9, wd = 0.0005, gs = 1", 1e-7),
        ("[0.0] Iteration 20, lr = 0.01, m = 0.9, lrm = 0.1, wd = 0.0005, gs = 1", 0.01),
        ("Iteration 20 (241.076/s), lr = 0.01", 0.01),
    ],
)
def test_rates(text: str, value: float) -> None:
    assert points(PREFIX + text, LEARNING_RATE) == [(20, value)]


@pytest.mark.parametrize(
    ("begin", "text", "key"),
    [
        (
            "Iteration 20, Testing net (#0)",
            "    Test net output #0: accuracy = 0.5",
            ("test", 0, 0, "accuracy"),
        ),
        (
            "Iteration 20, Testing net (#1)",
            "    Test net output #2: a/b-c.d = 0.5",
            ("test", 1, 2, "a/b-c.d"),
        ),
        ("Iteration 20, Testing net (#12)", "    Test net output #0: x = y = 0.5", ("test", 12, 0, "x = y")),
        ("Iteration 20, Testing net", "Test score #1: 0.5", ("test", 0, 1, "score1")),
        (
            "Iteration 20, Testing net (#0)",
            "    (0.0)    Test net output #0: top-1 = 0.5",
            ("test", 0, 0, "top-1"),
        ),
        ("Iteration 20, Testing net (#0)", "    Test net output mAP #0: mAP = 0.5", ("test", 0, 0, "mAP")),
        (
            "Iteration 20, loss = 3",
            "    Train net output #3: loss = 0.5 (* 2 = 1 loss)",
            ("train", 0, 3, "loss"),
        ),
        ("Iteration 20, loss = 3", f"    Train net output #3: {'n' * 60} = 0.5", ("train", 0, 3, "n" * 60)),
    ],
)
def test_outputs(begin: str, text: str, key: tuple[str, int, int, str]) -> None:
    assert points(PREFIX + text, SeriesKey(*key), before=PREFIX + begin + "\n") == [(20, 0.5)]  # type: ignore[arg-type]


def test_a_test_before_2014_02_has_the_last_iteration_printed() -> None:
    log = glog("Iteration 100, lr = 0.1") + glog("Testing net") + glog("Test score #0: 0.25")
    parser = parse(log.encode())
    assert parser.tests.iteration.tolist() == [100]
    assert parser.series[SeriesKey("test", 0, 0, "score0")].iteration.tolist() == [100]


def test_vector_outputs_are_kept_apart() -> None:
    log = glog("Iteration 0, Testing net (#0)")
    log += "".join(glog(f"    Test net output #{i}: class = {i}") for i in range(451))
    parser = parse((log * 2).encode())
    assert len(parser.series) == 451
    assert all(series.value.tolist() == [key.output] * 2 for key, series in parser.series.items())


def test_kinds_of_lines() -> None:
    lines = [
        (glog("Setting up ip2"), LineKind.PLAIN),
        (glog("    with loss weight 1"), LineKind.PLAIN),
        (glog("Iteration 20, loss = 1"), LineKind.METRIC),
        (glog("    Train net output #0: loss = 1"), LineKind.METRIC),
        (glog("Iteration 20, Testing net (#0)"), LineKind.TEST),
        (glog("    Test net output #0: loss = 1"), LineKind.TEST),
        (glog("Snapshotting to binary proto file a_iter_20.caffemodel"), LineKind.EVENT),
        (glog("Optimization Done."), LineKind.EVENT),
        (glog("Missing true_pos for label: 6", level="W"), LineKind.WARNING),
        (glog("something is wrong", level="E"), LineKind.ERROR),
        (glog("    [Backward] All net params (data, diff): L1 norm = (1, 2)", level="E"), LineKind.PLAIN),
        (glog("Check failed: fd != -1", level="F"), LineKind.ERROR),
        ("*** Check failure stack trace: ***\n", LineKind.ERROR),
        ("    @     0x7f4242045305  __libc_start_main\n", LineKind.ERROR),
        ("speed: 1.717s / iter\n", LineKind.PLAIN),
    ]
    log = "".join(line for line, _ in lines).encode()
    for times in (1, 10):
        assert parse(log * times).index.kinds.tolist() == [kind for _, kind in lines] * times


def test_points_know_their_lines() -> None:
    parser = LogParser()
    for i in range(200):
        parser.feed((glog("Setting up x") * (i % 3) + glog(f"Iteration {i}, loss = {i}")).encode())
    lines = parser.series[LOSS].line.tolist()
    assert lines == [sum(j % 3 for j in range(i + 1)) + i for i in range(200)]
