"""The order of the queue, and who may start."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barista_server.agent.lineup import Entry, Room, Standing, Where, goes_round, move, plan, put
from barista_server.api.messages import State

PLACES: tuple[Where, ...] = ("up", "down", "first", "last")


def line(*told: str) -> list[Entry]:
    """``"a"``, ``"b:5"`` with a priority, ``"c>a"`` after a, ``"d>>a"`` after any end of a."""
    entries = []
    for word in told:
        name, _, after = word.partition(">")
        name, _, priority = name.partition(":")
        entries.append(
            Entry(name, 0.0, 0, int(priority or 0), after.removeprefix(">"), after.startswith(">"))
        )
    return entries


def names(entries: list[Entry]) -> str:
    return "".join(entry.session for entry in entries)


def why(entries: list[Entry], room: Room | None = None, **sessions: Standing) -> dict[str, str]:
    """The plan; sessions not told of are queued for the cpu and called as their id."""
    there = {one.session: Standing(one.session, State.QUEUED, ("cpu",), True) for one in entries}
    return plan(entries, there | sessions, room or Room(), {})


def on(*devices: str) -> Standing:
    return Standing("on " + "+".join(devices), State.QUEUED, devices, True)


def test_higher_priority_goes_first_and_among_equals_who_came_first() -> None:
    entries: list[Entry] = []
    for entry in line("a", "b:2", "c", "d:2", "e:-1", "f:1"):
        entries = put(entries, entry)
    assert names(entries) == "bdface"
    assert names(put(entries, line("d")[0])) == "bfacde"


@pytest.mark.parametrize(
    ("session", "where", "order", "priority"),
    [
        ("c", "up", "acbd", 0),
        ("b", "up", "bacd", 5),
        ("a", "down", "bacd", 0),
        ("d", "first", "dabc", 5),
        ("a", "last", "bcda", -1),
        ("d", "down", "abcd", -1),
        ("a", "up", "abcd", 5),
    ],
)
def test_a_move_takes_over_the_priority_of_whom_it_passes(
    session: str, where: Where, order: str, priority: int
) -> None:
    moved = move(line("a:5", "b", "c", "d:-1"), session, where)
    assert names(moved) == order
    assert next(one.priority for one in moved if one.session == session) == priority


@given(
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.integers(-2, 2), st.sampled_from([*PLACES, "put"])),
        max_size=20,
    )
)
def test_whatever_is_done_to_it_the_order_is_one_of_priorities(steps: list[tuple[str, int, str]]) -> None:
    entries: list[Entry] = []
    for name, priority, what in steps:
        there = {one.session for one in entries}
        if what == "put" or name not in there:
            entries = put(entries, Entry(name, 0.0, priority=priority))
        else:
            entries = move(entries, name, what)  # type: ignore[arg-type]
        assert {one.session for one in entries} == there | {name} and len(entries) == len(there | {name})
        priorities = [one.priority for one in entries]
        assert priorities == sorted(priorities, reverse=True)


def test_one_at_a_time_on_a_device_and_as_many_as_it_has_slots() -> None:
    assert why(line("a", "b")) == {"a": "", "b": "cpu: a"}
    assert why(line("a", "b", "c"), Room({"cpu": 2})) == {"a": "", "b": "", "c": "cpu: a, b"}
    assert why(line("a"), Room(held={"cpu": ["x"]})) == {"a": "cpu: x"}
    assert why(line("a"), Room({"cpu": 0})) == {"a": "cpu has no slots"}
    assert why(line("a", "b"), b=on("0")) == {"a": "", "b": ""}


def test_one_on_several_cards_needs_all_and_is_not_overtaken_on_any() -> None:
    room = Room(held={"0": ["x"]})
    both, second = on("0", "1"), on("1")
    assert why(line("a", "b"), room, a=both, b=second) == {"a": "GPU 0: x", "b": "GPU 1: on 0+1"}
    assert why(line("b", "a"), room, a=both, b=second) == {"b": "", "a": "GPU 0: x"}
    assert why(line("a", "b"), None, a=both, b=second) == {"a": "", "b": "GPU 1: on 0+1"}
    # But nobody waits for a stranger to go who may stay for a week, nor for a card that is shut.
    strange = Room(others={"0": "GPU 0 is held by alice"})
    assert why(line("a", "b"), strange, a=both, b=second) == {"a": "GPU 0 is held by alice", "b": ""}
    assert why(line("a", "b"), Room({"0": 0}), a=both, b=second) == {"a": "GPU 0 has no slots", "b": ""}


@pytest.mark.parametrize(
    ("state", "after", "any_end"),
    [
        (State.FINISHED, "", ""),
        (State.PRETRAINED, "after x", "after x"),
        (State.RUNNING, "after x", "after x"),
        (State.PAUSED, "after x", "after x"),
        (State.WAITING, "after x", "after x"),
        (State.FAILED, "after x, which failed", ""),
        (State.INTERRUPTED, "after x, which was interrupted", ""),
        (State.INVALID, "after x, which is invalid", ""),
    ],
)
def test_start_after(state: State, after: str, any_end: str) -> None:
    assert why(line("a>x"), x=Standing("x", state)) == {"a": after}
    assert why(line("a>>x"), x=Standing("x", state)) == {"a": any_end}


def test_after_one_that_is_gone_or_queued_and_invalid_meanwhile() -> None:
    assert why(line("a>x")) == {"a": "waits for session x, which is gone"}
    assert why(line("a>>x")) == {"a": ""}
    edited = Standing("x", State.INVALID, ("cpu",), True)
    found = plan(
        line("x", "a>>x"),
        {"x": edited, "a": Standing("a", State.QUEUED, ("cpu",), True)},
        Room(),
        {"x": "is invalid"},
    )
    assert found == {"x": "is invalid", "a": "after x"}


def test_what_is_held_back_holds_up_nobody() -> None:
    there = {name: Standing(name, State.QUEUED, ("cpu",), True) for name in "ab"}
    assert plan(line("a", "b"), there, Room(), {"a": "not started: disk full"})["b"] == ""


def test_nobody_waits_for_itself() -> None:
    entries = line("a>b", "b>c")
    assert goes_round(entries, "c", "a") and goes_round(entries, "a", "a")
    assert not goes_round(entries, "c", "x") and not goes_round(entries, "x", "a")
