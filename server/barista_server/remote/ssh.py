"""Links through SSH: by asyncssh to a host's sshd or to an agent's own port, or by the system's ssh."""

from __future__ import annotations

import asyncio
import os
import shlex
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

import asyncssh

from barista_server.api.link import Link
from barista_server.api.local import LOGGED_IN, LinkError
from barista_server.remote.address import Address, parse
from barista_server.remote.hostkeys import HostKeyChanged, HostKeyUnknown, KnownHosts, Offered, offered_key

CONNECT_TIMEOUT = 10.0
LOGIN_TIMEOUT = 20.0
KEEPALIVE = 5.0
MISSED = 3
MOST_JUMPS = 8
"""Hosts on the way to another."""

PRIVATE_FOLDER = ".local/share/barista/server"
"""Where an agent that was put on a host lives, below the user's home."""
SUBSYSTEM = "barista"
_WORDS = 4096
_GRACE = 2.0
"""Seconds for last words and for a program to end by itself."""


class AuthFailed(LinkError):
    """The host does not let this user in."""


class NoAgent(LinkError):
    """The host is there, but barista-server is not installed on it."""


@dataclass(frozen=True)
class Way:
    """How to reach hosts. ``config``: files of ssh's configuration; ``keys``: further private keys.

    ``keepalive``: seconds of silence after which the host is asked for a sign of life; after MISSED of them
    the link is lost.
    """

    known_hosts: KnownHosts
    config: list[Path] = field(default_factory=list)
    keys: list[Path] = field(default_factory=list)
    via: Literal["asyncssh", "ssh"] = "asyncssh"
    keepalive: float = KEEPALIVE


def own_way(folder: Path, via: Literal["asyncssh", "ssh"] = "asyncssh") -> Way:
    """The person's usual way: ~/.ssh, with our own known_hosts in ``folder`` beside it."""
    home = Path.home() / ".ssh"
    known = KnownHosts(folder / "known_hosts", [home / "known_hosts", Path("/etc/ssh/ssh_known_hosts")])
    config = [path for path in (home / "config",) if path.is_file()]
    own = [path for path in (folder / "id_ed25519",) if path.is_file()]
    return Way(known, config, own, via)


async def open_link(address: Address, way: Way) -> Link:
    """A link to the agent at ``address``, started there if need be. Raises LinkError."""
    if way.via == "ssh" and address.kind == "ssh":
        return await _by_system_ssh(address)
    connection = await connect(address, way)
    try:
        if address.kind == "port":
            process = await connection.create_process(subsystem=SUBSYSTEM, encoding=None)
        else:
            process = await connection.create_process(stdio_command(address.root), encoding=None)
        return await _shake_hands(connection, process, address)
    except (asyncssh.Error, OSError) as error:
        connection.close()
        raise explained(error, address) from error
    except BaseException:
        connection.close()
        raise


async def connect(
    address: Address, way: Way, behind: tuple[Address, ...] = ()
) -> asyncssh.SSHClientConnection:
    """An SSH connection, each host's key checked. LinkError: HostKeyUnknown, HostKeyChanged, AuthFailed.

    Jump hosts that ~/.ssh/config names are connected one through the other, by the same rules; they close
    with the connection. ``behind``: whose jump hosts are being sought, so that a circle ends.
    """
    tunnel: asyncssh.SSHClientConnection | None = None
    if address in behind or len(behind) > MOST_JUMPS:
        raise LinkError(f"ProxyJump of {behind[0].host} in ~/.ssh/config goes round in circles")
    try:
        for number, hop in enumerate(await _jumps(address, way)):
            # As ssh does: only the first may have jump hosts of its own.
            tunnel = await (_direct(hop, way, tunnel) if number else connect(hop, way, (*behind, address)))
        return await _direct(address, way, tunnel)
    except BaseException:
        if tunnel is not None:
            tunnel.close()
        raise


async def _jumps(address: Address, way: Way) -> list[Address]:
    """The hosts that ~/.ssh/config puts before this one, the nearest first. Raises LinkError."""
    read = await _configured(address, way)
    named = read.tunnel if read is not None and isinstance(read.tunnel, str) else ""
    try:
        return [parse(hop) for hop in named.split(",") if hop]
    except ValueError as error:
        raise LinkError(f"~/.ssh/config for {address.host}: {error}") from error


async def _configured(address: Address, way: Way) -> asyncssh.SSHClientConnectionOptions | None:
    """What ~/.ssh/config says of a host, if it may say anything. Raises LinkError."""
    if address.kind != "ssh" or not way.config:
        return None
    try:
        read = await asyncssh.SSHClientConnectionOptions.construct(
            host=address.host,
            config=[str(path) for path in way.config],
            client_keys=None,
            agent_path=None,
            known_hosts=None,
            **({"username": address.user} if address.user else {}),
        )
    except (asyncssh.Error, OSError, ValueError) as error:
        raise LinkError(f"~/.ssh/config for {address.host}: {error}") from error
    return cast(asyncssh.SSHClientConnectionOptions, read)


