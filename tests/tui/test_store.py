"""What the screen knows, event by event."""

from __future__ import annotations

from barista_server.api.messages import (
    Event,
    Notice,
    Noticed,
    SessionChanged,
    SessionInfo,
    SessionRemoved,
    State,
    Subscribed,
)
from barista_tui.store import MAX_NOTICES, LinkState, Store

HOST = "local"


def session(id: str, state: State = State.WAITING, iteration: int = 0) -> SessionInfo:
    return SessionInfo(
        id=id, name=f"net-{id}", state=state, folder="", created=0.0, caffe="caffe", iteration=iteration
    )


def changed(sequence: int, info: SessionInfo) -> Event:
    return Event(sequence=sequence, what=SessionChanged(session=info))


def subscribed(store: Store, *sessions: SessionInfo, sequence: int = 1, epoch: str = "a") -> None:
    store.subscribed(HOST, Subscribed(complete=True, sequence=sequence, sessions=list(sessions)), epoch)


def test_a_subscription_replaces_what_was_remembered() -> None:
    store = Store()
    store.remembered(HOST, [session("1"), session("2")], 5.0)
    assert list(store.known.host(HOST).sessions) == ["1", "2"]
    subscribed(store, session("2", State.RUNNING))
    assert list(store.known.host(HOST).sessions) == ["2"]
    store.remembered(HOST, [session("9")], 5.0)
    assert list(store.known.host(HOST).sessions) == ["2"], "a memory must not overwrite the truth"


def test_events_change_add_and_remove_sessions() -> None:
    store = Store()
    subscribed(store, session("1"))
    store.happened(HOST, changed(2, session("1", State.RUNNING, 20)))
    store.happened(HOST, changed(3, session("2")))
    store.happened(HOST, Event(sequence=4, what=SessionRemoved(session="1")))
    assert {key: each.state for key, each in store.known.host(HOST).sessions.items()} == {"2": State.WAITING}
    assert store.known.host(HOST).sequence == 4


def test_an_answer_does_not_take_back_what_was_told_meanwhile() -> None:
    store = Store()
    subscribed(store, session("1"), sequence=5)
    state = lambda: store.known.host(HOST).sessions["1"].state  # noqa: E731
    since = store.known.host(HOST).sequence
    store.changed_session(HOST, session("1", State.RUNNING), since)
    assert state() is State.RUNNING
    # It ended before the answer to its start was looked at.
    since = store.known.host(HOST).sequence
    store.happened(HOST, changed(6, session("1", State.FINISHED)))
    store.changed_session(HOST, session("1", State.RUNNING), since)
    assert state() is State.FINISHED
    store.happened(HOST, Event(sequence=7, what=SessionRemoved(session="1")))
    store.changed_session(HOST, session("1", State.RUNNING), since)
    assert not store.known.host(HOST).sessions
    # A new agent counts anew.
    subscribed(store, session("1"), sequence=1, epoch="b")
    store.changed_session(HOST, session("1", State.RUNNING))
    assert state() is State.RUNNING


def test_a_repeated_event_changes_nothing() -> None:
    told = []
    store = Store(lambda: told.append(1))
    subscribed(store, session("1"), sequence=5)
    store.happened(HOST, changed(6, session("1", State.RUNNING, 40)))
    count = len(told)
    store.happened(HOST, changed(6, session("1", State.RUNNING, 20)))
    store.happened(HOST, changed(3, session("1", State.WAITING)))
    assert store.known.host(HOST).sessions["1"].iteration == 40
    assert len(told) == count


def test_a_continued_subscription_keeps_the_list_and_the_sequence() -> None:
    store = Store()
    subscribed(store, session("1"), sequence=7)
    store.subscribed(HOST, Subscribed(complete=False, sequence=9), "a")
    assert list(store.known.host(HOST).sessions) == ["1"]
    store.happened(HOST, changed(8, session("1", State.PAUSED)))
    assert store.known.host(HOST).sessions["1"].state is State.PAUSED


def test_a_new_epoch_starts_its_sequence_anew() -> None:
    store = Store()
    subscribed(store, session("1"), sequence=500)
    subscribed(store, session("1"), sequence=2, epoch="b")
    store.happened(HOST, changed(3, session("1", State.FAILED)))
    assert store.known.host(HOST).sessions["1"].state is State.FAILED


def test_old_values_are_never_changed_in_place() -> None:
    store = Store()
    subscribed(store, session("1"))
    before = store.known
    store.happened(HOST, changed(2, session("1", State.RUNNING)))
    store.linked(HOST, LinkState(state="lost"))
    assert before.host(HOST).sessions["1"].state is State.WAITING
    assert before.host(HOST).link.state == "connecting"


def test_notices_are_kept_in_order_and_bounded() -> None:
    store = Store()
    for number in range(MAX_NOTICES + 10):
        notice = Notice(time=float(number), caller="Agent", kind="text", text=str(number))
        store.happened(HOST, Event(sequence=number + 1, what=Noticed(notice=notice)))
    assert len(store.known.notices) == MAX_NOTICES
    assert store.known.notices[-1].text == str(MAX_NOTICES + 9)
    assert store.known.notices_seen == MAX_NOTICES + 10
