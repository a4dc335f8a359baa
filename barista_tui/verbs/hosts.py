"""The verbs about hosts: which there are, whether they answer, and whose key is trusted."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from barista_server.api.link import LinkError
from barista_tui.hosts import CAUSE_WORDS, HostEntry, Hosts, HostsError, UnknownHost, cause_of, folder
from barista_tui.target import Target
from barista_tui.verbs import output
from barista_tui.verbs.errors import Exit, VerbError

if TYPE_CHECKING:
    from barista_server.remote.hostkeys import Offered

_TONES = {"alive": output.GREEN, "offline": output.GREY}


class Checked(NamedTuple):
    """A host, what became of connecting to it, and the words about that."""

    entry: HostEntry
    state: str
    detail: str


async def host(args: argparse.Namespace) -> Exit:
    """`barista host WHAT`. Raises VerbError."""
    hosts = Hosts()
    try:
        match args.what:
            case "ls":
                return await _ls(hosts, args)
            case "add":
                return await _add(hosts, args)
            case "accept":
                return await _accept(hosts.find(args.known), args)
            case "install" | "uninstall":
                from barista_tui.verbs import hostinstall

                entry = hosts.find(args.known)
                return await (hostinstall.install(hosts, entry, args) if args.what == "install"
                              else hostinstall.uninstall(entry, args))  # fmt: skip
            case _:
                said = _change(hosts, args)
                if args.json:
                    output.print_json([msgspec.to_builtins(entry) for entry in hosts.all()])
                else:
                    output.say(said)
    except HostsError as error:
        code = Exit.NOT_FOUND if isinstance(error, UnknownHost) else Exit.USAGE
        raise VerbError(str(error), None, code) from None
    return Exit.OK


def _change(hosts: Hosts, args: argparse.Namespace) -> str:
    """Change the list: what has become of it. Raises HostsError."""
    match args.what:
        case "rm":
            entry = hosts.remove(args.known)
            how = f"barista host add {entry.name} {entry.address}"
            return f"{entry.name} is off the list; to bring it back: {how}"
        case "rename":
            hosts.replace(args.known, msgspec.structs.replace(hosts.find(args.known), name=args.new))
            return f"{args.known} is now {args.new}"
        case "move":
            names = [entry.name for entry in hosts.move(args.known, args.places)]
            return f"{args.known} is number {names.index(args.known) + 1} of {len(names)} now"
    off = args.what == "unlink"
    hosts.replace(args.known, msgspec.structs.replace(hosts.find(args.known), offline=off))
    return f"{args.known} is {'not connected to any more' if off else 'connected to again'}"


async def check(entry: HostEntry) -> Checked:
    """Connect, and say how it went."""
    if entry.offline:
        return Checked(entry, "offline", "told to stay so")
    try:
        link = await Target(folder(), entry).open()
    except LinkError as error:
        return Checked(entry, CAUSE_WORDS[cause_of(error)], str(error))
    welcome = link.welcome
    await link.close()
    rights = "" if welcome.role == "owner" else f", as {welcome.role}"
    return Checked(entry, "alive", f"{welcome.agent} on {welcome.host} serves {welcome.root}{rights}")


async def _ls(hosts: Hosts, args: argparse.Namespace) -> Exit:
    """All hosts at once: a slow one holds nobody up."""
    checked = list(await asyncio.gather(*(check(entry) for entry in hosts.all())))
    if args.json:
        output.print_json(
            [{**msgspec.to_builtins(one.entry), "state": one.state, "detail": one.detail} for one in checked]
        )
    elif not checked:
        output.say("No hosts yet. Add one with: barista host add NAME ADDRESS (gpu01, me@gpu01:22)")
    else:
        rows = [["NAME", "ADDRESS", "STATE", ""]]
        rows += [[one.entry.name, one.entry.address, one.state, one.detail] for one in checked]
        for cells, each in zip(output.table(rows, right=(), wide=3), [None, *checked], strict=True):
            if each is not None:
                cells[2] = output.paint(cells[2], _TONES.get(each.state, output.RED))
            output.say("  ".join(cells).rstrip())
    return Exit.OK


async def _add(hosts: Hosts, args: argparse.Namespace) -> Exit:
    entry = HostEntry(args.name, args.address or args.name, args.via)
    hosts.add(entry)
    checked = await check(entry)
    if args.json:
        output.print_json({**msgspec.to_builtins(entry), "state": checked.state, "detail": checked.detail})
    else:
        output.say(f"{entry.name} is added: {checked.state} ({output.one_line(checked.detail)})")
        if checked.state == CAUSE_WORDS["key-unknown"]:
            output.say(f"Look at the key and accept it once: barista host accept {entry.name}")
    return Exit.OK


async def _accept(entry: HostEntry, args: argparse.Namespace) -> Exit:
    """Show the key that the host offers, those of its jump hosts first, and trust it if the person says so.

    Raises VerbError.
    """
    from barista_server.remote.hostkeys import HostKeyUnknown
    from barista_server.remote.ssh import connect, own_way

    way = own_way(folder(), entry.via)
    accepted = 0
    while not (args.fingerprint and accepted):
        try:
            (await connect(entry.where(), way)).close()
        except HostKeyUnknown as error:
            offered = error.offered
        except LinkError:
            # Whoever is not let in has accepted the key all the same.
            if accepted:
                break
            raise
        else:
            break
        _agree(entry, offered, args)
        way.known_hosts.accept(offered)
        accepted += 1
        output.say(
            f"{offered.host}: {offered.kind} {offered.fingerprint} is accepted ({way.known_hosts.own})"
        )
    if not accepted:
        output.say(f"the key of {entry.name} is known already")
    return Exit.OK


def _agree(entry: HostEntry, offered: Offered, args: argparse.Namespace) -> None:
    """Returns if the key is to be trusted. Raises VerbError."""
    if args.fingerprint and args.fingerprint != offered.fingerprint:
        text = f"{entry.name} shows {offered.fingerprint}, not {args.fingerprint}"
        raise VerbError(text, "Nothing was accepted: ask the host's owner.", Exit.REFUSED)
    if not (args.fingerprint or args.yes or _agreed(f"{offered.host}: {offered.kind} {offered.fingerprint}")):
        raise VerbError("nothing was accepted", "Give --fingerprint SHA256:... or --yes", Exit.REFUSED)


def _agreed(shown: str) -> bool:
    """Ask the person; nobody to ask is a no."""
    output.say(shown)
    if not sys.stdin.isatty():
        return False
    return input("Is that the key the host's owner told you? [y/N] ").strip().lower() in ("y", "yes")
