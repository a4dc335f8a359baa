"""Through a real sshd to a real agent: links, host keys, rights, and what goes wrong."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import asyncssh
import psutil
import pytest

from barista_server.api.link import CallFailed, Link, LinkError
from barista_server.api.messages import (
    Done,
    FollowLog,
    ImportLog,
    ListSessions,
    ListWeights,
    NewSession,
    SessionList,
    SessionReply,
    State,
    StopAgent,
)
from barista_server.remote.address import Address
from barista_server.remote.hostkeys import HostKeyChanged, HostKeyUnknown, KnownHosts
from barista_server.remote.ssh import AuthFailed, NoAgent, Way, connect, open_link
from tests.agent.agents import NET, Root, Watcher, command_line, new, solver, until

from ..log.log_results import FIXTURES
from .sshd import Sshd, free_port

pytestmark = pytest.mark.real("sshd")


async def test_a_link_starts_the_agent_and_trains_through_it(sshd: Sshd, root: Root) -> None:
    link = await open_link(sshd.address, sshd.way())
    root.links.append(link)
    assert (link.welcome.root, link.welcome.role) == (str(root.path), "owner")
    watcher = Watcher(link)
    await watcher.subscribe()
    await new(link, solver(max_iter=50))
    await link.call(FollowLog(session="1", run=1), Done)
    await watcher.state(State.FINISHED)
    await until(lambda: watcher.ended, "the followed log ends")
    assert bytes(watcher.log) == (root.run() / "caffe.log").read_bytes()


async def test_a_log_is_imported_from_where_the_agent_is(sshd: Sshd, root: Root, tmp_path: Path) -> None:
    log = tmp_path / "lenet.log"
    log.write_bytes((FIXTURES / "bvlc1.0-sigint.log").read_bytes())
    link = await open_link(sshd.address, sshd.way())
    root.links.append(link)
    info = (await link.call(ImportLog(path=str(log)), SessionReply)).session
    assert (info.kind, info.state, info.iteration) == ("log", State.PAUSED, 363)


async def test_an_unknown_key_is_accepted_once(sshd: Sshd, root: Root) -> None:
    way = sshd.way(accepted=False)
    with pytest.raises(HostKeyUnknown, match="SHA256:") as refused:
        await open_link(sshd.address, way)
    shown = asyncssh.read_public_key(str(sshd.folder / "host.pub")).get_fingerprint()
    assert refused.value.offered.fingerprint == shown
    way.known_hosts.accept(refused.value.offered)
    root.links.append(await open_link(sshd.address, way))
    assert (sshd.folder / "known_hosts").stat().st_mode & 0o077 == 0


async def test_a_changed_key_is_a_hard_stop(sshd: Sshd) -> None:
    way = sshd.way()
    text = (sshd.folder / "client.pub").read_text().split()[1]
    way.known_hosts.own.write_text(f"[127.0.0.1]:{sshd.port} ssh-ed25519 {text}\n")
    # Where it is not told of, there is nothing to take out.
    (other := sshd.folder / "other").write_text("[127.0.0.1]:1 ssh-ed25519 " + text)
    way = Way(KnownHosts(way.known_hosts.own, [other]), keys=way.keys)
    with pytest.raises(HostKeyChanged, match="has CHANGED") as refused:
        await open_link(sshd.address, way)
    assert str(refused.value).endswith(f"take the old line out of {way.known_hosts.own}.")


async def test_a_viewer_by_forced_command_can_look_but_not_act(sshd: Sshd, root: Root) -> None:
    sshd.authorize('restrict,command="barista-server stdio --viewer"')
    link = await open_link(sshd.address, sshd.way())
    root.links.append(link)
    assert link.welcome.role == "viewer"
    assert (await link.call(ListSessions(), SessionList)).sessions == []
    for call in (
        NewSession(solver=solver(), net=NET),
        StopAgent(),
        ListWeights(path="/etc/passwd"),
        ImportLog(path="/etc/passwd"),
    ):
        with pytest.raises(CallFailed, match="may look, but not act") as refused:
            await link.call(call, SessionReply)
        assert refused.value.failure.code == "forbidden"


async def test_who_logs_in_may_say_what_is_run_and_a_tied_key_may_not(sshd: Sshd, root: Root) -> None:
    rights = {
        "": (True, "owner"),
        'restrict,command="barista-server stdio"': (False, "owner"),
        'restrict,command="barista-server stdio --admin"': (True, "owner"),
        'restrict,command="barista-server stdio --viewer"': (False, "viewer"),
    }
    for options, expected in rights.items():
        sshd.authorize(options)
        link = await open_link(sshd.address, sshd.way())
        root.links.append(link)
        assert (link.welcome.admin, link.welcome.role) == expected, options
    assert (await root.link()).welcome.admin
    # Without a command line, sshd does not tell the tied one that there was another.
    sshd.authorize('restrict,command="barista-server stdio"')
    async with await connect(sshd.address, sshd.way()) as connection:
        process = await connection.create_process(encoding=None)
        link = await Link.over(process.stdout, process.stdin)
        assert (link.welcome.admin, link.welcome.role) == (False, "owner")
        await link.close()


async def test_who_is_not_let_in_is_told(sshd: Sshd) -> None:
    (sshd.folder / "authorized_keys").write_text("")
    with pytest.raises(AuthFailed, match="does not let you in"):
        await open_link(sshd.address, sshd.way())


async def test_nobody_there(sshd: Sshd) -> None:
    port = free_port()
    with pytest.raises(LinkError, match=rf"127.0.0.1:{port} cannot be reached: .*refused"):
        await open_link(Address("ssh", "127.0.0.1", "", port), sshd.way())


async def test_a_host_without_an_agent(root: Root) -> None:
    bare = Sshd.start(root.path / "bare", root.path, path="/usr/bin:/bin")
    try:
        with pytest.raises(NoAgent, match="barista host install"):
            await open_link(bare.address, bare.way())
    finally:
        bare.down()


async def test_a_killed_connection_is_noticed_and_the_agent_goes_on(sshd: Sshd, root: Root) -> None:
    link = await open_link(sshd.address, sshd.way())
    root.links.append(link)
    pid = link.welcome.pid
    gateways = [pid for pid in psutil.pids() if "barista-server stdio" in command_line(pid)]
    assert gateways
    for gateway in gateways:
        os.kill(gateway, signal.SIGKILL)
    await asyncio.wait_for(link.wait_closed(), 10)
    with pytest.raises(LinkError):
        await link.call(ListSessions(), SessionList)
    again = await open_link(sshd.address, sshd.way())
    root.links.append(again)
    assert again.welcome.pid == pid


async def test_ten_clients_at_once_share_one_agent(sshd: Sshd, root: Root) -> None:
    way = sshd.way()
    links = await asyncio.gather(*(open_link(sshd.address, way) for _ in range(10)))
    root.links += links
    assert len({link.welcome.pid for link in links}) == 1
    assert isinstance(links[0], Link)


async def test_the_systems_ssh_reads_its_own_configuration(
    sshd: Sshd, root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ssh finds host, port and key by an alias; as in a person's ~/.ssh/config."""
    known = sshd.way().known_hosts.own
    config = sshd.folder / "ssh_config"
    config.write_text(
        f"Host far\n HostName 127.0.0.1\n Port {sshd.port}\n IdentityFile {sshd.folder}/client\n"
        f" UserKnownHostsFile {known}\n"
    )
    wrapper = sshd.folder / "bin" / "ssh"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {config} "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapper.parent}:{os.environ['PATH']}")
    link = await open_link(Address("ssh", "far"), sshd.way(via="ssh"))
    root.links.append(link)
    assert link.welcome.root == str(root.path)
    known.write_text("")
    with pytest.raises(LinkError, match="refuses the key of far"):
        await open_link(Address("ssh", "far"), Way(KnownHosts(known), via="ssh"))


async def test_asyncssh_reads_ssh_config_too(sshd: Sshd, root: Root) -> None:
    config = sshd.folder / "ssh_config"
    config.write_text(
        f"Host far\n HostName 127.0.0.1\n Port {sshd.port}\n"
        f" IdentityFile {sshd.folder}/gone\n IdentityFile {sshd.folder}/client\n"
    )
    # A key of our own, as for agents' ports, does not stand in for those that are named there.
    way = Way(sshd.way().known_hosts, config=[config], keys=[sshd.folder / "host"])
    link = await open_link(Address("ssh", "far"), way)
    root.links.append(link)
    assert link.welcome.root == str(root.path)
