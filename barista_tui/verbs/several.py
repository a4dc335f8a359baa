"""Sessions that a command line names, perhaps of several hosts: ``NAME``, or ``HOST:NAME``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import NamedTuple

from barista_server.api.link import Link
from barista_server.api.messages import SessionInfo
from barista_tui.hosts import LOCAL, Hosts, HostsError
from barista_tui.store import Key
from barista_tui.target import Target
from barista_tui.verbs.agentlink import linked, named_target, session_of, target_of


class Found(NamedTuple):
    """A session, and a link to its agent. ``title``: its name, with its host where another has the same."""

    link: Link
    session: SessionInfo
    key: Key
    title: str


async def sessions(args: argparse.Namespace, names: Sequence[str], stack: AsyncExitStack) -> list[Found]:
    """Those sessions, each once, in their order; the links are closed with the stack.

    Raises CallFailed, LinkError, VerbError.
    """
    hosts = {LOCAL, *_hosts()}
    links: dict[str, Link] = {}
    found: dict[Key, tuple[Link, SessionInfo]] = {}
    for name in names:
        host, _, rest = name.partition(":")
        target: Target
        if rest and host in hosts:
            target, name = named_target(args, host), rest
        else:
            target = target_of(args)
        if target.name not in links:
            links[target.name] = await stack.enter_async_context(linked(target))
        session = await session_of(links[target.name], name)
        found[Key(target.name, session.id)] = links[target.name], session
    titles = [session.name for _, session in found.values()]
    return [
        Found(
            link,
            session,
            key,
            f"{session.name}@{key.host}" if titles.count(session.name) > 1 else session.name,
        )
        for key, (link, session) in found.items()
    ]


def _hosts() -> list[str]:
    try:
        return [entry.name for entry in Hosts().all()]
    except HostsError:
        return []
