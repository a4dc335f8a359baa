"""Which session was made from which."""

from __future__ import annotations

from msgspec import structs

from barista_server.api.messages import Ancestor, SessionInfo, State
from barista_tui.family import drawn, of, parent_of, trees
from barista_tui.store import Key


def session(id: str, *lineage: Ancestor, created: float | None = None, root: str = "/r") -> SessionInfo:
    return SessionInfo(
        id=id,
        name=f"s{id}",
        state=State.WAITING,
        folder=f"{root}/sessions/{id}",
        created=float(id) if created is None else created,
        caffe="",
        lineage=list(lineage),
    )


def was(id: str, place: str = "", created: float | None = None) -> Ancestor:
    return Ancestor(
        id=id, name=f"s{id}", created=float(id) if created is None else created, how="settings", place=place
    )


def lines(sessions: dict[Key, SessionInfo]) -> list[str]:
    return [f"{lead}{one.title} ({one.about}) {one.taken}".rstrip() for lead, one in drawn(trees(sessions))]


def here(*sessions: SessionInfo) -> dict[Key, SessionInfo]:
    return {Key("local", one.id): one for one in sessions}


def test_children_stand_below_and_what_is_gone_stays_where_it_was() -> None:
    known = here(
        session("1"), session("2", was("1")), session("5", was("4"), was("3"), was("1")),
        session("6", was("4"), was("3"), was("1")), session("7"), session("8", was("2"), was("1")),
    )  # fmt: skip
    assert lines(known) == [
        "1 s1 (○ Waiting)",
        "├─ 2 s2 (○ Waiting) settings only",
        "│  └─ 8 s8 (○ Waiting) settings only",
        "└─ 3 s3 (deleted) settings only",
        "   └─ 4 s4 (deleted) settings only",
        "      ├─ 5 s5 (○ Waiting) settings only",
        "      └─ 6 s6 (○ Waiting) settings only",
        "7 s7 (○ Waiting)",
    ]
    assert [root.id for root in of(trees(known), Key("local", "8"))] == ["1"]
    assert parent_of(Key("local", "8"), known) == Key("local", "2")
    assert parent_of(Key("local", "5"), known) is None and parent_of(Key("local", "1"), known) is None
    assert parent_of(None, known) is None


def test_a_number_that_another_session_has_now_is_not_taken_for_the_parent() -> None:
    known = here(session("1", created=99.0), session("2", was("1", created=1.0)))
    assert lines(known) == ["1 s1 (deleted)", "└─ 2 s2 (○ Waiting) settings only", "1 s1 (○ Waiting)"]


def test_over_hosts() -> None:
    """Moved to gpu01 and cloned there; then moved to a host that is not shown, and from there back."""
    origin = session("1")
    moved = session("1", was("1", "here:/r/sessions/1"), created=1.0, root="/far")
    clone = session("2", was("1", created=1.0), was("1", "here:/r/sessions/1"), root="/far")
    back = session("3", was("9", "other:/o/sessions/9"), was("2", "far:/far/sessions/2"))
    known = here(origin, back) | {Key("gpu01", "1"): moved, Key("gpu01", "2"): clone}
    assert lines(known) == [
        "1 s1 (○ Waiting)",
        "└─ 1 s1 (○ Waiting) settings only",
        "   └─ 2 s2 (○ Waiting) settings only",
        "      └─ 9 s9 (was at other:/o/sessions/9) settings only",
        "         └─ 3 s3 (○ Waiting) settings only",
    ]


def test_a_copy_that_says_it_came_of_itself_ends() -> None:
    one = session("1", was("2"))
    two = session("2", was("1"))
    assert len(drawn(trees(here(one, two)))) == 2
    itself = structs.replace(one, lineage=[was("1")])
    assert lines(here(itself)) == ["1 s1 (○ Waiting)"]
