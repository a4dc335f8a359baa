"""What all sources of batches share: their shapes and lines, and a thread that reads ahead."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from queue import Empty, Full, Queue

import torch

from barista_engine.interfaces import Log, Shape

Batch = list[torch.Tensor]


@dataclass(slots=True)
class Deal:
    """Records dealt to ranks like cards: rank r of n takes those at r, r + n, ... of a walk without end."""

    rank: int = 0
    count: int = 1
    _begun: bool = False

    def others(self) -> int:
        """How many records go to others before the next one that is ours."""
        others = self.count - 1 if self._begun else self.rank
        self._begun = True
        return others


class Source(ABC):
    """Batches of the shapes of its tops, known once it is set up."""

    def __init__(self) -> None:
        self.shapes: Sequence[Shape] = ()

    def set_up(self) -> None:  # noqa: B027 - most are set up once they are open
        """Find out `shapes`; CheckFailed where the data do not fit the layer."""

    @abstractmethod
    def next(self) -> Batch:
        """The next batch, one float32 CPU tensor for each top."""

    @abstractmethod
    def close(self) -> None:
        """End what runs in the background; no `next` may follow."""


class PrefetchSource(Source):
    """A source whose batches a thread makes up to `ahead` in advance; it starts with the first `next`."""

    def __init__(self, name: str, ahead: int, log: Log) -> None:
        super().__init__()
        self._name, self._log = name, log
        self._queue: Queue[Batch | Exception] = Queue(max(1, ahead))
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._waits = 0

    @abstractmethod
    def _load(self) -> Batch:
        """Make the next batch; called in the thread."""

    def seed(self, seed: int) -> None:
        """Take the seed of what is random in the transformation; before the first `next`."""

    def next(self) -> Batch:
        """The next batch; raises what went wrong in the reading thread."""
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._read_ahead, name=f"prefetch {self._name}", daemon=True
            )
            self._thread.start()
        try:
            batch = self._queue.get_nowait()
        except Empty:
            if self._waits % 1000 == 0:
                self._log.info("blocking_queue.cpp:49", "Waiting for data")
            self._waits += 1
            batch = self._queue.get()
        if isinstance(batch, Exception):
            raise batch
        return batch

    def close(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _read_ahead(self) -> None:
        while not self._stop.is_set():
            try:
                item: Batch | Exception = self._load()
            except Exception as error:  # handed to the thread that asks for the batch
                item = error
            self._put(item)
            if isinstance(item, Exception):
                return

    def _put(self, item: Batch | Exception) -> None:
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=0.1)
                return
            except Full:
                pass
