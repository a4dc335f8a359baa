"""Lists of images: a name, a blank and a label in each line."""

import re
from pathlib import Path

from barista_server.caffe.wire import signed

_NUMBER = re.compile(r"\s*([+-]?)(?=[0-9])0*([0-9]*)")


def read_image_list(path: str | Path) -> list[tuple[str, int]]:
    """(name, label) of each line, parted at its last blank; no number is label 0. Raises OSError."""
    lines = Path(path).read_text("utf-8", "surrogateescape").split("\n")
    if not lines[-1]:
        del lines[-1]  # what ends the last line begins none
    images = []
    for line in lines:
        name, blank, label = line.rpartition(" ")
        images.append((name if blank else line, _atoi(label if blank else line)))
    return images


def _atoi(text: str) -> int:
    """The number at its beginning as C's atoi gives it, 0 for none; what is no 32-bit number wraps around."""
    found = _NUMBER.match(text)
    if not found:
        return 0
    value = int(found[1] + (found[2][:20] or "0"))
    return signed(max(-(2**63), min(2**63 - 1, value)), 32)
