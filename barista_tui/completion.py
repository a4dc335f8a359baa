"""Completion in the shell: three small scripts that ask `barista _complete`, and what it answers.

The scripts know nothing of the verbs: candidates come from the parser itself and, for sessions, from the
agent if it runs (none is started for a press of the tab key).
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from barista_tui.verbs.parser import build_parser

BASH = r"""
_barista() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        COMPREPLY+=("$line")
    done < <("${COMP_WORDS[0]}" _complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _barista barista
"""

ZSH = r"""
#compdef barista
_barista() {
    local -a found
    found=("${(@f)$("${words[1]}" _complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -n "${found[1]}" ]]; then
        compadd -- "${found[@]}"
    else
        _files
    fi
}
# Found as a file in $fpath it is the function itself, sourced it announces it.
if [[ "${funcstack[1]}" == _barista ]]; then
    _barista "$@"
else
    compdef _barista barista
fi
"""

FISH = r"""
function _barista
    set -l words (commandline -opc)
    $words[1] _complete $words[2..-1] (commandline -ct) 2>/dev/null
end
complete -c barista -a '(_barista)'
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}

_SAFE = re.compile(r"[\w.,+@/-]+")
"""Names a shell takes as one word without quotes; other sessions are offered by id."""

ASKED = {
    "session": "sessions",
    "sessions": "sessions",
    "more": "sessions",
    "other": "sessions",
    "source": "sessions",
    "after": "sessions",
    "device": "devices",
    "template": "templates",
    "caffe": "caffes",
    "host": "hosts",
    "to": "hosts",
    "source_host": "hosts",
    "known": "hosts",
    "dataset": "datasets",
    "input": "datasets",
    "trash": "trash",
}
"""Destinations in the parser whose values the agent, or the list of hosts, knows."""


def script(shell: str) -> str:
    """What ``barista completion SHELL`` prints."""
    return SCRIPTS[shell].lstrip("\n")


def print_candidates(words: Sequence[str]) -> int:
    """Print what the last of ``words`` may become, a candidate a line. Nothing means: perhaps a file."""
    for candidate in candidates(words, _from_agent):
        print(candidate)
    return 0


def candidates(words: Sequence[str], ask: Callable[[Path | None, str], list[str]]) -> list[str]:
    """Completions of the last word. ``ask(root, kind)`` tells ``sessions``, ``templates``, ``caffes``..."""
    *before, begun = words or [""]
    parser = build_parser()
    root: Path | None = None
    far = False
    wants: argparse.Action | None = None
    places = 0
    verb: str | None = None
    for word in before:
        if wants is not None:
            root = Path(word) if wants.dest == "root" else root
            far = far or (wants.dest == "host" and word != "local")
            wants = None
        elif word.startswith("-") and len(word) > 1:
            action = parser._option_string_actions.get(word)
            wants = action if action is not None and action.nargs != 0 else None
        elif verb is None:
            verb = word
            inner = _verbs(parser).get(word)
            if inner is None:
                return []
            parser = inner
        elif (inner := _verbs(parser).get(word)) is not None:
            parser = inner
        else:
            places += 1
    if wants is None and begun.startswith("-"):
        return _starting(
            begun, [option for option in parser._option_string_actions if option.startswith("--")]
        )
    if wants is None and verb is None:
        return _starting(begun, list(_verbs(parser)))
    action = wants or _positional(parser, places)
    if action is None:
        return []
    if action.choices is not None:
        return _starting(begun, [str(choice) for choice in action.choices])
    kind = ASKED.get(action.dest, "")
    # No connection is made for a press of the tab key either.
    return _starting(begun, ask(root, kind)) if kind and (kind == "hosts" or not far) else []


def _verbs(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def _positional(parser: argparse.ArgumentParser, place: int) -> argparse.Action | None:
    found = [action for action in parser._actions if not action.option_strings]
    if place < len(found):
        return found[place]
    return found[-1] if found and found[-1].nargs in ("+", "*") else None


def _starting(begun: str, words: Sequence[str]) -> list[str]:
    return sorted(word for word in words if word.startswith(begun))


def _from_agent(root: Path | None, kind: str) -> list[str]:
    """Names from a running agent; none when there is none: no words about it in the middle of a command."""
    import asyncio

    from barista_server.api.link import CallFailed, LinkError
    from barista_server.api.local import default_root

    if kind == "hosts":
        from barista_tui.hosts import Hosts, HostsError

        try:
            return [host.name for host in Hosts().all()]
        except HostsError:
            return []
    try:
        return asyncio.run(_names(root.expanduser().absolute() if root else default_root(), kind))
    except (CallFailed, LinkError):
        return []


async def _names(root: Path, kind: str) -> list[str]:
    from barista_server.api.messages import (
        CaffeList,
        DatasetList,
        DeviceList,
        ListCaffes,
        ListDatasets,
        ListDevices,
        ListSessions,
        ListTemplates,
        ListTrash,
        SessionList,
        TemplateList,
        TrashList,
    )
    from barista_tui.target import Target
    from barista_tui.verbs.agentlink import linked

    async with linked(Target(root), start_agent=False) as link:
        if kind == "templates":
            return [template.name for template in (await link.call(ListTemplates(), TemplateList)).templates]
        if kind == "caffes":
            return [caffe.name for caffe in (await link.call(ListCaffes(), CaffeList)).caffes]
        if kind == "datasets":
            datasets = (await link.call(ListDatasets(), DatasetList)).datasets
            return [one.name if _SAFE.fullmatch(one.name) else one.id for one in datasets]
        if kind == "trash":
            return [item.trash for item in (await link.call(ListTrash(), TrashList)).items]
        if kind == "devices":
            return [device.id for device in (await link.call(ListDevices(), DeviceList)).devices]
        sessions = (await link.call(ListSessions(), SessionList)).sessions
    return [session.name if _SAFE.fullmatch(session.name) else session.id for session in sessions]
