"""Mutated lines of real families, long lines made to be slow, and floods of what is rare."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barista_server.caffe.log import LogParser
from barista_server.caffe.log.dumps import MAX_DUMPS
from barista_server.caffe.log.parser import MAX_SERIES
from barista_server.caffe.log.runs import MAX_EVENTS, MAX_RUNS

from .log_results import FIXTURES, OWN, PUBLIC, everything, glog, parse

SEEDS = sorted(
    {
        line.rstrip(b"\r")
        for path in [*OWN, *(FIXTURES / "families").glob("*.log"), *PUBLIC.glob("issue-*.log")]
        for line in path.read_bytes().split(b"\n")
    }
)
MARKS = [
    b"",
    b"[3] ",
    b"12: ",
    b"> ",
    b"2026-11-25T02:52:39.123456789Z stderr F ",
    b"Nov 25 02:52:39 q caffe[7]: ",
]
BITS = [
    b"]",
    b"[",
    b":",
    b" = ",
    b" (* ",
    b", loss = ",
    b"I1123 02:39:30.268702 31578 a.cpp:1] ",
    b"\r",
    b"\0",
    b"0",
    b" ",
]

seeds = st.sampled_from(SEEDS)
bits = st.one_of(st.sampled_from(BITS), st.binary(min_size=1, max_size=3))


@st.composite
def mutants(draw: st.DrawFn) -> bytes:
    """A real line behind a mark, cut, joined with another, or bent at some places."""
    line = draw(st.sampled_from(MARKS)) + draw(seeds)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(line)))
        how = draw(st.integers(0, 3))
        if how == 0:
            line = line[:at] + draw(bits) + line[at + draw(st.integers(0, 3)) :]
        elif how == 1:
            line = line[:at] + draw(seeds) + line[at:]
        elif how == 2:
            line = line[:at]
        else:
            line = line[at:]
    return line.replace(b"\n", b"")


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(seeds, mutants()), min_size=1, max_size=60), st.sampled_from(MARKS), st.data())
def test_mutants_read_the_same_in_any_way(lines: list[bytes], mark: bytes, data: st.DataObject) -> None:
    # Behind one mark, as a launcher's, and often enough for the reader of whole blocks.
    log = b"\n".join(mark + line for line in lines * (1 + 60 // len(lines)))
    whole = everything(parse(log))
    assert whole == everything(parse(log, exact=True))
    cuts = data.draw(st.lists(st.integers(0, len(log)), max_size=6))
    assert whole == everything(parse(log, cuts))
    assert whole["lines"] == log.count(b"\n") + (not log.endswith(b"\n"))
    for _, seconds, _, number in whole["series"].values():
        times = [float(each) for each in seconds if each != "nan"]
        assert all(before <= after for before, after in pairwise(times))
        assert number == sorted(number)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=80))
def test_bytes_read_the_same_in_any_way(lines: list[bytes]) -> None:
    log = b"\n".join(lines)
    assert everything(parse(log)) == everything(parse(log, exact=True))


PREFIX = glog("").encode().rstrip(b"\n")
LONG = [
    b"0", b" ", b"]", b"[", b"[0", b"[0.0] ", b"0: ", b"> ", b"\x1b[0m", b"1123 02:39:30.268702 ",
    b"I1123 02:39:30.268702 1 a:1] ", b"a:1] ", b", loss = ", b", loss = 1", b"x = ", b" = 1", b" (* ",
    b"(1 vs. ", b"\t", b" ms.", b"\tforward: ", b": line 1", b": line 1: 2 ", b"\"", b"\\", b"1.#INF", b"9",
    b"Train net output #", b"Iteration 1", b"Initializing ", b"\r", b"\0", b"\xff", b"-", b"2026-11-25T",
]  # fmt: skip
STARTS = [
    b"", PREFIX, PREFIX + b"Iteration ", PREFIX + b"Iteration 1, loss = ", PREFIX + b"Iteration 1 (",
    PREFIX + b"Batch 1, ", PREFIX + b"    Train net output #0: ", PREFIX + b"Test score #0: ",
    PREFIX + b"Loss: ", PREFIX + b"class", PREFIX + b"Average time per layer", PREFIX + b"Snapshotting to ",
    PREFIX + b"Solving ", b"F" + PREFIX[1:], b"terminate called ", b"[libprotobuf ERROR ", b"  name: \"",
    b"1508138445  INFO: ", b"INFO - 18:34:44 - ", b"srun: error: ", b"*** SIG", b"I1123 ",
]  # fmt: skip


@pytest.mark.parametrize("piece", LONG, ids=repr)
def test_long_lines_are_read_at_once(piece: bytes) -> None:
    """64 KiB of anything, behind anything, after what makes the reader listen: milliseconds."""
    body = piece * (65_000 // len(piece))
    log = b"".join(
        opening + start + body[: 65_000 - len(start)] + b"\n"
        for start in STARTS
        for opening in (b"", PREFIX + b"Loss: 1\n", PREFIX + b"Initializing solver from parameters: \n")
    )
    for exact in (False, True):
        began = time.process_time()
        parse(log, exact=exact)
        assert (time.process_time() - began) / (3 * len(STARTS)) < 0.05


FLOODS = [
    "Traceback (most recent call last):\n",
    'Traceback (most recent call last):\n  File "a", line {i}, in b\nKeyError: {i}\n',
    glog("Check failed: x", level="F"),
    glog("Use CPU.") + glog("Check failed: x", level="F"),
    glog("Initializing solver from parameters: ") + "max_iter: {i}\n",
    glog("Initializing net from parameters: ") + "layer {{\n",
    "[{i}] " + glog("Initializing net from parameters: "),
    "[{i}] " + glog("Iteration {i}, loss = {i}"),
    glog("Loss: 1") + glog("a{i} = 1"),
    glog("Average time per layer: ") + glog("a{i}\tforward: 1 ms."),
    glog("Batch 0, a{i} = 1"),
    glog("Batch 0, a = {i}"),
    glog("Iteration {i}, Testing net (#{i})") + glog("    Test net output #{i}: a = 1"),
    glog("class{i}: 1"),
    glog("MultiStep Status: Iteration {i}, step = 1"),
    "a:1] " * 200 + "\n",
    "terminate called {i}\n  what():  {i}\n",
    "a.sh: line {i}: 1 Killed\n",
]


@pytest.mark.parametrize("flood", FLOODS, ids=lambda flood: flood[:20])
def test_floods_keep_within_bounds(flood: str) -> None:
    count = 24_000 // flood.count("\n")
    log = "".join(flood.replace("{i}", str(i)).replace("{{", "{") for i in range(count)).encode()
    parser = LogParser()
    began = time.process_time()
    parser.feed(log)
    assert time.process_time() - began < 10
    assert len(parser.series) <= MAX_SERIES
    assert (
        len(parser.events) <= MAX_EVENTS,
        len(parser.runs) <= MAX_RUNS,
        len(parser.dumps) <= MAX_DUMPS,
    ) == (True,) * 3
    for run in parser.runs:
        assert sum(map(len, run.solver.values())) <= 1000 and len(run.error) < 5000
        assert max(len(run.results.final), len(run.results.layers)) <= 10_000
