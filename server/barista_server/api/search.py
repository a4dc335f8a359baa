"""Searching in a run's log."""

from __future__ import annotations

from typing import Literal

from barista_server.api.things import LogLine, Message

MOST_FOUND = 1000
"""Lines in one answer."""
MOST_PLACES = 100_000
"""Places in one answer without lines."""
MOST_PATTERN = 1000
"""Characters of a pattern."""
MOST_TEXTS, MOST_CHARACTERS = 20_000, 4_000_000
"""Texts in one :class:`MatchTexts`, and characters of all of them."""
MOST_SPANS = 50
"""Matches told of one text."""


class FindLines(Message, frozen=True, tag="find-lines"):
    """Lines of a run's log in which a pattern is found. Answered by :class:`FoundLines`, soon even if not all
    was looked through: go on from ``next`` then, or leave it.

    ``pattern`` is a text or, with ``regex``, a regular expression as Python has them; it is looked for within
    the cleaned text of each line. ``case``: capitals count. ``start`` is a place between lines, counted over
    those of ``kinds`` as :class:`GetLines` does: looking ``down``, the line ``start`` is the first, looking
    ``up``, the one before it. None is the end where looking begins.
    """

    session: str
    run: int
    pattern: str
    regex: bool = False
    case: bool = False
    start: int | None = None
    direction: Literal["down", "up"] = "down"
    limit: int = 100
    kinds: list[str] = []
    places_only: bool = False
    """Answer without lines, and so with more places: for counting. Older agents send the lines, too."""


class PickLines(Message, frozen=True, tag="pick-lines"):
    """Lines of a run's log by their places among the lines of ``kinds``, as :class:`FoundLines` told them:
    ascending, MOST_FOUND at most; those that are not there are left out. Answered by :class:`FoundLines`.
    """

    session: str
    run: int
    places: list[int]
    kinds: list[str] = []


class MatchTexts(Message, frozen=True, tag="match-texts"):
    """Where a pattern is found in texts that the client has: regular expressions are tried where a bad one
    holds up nobody. Answered by :class:`TextMatches`.
    """

    pattern: str
    texts: list[str]
    regex: bool = False
    case: bool = False


class TextMatches(Message, frozen=True, tag="text-matches"):
    """For each text begin and end of its matches, ``[3, 7, 9, 13]``, those of no length left out; None where
    there is no match at all.
    """

    spans: list[list[int] | None]


class FoundLines(Message, frozen=True, tag="found-lines"):
    """In the order in which they were found."""

    session: str
    run: int
    lines: list[LogLine]
    places: list[int]
    """Of each, counted over the lines of ``kinds``, as :class:`GetLines` takes it."""
    total: int
    """Lines of ``kinds`` there are."""
    next: int | None = None
    """``start`` for what is still to be looked through; None: all was."""


SearchCall = FindLines | PickLines | MatchTexts
SearchResult = FoundLines | TextMatches
SEARCH_LOOKS: frozenset[type[Message]] = frozenset({FindLines, PickLines, MatchTexts})
