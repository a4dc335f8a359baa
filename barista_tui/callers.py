"""Who speaks in the console: sessions, the input manager, links to hosts, agents, this program. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from barista_server.api.messages import Notice, SessionInfo, State
from barista_tui import format as fmt
from barista_tui.allowed import cause_line
from barista_tui.consolerows import is_of_type
from barista_tui.hosts import LOCAL
from barista_tui.store import Key, Known

LOG, ALL, MESSAGES = "log", "all", "messages"
"""The log of the selected session; everybody, logs too; everybody, but no lines of logs."""

INPUTS, HOSTS, AGENTS, APP = "inputs", "hosts", "agents", "app"
WORDS = {
    LOG: "Selected log",
    ALL: "All",
    MESSAGES: "Messages",
    INPUTS: "Input manager",
    HOSTS: "Host links",
    AGENTS: "Agents",
    APP: "Barista",
}
"""Fixed choices by their names on the screen; besides, each session is one, as ``host/id``."""

_NOTES = {
    LOG: "all its lines, however many",
    ALL: "sessions, inputs, hosts, agents, this program",
    MESSAGES: "the same without lines of logs",
    INPUTS: "datasets, on all hosts",
    HOSTS: "connections made and lost",
    AGENTS: "what serves the sessions, the queue, Slurm",
    APP: "this program",
}

INPUT_MANAGER, HOST_MANAGER, OWN, SETTINGS = "Input manager", "Host manager", "Barista", "Settings"
"""Callers of messages that come from this program."""

_GROUPS = {"Datasets": INPUTS, INPUT_MANAGER: INPUTS, HOST_MANAGER: HOSTS, OWN: APP, SETTINGS: APP}

MOST_LOGS = 64
"""Logs of live sessions that are merged at a time."""
MOST_ENDED = 8
"""Besides, the last ones that ended."""

LIVE = {State.RUNNING, State.PAUSING}


class Choice(NamedTuple):
    """A caller to choose; ``note`` stands dim beside it."""

    id: str
    name: str
    note: str


def group_of(caller: str) -> str:
    """Which choice a message's caller belongs to: ``Host gpu01`` to the host links, ``Agent@gpu01`` to the
    agents; empty for one session.
    """
    name = caller.partition("@")[0]
    if name in _GROUPS:
        return _GROUPS[name]
    if name.startswith("Host "):
        return HOSTS
    return "" if name.startswith(("Session ", "Log ")) else AGENTS


def kept(choice: str) -> str:
    """What of a choice is worth to be remembered: sessions go."""
    return choice if choice in WORDS else LOG


def caller_of(key: Key, session: SessionInfo) -> str:
    """``Session 7``, ``Log 3@gpu01``: as agents name it in their messages."""
    name = f"{'Log' if session.kind == 'log' else 'Session'} {key.session}"
    return name if key.host == LOCAL else f"{name}@{key.host}"


def id_of(key: Key) -> str:
    """Of a session as a choice."""
    return f"{key.host}/{key.session}"


def choices(known: Known) -> list[Choice]:
    """All there are, sessions that live first."""
    fixed = [Choice(id, WORDS[id], _NOTES[id]) for id in WORDS]
    sessions = sorted(known.sessions.items(), key=lambda each: each[1].state not in LIVE)
    return fixed + [
        Choice(id_of(key), caller_of(key, one), f"{one.name}  {fmt.state_look(one).glyph}")
        for key, one in sessions
    ]


def word(choice: str, known: Known) -> str:
    """What the title calls a choice."""
    if choice in WORDS:
        return WORDS[choice]
    key = Key(*choice.partition("/")[::2])
    session = known.sessions.get(key)
    return caller_of(key, session) if session is not None else f"Session {key.session}"


def messages(notices: Iterable[Notice], choice: str, type_: str, known: Known) -> list[Notice]:
    """The messages that pass both filters."""
    some = [notice for notice in notices if is_of_type(notice, type_)]
    if choice in (ALL, MESSAGES):
        return some
    if choice in WORDS:
        return [notice for notice in some if group_of(notice.caller) == choice]
    name = word(choice, known)
    return [notice for notice in some if notice.caller == name]


def next_step(notice: Notice, known: Known, key: Callable[[str, str], str]) -> str:
    """What can be done about an error of an agent; ``key``: that of an action, and its usual one."""
    if group_of(notice.caller) == INPUTS:
        return f"{key('inputs', 'f2')} shows the datasets"
    name = notice.caller.partition("@")[0].partition(" ")[2]
    host = notice.caller.partition("@")[2] or LOCAL
    session = known.sessions.get(Key(host, name)) if not group_of(notice.caller) else None
    if session is None or not session.problems:
        return ""
    if cause_line(session) is None:
        return f"On its row {key('open', 'enter')} shows the reasons"
    return f"On its row {key('cause', 'e')} shows the line of the log, {key('open', 'enter')} the reasons"


def logs(choice: str, known: Known) -> Sequence[tuple[Key, SessionInfo]]:
    """The sessions whose logs are merged: those that live, and the last that ended."""
    if choice in WORDS and choice != ALL:
        return ()
    every = [(key, one) for key, one in known.sessions.items() if one.runs or one.log is not None]
    if choice != ALL:
        return [(key, one) for key, one in every if id_of(key) == choice]
    live = [each for each in every if each[1].state in LIVE][:MOST_LOGS]
    ended = [each for each in every if each[1].state not in LIVE]
    ended.sort(key=lambda each: _last(each[1]), reverse=True)
    return [*live, *ended[:MOST_ENDED]]


def _last(session: SessionInfo) -> float:
    last = session.runs[-1] if session.runs else None
    return session.created if last is None else last.ended or last.started
