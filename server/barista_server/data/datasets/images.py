"""Lists of images, as ImageData layers read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from barista_server.api.datasets import DatasetFacts, Top
from barista_server.caffe.image_list import read_image_list
from barista_server.caffe.image_size import HEAD, image_size
from barista_server.data.datasets.content import Record, Segment
from barista_server.data.datasets.labels import LabelCount
from barista_server.data.datasets.pictures import decode
from barista_server.data.datasets.source import Allowed, DatasetError, Item, Source

_LARGEST = 1 << 30
"""Bytes of a list, and of one image."""
_COMPARED = 20


class ImageSource(Source):
    """A list: a name, a blank and a label in each line."""

    kind = "image-list"

    def __init__(self, path: Path, base: Path, allowed: Allowed | None = None) -> None:
        super().__init__(path)
        if path.stat().st_size > _LARGEST:
            raise DatasetError(f"{path} is too large for a list of images")
        self._lines = read_image_list(path)
        if not self._lines:
            raise DatasetError(f"{path} is empty", "One line an image: its name, a blank, its label.")
        self._base, self._allowed = base, allowed

    def files(self) -> list[Path]:
        return [self.path, *(self._place(number) for number in range(len(self._lines)))]

    def facts(self) -> DatasetFacts:
        labels = LabelCount()
        labels.take(self.labels(whole=True))
        shapes = [self._shape(number) for number in range(min(_COMPARED, len(self._lines)))]
        low, high = labels.range
        return DatasetFacts(
            kind=self.kind,
            size=sum(file.stat().st_size for file in self.files()),
            files=1 + len(self._lines),
            samples=len(self._lines),
            tops=[
                Top(name="data", shape=shapes[0], dtype="uint8"),
                Top(name="label", shape=[], dtype="int32"),
            ],
            encoded=True,
            varying=any(shape != shapes[0] for shape in shapes),
            labels=labels.kind,
            label_low=low,
            label_high=high,
            labels_seen=labels.seen,
        )

    def items(self, start: int, count: int) -> Iterator[Item]:
        for index in range(start, min(len(self._lines), start + count)):
            name, label = self._lines[index]
            shown = name.encode("utf-8", "replace").decode()
            try:
                yield Item(index, shown, [float(label)], decode(self._read(index)))
            except (OSError, ValueError) as error:
                text = getattr(error, "strerror", None) or str(error)
                yield Item(index, shown, [float(label)], None, text)

    def labels(self, whole: bool) -> Iterator[Sequence[float]]:
        return ([float(label)] for _, label in self._lines)

    def records(self, after: Segment | None) -> Iterator[Record]:
        for number in range(after.records if after else 0, len(self._lines)):
            yield b"%d" % self._lines[number][1], self._read(number)

    def share(self, done: Segment) -> float:
        return done.records / len(self._lines)

    def close(self) -> None:
        """Nothing stays open."""

    def _place(self, number: int) -> Path:
        """Of an image. Raises DatasetError for one that may not be read."""
        path = self._base / self._lines[number][0]
        if self._allowed is not None:
            self._allowed(path)
        return path

    def _read(self, number: int) -> bytes:
        path = self._place(number)
        if not path.is_file():  # a pipe would be waited for
            raise DatasetError(f"{path}, line {number + 1} of {self.path}, is not there")
        if path.stat().st_size > _LARGEST:
            raise DatasetError(f"{path} is too large for an image")
        return path.read_bytes()

    def _shape(self, number: int) -> list[int]:
        path = self._place(number)
        if not path.is_file():
            raise DatasetError(f"{path}, line {number + 1} of {self.path}, is not there",
                               "Say where names start from: --base DIR")  # fmt: skip
        with path.open("rb") as file:
            shape = image_size(file.read(HEAD))
        if shape is None:
            try:
                return list(np.shape(decode(self._read(number))))
            except ValueError:
                return []
        return list(shape)
