"""The part of the command line about deploying."""

from __future__ import annotations

import argparse
from pathlib import Path

from barista_tui.verbs.arguments import Verbs, add_json, add_session, add_verb, at_least


def add_deploy(verbs: Verbs[argparse.ArgumentParser]) -> None:
    """Its part of the command line."""
    verb = add_verb(verbs, "deploy", "make a net to be used of a snapshot: prototxt and weights, checked")
    add_session(verb)
    verb.add_argument(
        "--snapshot", default="latest", metavar="ITER", help="an iteration, or latest (default)"
    )
    verb.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR|FILE.tar.gz",
        help="a folder to be made, or an archive (default: a folder here, after session and iteration)",
    )
    verb.add_argument(
        "--batch", type=at_least(1), metavar="N", help="items at a time (default: 1, if the net allows that)"
    )
    verb.add_argument(
        "--blob",
        action="append",
        default=[],
        metavar="NAME",
        help="a blob to have as output; may be repeated (default: what the losses are about)",
    )
    verb.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="NAME=CxHxW",
        help="shape of an input without the batch, where its data does not tell; may be repeated",
    )
    verb.add_argument("--no-check", action="store_true", help="do not run both nets on one sample")
    add_json(verb)
