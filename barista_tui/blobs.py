"""Values and statistics of blobs from an agent, kept as long as there is room."""

from __future__ import annotations

from array import array
from collections import OrderedDict
from typing import Any, Protocol, TypeVar

from barista_server.api.messages import (
    BlobStats,
    BlobStatsList,
    BlobValues,
    GetBlob,
    GetBlobStats,
    ListWeights,
    Message,
    WeightsList,
)

R = TypeVar("R", bound=Message)

ROOM = 32_000_000
"""Bytes of answers that are kept: a film is fetched once."""


class Asks(Protocol):
    """A host, or a link. ``call`` raises CallFailed, LinkError."""

    async def call(self, call: Any, result: type[R], /) -> R:
        """Answer a call."""


async def rows(asks: Asks, which: ListWeights, layer: int, blob: int, wanted: range) -> bytes:
    """float32 values of some rows, in as many answers as it takes. Fewer come only where the blob ends."""
    data, start = b"", wanted.start
    while start < wanted.stop:
        call = GetBlob(
            layer=layer, blob=blob, start=start, stop=wanted.stop,
            session=which.session, iteration=which.iteration, path=which.path,
        )  # fmt: skip
        got = await asks.call(call, BlobValues)
        count = got.shape[0] if got.shape else 1
        data += got.data
        start = got.start + count
        if not count or start >= got.rows:
            break
    return data


class Kept:
    """Answers, the least lately used thrown away first."""

    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._answers: OrderedDict[tuple[object, ...], tuple[Any, int]] = OrderedDict()

    def _find(self, key: tuple[object, ...]) -> Any:
        if key not in self._answers:
            return None
        self._answers.move_to_end(key)
        return self._answers[key][0]

    def _keep(self, key: tuple[object, ...], answer: Any, size: int) -> None:
        self._answers[key] = (answer, size)
        while sum(each for _, each in self._answers.values()) > self._room and len(self._answers) > 1:
            self._answers.popitem(last=False)

    async def model(self, asks: Asks, mark: object, which: ListWeights) -> WeightsList:
        """``mark``: what tells this file from others, and from itself once written anew."""
        found: WeightsList | None = self._find((mark,))
        if found is None:
            found = await asks.call(which, WeightsList)
            self._keep((mark,), found, 200 * len(found.layers))
        return found

    async def rows(
        self, asks: Asks, mark: object, which: ListWeights, layer: int, blob: int, wanted: range
    ) -> array[float]:
        """Like :func:`rows`."""
        key = (mark, layer, blob, wanted)
        data: bytes | None = self._find(key)
        if data is None:
            data = await rows(asks, which, layer, blob, wanted)
            self._keep(key, data, len(data))
        return array("f", data)

    async def stats(self, asks: Asks, mark: object, which: ListWeights, layer: int) -> list[BlobStats | None]:
        """Of the blobs of a layer."""
        key = (mark, layer)
        found: list[BlobStats | None] | None = self._find(key)
        if found is None:
            call = GetBlobStats(
                layers=[layer], session=which.session, iteration=which.iteration, path=which.path
            )
            found = (await asks.call(call, BlobStatsList)).layers[0]
            self._keep(key, found, 200 * len(found))
        return found
