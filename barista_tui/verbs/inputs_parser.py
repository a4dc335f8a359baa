"""The command line of `barista input`."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from barista_tui.verbs.arguments import Verbs, add_json, add_verb, add_whats, at_least
from barista_tui.verbs.transfer_parser import TO_HELP

DATASET_KINDS = ["lmdb", "leveldb", "hdf5", "hdf5-list", "image-list"]


def add_inputs(verbs: Verbs[argparse.ArgumentParser]) -> None:
    """`barista input WHAT`."""
    verb = add_verb(verbs, "input", "datasets: add, list, look into, hash, search")
    whats = add_whats(verb)

    def what(name: str, help: str) -> argparse.ArgumentParser:
        parser = whats.add_parser(name, help=help, description=help[0].upper() + help[1:] + ".")
        add_json(parser)
        return parser

    def known(name: str, help: str) -> argparse.ArgumentParser:
        parser = what(name, help)
        about = "number, name, or the beginning of a content id (8 digits at least)"
        parser.add_argument("dataset", metavar="DATASET", help=about)
        return parser

    def waits(parser: argparse.ArgumentParser) -> None:
        about = "wait until it is hashed (default)"
        parser.add_argument("--wait", action=argparse.BooleanOptionalAction, default=True, help=about)

    what("ls", "list the datasets")
    known("show", "show all about one dataset")
    _input_changes(what, known, waits)
    for name, about in (("samples", "print what samples are like"), ("thumbnails", "draw samples as text")):
        looking = known(name, about)
        looking.add_argument("--start", type=at_least(0), default=0, metavar="N", help="first (default: 0)")
        looking.add_argument("--count", type=at_least(1), default=4, metavar="N", help="default: 4")
        if name == "thumbnails":
            looking.add_argument("--side", type=at_least(1), default=28, metavar="PIXELS", help="default: 28")
    histogram = known("histogram", "count labels")
    histogram.add_argument("--whole", action="store_true", help="all of them, however long it takes")
    search = what("search", "look for datasets in the declared folders")
    search.add_argument("--below", metavar="DIR", help="only in this one")
    roots = what("roots", "folders whose datasets may be added from other machines")
    roots.add_argument(
        "do", nargs="?", choices=["ls", "add", "rm"], default="ls", metavar="ls|add|rm", help="default: ls"
    )
    roots.add_argument("path", nargs="?", metavar="DIR", help="for add and rm, on the machine itself")


def _input_changes(
    what: Callable[[str, str], argparse.ArgumentParser],
    known: Callable[[str, str], argparse.ArgumentParser],
    waits: Callable[[argparse.ArgumentParser], None],
) -> None:
    add = what("add", "put a dataset on the list, and hash it")
    add.add_argument("path", metavar="PATH", help="LMDB, LevelDB, HDF5 file, list of HDF5 files or of images")
    add.add_argument("--name", default="", metavar="N", help="name in the list (default: the file's)")
    add.add_argument("--kind", choices=DATASET_KINDS, default="", help="default: what it looks like")
    add.add_argument("--base", metavar="DIR", help="folder that relative names in a list start from")
    waits(add)
    list_ = what("list", "show a list of HDF5 files, or change it and have it hashed anew")
    list_.add_argument("path", metavar="PATH", help="the text file, on the host")
    about = "a file, or a folder with all HDF5 files below it; may be given several times"
    list_.add_argument("--add", action="append", default=[], metavar="PATH", help=about)
    about = "take this file off the list; may be given several times"
    list_.add_argument("--rm", action="append", default=[], metavar="FILE", help=about)
    list_.add_argument("--new", action="store_true", help="make the list if it is not there")
    copy = known("copy", "copy a dataset to another host, unless the same data is there")
    copy.add_argument("--to", required=True, metavar="HOST", help=TO_HELP)
    known("rename", "give a dataset another name").add_argument("name", metavar="NAME")
    known("rm", "take a dataset off the list; its files stay")
    restore = what("restore", "put a dataset back on the list")
    restore.add_argument("removed", metavar="NUMBER", help="the number that it had")
    move = known("move", "move a dataset up or down the list")
    move.add_argument("places", type=int, metavar="PLACES", help="-1: one up, 1: one down")
    locate = known("locate", "say where a dataset is now; its content is checked")
    locate.add_argument("path", metavar="PATH")
    locate.add_argument("--base", metavar="DIR", help="folder that relative names in a list start from")
    waits(locate)
    known("reload", "read the facts again, and see whether the files changed")
    hash_ = known("hash", "find the content id, going on where an earlier try was left")
    hash_.add_argument("--again", action="store_true", help="even if the files are as they were")
    hash_.add_argument("--cancel", action="store_true", help="stop; what has been read is kept")
    waits(hash_)
