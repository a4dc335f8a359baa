"""The command line of `barista trash`."""

from __future__ import annotations

import argparse

from barista_tui.verbs.arguments import Verbs, add_json, add_verb, add_whats


def add_trash(verbs: Verbs[argparse.ArgumentParser]) -> None:
    trash = add_verb(verbs, "trash", "what was deleted or reset: list it, or delete it for good")
    whats = add_whats(trash)
    add_json(whats.add_parser("ls", help="list it, oldest first", description="List it, oldest first."))
    about = "delete for good, which nothing brings back"
    empty = whats.add_parser("empty", help=about, description=f"{about.capitalize()}.")
    empty.add_argument("trash", nargs="*", metavar="TRASH", help="these, as the list names them")
    empty.add_argument("--older-than", type=float, metavar="DAYS", help="what has lain there longer")
    empty.add_argument("--all", action="store_true", help="all of it")
    add_json(empty)
