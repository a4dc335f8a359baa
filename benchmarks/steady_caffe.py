#!/usr/bin/env python3
"""A caffe that prints so many lines a second, each in one write and stamped at that moment, and does no more.

``# script: {"rate": lines per second, "seconds": how long, "first": lines printed at once, "burst": lines
that come together}`` in the solver.
The lines are those of training: a display of three lines every iteration, a test of three before every tenth.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

_VALUES = [f"{random.Random(1).random() + n / 997:.6g}" for n in range(997)]
_BLOCK = 10_000
_ended = False


def main() -> int:
    if "--version" in sys.argv:
        print("steady caffe 1.0")
        return 0
    solver = Path("solver.prototxt").read_text()
    script = json.loads(found[1]) if (found := re.search(r"^# script: (.*)$", solver, re.M)) else {}
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _end)
    _say("solver.cpp:45", "Initializing solver from parameters: ")
    os.write(2, re.sub(r"#.*\n", "", solver).encode())
    _say("solver.cpp:57", "Solver scaffolding done.")
    _say("caffe.cpp:248", "Starting Optimization")
    rate, burst, lines = script["rate"], script.get("burst", 1), _lines()
    for _ in range(0, script["first"], _BLOCK):
        os.write(2, b"".join(_line(*line) for line in islice(lines, _BLOCK)))
    begun = time.monotonic()
    due = 0
    while not _ended and (now := time.monotonic() - begun) < script["seconds"]:
        behind = int(now * rate) // burst * burst - due
        for _ in range(behind):
            _say(*next(lines))
        due += behind
        time.sleep(max(0.001, (due + burst) / rate - (time.monotonic() - begun)))
    _say("solver.cpp:316", "Optimization stopped early.")
    _say("caffe.cpp:251", "Optimization Done.")
    return 0


def _lines() -> Iterator[tuple[str, str]]:
    iteration = 0
    while True:
        value = _VALUES[iteration % 997]
        if iteration % 10 == 0:
            yield "solver.cpp:347", f"Iteration {iteration}, Testing net (#0)"
            yield "solver.cpp:414", f"    Test net output #0: accuracy = {value}"
            yield "solver.cpp:414", f"    Test net output #1: loss = {value} (* 1 = {value} loss)"
        yield "solver.cpp:239", f"Iteration {iteration} (512.4 iter/s, 0.002s/1 iters), loss = {value}"
        yield "solver.cpp:258", f"    Train net output #0: loss = {value} (* 1 = {value} loss)"
        yield "sgd_solver.cpp:112", f"Iteration {iteration}, lr = 0.01"
        iteration += 1


def _say(place: str, text: str) -> None:
    os.write(2, _line(place, text))


def _line(place: str, text: str) -> bytes:
    now = time.time()
    if int(now) != _line.second:
        _line.second = int(now)
        _line.stamp = time.strftime("%Y%m%d %H:%M:%S", time.localtime(now))
    return f"I{_line.stamp}.{int(now % 1 * 1e6):06} {_line.pid} {place}] {text}\n".encode()


_line.second, _line.stamp, _line.pid = 0, "", os.getpid()


def _end(number: int, frame: object) -> None:
    global _ended
    _ended = True


if __name__ == "__main__":
    sys.exit(main())
