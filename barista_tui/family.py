"""Which session was made from which, as a tree. Pure.

A session names its ancestors as they were then; those that are there are found again by host, number and
time of creation, the others stand in the tree by what is told of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct, field

from barista_server.api.messages import Ancestor, SessionInfo
from barista_server.api.text import clean_name
from barista_tui import format as fmt
from barista_tui.store import Key

SAME = 0.001
"""Seconds between two times of creation that are one: they are kept as they are, but as text."""

_Id = Key | tuple[str, str, str]
"""Of a session, or of an ancestor that is not there: root, number, name."""


class Relative(Struct):
    """A session, or an ancestor that is not there any more (``session`` None). ``taken``: what it took from
    the one above; ``place``: of another root, ``host:folder``.
    """

    id: str
    name: str
    key: Key | None = None
    session: SessionInfo | None = None
    taken: str = ""
    place: str = ""
    children: list[Relative] = field(default_factory=list)
    born: float = 0.0

    @property
    def title(self) -> str:
        """``7 lenet``."""
        return f"{self.id} {clean_name(self.name)}"

    @property
    def about(self) -> str:
        """What became of it: its state, or that it is gone."""
        if self.session is not None:
            look = fmt.state_look(self.session)
            return f"{look.glyph} {look.word}"
        return f"was at {clean_name(self.place)}" if self.place else "deleted"

    def everybody(self) -> Iterator[Relative]:
        """It, and all that came of it."""
        yield self
        for child in self.children:
            yield from child.everybody()


def trees(sessions: Mapping[Key, SessionInfo]) -> list[Relative]:
    """A tree for each session that was made from no other; the oldest first, children likewise."""
    found: dict[_Id, Relative] = {}
    above: dict[_Id, _Id] = {}
    for key, session in sessions.items():
        found[key] = Relative(session.id, session.name, key, session, born=session.created)
    for key, session in sessions.items():
        child: _Id = key
        for one in session.lineage:
            parent = _known(key, one, sessions) or (one.place or f"{key.host}:", one.id, one.name)
            if not isinstance(parent, Key):
                gone = Relative(one.id, one.name, place=one.place, born=one.created)
                found.setdefault(parent, gone)
            if child not in above and not _within(parent, child, above):
                above[child] = parent
                found[child].taken = fmt.taken_words(one)
            if isinstance(parent, Key):
                # What that was made from, it tells itself.
                break
            child = parent
    for child, parent in above.items():
        found[parent].children.append(found[child])
    for each in found.values():
        each.children.sort(key=lambda one: (one.born, one.title))
    roots = [one for name, one in found.items() if name not in above]
    return sorted(roots, key=lambda one: (one.born, one.title))


def _known(key: Key, one: Ancestor, sessions: Mapping[Key, SessionInfo]) -> Key | None:
    """The ancestor, if it is there."""
    if not one.place:
        there = sessions.get(Key(key.host, one.id))
        return Key(key.host, one.id) if there and abs(there.created - one.created) < SAME else None
    folder = one.place.partition(":")[2]
    alike = (
        other
        for other, session in sessions.items()
        if session.folder == folder and other != key and abs(session.created - one.created) < SAME
    )
    return next(alike, None)


def _within(one: _Id, tree: _Id, above: Mapping[_Id, _Id]) -> bool:
    """Whether it is, or came of, what is to go below it: a folder that was copied to and fro may say so."""
    step: _Id | None = one
    while step is not None:
        if step == tree:
            return True
        step = above.get(step)
    return False


def drawn(roots: Sequence[Relative]) -> list[tuple[str, Relative]]:
    """A line for each: ``├─ `` and so on, then who it is."""
    lines: list[tuple[str, Relative]] = []

    def draw(one: Relative, lead: str, stem: str) -> None:
        lines.append((lead, one))
        for place, child in enumerate(one.children):
            last = place == len(one.children) - 1
            draw(child, stem + ("└─ " if last else "├─ "), stem + ("   " if last else "│  "))

    for root in roots:
        draw(root, "", "")
    return lines


def of(roots: Sequence[Relative], key: Key) -> list[Relative]:
    """The tree that a session is in."""
    return [root for root in roots if any(one.key == key for one in root.everybody())]


def parent_of(key: Key | None, sessions: Mapping[Key, SessionInfo]) -> Key | None:
    """The session it was made from, if that is there."""
    session = sessions.get(key) if key is not None else None
    if key is None or session is None:
        return None
    if session.lineage:
        return _known(key, session.lineage[0], sessions)
    there = Key(key.host, session.parent or "")
    return there if there in sessions else None
