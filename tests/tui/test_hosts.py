"""Several hosts on one screen: a real sshd, one nobody knows, one that is silent, one that is not there."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import asyncssh
import pytest
from textual.widgets import OptionList

from barista_server.api.link import Link
from barista_server.api.messages import (
    Done,
    Event,
    ListSessions,
    Notice,
    Noticed,
    PauseSession,
    SessionInfo,
    SessionList,
    SessionRemoved,
    SessionReply,
    State,
    StopAgent,
    Subscribed,
)
from barista_server.remote.hostkeys import Offered
from barista_tui import titles
from barista_tui.app import BaristaApp
from barista_tui.hosts import HostEntry, Hosts, folder
from barista_tui.listing import HostRow, SessionRow, Wish, listed
from barista_tui.store import HostKnown, Key, Known, LinkState, Store
from barista_tui.target import Target

from ..remote.sshd import USER, Sshd, free_port
from .support import made, shown, until


def session(id: str, name: str, state: State = State.WAITING) -> SessionInfo:
    return SessionInfo(id=id, name=name, state=state, folder="", created=0.0, caffe="caffe")


# ------------------------------------------------------------------------------------ what is known, pure


def test_each_host_has_its_own_sessions_epoch_and_sequence() -> None:
    store = Store()
    store.keep_hosts(["local", "gpu01"])
    store.subscribed("local", Subscribed(complete=True, sequence=9, sessions=[session("1", "here")]), "a")
    store.subscribed("gpu01", Subscribed(complete=True, sequence=2, sessions=[session("1", "there")]), "b")
    store.happened("gpu01", Event(sequence=3, what=SessionRemoved(session="1")))
    assert {key: each.name for key, each in store.known.sessions.items()} == {Key("local", "1"): "here"}
    assert [(host.epoch, host.sequence) for host in store.known.hosts.values()] == [("a", 9), ("b", 3)]
    store.keep_hosts(["gpu01"])
    assert list(store.known.hosts) == ["gpu01"] and not store.known.sessions


def test_callers_of_other_hosts_are_told_apart() -> None:
    store = Store()
    for host in ("local", "gpu01"):
        notice = Notice(time=1.0, caller="Session 7", kind="text", text="hello")
        store.subscribed(host, Subscribed(complete=True, sequence=1, notices=[notice]), "a")
        store.happened(host, Event(sequence=2, what=Noticed(notice=notice)))
    store.noticed(Notice(time=2.0, caller="Host gpu01", kind="error", text="connection lost"))
    callers = [notice.caller for notice in store.known.notices]
    assert sorted(callers) == ["Host gpu01", *["Session 7"] * 2, *["Session 7@gpu01"] * 2]
    # The whole truth of one host takes nothing of the others away.
    store.subscribed("gpu01", Subscribed(complete=True, sequence=5), "b")
    assert sorted(notice.caller for notice in store.known.notices) == [
        "Host gpu01",
        "Session 7",
        "Session 7",
    ]


def test_the_age_of_what_is_known_begins_when_the_host_was_last_heard() -> None:
    store = Store()
    store.remembered("gpu01", [session("1", "there")], 5.0)
    assert store.known.host("gpu01").news == 5.0
    store.subscribed("gpu01", Subscribed(complete=True, sequence=1), "a")
    store.linked("gpu01", LinkState("alive", since=10.0))
    assert store.known.host("gpu01").news is None and not store.known.stale
    store.linked("gpu01", LinkState("lost", since=20.0))
    store.linked("gpu01", LinkState("connecting", since=30.0))
    assert store.known.host("gpu01").news == 20.0 and store.known.stale
    store.remembered("gpu01", [], 40.0)
    assert store.known.host("gpu01").news == 20.0, "a memory is no news"


def two_hosts() -> Known:
    local = HostKnown("local", LinkState("alive"), {"1": session("1", "b"), "2": session("2", "a")})
    gone = HostKnown("gpu01", LinkState("lost", cause="dead"), {"3": session("3", "c")}, heard=0.0)
    return Known({"local": local, "gpu01": gone})


def names(known: Known, wish: Wish) -> list[str]:
    rows = listed(known, wish, 130.0, {})
    return [row.session.name if isinstance(row, SessionRow) else f"[{row.key.host}]" for row in rows]


def test_flat_and_grouped_sorted_filtered_and_folded() -> None:
    known = two_hosts()
    assert names(known, Wish()) == ["c", "a", "b"]
    assert names(known, Wish(sort="name")) == ["a", "b", "c"]
    assert names(known, Wish(sort="host")) == ["c", "a", "b"]
    assert names(known, Wish(grouped=True)) == ["[local]", "a", "b", "[gpu01]", "c"]
    assert names(known, Wish(grouped=True, folded=frozenset({"local"}))) == ["[local]", "[gpu01]", "c"]
    assert names(known, Wish("gpu01")) == ["c"]
    folded = Wish("gpu01 waiting", grouped=True, folded=frozenset({"gpu01"}))
    assert names(known, folded) == ["[gpu01]", "c"], "what is looked for is found in a folded host"
    assert names(known, Wish(hidden=frozenset({Key("local", "1")}))) == ["c", "a"]
    ages = [row.age for row in listed(known, Wish(), 130.0, {}) if isinstance(row, SessionRow)]
    assert ages == ["2 m", "", ""]
    heads = [row for row in listed(known, Wish(grouped=True), 130.0, {}) if isinstance(row, HostRow)]
    assert [(head.count, head.words) for head in heads] == [(2, ""), (1, "not connected, 2 m")]


@pytest.mark.parametrize(
    ("width", "wanted"),
    [
        (160, "● local  ✖ gpu01 not connected, 2 m  ✖ lab host key unknown: press F3 to accept"),
        (80, "● local  ✖ gpu01 2 m  ✖ lab key? F3"),
        (60, "● local  ✖ gpu01  ✖ lab"),
    ],
)
def test_the_lamps_say_as_much_as_there_is_room_for(width: int, wanted: str) -> None:
    hosts = two_hosts().hosts
    lab = HostKnown("lab", LinkState("lost", cause="key-unknown"))
    known = Known({**hosts, "lab": lab})
    left, right = titles.header("digits", None, known, 130.0, width)
    assert wanted in "".join(piece.text for piece in right)
    assert sum(len(piece.text) for piece in [*left, *right]) <= width


def test_many_hosts_that_are_well_are_only_counted() -> None:
    well = {f"gpu{number:02}": HostKnown(f"gpu{number:02}", LinkState("alive")) for number in range(12)}
    known = Known({**well, "lab": HostKnown("lab", LinkState("lost", cause="dead"))})
    left, right = titles.header("digits", None, known, 130.0, 80)
    assert "● 12 hosts  ✖ lab" in "".join(piece.text for piece in right)
    assert sum(len(piece.text) for piece in [*left, *right]) <= 80


# ------------------------------------------------------------------------------------ real hosts


@pytest.fixture
def far(root: Path, tmp_path: Path) -> Iterator[Sshd]:
    """Another machine's sshd, whose key has been accepted and which lets us in."""
    (tmp_path / "far").mkdir()
    shutil.copy(root / "caffes.json", tmp_path / "far")
    sshd = Sshd.start(tmp_path / "sshd", tmp_path / "far")
    folder().mkdir(parents=True, exist_ok=True)
    shutil.copy(sshd.folder / "client", folder() / "id_ed25519")
    yield sshd
    sshd.down()


