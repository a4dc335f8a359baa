"""Frames survive any cut; anything else is a FrameError and nothing worse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barista_server.api import frames
from barista_server.api.frames import FrameError
from barista_server.api.messages import (
    Event,
    FollowLog,
    FromAgent,
    Hello,
    LogBytes,
    Message,
    Reply,
    Request,
    SessionInfo,
    SessionList,
    State,
    Strange,
    Welcome,
)

names = st.text(max_size=30)
numbers = st.integers(0, 2**63 - 1)
floats = st.floats(allow_nan=False)
infos = st.builds(
    SessionInfo, id=names, name=names, state=st.sampled_from(State), folder=names, created=floats,
    caffe=names, loss=st.none() | floats, tests=st.dictionaries(names, floats, max_size=3),
)  # fmt: skip
from_agent = st.one_of(
    st.builds(Welcome, protocol=numbers, agent=names, host=names, pid=numbers, root=names, epoch=names),
    st.builds(Reply, id=numbers, result=st.builds(SessionList, sessions=st.lists(infos, max_size=3))),
    st.builds(
        Event, sequence=numbers,
        what=st.builds(LogBytes, session=names, run=numbers, offset=numbers, data=st.binary(max_size=300)),
    ),
)  # fmt: skip


@given(st.lists(from_agent, max_size=5), st.lists(st.integers(1, 40), min_size=1, max_size=20))
def test_any_cut_gives_the_same_messages(messages: list[FromAgent], cuts: list[int]) -> None:
    data = b"".join(frames.encode(message) for message in messages)
    decoder = frames.from_agent()
    found: list[FromAgent] = []
    turn = 0
    while data:
        length = cuts[turn % len(cuts)]
        found += decoder.feed(data[:length])
        data = data[length:]
        turn += 1
    assert found == messages
    assert decoder.pending == 0


@given(st.binary(max_size=200))
def test_garbage_is_a_frame_error_or_waits_for_more(data: bytes) -> None:
    decoder = frames.from_client()
    try:
        assert all(isinstance(message, Hello | Request | Strange) for message in decoder.feed(data))
    except FrameError:
        return
    assert decoder.pending <= len(data)


@given(st.binary(min_size=1, max_size=80), st.data())
def test_a_damaged_message_is_a_frame_error_or_another_message(noise: bytes, data: st.DataObject) -> None:
    frame = bytearray(frames.encode(Request(id=7, call=FollowLog(session="1", run=1, offset=5))))
    at = data.draw(st.integers(4, len(frame) - 1))
    frame[at : at + len(noise)] = noise[: len(frame) - at]
    try:
        messages = frames.from_client().feed(bytes(frame))
    except FrameError:
        return
    assert all(isinstance(message, Hello | Request | Strange) for message in messages)


def test_lengths_are_limited_both_ways() -> None:
    with pytest.raises(FrameError, match="over the frame limit"):
        frames.encode(
            Event(sequence=0, what=LogBytes(session="1", run=1, offset=0, data=bytes(frames.MAX_FRAME)))
        )
    with pytest.raises(FrameError, match="over the limit"):
        frames.from_agent().feed((frames.MAX_FRAME + 1).to_bytes(4, "big"))
    largest = Event(
        sequence=0, what=LogBytes(session="1", run=1, offset=0, data=bytes(frames.MAX_FRAME - 99))
    )
    assert frames.from_agent().feed(frames.encode(largest)) == [largest]


def test_unknown_fields_are_ignored_and_unknown_messages_refused() -> None:
    class Later(Message, frozen=True, tag="hello"):
        protocol: int
        client: str
        mood: str

    class Other(Message, frozen=True, tag="other"):
        pass

    decoder = frames.from_client()
    assert decoder.feed(frames.encode(Later(protocol=1, client="x", mood="good"))) == [
        Hello(protocol=1, client="x")
    ]
    with pytest.raises(FrameError, match="other"):
        decoder.feed(frames.encode(Other()))


def test_deep_nesting_is_refused() -> None:
    body = b"\x91" * 100_000 + b"\xc0"
    with pytest.raises(FrameError):
        frames.from_client().feed(len(body).to_bytes(4, "big") + body)
