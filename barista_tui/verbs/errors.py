"""Exit codes of `barista`, and the one exception a verb ends with when it cannot do what was asked."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes, as `barista --help` lists them."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    REFUSED = 4
    UNREACHABLE = 5
    TIMEOUT = 6
    INTERRUPTED = 130


MEANINGS = {
    Exit.OK: "done",
    Exit.FAILED: "it failed: the training, a file, the disk, the agent itself",
    Exit.USAGE: "the command line was wrong",
    Exit.NOT_FOUND: "no such session, snapshot, run, series, log, dataset, host; or several fit the name",
    Exit.REFUSED: "not possible in the session's state, or its files are invalid",
    Exit.UNREACHABLE: "the agent cannot be reached",
    Exit.TIMEOUT: "it did not happen in time",
    Exit.INTERRUPTED: "ctrl+c",
}

CODES = {
    "not-found": Exit.NOT_FOUND,
    "ambiguous": Exit.NOT_FOUND,
    "refused": Exit.REFUSED,
    "changed": Exit.REFUSED,
    "invalid": Exit.REFUSED,
    "untrained": Exit.REFUSED,
    "forbidden": Exit.REFUSED,
    "timeout": Exit.TIMEOUT,
}
"""Exit code of each failure code of the wire; what is not listed is FAILED."""


class VerbError(Exception):
    """What happened, what to do next (``hint``), and the exit code."""

    def __init__(self, text: str, hint: str | None = None, code: Exit = Exit.FAILED) -> None:
        super().__init__(text)
        self.hint = hint
        self.code = code
