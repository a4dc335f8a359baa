"""Which lines of a block of a log a pattern is found in. Pure; :mod:`.finding` bounds its time."""

from __future__ import annotations

import re
from collections.abc import Callable
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parsing  # type: ignore[attr-defined]
from typing import Any

from barista_server.api.text import clean

MAX_LINE = 1 << 16
"""Bytes of a line that are looked at, as many as are shown."""
_PLAIN = bytes(range(0x20, 0x7F)) + b"\n"
"""What cleaning leaves as it is."""
_HALF = MAX_LINE // 2
_LEADING = re.compile(r"(?:\.\*(?![?+*{]))+")


class PatternError(ValueError):
    """A regular expression that is none; the text says why and where."""


class Matcher:
    """Finds one pattern."""

    def __init__(self, pattern: str, regex: bool, case: bool) -> None:
        """Raises PatternError."""
        # What may stand before is of no matter, and costs the square of a line's length.
        text = _LEADING.sub("", pattern, count=1) if regex and _LEADING.match(pattern) else pattern
        try:
            compiled = re.compile(text if regex else re.escape(text), 0 if case else re.IGNORECASE)
        except (re.error, OverflowError, RecursionError) as error:
            raise PatternError(f"'{pattern}' is no regular expression: {error}") from None
        self._search: Callable[[str], object] = compiled.search
        self._all = compiled.finditer
        self._folds = bool(compiled.flags & re.IGNORECASE)
        self._needed = _needed(text if regex else re.escape(text), compiled.flags)

    def lines(self, block: bytes) -> list[int]:
        """Numbers of the lines within ``block``, 0-based, in which it is found."""
        plain = block
        if plain.translate(None, _PLAIN):
            plain = plain.replace(b"\r\n", b"\n").replace(b"\t", b"    ")
        if plain.translate(None, _PLAIN) or not _short(plain):
            lines = [clean(line[:MAX_LINE]) for line in block.removesuffix(b"\n").split(b"\n")]
            return self._among(lines)
        text = plain.removesuffix(b"\n").decode("ascii")
        return self._around(text) if self._needed else self._among(text.split("\n"))

    def spans(self, text: str, most: int) -> list[int] | None:
        """Begin and end of its first matches in a text, without those of no length; None if it has none."""
        spans: list[int] | None = None
        for found in self._all(text):
            spans = [] if spans is None else spans
            if found.end() > found.start():
                spans += found.span()
            if len(spans) >= 2 * most:
                break
        return spans

    def _among(self, lines: list[str]) -> list[int]:
        search = self._search
        return [number for number, line in enumerate(lines) if search(line)]

    def _around(self, text: str) -> list[int]:
        """Looks only at lines that have one of the texts without which there is no match."""
        folded = text.lower() if self._folds else text
        begins: set[int] = set()
        for needed in self._needed:
            at = folded.find(needed)
            while at >= 0:
                begins.add(folded.rfind("\n", 0, at) + 1)
                end = folded.find("\n", at)
                at = folded.find(needed, end) if end >= 0 else -1
        found, number, before = [], 0, 0
        for begin in sorted(begins):
            number += text.count("\n", before, begin)
            before = begin
            end = text.find("\n", begin)
            if self._search(text[begin : end if end >= 0 else len(text)]):
                found.append(number)
        return found


def _short(block: bytes) -> bool:
    """No line is over MAX_LINE, for certain."""
    return all(block.find(b"\n", at, at + _HALF) >= 0 for at in range(0, len(block) - _HALF, _HALF))


def _needed(pattern: str, flags: int) -> list[str]:
    """Texts one of which every match within ASCII has, lower case if capitals do not count; [] if none is
    known. Regular expressions are slow, finding texts is not.
    """
    try:
        found = _of_sequence(parsing.parse(pattern, flags & ~re.UNICODE))
    except (re.error, AttributeError, RecursionError):
        return []
    return [text.lower() for text in found] if flags & re.IGNORECASE else found


def _of_sequence(parts: Any) -> list[str]:
    """The best among what the parts of a sequence need."""
    best: list[str] = []
    literal = ""
    for code, argument in [*parts, (None, None)]:
        if code is op.LITERAL and 0x20 <= argument < 0x7F:
            literal += chr(argument)
            continue
        for needed in ([literal] if literal else [], _of_part(code, argument)):
            if needed and min(map(len, needed)) > min(map(len, best), default=0):
                best = needed
        literal = ""
    return best


def _of_part(code: Any, argument: Any) -> list[str]:
    if code is op.SUBPATTERN:
        _, more, fewer, inner = argument
        return [] if more or fewer else _of_sequence(inner)
    if code in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
        least, _, inner = argument
        return _of_sequence(inner) if least else []
    if code is op.ATOMIC_GROUP:
        return _of_sequence(argument)
    if code is op.BRANCH:
        all_of_them = [_of_sequence(inner) for inner in argument[1]]
        return [text for each in all_of_them for text in each] if all(all_of_them) else []
    return []