def accept(sshd: Sshd) -> None:
    from barista_server.remote.ssh import own_way

    kind, text = (sshd.folder / "host.pub").read_text().split()[:2]
    own_way(folder()).known_hosts.accept(Offered("", "", "", f"[127.0.0.1]:{sshd.port} {kind} {text}"))


def entry(name: str, port: int) -> HostEntry:
    return HostEntry(name, f"{USER}@127.0.0.1:{port}")


@pytest.mark.real("sshd")
async def test_one_list_of_many_hosts_and_none_waits_for_another(
    root: Path, far: Sshd, tmp_path: Path
) -> None:
    await made(root, "here", start=False)
    await made(tmp_path / "far", "there")
    accept(far)
    silent = socket.create_server(("127.0.0.1", 0))
    with closing(silent):
        for each in (
            entry("far", far.port),
            entry("mute", silent.getsockname()[1]),
            entry("gone", free_port()),
            HostEntry("off", "nowhere.invalid", offline=True),
        ):
            Hosts().add(each)
        others = [Target(root, each) for each in Hosts().all()]
        app = BaristaApp(Target(root), "tests", others=others)
        async with app.run_test(size=(200, 50), notifications=True) as pilot:
            known = lambda name: app.store.known.host(name)  # noqa: E731
            await until(pilot, lambda: known("local").alive and known("far").alive)
            await until(pilot, lambda: known("gone").link.cause == "dead")
            assert known("mute").link.state == "connecting", "it still has time to answer"
            assert known("off").link.state == "offline"
            await until(pilot, lambda: "there" in shown(app) and "here" in shown(app))
            await until(pilot, lambda: "● far" in shown(app) and "✖ gone" in shown(app))
            # A command goes to the host of its session, and so do log and curves.
            app.main.want("there")
            await until(pilot, lambda: app.main.list.selected == Key("far", "1"))
            await until(pilot, lambda: app.main.console.total > 20 and "loss = " in shown(app))
            await until(pilot, lambda: app.main.plot.curves)
            await pilot.press("space")
            await until(pilot, lambda: known("far").sessions["1"].state is State.PAUSED)
            await until(pilot, lambda: any(n.caller == "Session 1@far" for n in app.store.known.notices))
            assert known("local").sessions["1"].state is State.WAITING
            # Unlinked, the list stays with its age; linked again, nothing is lost.
            await pilot.press("U")
            await until(pilot, lambda: known("far").link.state == "offline" and "○ far" in shown(app))
            assert next(each for each in Hosts().all() if each.name == "far").offline
            assert app.main.list.selected == Key("far", "1")
            await pilot.press("d")
            await until(pilot, lambda: "far is offline: press U" in shown(app))
            await pilot.press("U")
            await until(pilot, lambda: known("far").alive)
            assert not next(each for each in Hosts().all() if each.name == "far").offline
            # A new session can be made on any host that is there.
            await pilot.press("n")
            await until(pilot, lambda: "Make a session on which host?" in shown(app))
            assert "gone" not in str([each.id for each in app.screen.query_one(OptionList).options])
            await pilot.press("enter")
            await until(pilot, lambda: "New session on far" in shown(app))
            await pilot.press("escape")
            # The trash is the host's own.
            await pilot.press("d")
            await until(pilot, lambda: not known("far").sessions)
            app.main.want("here")
            await until(pilot, lambda: app.main.list.selected == Key("local", "1"))
            await pilot.press("u")
            await until(pilot, lambda: known("far").sessions)
            # Grouped, a host can be folded away; the selection stays on what it is on.
            await pilot.press("H")
            await until(pilot, lambda: "▾ ● far" in shown(app) and "▾ ✖ gone" in shown(app))
            assert app.main.list.selected == Key("local", "1")
            await pilot.press("Z")
            await until(pilot, lambda: "▸ ● local" in shown(app) and app.main.list.selected == Key("local"))
            await pilot.press("enter")
            await until(pilot, lambda: "▾ ● local" in shown(app))
    await stopped(tmp_path / "far")


