"""Waiting for a content id, with words on how far it is."""

from __future__ import annotations

import asyncio
import sys

from barista_server.api.link import Link
from barista_server.api.messages import (
    Call,
    DatasetChanged,
    DatasetInfo,
    DatasetList,
    DatasetRemoved,
    DatasetReply,
    Event,
    FollowDatasets,
    GetDataset,
)
from barista_server.api.text import clean_name
from barista_tui.verbs import inputwords as words
from barista_tui.verbs.errors import Exit, VerbError


async def hashed(link: Link, call: Call) -> DatasetInfo:
    """Carry out a call that begins to hash; the dataset once that has ended. Raises VerbError, CallFailed,
    LinkError.
    """
    news: asyncio.Queue[DatasetChanged | DatasetRemoved] = asyncio.Queue()

    def take(event: Event) -> None:
        if isinstance(event.what, DatasetChanged | DatasetRemoved):
            news.put_nowait(event.what)

    link.on_event = take
    await link.call(FollowDatasets(), DatasetList)
    dataset = (await link.call(call, DatasetReply)).dataset
    lost = asyncio.ensure_future(link.wait_closed())
    try:
        while dataset.job is not None:
            words.passing(words.progress(dataset))
            change = asyncio.ensure_future(news.get())
            await asyncio.wait({change, lost}, return_when=asyncio.FIRST_COMPLETED)
            if not change.done():
                change.cancel()
                await link.call(GetDataset(dataset=dataset.id), DatasetReply)  # says why it is lost
            what = change.result()
            if isinstance(what, DatasetRemoved):
                if what.dataset == dataset.id:
                    reason = what.reason or f"{dataset.name} was taken off the list meanwhile"
                    raise VerbError(reason, None, Exit.REFUSED if what.reason else Exit.NOT_FOUND)
            elif what.dataset.id == dataset.id:
                dataset = what.dataset
                if dataset.job is None:  # or it was not begun yet, when that was sent
                    dataset = (await link.call(GetDataset(dataset=dataset.id), DatasetReply)).dataset
    except asyncio.CancelledError:
        words.passing("")
        told = f"barista: {clean_name(dataset.name)} is hashed all the same: barista input ls tells how far"
        print(f"{told}\n  Stop that with: barista input hash {dataset.id} --cancel", file=sys.stderr)
        raise
    finally:
        words.passing("")
        lost.cancel()
    return dataset
