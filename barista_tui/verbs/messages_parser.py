"""The command line of `barista messages`."""

from __future__ import annotations

import argparse

from barista_tui.verbs.arguments import Verbs, add_json, add_verb, at_least


def add_messages(verbs: Verbs[argparse.ArgumentParser]) -> None:
    verb = add_verb(verbs, "messages", "print what the agent says of sessions, datasets and the queue")
    verb.add_argument("-f", "--follow", action="store_true", help="go on until interrupted")
    verb.add_argument(
        "-n", "--lines", type=at_least(0), metavar="LINES", help="only the last (default: all that are kept)"
    )
    verb.add_argument("--type", choices=["all", "text", "errors"], default="all", help="default: all")
    verb.add_argument("--caller", metavar="WHO", help="only of that one: 'Session 7', 'Datasets', 'Agent'")
    add_json(verb)
