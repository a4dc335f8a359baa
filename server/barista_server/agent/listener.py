"""The agent's own door for other machines: an SSH server that knows nothing but this protocol.

Public keys only, from ``<root>/authorized_keys``; one with ``barista-role="viewer"`` before it may only look,
one with ``barista-role="admin"`` may also say which programs are run on the host.
"""

from __future__ import annotations

import ipaddress
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncssh

from barista_server.agent.client import BUFFERED
from barista_server.agent.errors import ListenError
from barista_server.api.messages import Introduction, Role
from barista_server.api.streams import Reader, Writer

SUBSYSTEM = "barista"
KEEPALIVE = 15
"""Seconds of silence after which a client is asked whether it is still there; three times."""
LOGIN_TIMEOUT = 20
MOST_LOGINS = 32
"""Connections that have not shown a key yet; one more, and the oldest of them is cut off: who holds many open
keeps nobody out, for a true client is through in a moment.
"""

Attend = Callable[[Reader, Writer, Introduction], Awaitable[None]]

log = logging.getLogger("barista.agent")


def authorized_keys(root: Path) -> Path:
    """The file of the keys that may come in, in OpenSSH's form. It is read again for each client."""
    return root / "authorized_keys"


def host_key(root: Path) -> Path:
    """The listener's own key, made on its first start."""
    return root / "host_key"


async def listen(root: Path, address: str, port: int, attend: Attend) -> tuple[asyncssh.SSHAcceptor, str]:
    """Open the listener; it, and where it listens in words. Raises ListenError."""
    no_keys = check_keys(root, address)
    logins: dict[_Door, None] = {}
    try:
        key = _own_key(host_key(root))
        acceptor = await asyncssh.create_server(
            lambda: _Door(root, logins),
            address,
            port,
            server_host_keys=[key],
            process_factory=lambda process: _serve(process, attend),
            encoding=None,
            password_auth=False,
            kbdint_auth=False,
            host_based_auth=False,
            gss_host=None,
            allow_pty=False,
            agent_forwarding=False,
            x11_forwarding=False,
            keepalive_interval=KEEPALIVE,
            login_timeout=LOGIN_TIMEOUT,
        )
    except OSError as error:
        reason = error.strerror or str(error)
        raise ListenError(f"cannot listen on {address} port {port}: {reason}") from None
    said = f"listening on {address} port {acceptor.get_port()}, host key {key.get_fingerprint()}"
    log.info("%s", said)
    if no_keys:
        log.warning("%s", no_keys)
    return acceptor, "\n".join(filter(None, (said, no_keys)))


def check_keys(root: Path, address: str) -> str:
    """What to say of it if nobody can come in for want of keys. Raises ListenError on a public address, where
    that is hardly what was meant.
    """
    path = authorized_keys(root)
    try:
        asyncssh.read_authorized_keys(str(path))
    except FileNotFoundError:
        reason = "is not there"
    except OSError as error:
        reason = f"cannot be read ({error.strerror})"
    except ValueError:
        reason = "has no key in it"
    else:
        return ""
    if _is_loopback(address):
        return f"{path} {reason}: nobody can come in yet"
    raise ListenError(
        f"{path} {reason}: put the public keys of those who may come in there, one a line, "
        "before listening on an address that others reach"
    )


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def _own_key(path: Path) -> asyncssh.SSHKey:
    try:
        return asyncssh.read_private_key(str(path))
    except FileNotFoundError:
        pass
    except (asyncssh.KeyImportError, ValueError) as error:
        raise ListenError(f"{path} is no private key ({error}): move it away for a new one") from None
    key = asyncssh.generate_private_key("ssh-ed25519", comment="barista-server")
    temporary = path.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:  # noqa: PTH123 (a descriptor)
        file.write(key.export_private_key())
        file.flush()
        os.fsync(descriptor)
    temporary.rename(path)
    path.with_suffix(".pub").write_bytes(key.export_public_key())
    return key


class _Door(asyncssh.SSHServer):
    """Lets in whom authorized_keys names at this moment. ``logins``: those at this listener that have yet to
    show a key, the oldest first.
    """

    def __init__(self, root: Path, logins: dict[_Door, None]) -> None:
        self._root = root
        self._logins = logins
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._logins[self] = None
        if len(self._logins) > MOST_LOGINS:
            oldest = next(iter(self._logins))
            del self._logins[oldest]
            assert oldest._connection is not None
            oldest._connection.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._logins.pop(self, None)

    def auth_completed(self) -> None:
        self._logins.pop(self, None)

    def begin_auth(self, username: str) -> bool:
        assert self._connection is not None
        try:
            keys = asyncssh.read_authorized_keys(str(authorized_keys(self._root)))
        except (OSError, ValueError) as error:
            log.warning("nobody can come in: %s: %s", authorized_keys(self._root), error)
        else:
            self._connection.set_authorized_keys(keys)
        return True

    def public_key_auth_supported(self) -> bool:
        return True


async def _serve(process: asyncssh.SSHServerProcess[bytes], attend: Attend) -> None:
    """One channel of one client."""
    peer = process.get_extra_info("peername") or ("?",)
    connection = process.get_extra_info("connection")
    # A command that the key is tied to takes the place of whatever was asked for.
    if process.subsystem != SUBSYSTEM and connection.get_key_option("command", None) is None:
        process.stderr.write(b"this door leads to barista's agent only: no commands, no shell\n")
        process.exit(1)
        return
    role, admin = _rights(connection)
    known = Introduction(role=role, via=f"port from {peer[0]}", admin=admin)
    process.channel.set_write_buffer_limits(high=BUFFERED)
    try:
        await attend(process.stdin, process.stdout, known)
    finally:
        process.exit(0)


def _rights(connection: Any) -> tuple[Role, bool]:
    """What the key may do, and whether that is all: only a role that is known gives rights beyond looking."""
    roles = connection.get_key_option("barista-role", None)
    if roles is None and connection.get_key_option("command", None) is None:
        return "owner", False
    return "owner" if roles in (["owner"], ["admin"]) else "viewer", roles == ["admin"]
