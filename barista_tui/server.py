"""`barista --server`: an agent in the background with a port on this machine, put on the list of hosts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from barista_server.remote.address import DEFAULT_PORT, Address
from barista_tui.hosts import HostEntry, Hosts, HostsError, folder
from barista_tui.verbs.errors import Exit, VerbError

IP = "127.0.0.1"
NAME = "server"
TIMEOUT = 60.0
"""Seconds that stopping and starting an agent may take."""


def bring_up(root: Path, port: int = DEFAULT_PORT) -> HostEntry:
    """Have an agent serve ``root`` on this machine's port; the host that it is on the list.

    An agent without that port is replaced: trainings do not notice. Raises VerbError.
    """
    if not root.is_dir():
        raise VerbError(f"there is no folder {root}", "Make it first, or name another with --dir", Exit.USAGE)
    _let_in(root, _own_key())
    if _port_of(root) != port:
        _agent("stop", "--root", str(root), may_fail=True)
        _agent("serve", "--dir", str(root), "--ip", IP, "--port", str(port))
    _trust(root, port)
    return _listed(Address("port", IP, "", port))


def _own_key() -> Path:
    """Our private key for agents' ports, made when first needed."""
    import asyncssh

    path = folder() / "id_ed25519"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        key = asyncssh.generate_private_key("ssh-ed25519", comment="barista")
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:  # noqa: PTH123 (a descriptor)
            file.write(key.export_private_key())
    return path


def _let_in(root: Path, key: Path) -> None:
    """Put our public key into the root's authorized_keys, if it is not there; here we may do all."""
    import asyncssh

    public = asyncssh.read_private_key(str(key)).export_public_key().decode().strip()
    path = root / "authorized_keys"
    text = path.read_text() if path.exists() else ""
    if public.split()[1] not in text:
        joint = "\n" if text and not text.endswith("\n") else ""
        with path.open("a") as file:
            file.write(f'{joint}barista-role="admin" {public}\n')


def _port_of(root: Path) -> int | None:
    """The port of the agent that serves the root; None where none answers, or it has none."""
    try:
        about = json.loads((root / "agent.json").read_text())
    except (OSError, ValueError):
        return None
    if _agent("status", "--root", str(root), may_fail=True) != 0:
        return None
    port = about.get("port") if isinstance(about, dict) and about.get("ip") == IP else None
    return port if isinstance(port, int) else None


def _agent(*words: str, may_fail: bool = False) -> int:
    command = [sys.executable, "-P", "-m", "barista_server.agent", *words]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT, check=False
    )
    if done.returncode and not may_fail:
        raise VerbError(done.stderr.strip() or f"barista-server ended with code {done.returncode}")
    return done.returncode


def _trust(root: Path, port: int) -> None:
    """Accept the key that our own agent made: nobody can have changed it on the way."""
    from barista_server.remote.hostkeys import Offered
    from barista_server.remote.ssh import own_way

    kind, key = (root / "host_key.pub").read_text().split()[:2]
    known = own_way(folder()).known_hosts
    line = f"[{IP}]:{port} {kind} {key}"
    text = known.own.read_text() if known.own.exists() else ""
    if line not in text.splitlines():
        # An agent of another folder may have had this port before.
        kept = [old for old in text.splitlines() if not old.startswith(f"[{IP}]:{port} ")]
        known.own.parent.mkdir(parents=True, exist_ok=True)
        known.own.write_text("".join(f"{old}\n" for old in kept))
        known.accept(Offered(IP, kind, "", line))


def _listed(address: Address) -> HostEntry:
    hosts = Hosts()
    try:
        entries = hosts.all()
        for entry in entries:
            if entry.address == str(address):
                return entry
        taken = {entry.name for entry in entries}
        name = NAME if NAME not in taken else f"{NAME}-{address.port}"
        entry = HostEntry(name, str(address))
        hosts.add(entry)
    except HostsError as error:
        raise VerbError(str(error)) from None
    return entry
