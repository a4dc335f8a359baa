"""What the command lines of verbs have in common."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

SESSION_HELP = "id, name, or the beginning of an id that only one session has"

Verbs = argparse._SubParsersAction  # the type has no public name


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
