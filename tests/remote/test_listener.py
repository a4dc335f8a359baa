"""The agent's own port: who comes in, with which rights, and when it does not open."""

from __future__ import annotations

import asyncio
import json
import stat
import sys
from dataclasses import dataclass

import asyncssh
import pytest

from barista_server.api.frames import encode, from_agent
from barista_server.api.link import CallFailed, Link
from barista_server.api.messages import (
    PROTOCOL,
    AddCaffe,
    CaffeList,
    Hello,
    Introduction,
    ListSessions,
    NewSession,
    RemoveCaffe,
    RenameCaffe,
    SessionList,
    SessionReply,
    Welcome,
)
from barista_server.remote.address import Address
from barista_server.remote.hostkeys import HostKeyUnknown, KnownHosts
from barista_server.remote.ssh import AuthFailed, Way, connect, open_link
from tests.agent.agents import NET, Root, solver

AGENT = [sys.executable, "-m", "barista_server.agent"]


async def serve(*options: str) -> tuple[int, str]:
    """`barista-server serve` until it is in the background: exit code and what it says."""
    process = await asyncio.create_subprocess_exec(
        *AGENT, "serve", *options, stderr=asyncio.subprocess.STDOUT, stdout=asyncio.subprocess.PIPE
    )
    words, _ = await asyncio.wait_for(process.communicate(), 30)
    return process.returncode or 0, words.decode()


@dataclass
class Port:
    """An agent with a port, and a client's key."""

    root: Root
    address: Address
    way: Way

    @classmethod
    async def open(cls, root: Root, options: str = "") -> Port:
        key = asyncssh.generate_private_key("ssh-ed25519")
        key.write_private_key(str(root.path / "client"))
        public = key.export_public_key().decode()
        (root.path / "authorized_keys").write_text(f"# who may come in\n{options} {public}")
        code, said = await serve("--dir", str(root.path), "--port", "0")
        about = json.loads((root.path / "agent.json").read_text())
        fingerprint = asyncssh.read_public_key(str(root.path / "host_key.pub")).get_fingerprint()
        told = f"listening on 127.0.0.1 port {about['port']}, host key {fingerprint}\n"
        assert (code, said) == (0, told)
        assert about["ip"] == "127.0.0.1"
        address = Address("port", "127.0.0.1", "", about["port"])
        way = Way(KnownHosts(root.path / "known_hosts"), keys=[root.path / "client"])
        with pytest.raises(HostKeyUnknown) as unknown:
            await open_link(address, way)
        assert unknown.value.offered.fingerprint == fingerprint
        way.known_hosts.accept(unknown.value.offered)
        return cls(root, address, way)

    async def link(self) -> Link:
        link = await open_link(self.address, self.way)
        self.root.links.append(link)
        return link


async def test_an_owner_comes_in_by_the_port(root: Root) -> None:
    port = await Port.open(root)
    link = await port.link()
    assert (link.welcome.role, link.welcome.root) == ("owner", str(root.path))
    await link.call(NewSession(name="far", solver=solver(), net=NET, caffe="scripted"), SessionReply)
    # Asked for again, it is there already.
    assert await serve("--dir", str(root.path), "--port", str(port.address.port)) == (0, "")
    near = await root.link()
    assert near.welcome.pid == link.welcome.pid
    assert [one.name for one in (await near.call(ListSessions(), SessionList)).sessions] == ["far"]
    assert stat.S_IMODE((root.path / "host_key").stat().st_mode) == 0o600


@pytest.mark.parametrize("options", ['barista-role="viewer"', 'barista-role="nonsense"', 'command="x"'])
async def test_any_other_role_may_only_look(root: Root, options: str) -> None:
    link = await (await Port.open(root, options)).link()
    assert link.welcome.role == "viewer"
    assert (await link.call(ListSessions(), SessionList)).sessions == []
    with pytest.raises(CallFailed, match="may look, but not act"):
        await link.call(NewSession(solver=solver(), net=NET), SessionReply)


