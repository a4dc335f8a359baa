"""The part of the command line about sessions beside each other: clone, and what tells them apart."""

from __future__ import annotations

import argparse

from barista_tui.verbs.arguments import Verbs, add_json, add_session, add_verb
from barista_tui.verbs.plot_parser import SESSIONS_HELP

_OF_SESSIONS = (
    *("new", "import", "clone", "ls", "show", "net", "edit", "weights", "diff", "compare", "tree", "set"),
    *("start", "pause", "snapshot", "wait", "logs", "export", "plot", "deploy"),
    *("rename", "reset", "rm", "restore", "get", "put", "move"),
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

    diff = add_verb(verbs, "diff", "show what tells net and solver of two sessions apart, as Caffe has them")
    diff.epilog = "exit codes: 0 if Caffe would do the same with both, 1 if not, others as of every verb"
    diff.add_argument("session", metavar="OLD", help=SESSIONS_HELP)
    diff.add_argument("other", metavar="NEW", nargs="?", help="likewise (default: OLD, against its parent)")
    diff.add_argument(
        "--color", choices=["auto", "always", "never"], default="auto", help="default: auto, on a terminal"
    )
    add_json(diff)

    compare = add_verb(verbs, "compare", "show sessions beside each other: what differs, what they came to")
    compare.add_argument(
        "sessions", metavar="SESSION", nargs="*", help="likewise, of any hosts (default: all of the host)"
    )
    compare.add_argument("--all", action="store_true", help="also settings that are the same for all")
    compare.add_argument("--sort", metavar="COLUMN", help="by a setting or result, or part of its name")
    compare.add_argument("--reverse", action="store_true", help="the other way round")
    how = compare.add_mutually_exclusive_group()
    how.add_argument("--csv", action="store_true", help="print CSV (RFC 4180), a line for each session")
    how.add_argument("--json", action="store_true", help="print JSON, for scripts")

    tree = add_verb(verbs, "tree", "show which session was made from which")
    tree.add_argument("session", metavar="SESSION", nargs="?", help="only its family (default: all)")
    add_json(tree)


def add_group(verbs: Verbs[argparse.ArgumentParser]) -> None:
    """`barista session VERB` is `barista VERB`."""
    group = add_verb(verbs, "session", "the verbs about sessions, as a group: barista session clone SESSION")
    inner = group.add_subparsers(dest="verb", metavar="VERB", title="verbs", required=True)
    helps = {action.dest: action for action in verbs._choices_actions}
    for name in filter(helps.get, _OF_SESSIONS):
        inner._name_parser_map[name] = verbs.choices[name]
        inner._choices_actions.append(helps[name])
