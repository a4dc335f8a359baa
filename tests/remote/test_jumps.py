"""Through a jump host: two real sshds, the target reached through the first, keys accepted one by one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import asyncssh
import pytest
import pytest_asyncio

from barista_server.api.link import LinkError
from barista_server.remote.address import Address
from barista_server.remote.hostkeys import HostKeyChanged, HostKeyUnknown, KnownHosts
from barista_server.remote.ssh import Way, connect, open_link
from tests.agent.agents import Root

from .sshd import Sshd

pytestmark = pytest.mark.real("sshd")


@pytest_asyncio.fixture
async def jump(root: Root, tmp_path: Path) -> AsyncIterator[Sshd]:
    made = Sshd.start(tmp_path / "jump", root.path)
    try:
        yield made
    finally:
        made.down()


def way_of(sshd: Sshd, jump: Sshd, hops: str = "jump") -> Way:
    """``far`` behind ``jump``, as in a person's configuration; no key is accepted yet."""
    config = sshd.folder / "ssh_config"
    config.write_text(
        f"Host far\n HostName 127.0.0.1\n Port {sshd.port}\n IdentityFile {sshd.folder}/client\n"
        f" ProxyJump {hops}\n"
        f"Host jump\n HostName 127.0.0.1\n Port {jump.port}\n IdentityFile {jump.folder}/client\n"
    )
    return Way(KnownHosts(sshd.folder / "known_hosts"), config=[config])


def shown(sshd: Sshd) -> str:
    return str(asyncssh.read_public_key(str(sshd.folder / "host.pub")).get_fingerprint())


async def test_the_keys_of_jump_host_and_target_are_accepted_one_by_one(
    sshd: Sshd, jump: Sshd, root: Root
) -> None:
    way = way_of(sshd, jump)
    for each in (jump, sshd):
        with pytest.raises(HostKeyUnknown) as refused:
            await open_link(Address("ssh", "far"), way)
        assert refused.value.offered.fingerprint == shown(each)
        way.known_hosts.accept(refused.value.offered)
    link = await open_link(Address("ssh", "far"), way)
    root.links.append(link)
    assert link.welcome.root == str(root.path)


async def test_a_changed_key_of_a_jump_host_is_a_hard_stop(sshd: Sshd, jump: Sshd) -> None:
    way = way_of(sshd, jump)
    other = (jump.folder / "client.pub").read_text().split()[1]
    way.known_hosts.own.write_text(f"[127.0.0.1]:{jump.port} ssh-ed25519 {other}\n")
    with pytest.raises(HostKeyChanged, match=rf"127.0.0.1\]:{jump.port} has CHANGED"):
        await open_link(Address("ssh", "far"), way)


async def test_the_jump_host_closes_with_the_connection(sshd: Sshd, jump: Sshd) -> None:
    way = way_of(sshd, jump, hops=f"127.0.0.1:{jump.port},jump")
    way = Way(way.known_hosts, way.config, [jump.folder / "client", sshd.folder / "client"])
    for each in (sshd, jump):
        known = each.way().known_hosts.own.read_text()
        with way.known_hosts.own.open("a") as file:
            file.write(known)
    connection = await connect(Address("ssh", "far"), way)
    jump.down()
    assert (await connection.run("echo here")).stdout == "here\n"
    connection.close()
    await connection.wait_closed()


async def test_a_circle_of_jump_hosts_is_said(sshd: Sshd, jump: Sshd) -> None:
    way = way_of(sshd, jump)
    way.config[0].write_text("Host *\n HostName 127.0.0.1\n ProxyJump jump\n")
    with pytest.raises(LinkError, match="in circles"):
        await open_link(Address("ssh", "far"), way)
