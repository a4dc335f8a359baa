"""However a log is cut, and whichever reader reads a line, the results are the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barista_server.caffe.log import LOSS
from barista_server.caffe.log import parser as parser_module

from .log_results import OWN, PUBLIC, everything, glog, parse

ALL = OWN + sorted(path for path in PUBLIC.glob("*.log") if path.name not in {own.name for own in OWN})

PARTS = [
    b"I20261123 02:39:30.268702 31578 solver.cpp:239] ",
    b"I1231 23:59:59.000001 5 solver.cpp:9] ",
    b"W0101 00:00:00.000002  5721 net.cpp:1] ",
    b"[5] I0502 16:52:12.812652 13716 solver.cpp:312] ",
    b"1508138445  INFO: src/caffe/solver.cpp : line 218 : ",
    b"Iteration 160 (533.333 iter/s, 0.3s/20 iters), loss = 0.0612352",
    b"Iteration 99, loss = -nan",
    b"Iteration 123456789, loss = 1.#QNAN",
    b"Iteration 56874 (20.1 iter/s, 4.9s/100 iter), 90.9/90.9ep, loss = 1.20801",
    b"Iteration 160, lr = 0.00988166",
    b"Iteration 160, lr = 1e-07, m = 0.9, wd = 0.0005, gs = 1",
    b"Iteration 56 (241.076/s), lr = 0.01",
    b"Iteration 200, Testing net (#0)",
    b"Iteration 200, Testing net (#1)",
    b"Testing net",
    b"    Train net output #0: loss = 0.0612352 (* 1 = 0.0612352 loss)",
    b"    Test net output #0: accuracy = 0.996633",
    b"    Test net output #11: a name/x = y = -inf (* 0.3 = -inf loss)",
    b"    [0.0]     Train net output #0: loss = 3",
    b"Test score #0: 0.1",
    b'Initializing solver from parameters: \nmax_iter: 2000\ntrain_state {\n  level: 0\n}\nnet: "a"',
    b"Snapshotting to binary proto file kill_iter_200.caffemodel",
    b"Snapshotting solver state to HDF5 file a.solverstate.h5",
    b"Resuming from a_iter_150.solverstate",
    b"Starting Optimization",
    b"Solving LeNet",
    b"Optimization stopped early.",
    b"Optimization Done.",
    b"Use CPU.",
    b"    with loss weight 1",
    b"F20261123 02:39:31.000000 31578 a.cpp:1] Check failed: x",
    b"*** SIGTERM (@0x1) received by PID 1",
    b"Log file created at: 2014/10/25 15:37:55",
    b"\r",
    b" ",
    b"=",
    b"]",
    b"\0",
    b"(* ",
    b", loss = ",
    b"\xff\x85\x1b[0m",
]
# Mostly whole messages behind a prefix, sometimes bent at one place.
messages = st.tuples(st.sampled_from(PARTS[:5]), st.sampled_from(PARTS[5:]))
lines = st.one_of(
    messages.map(b"".join),
    st.sampled_from(PARTS),
    st.lists(st.sampled_from(PARTS), max_size=4).map(b"".join),
    st.tuples(
        messages.map(b"".join), st.integers(0, 120), st.integers(0, 3), st.sampled_from(PARTS[-14:])
    ).map(lambda bent: bent[0][: bent[1]] + bent[3] + bent[0][bent[1] + bent[2] :]),
    st.tuples(messages.map(b"".join), st.integers(0, 120), st.binary(min_size=1, max_size=1)).map(
        lambda bent: bent[0][: bent[1]] + bent[2] + bent[0][bent[1] + 1 :]
    ),
)
logs = st.lists(lines, max_size=40).map(b"\n".join)


@settings(max_examples=150, deadline=None)
@given(logs, st.data())
def test_any_split_gives_the_same(log: bytes, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(log)), max_size=12))
    assert everything(parse(log, cuts)) == everything(parse(log))


@settings(max_examples=300, deadline=None)
@given(logs)
def test_both_readers_agree(log: bytes) -> None:
    # Repeated, so that there are lines enough for the fast reader.
    log = b"\n".join([log] * (2 + 60 // (1 + log.count(b"\n"))))
    assert everything(parse(log)) == everything(parse(log, exact=True))


HEADS = [
    b"Iteration 5, loss = ",
    b"Iteration 5 (2 iter/s, 1s/2 iters), loss = ",
    b"Iteration 1234567, loss = ",
    b"Iteration 12345678, lr = ",
    b"Iteration 123456789, loss = ",
    b"Iteration , loss = ",
    b"Iteration 5x, loss = ",
    b"Iteration 5, lr = ",
    b"Iteration 5, loss =",
    b"Iteration 5 loss = ",
    b"Iteration 5, Testing net (#",
    b"    Train net output #0: loss = ",
    b"    Test net output #1: a = b = ",
    b"    Test net output #1: a (* b = ",
    b"    Test net output #1: a\0 = ",
    b"    Test net output #1: " + b"n" * 50 + b" = ",
    b"    Test net output #: a = ",
    b"    Test net output #1: a= ",
    b"    Test net output #1: a  (* = ",
    b"Iteration:\x151 forward-backward time: ",
    b"Iteration: 1 forward-backward time: ",
    b"Batch 1, a = ",
    b"class1: ",
    b"Test score #1: ",
    b"Testing net",
    b"Gradient clipping: ",
]
VALUES = [
    b"0.5",
    b"nan",
    b"-1e-07",
    b"1_0",
    b"",
    b"x",
    b"0.12345678901234567890",
    b"1",
    b"12",
    b"1\0",
    b"1.#INF",
]
TAILS = [
    b"",
    b" ",
    b"\r",
    b",",
    b", m = 0.9",
    b" (* 1 = 1 loss)",
    b" (* 1",
    b" junk",
    b" ms.",
    b" = 3",
    b", loss = 4",
    b"=",
    b")",
    b"), loss = 4",
    b")x",
    b"\t",
    b"\0",
    b"]",
]


@pytest.mark.parametrize("prefix", [*PARTS[:3], PARTS[0][:-1], PARTS[0].replace(b".", b":"), b"I" + PARTS[0]])
def test_both_readers_agree_on_near_misses(prefix: bytes) -> None:
    for value in VALUES:
        lines = [prefix + head + value + tail for head in HEADS for tail in TAILS]
        assert len(lines) > 48
        assert everything(parse(b"\n".join(lines))) == everything(parse(b"\n".join(lines), exact=True))


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_both_readers_agree_on_real_logs(path: Path) -> None:
    data = path.read_bytes()
    whole = everything(parse(data))
    assert whole == everything(parse(data, exact=True))
    step = max(1, len(data) // 37)
    assert whole == everything(parse(data, range(step, len(data), step)))


@pytest.mark.parametrize("path", OWN[:3], ids=lambda path: path.stem)
def test_byte_by_byte(path: Path) -> None:
    data = path.read_bytes()
    assert everything(parse(data, range(len(data)))) == everything(parse(data))


def test_blocks_are_a_matter_of_memory_only(monkeypatch: pytest.MonkeyPatch) -> None:
    data = (OWN[-1].read_bytes() + b"x" * 70_000 + b"\n" + OWN[-2].read_bytes()) * 2
    whole = everything(parse(data))
    monkeypatch.setattr(parser_module, "BLOCK", 5000)
    assert everything(parse(data)) == whole


@pytest.mark.parametrize("iteration", [9_999_999, 10_000_000, 81_920_000, 123_456_789_012_345, 10**16])
def test_large_iterations_are_read_by_blocks_too(iteration: int) -> None:
    text = "".join(
        glog(f"Iteration {iteration + row} (5 iter/s, 2s/10 iters), loss = 0.{row + 1}", row)
        + glog(f"Iteration {iteration + row}, lr = 0.01", row)
        for row in range(60)
    ).encode()
    fast, exact = parse(text), parse(text, exact=True)
    assert everything(fast) == everything(exact)
    assert fast.series[LOSS].iteration.tolist() == [iteration + row for row in range(60)]
