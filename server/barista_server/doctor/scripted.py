"""A caffe that trains nothing and says so in caffe's own words, one numbered line for each thing it does.

Standard library only, so that the self-test needs no caffe and no library of ours:
``scripted.py train --solver=solver.prototxt [--snapshot=P_iter_N.solverstate] [--gpu=0]``.
It behaves as the tool does: glog lines on stderr, signals looked at between iterations and only once
training has begun, snapshots in two files, exit code 0 after an early stop. A line ``# script: {...}`` in the
solver sets its manners:

speed        iterations per second (default 200; 0: as fast as it can)
burst        lines "burst NNNNNN" printed at once when training begins
before       seconds of silence before ``Starting Optimization``
testing      seconds of a test before the first iteration
deaf         SIGINT is ignored
silent_at    from this iteration on it does not print or react any more
fatal_at     iteration at which a check fails
vanish_at    iteration at which it ends without a word, with code 3
model_size   numbers in the model
"""

import json
import os
import re
import signal
import struct
import sys
import time
from pathlib import Path

FLAGS = {"sigint": False, "sighup": False}
LINES = [0]
"""How many were said."""


def main() -> int:
    arguments = dict(part.lstrip("-").partition("=")[::2] for part in sys.argv[2:])
    if "--version" in sys.argv:
        print("scripted version 1.0")
        return 0
    if sys.argv[1:2] != ["train"]:
        return other(sys.argv[1:])
    text = Path(arguments["solver"]).read_text()
    script = json.loads(found[1]) if (found := re.search(r"^# script: (.*)$", text, re.M)) else {}
    say("caffe.cpp:197", "Use CPU." if "gpu" not in arguments else f"Using GPUs {arguments['gpu']}")
    say("solver.cpp:45", "Initializing solver from parameters: ")
    os.write(2, re.sub(r"#.*\n", "", text).encode())
    say("solver.cpp:102", "Creating training net from net file: net.prototxt")
    say("solver.cpp:57", "Solver scaffolding done.")
    time.sleep(script.get("before", 0))
    start = 0
    if "snapshot" in arguments:
        say("caffe.cpp:242", f"Resuming from {arguments['snapshot']}")
        start = resume(arguments["snapshot"])
        say("sgd_solver.cpp:318", "SGDSolver: restoring history")
    elif "weights" in arguments:
        say("caffe.cpp:155", f"Finetuning from {arguments['weights']}")
        Path(arguments["weights"]).read_bytes()
    if not script.get("deaf"):
        signal.signal(signal.SIGINT, lambda *_: FLAGS.update(sigint=True))
    else:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, lambda *_: FLAGS.update(sighup=True))
    say("caffe.cpp:248", "Starting Optimization")
    say("solver.cpp:273", "Solving scripted")
    return train(Training(text, script, start))


def other(words: list[str]) -> int:
    """What caffe answers to anything but a training."""
    if words[:1] == ["device_query"]:
        say("common.cpp:66", "Cannot use GPU in CPU-only Caffe: check mode.", "F")
        return 1
    os.write(2, b"scripted: command line brew\nusage: caffe <command> <args>\n")
    return 0


class Training:
    def __init__(self, text: str, script: dict[str, float], start: int) -> None:
        def number(name: str, default: int) -> int:
            found = re.search(rf"^{name}:\s*(\d+)", text, re.M)
            return int(found[1]) if found else default

        self.script = script
        self.max_iter = number("max_iter", 100)
        self.display = number("display", 1)
        self.snapshot = number("snapshot", 0)
        self.test_interval = number("test_interval", 0)
        prefix = re.search(r'^snapshot_prefix:\s*"(.*)"', text, re.M)
        self.prefix = prefix[1] if prefix else "snapshot"
        self.iteration = start


