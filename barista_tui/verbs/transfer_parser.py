"""The part of the command line about copying: get, put, move."""

from __future__ import annotations

import argparse

from barista_tui.verbs.arguments import Verbs, add_json, add_session, add_verb

TO_HELP = "the host it goes to, see: barista host ls; local: this machine"


def add_transfers(verbs: Verbs[argparse.ArgumentParser]) -> None:
    """Copies of sessions between hosts and folders here."""
    get = add_verb(verbs, "get", "copy a session's snapshots, or all of its folder, from a host to here")
    add_session(get)
    get.add_argument(
        "--snapshot", default="latest", metavar="WHICH", help="an iteration, latest (default), all or none"
    )
    get.add_argument("--folder", action="store_true", help="the whole folder: net, solver, runs with logs")
    get.add_argument("-o", "--output", default=".", metavar="DIR", help="where to (default: here)")
    add_json(get)

    put = add_verb(verbs, "put", "make a session of a training's folder that lies here")
    put.add_argument(
        "path", metavar="FOLDER", help="a session's, or one with solver, net, snapshots and logs"
    )
    put.add_argument("--name", default="", metavar="N", help="name of the session (default: as it was)")
    _choices(put)
    add_json(put)

    move = add_verb(verbs, "move", "pause a session, copy it to another host, and go on with it there")
    add_session(move)
    move.add_argument("--to", required=True, metavar="HOST", help=TO_HELP)
    move.add_argument("--from", dest="source_host", metavar="HOST", help="where it is (or with --host)")
    move.add_argument(
        "--start",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="start it there (default), unless it is finished",
    )
    move.add_argument("--keep", action="store_true", help="keep it here too, instead of into the trash")
    move.add_argument("--all-snapshots", action="store_true", help="not the newest good one alone")
    move.add_argument("--with-data", action="store_true", help="copy datasets that are missing there")
    _choices(move)
    add_json(move)


def _choices(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--caffe", default="", metavar="C", help="executable there (default: of the same name)")
    verb.add_argument("--device", default="", metavar="D", help="device there (default: as it was)")
