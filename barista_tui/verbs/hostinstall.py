"""`barista host install` and `uninstall`: the agent is put on a host, and taken away again."""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import replace
from pathlib import Path

import msgspec

from barista_server.remote.collect import Progress, Tell, collected
from barista_server.remote.hostshell import shell
from barista_server.remote.install import Installed, by_hand, install_on, uninstall_from
from barista_server.remote.ssh import own_way
from barista_server.remote.wheels import WheelError
from barista_tui import format
from barista_tui.hosts import HostEntry, Hosts, folder
from barista_tui.verbs import output
from barista_tui.verbs.errors import Exit, VerbError

STEPS = {
    "look": "looking at the host",
    "collect": "making wheels",
    "copy": "copying",
    "install": "installing",
}


class Line:
    """Progress on standard error: one line that changes on a terminal, else one line a step."""

    def __init__(self) -> None:
        self._terminal = output.use_colour(sys.stderr)
        self._step = ""

    def tell(self, progress: Progress) -> None:
        words = STEPS[progress.step] + (f": {progress.about}" if progress.about else "")
        if self._terminal:
            part = f"  {100 * progress.done // progress.total} %" if progress.total else ""
            text = format.fit(f"{words}{part}", output.width() - 1, False)
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
        elif progress.step != self._step:
            print(STEPS[progress.step] + " ...", file=sys.stderr, flush=True)
        self._step = progress.step

    def end(self) -> None:
        if self._terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


async def install(hosts: Hosts, entry: HostEntry, args: argparse.Namespace) -> Exit:
    """Raises VerbError, LinkError."""
    if args.by_hand:
        return await _print(entry)
    line = Line()
    try:
        done = await put_on(entry, line.tell, args.engine, args.python)
    finally:
        line.end()
    if args.there:
        entry = _with_root(hosts, entry, args.there)
    from barista_tui.verbs.hosts import check

    checked = await check(entry)
    if args.json:
        known = {"host": entry.name, "state": checked.state, "detail": checked.detail}
        output.print_json(known | done._asdict())
    else:
        for words in installed_words(entry, done):
            output.say(words)
        output.say(f"{checked.state}: {output.one_line(checked.detail)}")
    return Exit.OK if checked.state == "alive" else Exit.UNREACHABLE


async def put_on(entry: HostEntry, tell: Tell, engine: bool = False, python: str = "") -> Installed:
    """Log in and install. Raises LinkError, HostsError."""
    async with shell(entry.where(), own_way(folder(), entry.via)) as there:
        return await install_on(there, tell, engine=engine, python=python)


def installed_words(entry: HostEntry, done: Installed) -> list[str]:
    """What came of it, in sentences."""
    was = f", in place of {done.before}" if done.before else ""
    mb = f"{done.copied / 1e6:.1f} MB copied" if done.copied else "all wheels were there already"
    said = [f"barista-server {done.version} is on {entry.name}{was} (Python {done.python}; {mb})"]
    if done.engine:
        said.append(f"with the embedded caffe: {done.engine}")
    if done.ended:
        said.append("the agent of before has ended, trainings go on; the next connection starts the new one")
    if done.stay:
        pids = ", ".join(str(pid) for pid in done.stay)
        said.append(f"an agent that somebody started by hand still runs as it was (pid {pids}): end it with "
                    "`barista-server stop` there, trainings go on")  # fmt: skip
    return said


def _with_root(hosts: Hosts, entry: HostEntry, root: str) -> HostEntry:
    """The entry with a folder for sessions, in the list too if it is there. Raises VerbError, HostsError."""
    if not root.startswith("/"):
        raise VerbError(f"--root {root}: give the folder's whole path on {entry.name}", None, Exit.USAGE)
    new = msgspec.structs.replace(entry, address=str(replace(entry.where(), root=root.rstrip("/"))))
    if any(one.name == entry.name for one in hosts.all()):
        hosts.replace(entry.name, new)
    return new


async def _print(entry: HostEntry) -> Exit:
    line = Line()
    try:
        print(await commands_for(entry, line.tell), end="")
    except WheelError as error:
        raise VerbError(str(error)) from None
    finally:
        line.end()
    return Exit.OK


async def commands_for(entry: HostEntry, tell: Tell) -> str:
    """The commands to type, with the wheels they take made in the user's cache.

    Raises WheelError, HostsError, OSError.
    """
    from platformdirs import user_cache_path

    where = user_cache_path("barista", appauthor=False) / "wheels"
    where.mkdir(parents=True, exist_ok=True)
    for old in where.glob("*.whl"):
        old.unlink()
    await asyncio.to_thread(collected, None, where, tell)
    address = entry.where()
    user = f"{address.user}@" if address.user else ""
    return by_hand(f"{user}{address.host}", address.port, Path(where))


async def uninstall(entry: HostEntry, args: argparse.Namespace) -> Exit:
    """Raises VerbError, LinkError."""
    async with shell(entry.where(), own_way(folder(), entry.via)) as there:
        removed = await uninstall_from(there)
    if args.json:
        output.print_json({"host": entry.name, **removed._asdict()})
    elif removed.busy:
        pids = ", ".join(str(pid) for pid in removed.busy)
        raise VerbError(
            f"trainings on {entry.name} run from what would be taken away (pid {pids})",
            f"Pause them first (barista --host {entry.name} ls), or wait for their end.",
            Exit.REFUSED,
        )
    elif removed.was:
        output.say(
            f"barista-server is gone from {entry.name}; sessions and their agent's files are still there"
        )
    else:
        output.say(f"nothing was put on {entry.name} by `barista host install`")
    return Exit.REFUSED if removed.busy else Exit.OK
