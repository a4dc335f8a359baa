"""The parts of a prototxt that are told apart by colour, and bytes as text that can be shown and come back.

Pure, and never fails: half-written text is lit too.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal, NamedTuple

Tone = Literal["comment", "string", "block", "field", "value", "mark"]

_TOKEN = re.compile(
    r"""(?P<comment>\#.*)
    |(?P<string>"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?)
    |(?P<block>[A-Za-z_]\w*(?=\s*:?\s*[{<]))
    |(?P<field>[A-Za-z_]\w*(?=\s*:))
    |(?P<value>[-+]?\w[\w.+-]*)
    |(?P<mark>[{}<>\[\]:;,])""",
    re.VERBOSE,
)

_FIRST = 0xF500
"""Of the private characters that stand for what cannot be shown."""
_UNSEEN = (
    *(code for code in range(0xA0) if code not in (9, 10, 13) and not 0x20 <= code < 0x7F),
    *(0x061C, 0x200E, 0x200F, 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A)),
    *range(0xDC80, 0xDD00),
)
"""Control characters, those that end lines elsewhere or turn their direction, bytes that are no UTF-8."""
_SHOWN = {code: _FIRST + place for place, code in enumerate(_UNSEEN)}
_BACK = {shown: code for code, shown in _SHOWN.items()}


class Lit(NamedTuple):
    """Columns from ``start`` to ``end`` of a line."""

    start: int
    end: int
    tone: Tone


@lru_cache(maxsize=1 << 14)
def lit(line: str) -> tuple[Lit, ...]:
    """The parts of one line: no token of a prototxt goes beyond one. Kept: each key changes one line only."""
    return tuple(
        Lit(match.start(), match.end(), match.lastgroup or "mark")  # type: ignore[arg-type]
        for match in _TOKEN.finditer(line)
    )


def shown(data: bytes) -> str | None:
    """The bytes as text in which all can be shown; None if :func:`as_bytes` would not give them back."""
    text = data.decode("utf-8", "surrogateescape").translate(_SHOWN)
    return text if as_bytes(text) == data else None


def as_bytes(text: str) -> bytes:
    """What :func:`shown` was given, with the changes made since."""
    return text.translate(_BACK).encode("utf-8", "surrogateescape")
