"""The links to all hosts, each in a task of its own: none waits for another."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator

from barista_server.api.messages import Notice
from barista_tui.host import Host
from barista_tui.store import Key, LinkState, Store
from barista_tui.target import Target


class Fleet:
    """Hosts by name, in the order of the list."""

    def __init__(self, targets: Iterable[Target], store: Store) -> None:
        self._store = store
        self._hosts = {target.name: Host(target, store) for target in targets}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._started = False
        self._tell()

    def __iter__(self) -> Iterator[Host]:
        return iter(self._hosts.values())

    def __contains__(self, name: str) -> bool:
        return name in self._hosts

    def __getitem__(self, name: str) -> Host:
        return self._hosts[name]

    def of(self, key: Key) -> Host:
        """The host of a session."""
        return self._hosts[key.host]

    @property
    def names(self) -> list[str]:
        """All hosts."""
        return list(self._hosts)

    def start(self) -> None:
        """Connect all that are not told to stay offline."""
        self._started = True
        for host in self._hosts.values():
            self._link(host)

    def relink(self, name: str) -> None:
        """Connect again a host that was unlinked, or at once one that is lost."""
        if name in self._tasks:
            self._hosts[name].retry_now()
        else:
            self._run(self._hosts[name])

    def unlink(self, name: str) -> None:
        """Close the link: the last known list stays, trainings do not notice."""
        if task := self._tasks.pop(name, None):
            task.cancel()
        self._offline(name)

    def become(self, targets: Iterable[Target]) -> None:
        """Another list: new hosts are connected, those no longer on it left, changed ones connected anew."""
        before, self._hosts = self._hosts, {}
        for target in targets:
            old = before.pop(target.name, None)
            if old is not None and old.target.same_place(target):
                old.target = target
                self._hosts[target.name] = old
            else:
                self._end(target.name)
                self._hosts[target.name] = Host(target, self._store)
        for name in before:
            self._end(name)
        self._tell()
        if self._started:
            for host in self._hosts.values():
                if host.name not in self._tasks:
                    self._link(host)

    async def close(self) -> None:
        """End all links."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _tell(self) -> None:
        self._store.keep_hosts(self._hosts)
        for host in self._hosts.values():
            if host.target.offline:
                self.unlink(host.name)

    def _link(self, host: Host) -> None:
        if not host.target.offline:
            self._run(host)

    def _run(self, host: Host) -> None:
        task = asyncio.create_task(host.run(), name=f"host {host.name}")
        task.add_done_callback(lambda task: self._ended(host, task))
        self._tasks[host.name] = task

    def _end(self, name: str) -> None:
        if task := self._tasks.pop(name, None):
            task.cancel()

    def _offline(self, name: str) -> None:
        self._store.linked(name, LinkState("offline", since=time.time()))

    def _ended(self, host: Host, task: asyncio.Task[None]) -> None:
        """A link ends when it is told to; anything else is a mistake, told and kept to this host."""
        error = None if task.cancelled() else task.exception()
        if error is None:
            return
        self._tasks.pop(host.name, None)
        text = f"a mistake of this program: {error!r}"
        self._store.linked(host.name, LinkState("lost", time.time(), text, None, "dead"))
        self._store.noticed(Notice(time=time.time(), caller=f"Host {host.name}", kind="error", text=text))
