"""What is searched in a console, and what of it is known. Pure: agents do the searching.

A million lines are looked through by the agent, which tells the places of the hits; which characters of a
line match is told for the few lines that are seen.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from msgspec import Struct

from barista_server.api.messages import MOST_CHARACTERS, MOST_TEXTS

MOST_HITS = 1_000_000
"""Hits that are kept; behind them nothing is looked through."""
MOST_KNOWN = 50_000
"""Lines whose matches are kept."""

Spans = tuple[int, ...]
"""Begin and end of each match within a line, one after the other."""


class Find(Struct, frozen=True):
    """What is looked for: a text or, with ``regex``, a regular expression. ``case``: capitals count."""

    pattern: str
    regex: bool = False
    case: bool = False


def text_spans(find: Find, text: str) -> Spans | None:
    """Matches of what is no regular expression; None where there is none."""
    wanted, among = (find.pattern, text) if find.case else (find.pattern.lower(), text.lower())
    if len(among) != len(text):
        # Some capitals have more characters in lower case: their places would be wrong.
        among, wanted = text, find.pattern
    spans: list[int] = []
    at = among.find(wanted)
    while at >= 0:
        spans += (at, at + len(wanted))
        at = among.find(wanted, at + len(wanted))
    return tuple(spans) or None


class Matches:
    """Which texts have a match, and where: asked for by text, as the same lines come again and again."""

    def __init__(self, find: Find) -> None:
        self.find = find
        self._known: dict[str, Spans | None] = {}

    def get(self, text: str) -> Spans | None:
        """Its matches; None where there is none, or nobody knows yet."""
        if not self.find.regex:
            return text_spans(self.find, text)
        return self._known.get(text)

    def knows(self, text: str) -> bool:
        """It is known whether it has a match."""
        return not self.find.regex or text in self._known

    def wanted(self, texts: Iterable[str]) -> list[str]:
        """Those to ask an agent about, as many as one call may have."""
        asked: dict[str, None] = {}
        room = MOST_CHARACTERS
        for text in texts:
            if not self.knows(text) and text not in asked:
                room -= len(text)
                if room < 0 or len(asked) == MOST_TEXTS:
                    break
                asked[text] = None
        return list(asked)

    def take(self, texts: Sequence[str], spans: Sequence[Sequence[int] | None]) -> None:
        """An agent's answer."""
        if len(self._known) > MOST_KNOWN:
            self._known.clear()
        for text, found in zip(texts, spans, strict=False):
            self._known[text] = None if found is None else tuple(found)


class Hits:
    """Places of the lines of one source that have a match: all that are before ``scanned``."""

    def __init__(self) -> None:
        self.places: array[int] = array("q")
        self.scanned = 0
        self.total = 0
        """Lines of the source, as far as is known."""

    def take(self, start: int, places: Sequence[int], following: int | None, total: int) -> None:
        """What was found from line ``start`` on, down to before ``following`` (None: to the end)."""
        if total < self.scanned or start < self.scanned:
            # Another log stands there now.
            self.places, self.scanned = array("q"), 0
            if start:
                return
        self.places.extend(places[: MOST_HITS - len(self.places)])
        self.scanned, self.total = total if following is None else following, total

    @property
    def full(self) -> bool:
        """So many that no more are counted."""
        return len(self.places) >= MOST_HITS

    @property
    def complete(self) -> bool:
        """All was looked through."""
        return self.total > 0 and self.scanned >= self.total

    def index(self, place: int) -> int | None:
        """Which hit the line at ``place`` is, 0 first; None for none, or one that is not known yet."""
        at = bisect_left(self.places, place)
        return at if at < len(self.places) and self.places[at] == place else None

    def beside(self, place: int, step: int) -> int | None:
        """The next hit below (``step`` 1) or above (-1) ``place``; None where none is known."""
        at = bisect_right(self.places, place) if step > 0 else bisect_left(self.places, place) - 1
        return self.places[at] if 0 <= at < len(self.places) else None

    def share(self) -> float:
        """How much has been looked through."""
        return min(1.0, self.scanned / self.total) if self.total else 0.0
