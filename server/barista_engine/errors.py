"""How the engine stops: what Caffe reports as a failed check is one exception here."""

from __future__ import annotations


class CheckFailed(Exception):
    """A failed check, worded as Caffe words it.

    `source` and `line` name the place Caffe would print in its F line (``net.cpp``, 378); the caller prints
    that line and ends the process.
    """

    def __init__(self, message: str, source: str = "net.cpp", line: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.source = source
        self.line = line

    @property
    def place(self) -> str:
        """``file.cpp:line`` for the log."""
        return f"{self.source}:{self.line}"


def check_equal(
    left: str, a: object, right: str, b: object, message: str = "", source: str = "net.cpp", line: int = 0
) -> None:
    """Raise CheckFailed, worded as Caffe's CHECK_EQ, unless `a` equals `b`, shown as `left` and `right`."""
    if a != b:
        raise CheckFailed(f"Check failed: {left} == {right} ({a} vs. {b}) {message}", source, line)