async def test_only_an_admin_says_what_is_run(root: Root) -> None:
    port = await Port.open(root)
    link = await port.link()
    assert link.welcome.role == "owner" and not link.welcome.admin
    add = AddCaffe(name="mine", argv=["/bin/sh"], unchecked=True)
    for call in (add, RemoveCaffe(name="scripted"), RenameCaffe(name="scripted", to="x")):
        with pytest.raises(CallFailed, match="not say what is run") as refused:
            await link.call(call, CaffeList)
        assert refused.value.failure.code == "forbidden"
    keys = root.path / "authorized_keys"
    keys.write_text(keys.read_text().replace(" ssh-ed25519", 'barista-role="admin" ssh-ed25519'))
    link = await port.link()
    assert link.welcome.role == "owner" and link.welcome.admin
    found = (await link.call(add, CaffeList)).caffes
    assert [one.name for one in found] == ["scripted", "mine", "embedded"]


async def test_a_client_cannot_make_an_admin_of_itself(root: Root) -> None:
    port = await Port.open(root)
    async with await connect(port.address, port.way) as connection:
        writer, reader, _ = await connection.open_session(subsystem="barista", encoding=None)
        writer.write(encode(Introduction(admin=True)) + encode(Hello(protocol=PROTOCOL, client="x")))
        decoder = from_agent()
        while not (told := decoder.feed(await reader.read(1 << 16))):
            pass
        assert isinstance(told[0], Welcome) and not told[0].admin


async def test_keys_are_read_anew_and_others_stay_out(root: Root) -> None:
    port = await Port.open(root)
    stranger = root.path / "stranger"
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(stranger))
    with pytest.raises(AuthFailed, match="no key of yours is accepted"):
        await open_link(port.address, Way(port.way.known_hosts, keys=[stranger]))
    public = asyncssh.read_private_key(str(stranger)).export_public_key().decode()
    (root.path / "authorized_keys").write_text(public)
    root.links.append(await open_link(port.address, Way(port.way.known_hosts, keys=[stranger])))
    with pytest.raises(AuthFailed):
        await port.link()


async def test_the_port_gives_no_shell_no_commands_no_files(root: Root) -> None:
    port = await Port.open(root)
    connection = await connect(port.address, port.way)
    async with connection:
        for request in ({"command": "id"}, {}, {"subsystem": "shell"}):
            process = await connection.create_process(encoding=None, **request)
            words = await process.stderr.read()
            assert b"no commands, no shell" in words
            assert await process.stdout.read() == b""
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.start_sftp_client()
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.open_connection("127.0.0.1", 22)


async def test_a_public_address_needs_keys(root: Root) -> None:
    code, words = await serve("--dir", str(root.path), "--ip", "0.0.0.0", "--port", "0")
    assert code == 1
    assert "put the public keys of those who may come in there" in words
    assert not (root.path / "host_key").exists() and not (root.path / "agent.sock").exists()
    assert "Traceback" not in (root.path / "agent.log").read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--port", "4200"], "--dir is missing"),
        (["--dir", "/nowhere/at/all"], "there is no such folder"),
        (["--dir", ".", "--port", "70000"], "ports go from 1 to 65535"),
    ],
)
async def test_wrong_usage(options: list[str], message: str) -> None:
    code, words = await serve(*options)
    assert code == 2
    assert message in words


async def test_a_taken_port_is_told(root: Root) -> None:
    taken = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    number = taken.sockets[0].getsockname()[1]
    (root.path / "authorized_keys").write_text("")
    code, words = await serve("--dir", str(root.path), "--port", str(number))
    taken.close()
    assert code == 1
    assert f"cannot listen on 127.0.0.1 port {number}" in words
    assert not (root.path / "agent.sock").exists()


async def test_an_agent_without_the_port_is_not_taken_for_one_with_it(root: Root) -> None:
    await root.link()
    code, words = await serve("--dir", str(root.path), "--port", "0")
    assert code == 1
    assert "barista-server stop" in words


async def test_a_damaged_host_key_is_not_replaced(root: Root) -> None:
    (root.path / "host_key").write_text("junk")
    code, words = await serve("--dir", str(root.path), "--port", "0")
    assert code == 1
    assert "is no private key" in words
    assert (root.path / "host_key").read_text() == "junk"
