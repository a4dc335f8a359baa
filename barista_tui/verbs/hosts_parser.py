"""The command line of `barista host`."""

from __future__ import annotations

import argparse

from barista_tui.verbs.arguments import Verbs, add_json, add_verb, add_whats


def add_hosts(verbs: Verbs[argparse.ArgumentParser]) -> None:
    host = add_verb(verbs, "host", "other machines: add, list, trust, put the agent there, remove")
    whats = add_whats(host)

    def what(name: str, help: str) -> argparse.ArgumentParser:
        return whats.add_parser(name, help=help, description=help[0].upper() + help[1:] + ".")

    def known(name: str, help: str) -> argparse.ArgumentParser:
        parser = what(name, help)
        parser.add_argument("known", metavar="NAME", help="the host's name in the list")
        return parser

    add_json(what("ls", "list the hosts, and say of each whether it answers"))
    add = what("add", "put a host on the list")
    add.add_argument("name", metavar="NAME", help="what it is called here")
    address = "gpu01, me@gpu01:22, ssh://gpu01/DIR, port://gpu01:4200 (default: NAME, as in ~/.ssh/config)"
    add.add_argument("address", nargs="?", metavar="ADDRESS", help=address)
    add.add_argument(
        "--via",
        choices=["asyncssh", "ssh"],
        default="asyncssh",
        help="the built-in SSH, or the system's ssh program (default: %(default)s)",
    )
    add_json(add)
    accept = known("accept", "show the host's key and trust it from now on")
    accept.add_argument("--fingerprint", metavar="SHA256:...", help="accept just this one, without asking")
    accept.add_argument("--yes", action="store_true", help="accept whatever it shows")
    add_json(known("rm", "take a host off the list; nothing happens on the host"))
    rename = known("rename", "give a host another name")
    rename.add_argument("new", metavar="NEW")
    move = known("move", "move a host up or down the list")
    move.add_argument("places", type=int, metavar="PLACES", help="-1: one up, 1: one down")
    unlink = known("unlink", "keep a host on the list, but do not connect to it; trainings there go on")
    link = known("link", "connect to a host again that was unlinked")
    for verb in (rename, move, unlink, link):
        add_json(verb)
    put = known("install", "put the agent on a host, or a newer one in its place; trainings go on")
    put.add_argument("--root", dest="there", metavar="DIR", help="folder for the sessions, there")
    put.add_argument("--engine", action="store_true", help="with the embedded caffe (PyTorch, large)")
    put.add_argument("--python", default="", metavar="PROGRAM", help="a Python 3.11 or newer, there")
    put.add_argument(
        "--print", action="store_true", dest="by_hand", help="only make the wheels and print what to type"
    )
    add_json(put)
    add_json(known("uninstall", "take the agent that was put there away; sessions stay"))
