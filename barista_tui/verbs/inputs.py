"""The verbs about datasets."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from barista_server.api.link import Link
from barista_server.api.messages import (
    AddDataset,
    Call,
    CancelHash,
    CancelSearch,
    DatasetInfo,
    DatasetList,
    DatasetReply,
    DatasetRoots,
    DeclareRoot,
    GetDataset,
    GetLabelHistogram,
    GetSamples,
    GetSearch,
    GetThumbnails,
    HashDataset,
    LabelHistogram,
    ListDatasetRoots,
    ListDatasets,
    MoveDataset,
    ReloadDataset,
    RelocateDataset,
    RemoveDataset,
    RenameDataset,
    RestoreDataset,
    Samples,
    SearchDatasets,
    SearchState,
    Thumbnails,
    UndeclareRoot,
)
from barista_tui import format
from barista_tui.calling import command
from barista_tui.target import Target
from barista_tui.verbs import inputwords as words
from barista_tui.verbs import output
from barista_tui.verbs.agentlink import linked, target_of
from barista_tui.verbs.errors import Exit, VerbError
from barista_tui.verbs.inputwait import hashed

ASK = 0.2
"""Seconds between two questions how far a search is."""


async def input_(args: argparse.Namespace) -> Exit:
    """`barista input WHAT`. Raises VerbError."""
    target = target_of(args)
    async with linked(target) as link:
        return await _WHATS[args.what](args, link, target)


async def _ls(args: argparse.Namespace, link: Link, target: Target) -> Exit:
    return _print_list(args, (await link.call(ListDatasets(), DatasetList)).datasets)


async def _move(args: argparse.Namespace, link: Link, target: Target) -> Exit:
    call = MoveDataset(dataset=args.dataset, places=args.places)
    return _print_list(args, (await link.call(call, DatasetList)).datasets)


def _print_list(args: argparse.Namespace, datasets: list[DatasetInfo]) -> Exit:
    if args.json:
        output.print_json(datasets)
    elif not datasets:
        output.say("No datasets yet. Add one with: barista input add PATH, or look for some: input search")
    else:
        for cells in output.table(words.rows(datasets), right=(3, 6)):
            output.say("  ".join(cells).rstrip())
    return Exit.OK


async def _add(args: argparse.Namespace, link: Link, target: Target) -> Exit:
    path, base = _there(args.path, target), _there(args.base, target) if args.base else ""
    call = AddDataset(path=path, name=args.name, kind=args.kind, base=base)
    return await _until_hashed(args, link, call)


async def _locate(args: argparse.Namespace, link: Link, target: Target) -> Exit:
    path, base = _there(args.path, target), _there(args.base, target) if args.base else ""
    return await _until_hashed(args, link, RelocateDataset(dataset=args.dataset, path=path, base=base))


async def _hash(args: argparse.Namespace, link: Link, target: Target) -> Exit:
    if args.cancel:
        return await _one(args, link, CancelHash(dataset=args.dataset))
    return await _until_hashed(args, link, HashDataset(dataset=args.dataset, again=args.again))


async def _until_hashed(args: argparse.Namespace, link: Link, call: Call) -> Exit:
    """Carry it out and wait for the content id. Raises VerbError when it comes to nothing."""
    if not args.wait:
        return await _one(args, link, call)
    dataset = await hashed(link, call)
    _print(args, dataset)
    return Exit.FAILED if dataset.problem else Exit.OK


async def _one(args: argparse.Namespace, link: Link, call: Call) -> Exit:
    _print(args, (await link.call(call, DatasetReply)).dataset)
    return Exit.OK


def _print(args: argparse.Namespace, dataset: DatasetInfo) -> None:
    if args.json:
        output.print_json(dataset)
    else:
        for line in words.about(dataset):
            output.say(line)


async def _show(args: argparse.Namespace, link: Link, target: Target) -> Exit:
    return await _one(args, link, GetDataset(dataset=args.dataset))


async def _rename(args: argparse.Namespace, link: Link, target: Target) -> Exit:
    return await _one(args, link, RenameDataset(dataset=args.dataset, name=args.name))


async def _restore(args: argparse.Namespace, link: Link, target: Target) -> Exit:
    return await _one(args, link, RestoreDataset(dataset=args.removed))


async def _reload(args: argparse.Namespace, link: Link, target: Target) -> Exit:
    dataset = (await link.call(ReloadDataset(dataset=args.dataset), DatasetReply)).dataset
    _print(args, dataset)
    if dataset.changed and not args.json:
        output.say(
            f"Its content id is kept; to find the new one: {command(target, 'input', 'hash', dataset.id)}"
        )
    return Exit.OK


async def _rm(args: argparse.Namespace, link: Link, target: Target) -> Exit:
    dataset = (await link.call(RemoveDataset(dataset=args.dataset), DatasetReply)).dataset
    if args.json:
        output.print_json(dataset)
    else:
        output.say(f"{output.one_line(dataset.name)} is off the list; its files stay as they are.")
        output.say(f"Put it back with: {command(target, 'input', 'restore', dataset.id)}")
    return Exit.OK


async def _samples(args: argparse.Namespace, link: Link, target: Target) -> Exit:
    call = GetSamples(dataset=args.dataset, start=args.start, count=args.count)
    samples = (await link.call(call, Samples)).samples
    if args.json:
        output.print_json([words.sample_object(one) for one in samples])
        return Exit.OK
    if not samples:
        output.say(f"There are no samples from {args.start} on.")
        return Exit.OK
    for cells in output.table(words.sample_rows(samples), right=(0,)):
        output.say("  ".join(cells).rstrip())
    return Exit.OK


async def _thumbnails(args: argparse.Namespace, link: Link, target: Target) -> Exit:
    call = GetThumbnails(dataset=args.dataset, start=args.start, count=args.count, side=args.side)
    thumbnails = (await link.call(call, Thumbnails)).thumbnails
    if args.json:
        output.print_json([words.thumbnail_object(one) for one in thumbnails])
        return Exit.OK
    for one in thumbnails:
        for line in words.drawn(one):
            output.say(line)
    return Exit.OK


async def _histogram(args: argparse.Namespace, link: Link, target: Target) -> Exit:
    call = GetLabelHistogram(dataset=args.dataset, whole=args.whole)
    histogram = await link.call(call, LabelHistogram)
    if args.json:
        output.print_json(histogram)
    else:
        for line in words.histogram(histogram, output.width(), output.use_ascii(sys.stdout)):
            output.say(line)
    return Exit.OK


async def _roots(args: argparse.Namespace, link: Link, target: Target) -> Exit:
    if (args.do == "ls") != (args.path is None):
        raise VerbError(f"'input roots {args.do}' takes {'no folder' if args.path else 'a folder'}",
                        None, Exit.USAGE)  # fmt: skip
    calls: dict[str, Callable[[str], Call]] = {
        "ls": lambda path: ListDatasetRoots(),
        "add": lambda path: DeclareRoot(path=path),
        "rm": lambda path: UndeclareRoot(path=path),
    }
    roots = await link.call(calls[args.do](_there(args.path, target) if args.path else ""), DatasetRoots)
    if args.json:
        output.print_json(roots)
    else:
        for root in roots.roots:
            output.say(output.one_line(root) + ("  (always)" if root == roots.own else ""))
    return Exit.OK


async def _search(args: argparse.Namespace, link: Link, target: Target) -> Exit:
    call = SearchDatasets(below=_there(args.below, target) if args.below else "")
    state = await link.call(call, SearchState)
    try:
        while state.running:
            await asyncio.sleep(ASK)
            state = await link.call(GetSearch(search=state.search), SearchState)
            words.passing(f"{format.plural(state.looked, 'folder')}, {len(state.found)} found")
    except asyncio.CancelledError:
        await link.call(CancelSearch(search=state.search), SearchState)
        raise
    finally:
        words.passing("")
    if args.json:
        output.print_json(state)
        return Exit.OK
    for cells in output.table(words.found_rows(state.found), right=(1,)):
        output.say("  ".join(cells).rstrip())
    end = f": {state.note}" if state.note else ""
    found = format.plural(len(state.found), "dataset")
    output.say(f"{found} in {format.plural(state.looked, 'folder')}{end}")
    return Exit.OK


def _there(path: str, target: Target) -> str:
    """Absolute; on another host it means what it says there."""
    return str(Path(path).expanduser().absolute()) if target.host is None else path


async def _copy(args: argparse.Namespace, link: Link, target: Target) -> Exit:
    # Here: what copies is not needed to look.
    from barista_tui.verbs.transfers import input_copy

    return await input_copy(args)


async def _list(args: argparse.Namespace, link: Link, target: Target) -> Exit:
    from barista_tui.verbs.inputlist import list_

    args.add = [_there(each, target) for each in args.add]
    return await list_(args, link, target, _there(args.path, target))


_WHATS: dict[str, Callable[[argparse.Namespace, Link, Target], Awaitable[Exit]]] = {
    "ls": _ls, "show": _show, "add": _add, "rename": _rename, "rm": _rm, "restore": _restore, "move": _move,
    "locate": _locate, "reload": _reload, "hash": _hash, "samples": _samples, "thumbnails": _thumbnails,
    "histogram": _histogram, "search": _search, "roots": _roots, "copy": _copy, "list": _list,
}  # fmt: skip