@pytest.mark.real("sshd")
async def test_a_host_that_hangs_delays_no_other(root: Path, far: Sshd, tmp_path: Path) -> None:
    await made(root, "here")
    await made(tmp_path / "far", "there")
    accept(far)
    app = BaristaApp(Target(root), "tests", others=[Target(root, entry("far", far.port))])
    async with app.run_test(size=(160, 45)) as pilot:
        await until(pilot, lambda: all(host.alive for host in app.store.known.hosts.values()))
        agent = json.loads((tmp_path / "far" / "agent.json").read_text())["pid"]
        os.kill(agent, signal.SIGSTOP)
        try:
            app.main.want("there")
            await until(pilot, lambda: app.main.key == Key("far", "1"))
            app.main.want("here")
            await until(pilot, lambda: app.main.plot.session == Key("local", "1") and app.main.plot.curves, 5)
            await until(pilot, lambda: app.main.console.total > 20 and "loss = " in shown(app), 5)
            told = ("far does not answer", "far not connected")
            await until(pilot, lambda: any(words in shown(app) for words in told))
            iteration = app.store.known.host("local").sessions["1"].iteration
            await until(pilot, lambda: app.store.known.host("local").sessions["1"].iteration > iteration, 5)
        finally:
            os.kill(agent, signal.SIGCONT)
        await until(pilot, lambda: app.store.known.host("far").alive)
    await stopped(tmp_path / "far")


