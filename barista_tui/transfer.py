"""Copying in pieces between two ends, hosts or folders here: several pieces in flight, each file checked.

arrived = await carry(source, target, tell)     # one try: raises LinkError when a link breaks

No screen here and nothing printed: ``tell`` is called with :class:`Progress`. What is half there stays with
the target, so that another try goes on with it; see :mod:`.transfer_ends` for the ends.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, Protocol

from msgspec import Struct, field

from barista_server.api.transfers import CHUNK, Arrived, FileHashes, ImportState, Parcel, ParcelFile
from barista_server.copying.names import left, weight

WINDOW = 16
"""Pieces asked for, and pieces sent, at a time: what fills a link of 40 MB/s with 0.2 s there and back."""
BATCH_BYTES = 64 << 20
BATCH_FILES = 256
"""Files are checked so many at a time, or so many bytes."""
OF_LATE = 5.0
"""Seconds that the rate is taken from."""


class Progress(Struct, frozen=True):
    """How far a copy is. ``rate`` in bytes per second, ``eta`` in seconds; ``resumed`` bytes were there."""

    what: Literal["copying", "checking"]
    done: int
    total: int
    resumed: int = 0
    rate: float = 0.0
    eta: float | None = None
    file: str = ""


Tell = Callable[[Progress], None]


class Source(Protocol):
    """Where files come from. Any method may raise CallFailed, LinkError, OSError, ParcelError."""

    async def open(self) -> Parcel: ...

    async def read(self, file: int, offset: int, size: int) -> bytes: ...

    async def hashes(self, files: list[int]) -> FileHashes: ...

    async def close(self) -> None: ...


class Target(Protocol):
    """Where they go; raises the same. Pieces of a file are written in the order of the calls."""

    async def open(self, parcel: Parcel) -> ImportState: ...

    async def write(self, file: int, offset: int, data: bytes) -> None: ...

    async def check(self, files: list[int], hashes: list[str]) -> None: ...

    async def finish(self) -> Arrived: ...

    async def close(self) -> None: ...


class Outcome(Struct):
    """What a copy came to."""

    parcel: Parcel
    arrived: Arrived
    grown: list[str]
    """Logs that have got longer since: what there was at first is copied."""
    total: int = 0
    copied: int = 0
    """Bytes, of which so many had to be sent now."""


Ready = Callable[[Parcel, ImportState], None]
"""Looks at what is to come before a byte is copied; may raise."""


async def carry(source: Source, target: Target, tell: Tell, ready: Ready | None = None) -> Outcome:
    """One try to copy everything. Raises CallFailed, LinkError, OSError, ParcelError; then what is there
    stays for the next.
    """
    parcel = await source.open()
    try:
        state = await target.open(parcel)
        if ready is not None:
            ready(parcel, state)
        total = sum(map(weight, parcel.files))
        if state.finished is not None:
            return Outcome(parcel, state.finished, [], total)
        copy = _Copy(source, target, parcel.files, state.at, _Meter(tell, total))
        await copy.run()
        arrived = await target.finish()
        return Outcome(
            parcel, arrived, [parcel.files[one].path for one in copy.grown], total, copy.meter.sent
        )
    finally:
        await target.close()
        await source.close()


class _Meter(Struct):
    tell: Tell
    total: int
    resumed: int = 0
    sent: int = 0
    points: deque[tuple[float, int]] = field(default_factory=deque)

    def take(self, what: Literal["copying", "checking"], file: str) -> None:
        now = time.monotonic()
        self.points.append((now, self.sent))
        while len(self.points) > 2 and now - self.points[0][0] > OF_LATE:
            self.points.popleft()
        since, before = self.points[0]
        rate = (self.sent - before) / (now - since) if now > since else 0.0
        done = self.resumed + self.sent
        eta = (self.total - done) / rate if rate > 0 else None
        self.tell(Progress(what, done, self.total, self.resumed, rate, eta, file))


class _Copy:
    """The pieces under way. Reads are answered in any order, and written in the order they were asked in."""

    def __init__(
        self, source: Source, target: Target, files: Sequence[ParcelFile], at: Sequence[int], meter: _Meter
    ) -> None:
        self._source, self._target, self._files = source, target, files
        self._at = list(at)
        self.meter = meter
        self.grown: list[int] = []
        self._reads: deque[tuple[int, int, bool, asyncio.Task[bytes]]] = deque()
        self._writes: deque[tuple[int, int, bool, asyncio.Task[None]]] = deque()
        self._whole: asyncio.Queue[int | None] = asyncio.Queue()
        """Files that are there in full, to be checked; None: no more come."""

    async def run(self) -> None:
        """Until every file is checked."""
        self.meter.resumed = self.meter.total - sum(
            end - begin
            for file, at in zip(self._files, self._at, strict=True)
            for begin, end in left(file, at)
        )
        self.meter.take("copying", "")
        checking = asyncio.create_task(self._check_all())
        try:
            await self._copy_all(checking)
            self._whole.put_nowait(None)
            await checking
        finally:
            mine = [checking, *(task for *_, task in self._reads), *(task for *_, task in self._writes)]
            for task in mine:
                task.cancel()
            await asyncio.gather(*mine, return_exceptions=True)

    async def _copy_all(self, checking: asyncio.Task[None]) -> None:
        for file, offset, size, last in self._plan():
            if checking.done():
                checking.result()
            if len(self._reads) >= WINDOW:
                await self._pass_on()
            read = asyncio.create_task(self._source.read(file, offset, size))
            self._reads.append((file, offset, last, read))
        while self._reads:
            await self._pass_on()
        while self._writes:
            await self._written()

    def _plan(self) -> Iterator[tuple[int, int, int, bool]]:
        """File, offset and size of each piece, and whether it is the file's last."""
        for number, (file, at) in enumerate(zip(self._files, self._at, strict=True)):
            if at < 0:
                continue
            ranges = left(file, at)
            if not ranges:
                self._whole.put_nowait(number)
            for begin, end in ranges:
                for offset in range(begin, end, CHUNK):
                    size = min(CHUNK, end - offset)
                    yield number, offset, size, (offset + size, end) == (end, ranges[-1][1])

    async def _pass_on(self) -> None:
        """Send the oldest piece that was asked for."""
        file, offset, last, read = self._reads.popleft()
        data = await read
        if len(self._writes) >= WINDOW:
            await self._written()
        write = asyncio.create_task(self._target.write(file, offset, data))
        self._writes.append((file, len(data), last, write))

    async def _written(self) -> None:
        file, size, last, write = self._writes.popleft()
        await write
        self.meter.sent += size
        self.meter.take("copying", self._files[file].path)
        if last:
            self._whole.put_nowait(file)

    async def _check_all(self) -> None:
        """Compare files with their source, while others are copied."""
        batch: list[int] = []
        size = 0
        while True:
            file = await self._whole.get()
            if file is not None:
                batch.append(file)
                size += weight(self._files[file])
            if batch and (file is None or size >= BATCH_BYTES or len(batch) >= BATCH_FILES):
                if file is None:
                    self.meter.take("checking", self._files[batch[-1]].path)
                found = await self._source.hashes(batch)
                self.grown += found.grown
                await self._target.check(batch, found.hashes)
                batch, size = [], 0
            if file is None:
                return