def train(it: Training) -> int:
    for number in range(int(it.script.get("burst", 0))):
        say("scripted.cpp:1", f"burst {number:06}")
    if interrupted(it):
        if it.snapshot == 0 or it.iteration % it.snapshot != 0:
            take_snapshot(it)
        say("solver.cpp:316", "Optimization stopped early.")
        say("caffe.cpp:251", "Optimization Done.")
        return 0
    speed = it.script.get("speed", 200)
    due = time.monotonic()
    while it.iteration < it.max_iter:
        if it.iteration == it.script.get("silent_at"):
            while True:
                signal.pause()
        if it.iteration == it.script.get("vanish_at"):
            os._exit(3)
        if it.iteration == it.script.get("fatal_at"):
            say("math_functions.cu:28", "Check failed: error == cudaSuccess (2 vs. 0)  out of memory", "F")
            os.write(2, b"*** Check failure stack trace: ***\n    @     0x7f0000000000  (unknown)\n")
            signal.signal(signal.SIGABRT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGABRT)
        if it.test_interval and it.iteration % it.test_interval == 0:
            test(it.iteration)
        if it.display and it.iteration % it.display == 0:
            loss = 2.5 / (1 + it.iteration / 50)
            say("solver.cpp:239", f"Iteration {it.iteration} (200 iter/s, 0.5s/100 iters), loss = {loss:.6g}")
            say("solver.cpp:258", f"    Train net output #0: loss = {loss:.6g} (* 1 = {loss:.6g} loss)")
            say("sgd_solver.cpp:112", f"Iteration {it.iteration}, lr = 0.01")
        if speed:
            due += 1 / speed
            time.sleep(max(0, due - time.monotonic()))
        it.iteration += 1
        if it.snapshot and it.iteration % it.snapshot == 0:
            take_snapshot(it)
        if FLAGS["sighup"]:
            FLAGS["sighup"] = False
            take_snapshot(it)
        if FLAGS["sigint"]:
            take_snapshot(it)
            say("solver.cpp:316", "Optimization stopped early.")
            say("caffe.cpp:251", "Optimization Done.")
            return 0
    if not (it.snapshot and it.iteration % it.snapshot == 0):
        take_snapshot(it)
    say("solver.cpp:327", f"Iteration {it.iteration}, loss = 0.0025")
    if it.test_interval:
        test(it.iteration)
    say("solver.cpp:332", "Optimization Done.")
    say("caffe.cpp:251", "Optimization Done.")
    return 0


def interrupted(it: Training) -> bool:
    """The long test before the first iteration, and whether it was stopped."""
    if "testing" not in it.script:
        return False
    say("solver.cpp:347", f"Iteration {it.iteration}, Testing net (#0)")
    until = time.monotonic() + it.script["testing"]
    while time.monotonic() < until and not FLAGS["sigint"]:
        time.sleep(0.02)
    if FLAGS["sigint"]:
        say("solver.cpp:379", "Test interrupted.")
    return FLAGS["sigint"]


def test(iteration: int) -> None:
    say("solver.cpp:347", f"Iteration {iteration}, Testing net (#0)")
    say("solver.cpp:414", f"    Test net output #0: accuracy = {iteration / (iteration + 20):.6g}")


def take_snapshot(it: Training) -> None:
    model, state = (f"{it.prefix}_iter_{it.iteration}.{kind}" for kind in ("caffemodel", "solverstate"))
    size = int(it.script.get("model_size", 4))
    say("solver.cpp:464", f"Snapshotting to binary proto file {model}")
    Path(model).write_bytes(model_bytes(it.iteration, size))
    say("sgd_solver.cpp:284", f"Snapshotting solver state to binary proto file {state}")
    Path(state).write_bytes(state_bytes(it.iteration, model, size))


def model_bytes(iteration: int, size: int = 4) -> bytes:
    """A NetParameter with one InnerProduct whose ``size`` weights are the iteration (caffe.proto)."""
    layer = field(1, b"ip") + field(2, b"InnerProduct") + field(7, blob(iteration, size))
    return field(1, b"scripted") + field(100, layer)


def state_bytes(iteration: int, model: str, size: int = 4) -> bytes:
    """A SolverState: iter, learned_net, history."""
    return varint(1 << 3) + varint(iteration) + field(2, model.encode()) + field(3, blob(iteration, size))


def blob(value: float, size: int) -> bytes:
    """A BlobProto of shape 1 x ``size``: data (packed floats), shape."""
    return field(5, struct.pack("<f", value) * size) + field(7, field(1, varint(1) + varint(size)))


def field(number: int, content: bytes) -> bytes:
    """A length-delimited field on protobuf's wire."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def resume(state: str) -> int:
    """The iteration in a solver state that :func:`state_bytes` made."""
    value = shift = 0
    for byte in Path(state).read_bytes()[1:]:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value
    raise SystemExit(f"{state} is cut short")


def say(place: str, text: str, level: str = "I") -> None:
    """One glog line in one write, numbered in the thread id's place: 1, 2, 3 ..."""
    LINES[0] += 1
    now = time.time()
    stamp = time.strftime("%Y%m%d %H:%M:%S", time.localtime(now))
    os.write(2, f"{level}{stamp}.{int(now % 1 * 1e6):06} {LINES[0]:>5} {place}] {text}\n".encode())


if __name__ == "__main__":
    sys.exit(main())