async def stopped(root: Path) -> None:
    """End the trainings and the agent of a root."""
    link = await Link.open(root)
    for session in (await link.call(ListSessions(), SessionList)).sessions:
        if session.state is State.RUNNING:
            await link.call(PauseSession(session=session.id, force="kill"), SessionReply)
    await link.call(StopAgent(), Done)


@pytest.mark.real("sshd")
async def test_an_unknown_key_blocks_nobody_and_says_what_to_press(
    root: Path, far: Sshd, tmp_path: Path
) -> None:
    app = BaristaApp(Target(root), "tests", others=[Target(root, entry("far", far.port))])
    async with app.run_test(size=(160, 40), notifications=True) as pilot:
        await until(pilot, lambda: app.store.known.host("local").alive)
        await until(pilot, lambda: app.store.known.host("far").link.cause == "key-unknown")
        await until(pilot, lambda: "host key unknown: press F3 to accept" in shown(app))
        far_host = app.fleet["far"]
        assert getattr(far_host.problem, "offered").fingerprint.startswith("SHA256:")  # noqa: B009
        await pilot.press("f3")
        await until(pilot, lambda: "fingerprint" in shown(app) and "SHA256:" in shown(app))
        await pilot.press("escape")
        app.main.action_do("trust")
        await until(pilot, lambda: "Is this the key of far?" in shown(app) and "SHA256:" in shown(app))
        await pilot.press("tab", "enter")
        await until(pilot, lambda: app.store.known.host("far").alive)
        app.main.action_do("trust")
        await until(pilot, lambda: "no host's key waits" in shown(app))
    await stopped(tmp_path / "far")


@pytest.mark.real("sshd")
async def test_a_changed_key_is_a_hard_stop(root: Path, far: Sshd) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key("openssh").decode()
    (folder() / "known_hosts").write_text(f"[127.0.0.1]:{far.port} {other}")
    app = BaristaApp(Target(root), "tests", others=[Target(root, entry("far", far.port))])
    async with app.run_test(size=(160, 40)) as pilot:
        await until(pilot, lambda: app.store.known.host("far").link.cause == "key-changed")
        assert app.store.known.host("far").link.retry_at is None, "it is not tried again by itself"
        await until(pilot, lambda: "host key CHANGED" in shown(app))
        await until(pilot, lambda: app.store.known.host("local").alive)


async def test_a_list_that_changes_keeps_links_that_are_not_concerned(root: Path) -> None:
    Hosts().add(HostEntry("one", f"127.0.0.1:{free_port()}"))
    app = BaristaApp(Target(root), "tests", others=[Target(root, each) for each in Hosts().all()])
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: app.store.known.host("local").alive)
        epoch, since = app.store.known.host("local").epoch, app.store.known.host("local").link.since
        Hosts().add(HostEntry("two", f"127.0.0.1:{free_port()}"))
        Hosts().remove("one")
        # As `barista host add` does it, beside the screen.
        await until(pilot, lambda: app.fleet.names == ["local", "two"])
        await until(pilot, lambda: app.store.known.host("two").link.state == "lost")
        assert list(app.store.known.hosts) == ["local", "two"]
        local = app.store.known.host("local")
        assert (local.epoch, local.link.since) == (epoch, since)
