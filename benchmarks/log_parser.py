"""Parsing of a long Caffe log: time on one core and memory, beside plain Python over the same bytes.

The log: glog lines only, 1,000,000 of them (103 MB), a display every 20 iterations, a test every 10 displays.
Then as many lines in the grammar of each family of Caffe.
"""

from __future__ import annotations

import json
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import log_families

LINES = 1_000_000
FEED = 4 << 20
_ROUNDS = 3

_CHILD = """
import json, sys, time
def rss():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024
bare = rss()
import numpy
with_numpy = rss()
from barista_server.caffe.log import LogParser
parser = LogParser()
began = time.process_time()
with open(sys.argv[1], "rb", buffering=0) as log:
    while data := log.read(int(sys.argv[2])):
        parser.feed(data)
parser.finish()
seconds = time.process_time() - began
print(json.dumps({"seconds": seconds, "bare": bare, "numpy": with_numpy, "peak": rss(), "lines": parser.lines,
    "points": sum(map(len, parser.series.values())), "tests": len(parser.tests)}))
"""


def generate(path: Path, lines: int = LINES) -> None:
    """Write the log. The same on every call."""
    values = random.Random(1)
    written, iteration, clock = 0, 0, 0.0
    with path.open("w") as log:

        def say(source: str, text: str) -> None:
            nonlocal written
            day, second = divmod(clock, 86400)
            hour, minute = int(second // 3600), int(second // 60 % 60)
            stamp = f"I202611{1 + int(day):02d} {hour:02d}:{minute:02d}:{second % 60:09.6f}"
            log.write(f"{stamp} 31578 {source}] {text}\n")
            written += 1

        while written < lines:
            if iteration % 200 == 0:
                say("solver.cpp:347", f"Iteration {iteration}, Testing net (#0)")
                clock += 0.05
                say("solver.cpp:414", f"    Test net output #0: accuracy = {values.random():.6g}")
                loss = values.random()
                say("solver.cpp:414", f"    Test net output #1: loss = {loss:.6g} (* 1 = {loss:.6g} loss)")
            loss, rate = values.random(), values.uniform(500, 600)
            clock += 20 / rate
            say(
                "solver.cpp:239",
                f"Iteration {iteration} ({rate:.6g} iter/s, 0.3s/20 iters), loss = {loss:.6g}",
            )
            say("solver.cpp:258", f"    Train net output #0: loss = {loss:.6g} (* 1 = {loss:.6g} loss)")
            say(
                "sgd_solver.cpp:112",
                f"Iteration {iteration}, lr = {0.01 * (1 + 1e-4 * iteration) ** -0.75:.6g}",
            )
            iteration += 20


def run() -> list[str]:
    """Generate the log and measure; one line of text per result."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "long.log")
        generate(path)
        data = path.read_bytes()
        ours = [_child(path) for _ in range(_ROUNDS)]
        one = re.compile(rb"Iteration (\d+)")
        findall = statistics.median(_cpu(lambda: one.findall(data)) for _ in range(_ROUNDS))
        naive = _cpu(lambda: _naive(path))
    seconds = statistics.median(result["seconds"] for result in ours)
    result, mib = ours[0], 2**20
    above_bare, above_numpy = (
        (result["peak"] - result["bare"]) / mib,
        (result["peak"] - result["numpy"]) / mib,
    )
    return [
        f"log: {len(data) / 1e6:.1f} MB, {result['lines']:,.0f} lines, {result['points']:,.0f} points, "
        f"{result['tests']:,.0f} tests, fed in {FEED >> 20} MiB pieces",
        f"LogParser: {seconds:.2f} s of one core (median of {_ROUNDS}; promise <= 1.0)",
        f"peak memory: {above_bare:.0f} MiB above a bare interpreter (promise <= 80), "
        f"{above_numpy:.0f} MiB above one with numpy",
        f"re.findall of one pattern: {findall:.2f} s; LogParser takes {seconds / findall:.1f} times as long",
        f"line by line with re: {naive:.2f} s; LogParser is {naive / seconds:.1f} times as fast",
        f"each family, {LINES:,} lines of it: seconds of one core, MiB above a bare interpreter, MB of log",
        *map(_family, log_families.FAMILIES),
    ]


def _family(name: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "family.log")
        log_families.generate(path, name, LINES)
        rounds = [_child(path) for _ in range(_ROUNDS)]
        size = path.stat().st_size
    seconds = min(result["seconds"] for result in rounds)
    above = max(result["peak"] - result["bare"] for result in rounds) / 2**20
    points = rounds[0]["points"]
    return f"  {name:34} {seconds:5.2f} s {above:4.0f} MiB {size / 1e6:5.0f} MB {points:9,.0f} points"


def _child(path: Path) -> dict[str, float]:
    """Parse in a process of its own, so that its peak memory is its own."""
    out = subprocess.run(
        [sys.executable, "-c", _CHILD, str(path), str(FEED)], check=True, capture_output=True, text=True
    )
    result: dict[str, float] = json.loads(out.stdout)
    return result


def _cpu(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


_LINE = re.compile(
    r"[IWEF](?P<date>\d{8}) (?P<time>[\d:.]+)\s+\d+ \S+\] (?:Iteration (?P<iteration>\d+)(?: \(.*\))?, "
    r"(?:loss = (?P<loss>\S+)|lr = (?P<lr>\S+))"
    r"|\s+(?:Train|Test) net output #\d+: (?P<name>\S+) = (?P<value>\S+))"
)


def _naive(path: Path) -> int:
    """What one would write at first: a regular expression a line, the numbers into lists."""
    rows: list[tuple[str, float, float]] = []
    iteration = 0.0
    with path.open() as log:
        for line in log:
            if found := _LINE.match(line):
                if found["iteration"]:
                    iteration = float(found["iteration"])
                rows.append(
                    (found["name"] or "", iteration, float(found["loss"] or found["lr"] or found["value"]))
                )
    return len(rows)
