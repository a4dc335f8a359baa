"""The part of the command line about sessions beside each other: clone, and what tells them apart."""

from __future__ import annotations

import argparse

from barista_tui.verbs.arguments import Verbs, add_json, add_session, add_verb

_OF_SESSIONS = (
    *("new", "import", "clone", "ls", "show", "diff", "compare", "tree", "set", "edit", "start", "pause"),
    *("snapshot", "wait", "logs", "export", "plot", "rename", "reset", "rm", "restore", "get", "put", "move"),
)


def add_comparing(verbs: Verbs[argparse.ArgumentParser]) -> None:
    """Sessions made from others."""
    clone = add_verb(verbs, "clone", "make a session from another one, with the weights of a snapshot")
    add_session(clone)
    what = clone.add_mutually_exclusive_group()
    what.add_argument(
        "--snapshot",
        type=int,
        metavar="ITER",
        help="iteration of the snapshot (default: the newest good one)",
    )
    what.add_argument("--settings-only", action="store_true", help="net and solver alone, no weights")
    clone.add_argument("--name", default="", metavar="N", help="its name (default: the other's, numbered)")
    clone.add_argument("--caffe", default="", metavar="C", help="executable (default: the other's)")
    clone.add_argument("--device", default="", metavar="D", help="device (default: the other's)")
    clone.add_argument("--start", action="store_true", help="start it at once")
    add_json(clone)


def add_group(verbs: Verbs[argparse.ArgumentParser]) -> None:
    """`barista session VERB` is `barista VERB`."""
    group = add_verb(verbs, "session", "the verbs about sessions, as a group: barista session clone ...")
    inner = group.add_subparsers(dest="verb", metavar="VERB", title="verbs", required=True)
    helps = {action.dest: action for action in verbs._choices_actions}
    for name in filter(helps.get, _OF_SESSIONS):
        inner._name_parser_map[name] = verbs.choices[name]
        inner._choices_actions.append(helps[name])
