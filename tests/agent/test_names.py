"""Names and file names that are made to break things."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barista_server.agent.errors import CallError
from barista_server.agent.names import valid_name
from barista_server.api.frames import encode, from_agent
from barista_server.api.link import CallFailed
from barista_server.api.messages import (
    Failure,
    ListSessions,
    Problem,
    RenameSession,
    Reply,
    SessionList,
    SessionReply,
    SnapshotReply,
    SnapshotSession,
)

from .agents import Root, Watcher, get, new, solver


@given(st.text(max_size=300))
def test_a_name_is_one_printable_line_or_refused(text: str) -> None:
    try:
        name = valid_name(text)
    except CallError as error:
        assert error.code == "invalid"
    else:
        assert name.isprintable() and name == " ".join(name.split()) and 0 < len(name) <= 200
        assert valid_name(name) == name


@given(st.text(st.characters()), st.floats(allow_nan=False), st.binary())
def test_any_text_can_be_sent(text: str, number: float, data: bytes) -> None:
    failure = Failure(code="x", text=text, problems=[Problem(text=text + "\udcff", line=3)])
    (message,) = from_agent().feed(encode(Reply(id=7, result=failure)))
    assert isinstance(message, Reply) and isinstance(message.result, Failure)
    assert message.result.problems[0].line == 3 and message.result.problems[0].text.endswith("?")


@pytest.mark.parametrize(
    ("given_name", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("a\n\tb ", "a b"),
        ("[bold]x", "[bold]x"),
        ("\udcff.", "."),
        ("ü\u202e", "ü"),
    ],
)
async def test_a_renamed_session_shows_what_is_harmless(
    root: Root, watcher: Watcher, given_name: str, shown: str
) -> None:
    await new(watcher.link, solver(), start=False)
    call = RenameSession(session="1", name=given_name)
    assert (await watcher.link.call(call, SessionReply)).session.name.lstrip("? ") == shown


@pytest.mark.parametrize("given_name", ["", " \n", "\x1b[2J", "x" * 201])
async def test_a_name_that_is_none_is_refused(root: Root, watcher: Watcher, given_name: str) -> None:
    await new(watcher.link, solver(), start=False)
    with pytest.raises(CallFailed, match="tiny needs a"):
        await watcher.link.call(RenameSession(session="1", name=given_name), SessionReply)


async def test_files_with_names_of_any_bytes_silence_nobody(root: Root, watcher: Watcher) -> None:
    await new(watcher.link, solver(speed=100))
    await watcher.iteration(10)
    taken = (await watcher.link.call(SnapshotSession(session="1"), SnapshotReply)).snapshot
    for name in (taken.model, taken.state):
        (root.session() / f"\udcff\udc80{name}").write_bytes((root.session() / name).read_bytes())
    taken = (await watcher.link.call(SnapshotSession(session="1"), SnapshotReply)).snapshot
    assert not taken.model.startswith("?")
    assert len((await get(watcher.link)).snapshots) >= 3
    assert len((await watcher.link.call(ListSessions(), SessionList)).sessions) == 1
    await watcher.iteration(taken.iteration + 20)
