"""What was deleted or reset: it stays in the root's trash until it is emptied."""

from __future__ import annotations

from typing import Literal

from barista_server.api.things import Message


class ListTrash(Message, frozen=True, tag="list-trash"):
    """Answered by :class:`TrashList`."""


class EmptyTrash(Message, frozen=True, tag="empty-trash"):
    """Delete for good what is named, which nothing brings back. Answered by :class:`TrashList`: what went.
    Of what is not there any more nothing is said.
    """

    trash: list[str]


class TrashItem(Message, frozen=True):
    """``trash`` is what :class:`Restore` and :class:`EmptyTrash` take; ``what`` moved it there."""

    trash: str
    session: str
    name: str
    what: Literal["delete", "reset"]
    time: float
    files: int
    size: int
    kind: Literal["session", "log"] = "session"


class TrashList(Message, frozen=True, tag="trash-list"):
    """Oldest first."""

    items: list[TrashItem]


TRASH_LOOKS: frozenset[type[Message]] = frozenset({ListTrash})
TrashCall = ListTrash | EmptyTrash
