"""What a session may be called, and which one a name means."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from barista_server.agent.errors import CallError
from barista_server.api.text import MOST_NAME, clean_name

SOME = 5
"""Sessions or pieces of trash named to somebody who asked for one that is not there."""


class _Meta(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def created(self) -> float: ...


class Named(Protocol):
    """A session or an imported log."""

    @property
    def id(self) -> str: ...
    @property
    def meta(self) -> _Meta: ...


T = TypeVar("T", bound=Named)


def find_named(among: Sequence[T], wanted: str, what: str = "session") -> T:
    """By id, unique name, or unique id prefix. Raises CallError."""
    fits: tuple[Callable[[T], bool], ...] = (
        lambda one: one.id == wanted,
        lambda one: one.meta.name == wanted,
        lambda one: wanted != "" and one.id.startswith(wanted),
    )
    found = next((hits for fit in fits if (hits := list(filter(fit, among)))), [])
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(one.id for one in found)
        text = f"'{wanted}' means several {what}s: {ids}"
        raise CallError("ambiguous", text, "Name it by its number.")
    newest = sorted(among, key=lambda one: one.meta.created)[: -SOME - 1 : -1]
    there = ", ".join(f"{one.id} ({one.meta.name})" for one in newest)
    hint = f"The newest are: {there}." if newest else "There are none yet."
    raise CallError("not-found", f"there is no {what} '{wanted}'", hint)


def valid_name(given: str, who: str = "") -> str:
    """``given`` as a name for ``who`` (a blank follows). Raises CallError."""
    name = clean_name(given)
    if not name:
        text = f"{who}needs a name that can be seen"
        raise CallError("invalid", text, "Give it one of letters, digits or signs.")
    if len(name) > MOST_NAME:
        text = f"{who}needs a shorter name: {len(name)} characters are more than {MOST_NAME}"
        raise CallError("invalid", text)
    return name
