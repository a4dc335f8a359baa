"""Searching in a run's log."""

from __future__ import annotations

from typing import Literal

from barista_server.api.things import LogLine, Message

MOST_FOUND = 1000
"""Lines in one answer."""
MOST_PATTERN = 1000
"""Characters of a pattern."""


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


SearchCall = FindLines
SearchResult = FoundLines
SEARCH_LOOKS: frozenset[type[Message]] = frozenset({FindLines})
