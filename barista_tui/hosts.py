"""The hosts a person has added, kept in ``hosts.json`` beside the other settings."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from barista_server.remote.address import Address, AddressError, parse

LOCAL = "local"
_NAME = re.compile(r"[\w.+-]{1,40}")


Cause = Literal["", "key-unknown", "key-changed", "auth-failed", "no-agent", "dead"]
"""What keeps a link from being made; empty: nothing does."""

_CAUSES: dict[str, Cause] = {
    "HostKeyUnknown": "key-unknown",
    "HostKeyChanged": "key-changed",
    "AuthFailed": "auth-failed",
    "NoAgent": "no-agent",
}
"""By the names of the errors: their module is slow to load, and no cause is worth it."""

CAUSE_WORDS: dict[Cause, str] = {
    "": "alive",
    "key-unknown": "host key unknown",
    "key-changed": "host key CHANGED",
    "auth-failed": "auth failed",
    "no-agent": "no agent",
    "dead": "dead",
}


def cause_of(error: Exception) -> Cause:
    """What kind of failure to connect it is."""
    return _CAUSES.get(type(error).__name__, "dead")


class HostsError(ValueError):
    """What is wrong with a name, an address or the file, and what to do."""


class UnknownHost(HostsError):
    """No host of that name is on the list."""


class HostEntry(msgspec.Struct, frozen=True):
    """A host by its own name; ``offline``: it is kept, but not connected."""

    name: str
    address: str
    via: Literal["asyncssh", "ssh"] = "asyncssh"
    offline: bool = False

    def where(self) -> Address:
        """Raises HostsError."""
        try:
            return parse(self.address)
        except AddressError as error:
            raise HostsError(str(error)) from None


def folder() -> Path:
    """The user's folder for Barista's configuration: hosts.json, known_hosts, keys of our own."""
    from platformdirs import user_config_path

    return user_config_path("barista", appauthor=False)


class Hosts:
    """The list in its order. Every change is written at once, whole or not at all."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or folder() / "hosts.json"

    def all(self) -> list[HostEntry]:
        """Raises HostsError for a file that cannot be read."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=list[HostEntry])
        except FileNotFoundError:
            return []
        except (OSError, msgspec.MsgspecError) as error:
            raise HostsError(f"{self.path} cannot be read ({error}): correct it or move it away") from None

    def find(self, name: str) -> HostEntry:
        """By name; what is no name is taken as an address. Raises HostsError."""
        for entry in self.all():
            if entry.name == name:
                return entry
        entry = HostEntry(name, name)
        if entry.where().kind == LOCAL:
            raise HostsError("the local host needs no --host")
        return entry

    def add(self, entry: HostEntry) -> None:
        """At the end. Raises HostsError, OSError."""
        entries = self.all()
        self.check(entry, entries)
        self._save([*entries, entry])

    def replace(self, name: str, entry: HostEntry) -> None:
        """In its place. Raises HostsError, OSError."""
        entries = self.all()
        at = self._index(name, entries)
        self.check(entry, entries[:at] + entries[at + 1 :])
        self._save([*entries[:at], entry, *entries[at + 1 :]])

    def remove(self, name: str) -> HostEntry:
        """The reference only: nothing happens on the host. Raises HostsError, OSError."""
        entries = self.all()
        entry = entries.pop(self._index(name, entries))
        self._save(entries)
        return entry

    def move(self, name: str, places: int) -> list[HostEntry]:
        """Up (negative) or down the list, as far as it goes: the list then. Raises HostsError, OSError."""
        entries = self.all()
        at = self._index(name, entries)
        entry = entries.pop(at)
        entries.insert(min(max(at + places, 0), len(entries)), entry)
        self._save(entries)
        return entries

    @staticmethod
    def _index(name: str, entries: Sequence[HostEntry]) -> int:
        for index, entry in enumerate(entries):
            if entry.name == name:
                return index
        there = ", ".join(entry.name for entry in entries) or "none"
        raise UnknownHost(f"there is no host '{name}'; there are: {there}")

    @staticmethod
    def check(entry: HostEntry, others: Sequence[HostEntry]) -> None:
        """Raises HostsError if it cannot stand beside the others."""
        if not _NAME.fullmatch(entry.name) or entry.name == LOCAL or entry.name.startswith("-"):
            raise HostsError(f"'{entry.name}' is no name for a host: letters, digits, and . _ + - only")
        if any(other.name == entry.name for other in others):
            raise HostsError(f"there is a host '{entry.name}' already: choose another name")
        if entry.where().kind == LOCAL:
            raise HostsError("the local host is there without being added")

    def _save(self, entries: Sequence[HostEntry]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(f".{os.getpid()}")
        try:
            with temporary.open("wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode(entries)) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
        finally:
            temporary.unlink(missing_ok=True)
