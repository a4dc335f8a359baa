"""Which agent is meant: that of a folder on this machine, or another machine's."""

from __future__ import annotations

import asyncio
import importlib
from pathlib import Path

from msgspec import Struct

from barista_server.api.link import Link
from barista_tui.hosts import HostEntry, folder


class Target(Struct, frozen=True):
    """The agent that a verb or a screen speaks to: that of a root folder here, or a host's."""

    root: Path
    host: HostEntry | None = None

    @property
    def name(self) -> str:
        """What the screen calls it."""
        return "local" if self.host is None else self.host.name

    @property
    def title(self) -> str:
        """The folder or the host, for the head of the screen."""
        return self.root.name if self.host is None else self.host.name

    @property
    def offline(self) -> bool:
        """The person has told it to stay unconnected."""
        return self.host is not None and self.host.offline

    def same_place(self, other: Target) -> bool:
        """It is reached in the same way, whether it is to be or not."""
        mine, its = ((one.address, one.via) if (one := each.host) else None for each in (self, other))
        return self.root == other.root and mine == its

    def __str__(self) -> str:
        return str(self.root) if self.host is None else f"{self.host.name} ({self.host.address})"

    async def open(self, start_agent: bool = True) -> Link:
        """A link. Raises LinkError."""
        if self.host is None:
            return await Link.open(self.root, start_agent)
        # Here: local verbs do not need it. In a thread: it is slow to load, a screen is painted meanwhile.
        await asyncio.to_thread(importlib.import_module, "barista_server.remote.ssh")
        from barista_server.remote.ssh import open_link, own_way

        return await open_link(self.host.where(), own_way(folder(), self.host.via))
