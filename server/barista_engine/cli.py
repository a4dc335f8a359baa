"""`barista-caffe`: the commands, flags and exit codes of the `caffe` executable."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from barista_engine import fatal, flags
from barista_engine.errors import CheckFailed
from barista_engine.flags import Value
from barista_engine.glog import Glog

_VERSION = "caffe version 1.0.0\n(barista-caffe, the Caffe-compatible engine of Barista, on PyTorch)"
_COMMANDS = ("device_query", "test", "time", "train")
"""Those of caffe, and named as it names them; `compare` is our own."""
_NEEDED = {  # command -> flags it cannot do without, what for, and the line where Caffe checks it
    "train": [("solver", "Need a solver definition to train.", 177)],
    "test": [
        ("model", "Need a model definition to score.", 258),
        ("weights", "Need model weights to score.", 259),
    ],
    "time": [("model", "Need a model definition to time.", 329)],
    "compare": [
        ("model", "Need a trained net to compare with.", 0),
        ("deploy", "Need a net to compare.", 0),
        ("weights", "Need model weights to compare with.", 0),
    ],
}


def main() -> int:
    """Run this process's command line; returns the exit code. A failed check ends it by SIGABRT."""
    # Until a training asks for them, these signals end the process, as they end a program in C++.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        values, words = flags.parse(sys.argv[1:], flags.from_environment(dict(os.environ)))
    except flags.FlagError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    if values["version"]:
        print(_VERSION)
        return 0
    if values["help"] or len(words) != 1:
        print(flags.usage(Path(sys.argv[0]).name), end="")
        return 0
    log = Glog(
        min_level=int(values["minloglevel"]),
        year=bool(values["log_year_in_prefix"]),
        prefix=bool(values["log_prefix"]),
    )
    try:
        _run(words[0], values, log)
    except Exception as error:  # whatever it is, the log must end with an F line that says where
        fatal.abort(log, *fatal.reason(error), fatal.trace(error))
    return 0


def _run(command: str, values: dict[str, Value], log: Glog) -> None:
    """Only here are torch and the engine loaded: help and wrong flags answer at once."""
    for name, message, line in _NEEDED.get(command, []):
        if not values[name]:
            raise CheckFailed(f"Check failed: FLAGS_{name}.size() > 0 (0 vs. 0) {message}", "caffe.cpp", line)
    if "OMP_WAIT_POLICY" not in os.environ:
        # OpenMP's idle threads spin. On a busy machine they take the cores from those they wait for, which
        # makes training several times slower; a short spin is as good on a quiet one. Read when torch loads.
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    if command == "train":
        from barista_engine.train_cmd import train

        train(values, log)
    elif command == "test":
        from barista_engine.test_cmd import test

        test(values, log)
    elif command == "time":
        from barista_engine.time_cmd import time

        time(values, log)
    elif command == "compare":
        from barista_engine.compare_cmd import compare

        compare(values, log)
    elif command == "device_query":
        from barista_engine.devices import device_query

        device_query(str(values["gpu"]), log)
    else:
        log.error("caffe.cpp:64", "Available caffe actions:")
        for name in _COMMANDS:
            log.error("caffe.cpp:67", f"\t{name}")
        raise CheckFailed(f"Unknown action: {command}", "caffe.cpp", 69)


if __name__ == "__main__":
    sys.exit(main())
