"""The command line of `barista caffes`."""

from __future__ import annotations

import argparse

from barista_tui.verbs.arguments import Verbs, add_json, add_verb


def add_caffes(verbs: Verbs[argparse.ArgumentParser]) -> None:
    caffes = add_verb(verbs, "caffes", "list the caffe executables of a host, add others")
    caffes.add_argument(
        "--check",
        action=argparse.BooleanOptionalAction,
        help="run all again to see what they are; --no-check: run none (default: those not tried yet)",
    )
    add_json(caffes)
    whats = caffes.add_subparsers(dest="what", metavar="WHAT", title="also")

    def what(name: str, help: str) -> argparse.ArgumentParser:
        parser = whats.add_parser(name, help=help, description=help[0].upper() + help[1:] + ".")
        parser.add_argument("caffe", metavar="NAME")
        return parser

    add = what("add", "let sessions choose another executable, or a wrapper that starts a container")
    add.add_argument("--unchecked", action="store_true", help="even if it does not train a tiny net just now")
    add.add_argument("argv", nargs="+", metavar="ARGV", help="what is run; if it has options: -- ARGV ...")
    rm = what("rm", "take one that was added off the list; no file is deleted")
    rename = what("rename", "give one that was added another name, also where sessions have chosen it")
    rename.add_argument("to", metavar="NEW", help="its new name")
    for verb in (add, rm, rename):
        # SUPPRESS keeps what was given before the word.
        verb.add_argument(
            "--json", action="store_true", default=argparse.SUPPRESS, help="print JSON, for scripts"
        )
