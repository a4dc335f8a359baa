"""A host whose network is gone for a while, by a real network namespace."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from itertools import pairwise

import asyncssh
import pytest

from barista_server.api.link import Link, LinkError
from barista_server.api.messages import (
    DeleteSession,
    Done,
    Event,
    FollowLog,
    PauseSession,
    SessionReply,
    State,
    TrashReply,
)
from barista_server.remote.address import Address
from barista_server.remote.hostkeys import KnownHosts, Offered
from barista_server.remote.ssh import Way, open_link
from barista_tui.fleet import Fleet
from barista_tui.hosts import HostEntry
from barista_tui.store import Store
from barista_tui.target import Target
from tests.agent.agents import Root, Watcher, new, solver, until
from tests.survival.netns import Namespace

GONE = 10.0
"""Seconds without a network."""


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    made = Namespace.make()
    try:
        yield made
    finally:
        made.remove()


class Far(Target, frozen=True):
    """The agent in the namespace."""

    way: Way | None = None

    async def open(self, start_agent: bool = True) -> Link:
        assert self.host is not None and self.way is not None
        return await open_link(self.host.where(), self.way)


class Heard(Store):
    """Keeps all events as they came."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Event] = []

    def happened(self, host: str, event: Event) -> None:
        self.events.append(event)
        super().happened(host, event)


async def serve(root: Root, namespace: Namespace, **options: float) -> tuple[Address, Way]:
    """The agent with its port, started in the namespace; the way to it, its key accepted."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    key.write_private_key(str(root.path / "client"))
    (root.path / "authorized_keys").write_bytes(key.export_public_key())
    argv = [sys.executable, "-m", "barista_server.agent", "serve", "--dir", str(root.path)]
    process = await asyncio.create_subprocess_exec(
        *namespace.command(*argv, "--ip", namespace.inside, "--port", "4200")
    )
    assert await asyncio.wait_for(process.wait(), 30) == 0
    kind, text = (root.path / "host_key.pub").read_text().split()[:2]
    known = KnownHosts(root.path / "known_hosts")
    known.accept(Offered("", "", "", f"[{namespace.inside}]:4200 {kind} {text}"))
    return Address("port", namespace.inside, "", 4200), Way(known, keys=[root.path / "client"])


async def follow(link: Link, offset: int) -> Watcher:
    watcher = Watcher(link)
    watcher.offset = offset
    await link.call(FollowLog(session="1", run=1, offset=offset), Done)
    return watcher


@pytest.mark.real("netns")
async def test_g21_the_network_is_gone_for_a_while(root: Root, namespace: Namespace) -> None:
    address, way = await serve(root, namespace)
    near = Watcher(await root.link())
    await near.subscribe()
    await new(near.link, solver(display=1, speed=100))
    store = Heard()
    entry = HostEntry("far", str(address))
    fleet = Fleet([Far(root.path, entry, way)], store)
    fleet.start()
    try:
        await until(lambda: store.known.host("far").alive and store.known.host("far").sessions, "linked")
        # One whose connection outlives the break, and one that gives it up and comes back.
        patient = await follow(await open_link(address, way), 0)
        hasty = await follow(await open_link(address, Way(way.known_hosts, keys=way.keys, keepalive=0.5)), 0)
        root.links += [patient.link, hasty.link]
        await until(lambda: patient.log and hasty.log, "the log comes")

        namespace.plug("down")
        down = time.time()
        await asyncio.wait_for(hasty.link.wait_closed(), GONE)
        with pytest.raises(LinkError):
            await hasty.link.call(FollowLog(session="1", run=1), Done)
        await until(lambda: store.known.host("far").news is not None, "its word is known to be old")
        news = store.known.host("far").news
        assert news is not None and down - 4 < news <= time.time()
        told = len(store.events)
        second = await new(near.link, solver(speed=100), name="meanwhile")
        await near.iteration(5, session=second.id)
        await near.link.call(PauseSession(session=second.id), SessionReply)
        await near.state(State.PAUSED, session=second.id)
        await near.link.call(DeleteSession(session=second.id), TrashReply)
        await asyncio.sleep(max(0.0, down + GONE - time.time()))
        known = store.known.host("far")
        assert (known.news, len(store.events)) == (news, told)
        assert known.sessions["1"].state is State.RUNNING and second.id not in known.sessions
        namespace.plug("up")

        await until(lambda: store.known.host("far").alive, "alive again")
        again = await follow(await open_link(address, way), hasty.offset)
        root.links.append(again.link)
        await near.link.call(PauseSession(session="1"), SessionReply)
        await near.state(State.PAUSED)
        await until(lambda: patient.ended and again.ended, "the log ends")
        log = (root.run() / "caffe.log").read_bytes()
        assert bytes(patient.log) == log and not patient.gaps
        assert bytes(hasty.log + again.log) == log and not again.gaps
        await until(lambda: store.known.host("far").sequence == near.events[-1].sequence, "all events")
        assert store.known.host("far").sessions["1"] == near.sessions["1"]
        assert all(one.sequence < after.sequence for one, after in pairwise(store.events))
        texts = [one.text for one in store.known.notices if one.caller.endswith("@far")]
        assert texts == near.notices
    finally:
        await fleet.close()