async def _key_options(address: Address, way: Way) -> dict[str, object]:
    """Which private keys to show, after the ssh-agent's: those that ~/.ssh/config names for the host, without
    those that are not there, as ssh does, else the usual ones; and ours. Raises LinkError.
    """
    read = await _configured(address, way)
    named = cast(list[str], read.config.get("IdentityFile", [])) if read is not None else []
    only = read is not None and bool(read.config.get("IdentitiesOnly"))
    there = [name for name in named if _is_key(name, public=only)]
    if there == named and not way.keys:
        return {}
    own = [str(path) for path in way.keys]
    theirs = there or _default_keys()
    keys = [*own, *theirs] if address.kind == "port" else [*theirs, *own]
    return {"client_keys": keys, "ignore_encrypted": True}


def _is_key(name: str, public: bool) -> bool:
    """A private key is there; ``public``: or a public one, for the ssh-agent to choose by."""
    try:
        content = Path(name).expanduser().read_bytes()
    except OSError:
        return False
    return public or b"PRIVATE KEY" in content


async def _direct(
    address: Address, way: Way, tunnel: asyncssh.SSHClientConnection | None
) -> asyncssh.SSHClientConnection:
    """One connection, through ``tunnel`` where there is one, which it then owns. Raises LinkError."""
    seen = _Seen(way.known_hosts)
    options: dict[str, object] = {"username": address.user} if address.user else {}
    if address.kind == "port":
        options.setdefault("username", "barista")
    options |= await _key_options(address, way)
    try:
        connection, _ = await asyncssh.create_connection(
            lambda: seen,
            address.host,
            address.port or (),
            tunnel=tunnel or (),
            config=[str(path) for path in way.config] if address.kind == "ssh" else [],
            known_hosts=way.known_hosts.match,
            keepalive_interval=way.keepalive,
            keepalive_count_max=MISSED,
            connect_timeout=CONNECT_TIMEOUT,
            login_timeout=LOGIN_TIMEOUT,
            **options,
        )
    except asyncssh.HostKeyNotVerifiable as error:
        if seen.problem is not None:
            raise seen.problem from None
        raise LinkError(f"the key of {address.host} cannot be checked: {error.reason}") from error
    except (asyncssh.Error, OSError, ValueError) as error:
        raise explained(error, address) from error
    if tunnel is not None:
        connection.set_tunnel(tunnel)
    return connection


def server_command(words: str, before: str = "") -> str:
    """The command line that runs barista-server on a host: the one put there by us, else that on the PATH.

    ``before``: what the shell there does first.
    """
    own = f'"$HOME/{PRIVATE_FOLDER}/bin/barista-server"'
    script = (
        f"{before}if [ -x {own} ]; then exec {own} {words}; "
        f"elif command -v barista-server >/dev/null 2>&1; then exec barista-server {words}; "
        "else echo barista-server is not installed here >&2; exit 127; fi"
    )
    return shlex.join(["sh", "-c", script])


def stdio_command(root: str = "") -> str:
    """The one command line that links are made by."""
    words = "stdio" + (f" --root {shlex.quote(root)}" if root else "")
    return server_command(words, before=f"export {LOGGED_IN}=1; ")


class _Seen(asyncssh.SSHClient):
    """Remembers what is wrong with the host key that was shown."""

    def __init__(self, known: KnownHosts) -> None:
        self._known = known
        self.problem: LinkError | None = None
        self.offered: Offered | None = None

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        offered = offered_key(host, port, key)
        if files := self._known.naming(host, addr, port):
            self.problem = HostKeyChanged(offered, files)
        else:
            self.problem = HostKeyUnknown(offered)
        return False


class _Closing:
    """The writer of a channel that takes its connection with it."""

    def __init__(self, process: asyncssh.SSHClientProcess[bytes], connection: asyncssh.SSHClientConnection):
        self._process, self._connection = process, connection

    def write(self, data: bytes, /) -> None:
        self._process.stdin.write(data)

    async def drain(self) -> None:
        await self._process.stdin.drain()

    def close(self) -> None:
        self._process.close()
        self._connection.close()

    async def wait_closed(self) -> None:
        await self._connection.wait_closed()


class _Broken:
    """The reader of a channel: how the connection broke comes as OSError, as from a socket."""

    def __init__(self, process: asyncssh.SSHClientProcess[bytes]) -> None:
        self._process = process

    async def read(self, n: int = -1, /) -> bytes:
        try:
            return await self._process.stdout.read(n)
        except asyncssh.Error as error:
            raise ConnectionError(error.reason) from None


