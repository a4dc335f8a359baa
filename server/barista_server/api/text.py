"""Cleaning of text from outside, the one place it happens before a screen may see it."""

from __future__ import annotations

import re

_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]"  # control sequences: colours, cursor movement
    r"|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"  # strings: titles, links, device control
    r"|[ -/]*[0-~])?"  # two- and three-character escapes
    r"|\x9b[0-?]*[ -/]*[@-~]"
)
_CONTROLS = [*range(0x20), *range(0x7F, 0xA0)]
_DIRECTIONS = [0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A), 0xFEFF]
_REPLACED = dict.fromkeys(_CONTROLS + _DIRECTIONS, "\N{REPLACEMENT CHARACTER}") | {0x09: "    "}


MOST_NAME = 200
"""Characters in the name of a session."""


def clean_name(text: str) -> str:
    """A name that fits into a line: without escape sequences and control characters, blanks made one."""
    bare = _ESCAPES.sub("", text)
    return " ".join("".join(char if char.isprintable() else " " for char in bare).split())


def clean(line: bytes) -> str:
    """``line`` as text that a terminal shows and never obeys.

    UTF-8 with U+FFFD for what is none; escape sequences are removed; of a progress line that draws over
    itself with CR the last non-empty state stays; other control characters and bidirectional overrides become
    U+FFFD, a tab four blanks. Never raises.
    """
    text = _ESCAPES.sub("", line.rstrip(b"\r\n").decode("utf-8", "replace"))
    if "\r" in text:
        text = next((part for part in reversed(text.split("\r")) if part.strip()), "")
    return text.translate(_REPLACED)
