"""Keys of hosts: those the person has accepted for Barista, and those of the user's own ssh.

An unknown key is shown and accepted once; a changed one ends the matter until a person has looked into it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh

from barista_server.api.local import LinkError

_KINDS = 7
"""Lists that asyncssh makes of the lines that match a host."""


@dataclass(frozen=True, slots=True)
class Offered:
    """The key a host showed: ``line`` is what goes into a known_hosts file."""

    host: str
    kind: str
    fingerprint: str
    line: str


class HostKeyUnknown(LinkError):
    """Nobody has accepted this host's key yet."""

    def __init__(self, offered: Offered) -> None:
        super().__init__(
            f"the key of {offered.host} is not known: {offered.kind} {offered.fingerprint}. "
            "Compare it with what the host's owner says, then accept it."
        )
        self.offered = offered


class HostKeyChanged(LinkError):
    """The host shows another key than the one accepted. Never to be passed by."""

    def __init__(self, offered: Offered, files: Sequence[Path]) -> None:
        where = " or ".join(str(path) for path in files)
        super().__init__(
            f"the key of {offered.host} has CHANGED: it now shows {offered.kind} {offered.fingerprint}. "
            "Either the host was set up anew, or somebody is in between. Nothing was sent. If its owner "
            f"confirms the new key, take the old line out of {where}."
        )
        self.offered = offered


class KnownHosts:
    """``own``: the file that :meth:`accept` adds to; ``others``: files that are read as well."""

    def __init__(self, own: Path, others: Sequence[Path] = ()) -> None:
        self.own = own
        self.files = (own, *others)

    def match(self, host: str, address: str, port: int) -> list[list[Any]]:
        """For asyncssh: trusted keys, trusted authorities, revoked keys, and the same three of X.509.

        Raises LinkError for a file that cannot be read.
        """
        merged: list[list[Any]] = [[] for _ in range(_KINDS)]  # as many as match() gives
        for path in self.files:
            for into, found in zip(merged, _found(path, host, address, port), strict=True):
                into += found
        return merged

    def naming(self, host: str, address: str, port: int) -> list[Path]:
        """The files in which a key of this host has been accepted. Raises LinkError."""
        return [path for path in self.files if _found(path, host, address, port)[0]]

    def accept(self, offered: Offered) -> None:
        """Trust this key from now on. Raises OSError."""
        self.own.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.own, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        with open(descriptor, "r+b") as file:  # noqa: PTH123 (a descriptor)
            before = file.read()
            joint = b"\n" if before and not before.endswith(b"\n") else b""
            file.write(joint + offered.line.encode() + b"\n")
            file.flush()
            os.fsync(descriptor)


def _found(path: Path, host: str, address: str, port: int) -> list[list[Any]]:
    """What a file says of a host. Raises LinkError."""
    try:
        known = asyncssh.read_known_hosts(str(path))
    except FileNotFoundError:
        return [[] for _ in range(_KINDS)]
    except (OSError, ValueError) as error:
        raise LinkError(f"{path} cannot be read ({error}): correct it or move it away") from None
    return [list(keys) for keys in asyncssh.match_known_hosts(known, host, address, port)]


def offered_key(host: str, port: int, key: asyncssh.SSHKey) -> Offered:
    """What a host showed, in words and as a line of a known_hosts file."""
    name = host if port == 22 else f"[{host}]:{port}"
    text = key.export_public_key("openssh").decode().split()
    return Offered(
        host=name,
        kind=key.get_algorithm(),
        fingerprint=str(key.get_fingerprint()),
        line=f"{name} {text[0]} {text[1]}",
    )
