"""How the engine stops: what Caffe reports as a failed check is one exception here."""

from __future__ import annotations

from collections.abc import Sequence


class CheckFailed(Exception):
    """A failed check, worded as Caffe words it.

    `source` and `line` name the place Caffe would print in its F line (``net.cpp``, 378); the caller prints
    that line and ends the process. `detail` is what Caffe does not tell, as the layer and the file at fault:
    it stands below that line.
    """

    def __init__(self, message: str, source: str = "net.cpp", line: int = 0, detail: str = "") -> None:
        super().__init__(f"{message} {detail}" if detail else message)
        self.message = message
        self.detail = detail
        self.source = source
        self.line = line

    @property
    def place(self) -> str:
        """``file.cpp:line`` for the log."""
        return f"{self.source}:{self.line}"


_MAX_AXES, _MAX_COUNT = 32, 2**31 - 1


def check_blob(shape: Sequence[int]) -> None:
    """Raise CheckFailed for a shape that no blob can have: over 32 axes, below 0, over 2^31 - 1 numbers."""
    if len(shape) > _MAX_AXES:
        raise CheckFailed(
            f"Check failed: shape.size() <= kMaxBlobAxes ({len(shape)} vs. 32) ", "blob.cpp", 24
        )
    count = 1
    for size in shape:
        if size < 0:
            raise CheckFailed(f"Check failed: shape[i] >= 0 ({size} vs. 0) ", "blob.cpp", 32)
        if count and size > _MAX_COUNT // count:
            relation = f"shape[i] <= 0x7fffffff / count_ ({size} vs. {_MAX_COUNT // count})"
            raise CheckFailed(f"Check failed: {relation} blob size exceeds INT_MAX", "blob.cpp", 34)
        count *= size


def check_equal(
    left: str, a: object, right: str, b: object, message: str = "", source: str = "net.cpp", line: int = 0
) -> None:
    """Raise CheckFailed, worded as Caffe's CHECK_EQ, unless `a` equals `b`, shown as `left` and `right`."""
    if a != b:
        raise CheckFailed(f"Check failed: {left} == {right} ({a} vs. {b}) {message}", source, line)
