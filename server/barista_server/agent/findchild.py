"""``python -m barista_server.agent.findchild``: looks for patterns in blocks of logs and in texts, for
:mod:`.finding`.

Reads a line of JSON for each (``Task``), prints one (``Answer``). A pattern that takes too long ends
the process: that is why it is one.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from functools import lru_cache
from pathlib import Path

import msgspec

from barista_server.agent import files
from barista_server.agent.matching import Matcher, PatternError
from barista_server.api.search import MOST_SPANS

LONGEST = 1.0
"""Seconds of processor time a block may take."""
MOST_BLOCK = 64 << 20
"""Bytes of a block; lines behind that are not looked at."""
MOST_MEMORY = 1 << 30


class Task(msgspec.Struct):
    """A pattern, looked for in bytes ``start`` to ``stop`` of a file, or in texts."""

    pattern: str
    regex: bool
    case: bool
    path: str = ""
    start: int = 0
    stop: int = 0
    texts: list[str] | None = None


class Answer(msgspec.Struct):
    """Numbers of lines within the block, or what is found in each text; or what went wrong, and whether that
    is the pattern.
    """

    lines: list[int] = []
    spans: list[list[int] | None] = []
    problem: str = ""
    of_pattern: bool = False


_matcher = lru_cache(4)(Matcher)


def _answer(task: Task) -> Answer:
    try:
        matcher = _matcher(task.pattern, task.regex, task.case)
        if task.texts is not None:
            return Answer(spans=[matcher.spans(text, MOST_SPANS) for text in task.texts])
        with files.open_regular(Path(task.path)) as file:
            file.seek(task.start)
            return Answer(matcher.lines(file.read(min(MOST_BLOCK, task.stop - task.start))))
    except PatternError as error:
        return Answer(problem=str(error), of_pattern=True)
    except (OSError, MemoryError, RecursionError) as error:
        return Answer(problem=f"{task.path or 'the lines'}: {error or type(error).__name__}")


def main() -> None:
    os.nice(5)
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    most = MOST_MEMORY if hard == resource.RLIM_INFINITY else min(MOST_MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    for line in sys.stdin.buffer:
        signal.setitimer(signal.ITIMER_PROF, LONGEST)
        answer = _answer(msgspec.json.decode(line, type=Task))
        signal.setitimer(signal.ITIMER_PROF, 0)
        sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        os._exit(1)