async def _shake_hands(
    connection: asyncssh.SSHClientConnection, process: asyncssh.SSHClientProcess[bytes], address: Address
) -> Link:
    try:
        return await Link.over(_Broken(process), _Closing(process, connection))
    except LinkError as error:
        words, status = await _last_words(process)
        raise _no_answer(address, words, status) or error from None


async def _last_words(process: asyncssh.SSHClientProcess[bytes]) -> tuple[str, int | None]:
    """What the command said on standard error, and its exit code."""
    try:
        async with asyncio.timeout(_GRACE):
            words = await process.stderr.read(_WORDS)
            await process.wait_closed()
    except (TimeoutError, asyncssh.Error, OSError):
        words = b""
    return words.decode(errors="replace").strip(), process.exit_status


def _no_answer(address: Address, words: str, status: int | None) -> LinkError | None:
    if status == 127 or "not installed" in words:
        return NoAgent(
            f"{address.host} has no barista-server: `barista host install {address}` puts one there "
            "(with --print: tells how)"
        )
    if words:
        return LinkError(f"the agent on {address.host} did not answer: {words.splitlines()[-1]}")
    return None


class _Program:
    """The writer to a program, which ends when its input does."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        self._process, self._input = process, process.stdin

    def write(self, data: bytes, /) -> None:
        self._input.write(data)

    async def drain(self) -> None:
        await self._input.drain()

    def close(self) -> None:
        self._input.close()

    async def wait_closed(self) -> None:
        try:
            async with asyncio.timeout(_GRACE):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


async def _by_system_ssh(address: Address) -> Link:
    """Through the ssh program, which knows all of the person's configuration. Raises LinkError."""
    argv = ssh_command(address, stdio_command(address.root))
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(*argv, stdin=pipe, stdout=pipe, stderr=pipe)
    except OSError as error:
        raise LinkError(f"ssh cannot be run: {error}") from error
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    try:
        return await Link.over(process.stdout, _Program(process))
    except LinkError as error:
        try:
            async with asyncio.timeout(_GRACE):
                words = (await process.stderr.read(_WORDS)).decode(errors="replace").strip()
                await process.wait()
        except TimeoutError:
            process.kill()
            raise error from None
        raise ssh_problem(address, words, process.returncode) or error from None


def ssh_command(address: Address, command: str) -> list[str]:
    """The words that run a command line on a host through the ssh program, asking nobody anything."""
    argv = ["ssh", "-T", "-o", "BatchMode=yes", "-o", f"ServerAliveInterval={KEEPALIVE:.0f}"]
    argv += ["-o", f"ServerAliveCountMax={MISSED}", "-o", f"ConnectTimeout={CONNECT_TIMEOUT:.0f}"]
    argv += ["-p", str(address.port)] if address.port else []
    argv += ["-l", address.user] if address.user else []
    return [*argv, "--", address.host, command]


def ssh_problem(address: Address, words: str, status: int | None) -> LinkError | None:
    """What the ssh program complained of."""
    last = words.splitlines()[-1] if words else ""
    if "REMOTE HOST IDENTIFICATION HAS CHANGED" in words or "verification failed" in words:
        return LinkError(f"ssh refuses the key of {address.host}: try `ssh {address.host}` in a shell")
    if "Permission denied" in words:
        return AuthFailed(f"{address.host} does not let you in: {last}")
    return _no_answer(address, words, status)


def explained(error: Exception, address: Address) -> LinkError:
    """An error of SSH or the network in words that name the host."""
    where = f"{address.host}:{address.port}" if address.port else address.host
    if isinstance(error, LinkError):
        return error
    if isinstance(error, asyncssh.PermissionDenied):
        whose = f" as {address.user}" if address.user else ""
        how = "its public key must be in authorized_keys there"
        return AuthFailed(f"{where} does not let you in{whose}: no key of yours is accepted; {how}")
    if isinstance(error, TimeoutError):
        return LinkError(f"{where} does not answer within {CONNECT_TIMEOUT:.0f} s: off or out of reach")
    if isinstance(error, asyncssh.Error):
        return LinkError(f"{where}: {error.reason}")
    if isinstance(error, socket.gaierror):
        # Its numbers are none of errno's.
        hint = "is it written as in ~/.ssh/config?"
        return LinkError(f"{where} cannot be found: {error.strerror}; {hint}")
    number = getattr(error, "errno", None)
    return LinkError(f"{where} cannot be reached: {os.strerror(number) if number else error}")


def _default_keys() -> list[str]:
    """The user's own keys, which asyncssh takes only where none are named."""
    folder = Path.home() / ".ssh"
    names = ("id_ed25519", "id_ecdsa", "id_rsa")
    return [str(path) for name in names if (path := folder / name).is_file()]
