"""Where an agent is, as a person writes it.

local                       this machine
gpu01, me@gpu01:2222        through the host's own sshd, as ~/.ssh/config says
ssh://me@gpu01:2222/path    the same with the folder of the sessions
port://gpu01:4200           an agent's own port (``barista-server serve --port``)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

DEFAULT_PORT = 4200

_WORD = re.compile(
    r"(?:(?P<scheme>ssh|port)://)?(?:(?P<user>[^@/\s]+)@)?"
    r"(?P<host>\[[0-9A-Fa-f:.%\w]+\]|[^@/:\s\[\]]+)(?::(?P<port>\d{1,5}))?(?P<root>/[^\x00-\x1f]*)?"
)


class AddressError(ValueError):
    """A text that names no host."""


@dataclass(frozen=True, slots=True)
class Address:
    """``kind`` "ssh": through sshd; "port": the agent's own port. Empty, or port 0: the default."""

    kind: Literal["local", "ssh", "port"]
    host: str = ""
    user: str = ""
    port: int = 0
    root: str = ""

    def __str__(self) -> str:
        """The shortest form that :func:`parse` reads back."""
        if self.kind == "local":
            return "local"
        host = f"[{self.host}]" if ":" in self.host else self.host
        text = f"{self.user}@{host}" if self.user else host
        text += f":{self.port}" if self.port else ""
        if self.kind == "port":
            return f"port://{text}"
        return f"ssh://{text}{self.root}" if self.root else text


def parse(text: str) -> Address:
    """Raises AddressError with what is wrong."""
    text = text.strip()
    if text == "local":
        return Address("local")
    found = _WORD.fullmatch(text)
    if found is None or found["host"].startswith("-") or (found["user"] or "").startswith("-"):
        raise AddressError(f"'{text}' names no host: write gpu01, me@gpu01:22, or port://gpu01:4200")
    port = int(found["port"] or 0)
    if port > 65535:
        raise AddressError(f"'{text}': there is no port {port}")
    kind: Literal["ssh", "port"] = "port" if found["scheme"] == "port" else "ssh"
    root = (found["root"] or "").rstrip("/")
    if root and found["scheme"] is None:
        raise AddressError(f"'{text}': with a folder write ssh://{text}")
    if kind == "port":
        if root:
            raise AddressError(f"'{text}': an agent's port serves one folder, so none can be named")
        port = port or DEFAULT_PORT
    return Address(kind, found["host"].strip("[]"), found["user"] or "", port, root)
