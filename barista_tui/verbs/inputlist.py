"""`barista input list`: what a list of HDF5 files names, files added and taken off."""

from __future__ import annotations

import argparse
import sys

from barista_server.api.link import CallFailed, Link
from barista_server.api.messages import (
    DatasetList,
    DatasetReply,
    FileList,
    FindHdf5Files,
    HashDataset,
    Hdf5Files,
    ListDatasets,
    ReadFileList,
    ReloadDataset,
    WriteFileList,
)
from barista_tui import format
from barista_tui.calling import command
from barista_tui.target import Target
from barista_tui.verbs import output
from barista_tui.verbs.errors import Exit, VerbError


async def list_(args: argparse.Namespace, link: Link, target: Target, path: str) -> Exit:
    """Show the list at ``path``, absolute on the host, or change it first. Raises VerbError, CallFailed."""
    if args.new and not args.add:
        raise VerbError("--new makes a list of what --add names", code=Exit.USAGE)
    if not (args.add or args.rm):
        _print(args, await link.call(ReadFileList(path=path), FileList))
        return Exit.OK
    before = await _before(link, path, args.new)
    lines = list(before.lines)
    for name in args.rm:
        if name not in lines:
            raise VerbError(
                f"{path} does not name {name}", "See what it names, without --rm.", Exit.NOT_FOUND
            )
        lines.remove(name)
    for name in args.add:
        found = await link.call(FindHdf5Files(path=name), Hdf5Files)
        if not found.paths:
            raise VerbError(f"there is no HDF5 file below {name}", None, Exit.NOT_FOUND)
        if found.note:
            print(f"barista: {found.note}", file=sys.stderr)
        lines += [each for each in found.paths if each not in set(lines)]
    saved = await link.call(WriteFileList(path=path, lines=lines, stamp=before.stamp), FileList)
    await _hash_again(args, link, target, saved)
    return Exit.OK


async def _before(link: Link, path: str, new: bool) -> FileList:
    try:
        return await link.call(ReadFileList(path=path), FileList)
    except CallFailed as error:
        if error.failure.code != "not-found":
            raise
        if not new:
            raise VerbError(error.failure.text, "Make it with --new.", Exit.NOT_FOUND) from None
        return FileList(path=path, lines=[], stamp="")


async def _hash_again(args: argparse.Namespace, link: Link, target: Target, saved: FileList) -> None:
    """What is on the list of datasets has another content now; say what to do with what is not."""
    if args.json:
        output.print_json(saved)
    else:
        output.say(f"{output.one_line(saved.path)} names {format.plural(len(saved.lines), 'file')} now.")
    datasets = (await link.call(ListDatasets(), DatasetList)).datasets
    listed = next((each for each in datasets if each.path == saved.path), None)
    if listed is not None:
        await link.call(ReloadDataset(dataset=listed.id), DatasetReply)
        await link.call(HashDataset(dataset=listed.id), DatasetReply)
    if args.json:
        return
    if listed is None:
        output.say(f"Put it on the list of datasets with: {command(target, 'input', 'add', saved.path)}")
    else:
        output.say(f"Dataset {listed.id}, {output.one_line(listed.name)}, is hashed anew.")


def _print(args: argparse.Namespace, found: FileList) -> None:
    if args.json:
        output.print_json(found)
        return
    for line in found.lines:
        output.say(output.one_line(line))
