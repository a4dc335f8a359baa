"""The last words of a process: the F line, where it came from, and the end by SIGABRT."""

from __future__ import annotations

import os
import resource
import sys
import threading
import traceback
from pathlib import Path
from typing import NoReturn

from barista_engine.errors import CheckFailed
from barista_engine.glog import Glog

_HERE = Path(__file__).parent
_ending = threading.Lock()


def abort(log: Glog, place: str, message: str, trace: str = "") -> NoReturn:
    """The F line, `trace`, and the end by SIGABRT (134 in a shell), without a core file.

    Of several threads the first one speaks.
    """
    if not _ending.acquire(blocking=False):
        threading.Event().wait()
    log.fatal(place, message)
    log.raw(f"*** Check failure stack trace: ***\n{trace}")
    sys.stdout.flush()
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    os.abort()


def trace(error: BaseException) -> str:
    """What a failed check does not say in Caffe's words, and where it came from, innermost frame first."""
    frames = traceback.extract_tb(error.__traceback__)
    detail = error.detail if isinstance(error, CheckFailed) else ""
    lines = [f"    @ {line}\n" for line in detail.splitlines()]
    lines += [
        f"    @ {Path(frame.filename).name}:{frame.lineno}  {frame.name}()\n" for frame in reversed(frames)
    ]
    return "".join(lines)


def reason(error: Exception) -> tuple[str, str]:
    """Place and words of the F line: Caffe's for a failed check, else our innermost frame and the error."""
    if isinstance(error, CheckFailed):
        return error.place, error.message
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_HERE)]
    place = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "caffe.cpp:0"
    notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
    text = " ".join(str(error).split())
    if type(error).__name__ == "OutOfMemoryError" or isinstance(error, MemoryError):
        return place, f"Check failed: error == cudaSuccess (2 vs. 0)  out of memory{notes} {text}"
    return place, f"{type(error).__name__}: {text}{notes}"
