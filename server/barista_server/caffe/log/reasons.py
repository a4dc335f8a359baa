"""Why a caffe failed: the text of an F line, an exception or a signal, taken apart, and what to do about it.

The texts are those of BVLC Caffe 2013 to 2020 and of its forks, told by words that none of them changed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from .reason_table import SEE_LOG, TABLE, VS, Kind


@dataclass(frozen=True, slots=True)
class Reason:
    """A failure. Parts that its text does not tell are None."""

    kind: Kind
    text: str
    hint: str
    layer: str | None = None
    blob: str | None = None
    param: int | None = None
    """Number of the parameter blob, of the bottom or of the top."""
    file: str | None = None
    line: int | None = None
    """1-based, within ``file``; so is ``column``."""
    column: int | None = None
    expected: str | None = None
    """Shape or number that was wanted, as printed; ``found`` is what was there."""
    found: str | None = None


_CHECK = re.compile(r"Check failed: .{0,400}? " + VS, re.DOTALL)
_PARSING = re.compile(r"Error parsing text-format [\w.]+: *(.*)", re.DOTALL)
_PLACED = re.compile(r"(?P<line>\d{1,9}):(?P<column>\d{1,9}): *(?P<text>.*)", re.DOTALL)
_FRAME = re.compile(r"File \"(?P<file>[^\"]+)\", line (?P<line>\d{1,9})")
_SYNTAX_HINTS = [
    (r"has no field named", "Correct the name of the field, or choose a caffe that has it."),
    (r"Unknown enumeration value", "Correct the value, or choose a caffe that has it."),
    (r"specified multiple times", "Give this field once only."),
    (r"Expected", "Something is missing just before: a colon, a quote or a brace."),
]
_LONGEST = 2000


@cache
def _patterns() -> list[tuple[Kind, re.Pattern[str], str]]:
    """Compiled for the first failure: 15 ms, which an agent's start need not wait for."""
    return [(kind, re.compile(pattern, re.DOTALL), hint) for kind, pattern, hint in TABLE]


def decode(text: str, clue: str = "", layer: str = "") -> Reason:
    """Take apart the message of an F line, of an exception, or the name of a signal.

    ``clue``: what was said beside it, protobuf's complaint or the innermost frame of a traceback. ``layer``:
    the one that was being set up, which counts where the text names none.
    """
    text = text[:_LONGEST]
    kind, hint, parts = Kind.OTHER, SEE_LOG, {}
    for candidate, pattern, advice in _patterns():
        if found := pattern.search(text):
            kind, hint, parts = candidate, advice, found.groupdict()
            break
    if not _text(parts, "found", "f2", "expected", "e2") and (check := _CHECK.search(text)):
        parts |= check.groupdict()
    if kind is Kind.SYNTAX:
        text, hint, parts = _syntax(text, clue, hint, parts)
    elif frame := _FRAME.search(clue):
        parts |= frame.groupdict()
    named = _text(parts, "layer")
    return Reason(
        kind, text, hint,
        layer=named or (layer if kind in _OF_LAYERS else "") or None,
        blob=_text(parts, "blob", "b2"),
        param=_whole(parts, "param"),
        file=_text(parts, "file", "file2"),
        line=_whole(parts, "line"),
        column=_whole(parts, "column"),
        expected=_text(parts, "expected", "e2"),
        found=_text(parts, "found", "f2"),
    )  # fmt: skip


_OF_LAYERS = set(Kind) - {Kind.SIGNAL, Kind.USAGE, Kind.SOLVER, Kind.SYNTAX, Kind.SNAPSHOT, Kind.RESUME}
_Parts = dict[str, str | None]


def _syntax(text: str, clue: str, hint: str, parts: _Parts) -> tuple[str, str, _Parts]:
    complaint = _PARSING.search(clue[:_LONGEST])
    if not complaint:
        return text, "The file is damaged, or not of the kind it is taken for.", parts
    said = complaint[1]
    if place := _PLACED.match(said):
        parts = parts | {"line": place["line"], "column": place["column"]}
        said = place["text"]
    hint = next((advice for words, advice in _SYNTAX_HINTS if re.search(words, said)), hint)
    return said, hint, parts


def _text(parts: _Parts, *names: str) -> str | None:
    return next((value.strip() for name in names if (value := parts.get(name))), None) or None


def _whole(parts: _Parts, name: str) -> int | None:
    value = parts.get(name)
    return int(value) if value else None
