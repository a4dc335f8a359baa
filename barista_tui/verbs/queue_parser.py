"""The command line of `barista queue`, and what `barista start` shares with it."""

from __future__ import annotations

import argparse

from barista_tui.verbs.arguments import Verbs, add_json, add_session, add_verb, add_whats, at_least


def add_waiting(verb: argparse._ActionsContainer) -> None:
    verb.add_argument(
        "--priority", type=int, default=0, metavar="P", help="higher goes first (default: 0); may be negative"
    )
    verb.add_argument("--after", default="", metavar="OTHER", help="not before that session is Finished")
    verb.add_argument(
        "--after-any-end", action="store_true", help="with --after: failed, interrupted or gone will do too"
    )


def add_queue(verbs: Verbs[argparse.ArgumentParser]) -> None:
    queue = add_verb(verbs, "queue", "sessions that wait for a device: list, add, take out, put in order")
    whats = add_whats(queue)

    def what(name: str, help: str, session: bool = True) -> argparse.ArgumentParser:
        parser = whats.add_parser(name, help=help, description=help[0].upper() + help[1:] + ".")
        if session:
            add_session(parser)
        return parser

    ls = what("ls", "list the queue, the next session first", session=False)
    add = what("add", "start a session as soon as its device has room, or change how it waits")
    add_waiting(add)
    rm = what("rm", "take a session out of the queue")
    move = what("move", "change a session's place; past others of another priority it takes theirs")
    move.add_argument("where", choices=["up", "down", "first", "last"], metavar="up|down|first|last")
    priority = what("priority", "change a session's priority; it goes behind all that have it")
    priority.add_argument("priority", type=int, metavar="P", help="higher goes first; may be negative")
    slots = what("slots", "how many trainings the queue has on a device at a time", session=False)
    slots.add_argument("device", metavar="DEVICE", help="cpu, or the number of a graphics card")
    slots.add_argument("slots", type=at_least(0), metavar="N", help="default: 1; 0: start none")
    for verb in (ls, add, rm, move, priority, slots):
        add_json(verb)
