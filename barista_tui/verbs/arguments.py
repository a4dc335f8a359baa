"""What the command lines of verbs have in common."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

SESSION_HELP = "id, name, or the beginning of an id that only one session has"

Verbs = argparse._SubParsersAction  # the type has no public name
MANY = 8
"""Words that are named to somebody who wrote another one; of more, only the nearest."""


class Parser(argparse.ArgumentParser):
    """argparse's, which answers a wrong word with the nearest right one rather than with forty."""

    def _check_value(self, action: argparse.Action, value: object) -> None:
        words = [str(each) for each in action.choices or ()]
        if action.choices is None or value in action.choices:
            return
        from difflib import get_close_matches

        near = get_close_matches(str(value), words, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(words)}"
        if not near and len(words) > MANY:
            hint = f"see: {self.prog} --help"
        raise argparse.ArgumentError(action, f"there is no '{value}', {hint}")


def add_whats(group: argparse.ArgumentParser) -> Verbs[argparse.ArgumentParser]:
    """The words after a verb that is about a list; without any the list is shown."""
    whats = group.add_subparsers(dest="what", metavar="WHAT", title="what (default: ls)")
    group.description = f"{group.description} Without a word after it: the list."
    group.set_defaults(what="ls", json=False)
    return whats


def add_verb(verbs: Verbs[argparse.ArgumentParser], name: str, help: str) -> argparse.ArgumentParser:
    about = help[0].upper() + help[1:] + "."
    verb = verbs.add_parser(name, help=help, description=about, allow_abbrev=False)
    add_where(verb)
    return verb


def add_where(verb: argparse.ArgumentParser) -> None:
    """--root and --host also after the verb; SUPPRESS keeps a value that was given before it."""
    verb.add_argument("--root", type=Path, metavar="DIR", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    verb.add_argument("--host", metavar="HOST", default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def at_least(least: int) -> Callable[[str], int]:
    """A type for numbers that are not below ``least``."""

    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"{value} is less than {least}")
        return value

    return number


def add_json(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--json", action="store_true", help="print JSON, for scripts")


def add_session(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("session", metavar="SESSION", help=SESSION_HELP)
