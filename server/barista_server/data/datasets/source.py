"""What every kind of dataset can be asked, and which kind a path is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from barista_server.api.datasets import DatasetFacts, DatasetKind
from barista_server.data.datasets.content import Record, Segment, segments

Allowed = Callable[[Path], None]
"""Raises DatasetError for a file that may not be read."""


class DatasetError(ValueError):
    """A dataset that is damaged, missing, or of another kind than said. ``hint``: what to do next."""

    def __init__(self, text: str, hint: str | None = None) -> None:
        super().__init__(text)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Item:
    """One sample. values: of its shape, (C, H, W) if it is a picture, blue, green and red if coloured; None
    where it cannot be had, then problem says why.
    """

    index: int
    key: str = ""
    labels: list[float] = field(default_factory=list)
    values: NDArray[Any] | None = None
    problem: str | None = None


class Source(ABC):
    """An open dataset. Every method may raise OSError, DatasetError."""

    kind: DatasetKind
    batch = 1
    """Records that may be held at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def files(self) -> list[Path]:
        """All files that the data is in."""

    @abstractmethod
    def facts(self) -> DatasetFacts:
        """What is known without reading all."""

    @abstractmethod
    def items(self, start: int, count: int) -> Iterator[Item]:
        """Samples start..start+count, as far as there are."""

    @abstractmethod
    def labels(self, whole: bool) -> Iterator[Sequence[float]]:
        """Labels of samples: of all in order, or spread over the dataset, the fewer the longer one waits."""

    @abstractmethod
    def records(self, after: Segment | None) -> Iterator[Record]:
        """The content, as the content id is made of it; behind `after` if that is given."""

    def segments(self, after: Segment | None, threads: int = 2) -> Iterator[Segment]:
        """Those of the content behind `after`, in order."""
        return segments(self.records(after), after, self.batch, threads)

    @abstractmethod
    def share(self, done: Segment) -> float:
        """Part of the content that lies up to there, 0 to 1."""

    @abstractmethod
    def close(self) -> None:
        """Give it up; buffers become invalid."""
