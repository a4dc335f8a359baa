"""HDF5 files and lists of them, as HDF5Data layers read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from barista_server.api.datasets import DatasetFacts, Top
from barista_server.caffe.errors import WeightsError
from barista_server.caffe.hdf5 import checked_dataset, guarded, read_flat
from barista_server.data.datasets.content import SEGMENT, Record, Segment
from barista_server.data.datasets.labels import LabelCount
from barista_server.data.datasets.source import Allowed, DatasetError, Item, Source

_CACHE = 64 << 20
"""Bytes of chunks kept unpacked."""
_SPREAD = 20
"""Pieces of the labels that are looked at, unless all are asked for."""
_PIECE = 1000
_DAMAGED = "Is it whole, and of HDF5? Copy it again from where it was made."


class _File:
    """One file, open: its datasets of numbers, by name."""

    def __init__(self, path: Path) -> None:
        """Raises OSError, DatasetError."""
        import h5py

        self.path = path
        with path.open("rb"):  # says in the usual words that it is missing or may not be read
            pass
        self.datasets: dict[str, Any] = {}
        with _guarded(path):
            self._file = h5py.File(path, "r", locking=False, rdcc_nbytes=_CACHE)
            # Links to other files are not followed.
            self._file.visititems(self._visit)
            self.datasets = dict(sorted(self.datasets.items()))
            self.rows = max((shape[0] for shape in map(_shape, self.datasets.values()) if shape), default=0)

    def _visit(self, name: str, found: Any) -> None:
        import h5py

        if not isinstance(found, h5py.Dataset) or found.dtype.kind not in "fiu":
            return
        if found.external or found.is_virtual:
            raise WeightsError(f"the values of {name} lie in other files, which is not supported here")
        checked_dataset(found)
        self.datasets[name] = found

    @property
    def data(self) -> str:
        """Name of what looks most like samples; empty if nothing does."""
        names = [name for name, one in self.datasets.items() if one.ndim and name != self.label]
        return (
            "data" if "data" in names else max(names, key=lambda name: self.datasets[name].ndim, default="")
        )

    @property
    def label(self) -> str:
        """Name of what looks like a label for each sample; empty if nothing does."""
        names = [name for name, one in self.datasets.items() if one.ndim and prod(one.shape[1:]) == 1]
        return "label" if "label" in self.datasets else next(
            (name for name in names if len(self.datasets) > 1 and name != "data"), ""
        )  # fmt: skip

    def rows_of(self, name: str, start: int, stop: int) -> Any:
        """Samples start..stop of a dataset. Raises DatasetError."""
        with _guarded(self.path):
            return self.datasets[name][start:stop]

    def records(self) -> Iterator[tuple[bytes, Any]]:
        """Each dataset's name and shape, then its values in pieces of SEGMENT bytes; pieces are read when
        called.
        """
        for name, dataset in self.datasets.items():
            kind = np.dtype(dataset.dtype).newbyteorder("<")
            head = " ".join([kind.str, *map(str, dataset.shape)])
            yield name.encode("utf-8", "surrogateescape"), head.encode()
            count, step = prod(dataset.shape), SEGMENT // kind.itemsize
            for start in range(0, count, step):
                yield b"", _Piece(self, dataset, kind, start, min(step, count - start))

    def close(self) -> None:
        with _guarded(self.path):
            self._file.close()


class _Piece:
    """Values of a dataset that are still to be read."""

    def __init__(self, file: _File, dataset: Any, kind: Any, start: int, count: int) -> None:
        self._of = file, dataset, kind, start, count

    def read(self) -> NDArray[np.uint8]:
        """Little-endian, in C order. Raises DatasetError."""
        file, dataset, kind, start, count = self._of
        out = np.empty(count, kind)
        with _guarded(file.path):
            read_flat(dataset, out, start)
        return out.view(np.uint8)


class Hdf5Source(Source):
    """An HDF5 file, or the files of a list one after the other."""

    def __init__(
        self, path: Path, files: Sequence[Path] | None = None, allowed: Allowed | None = None
    ) -> None:
        super().__init__(path)
        self.kind = "hdf5" if files is None else "hdf5-list"
        self._paths = [path] if files is None else list(files)
        self._open: tuple[int, _File] | None = None
        if files is not None and allowed is not None:
            for one in files:
                allowed(one)
        if not self._paths:
            raise DatasetError(f"{path} lists no files", "One HDF5 file a line.")
        self._rows: list[int] | None = None
        self._bytes: list[int] = []

    def files(self) -> list[Path]:
        return self._paths if self.kind == "hdf5" else [self.path, *self._paths]

    def facts(self) -> DatasetFacts:
        first = self._file(0)
        tops = [Top(name=name, shape=_shape(one)[1:], dtype=one.dtype.name)
                for name, one in first.datasets.items()]  # fmt: skip
        if not tops:
            raise DatasetError(f"{first.path} has no datasets of numbers", "HDF5Data layers need some.")
        labels = LabelCount()
        labels.take(self.labels(whole=False))
        low, high = labels.range
        rows = self._all_rows()
        first = self._file(0)
        shapes = {name: _shape(one)[1:] for name, one in first.datasets.items()}
        return DatasetFacts(
            kind=self.kind,
            size=sum(file.stat().st_size for file in self.files()),
            files=len(self.files()),
            samples=sum(rows),
            tops=tops,
            varying=any(self._shapes(number) != shapes for number in range(1, len(self._paths))),
            labels=labels.kind,
            label_low=low,
            label_high=high,
            labels_seen=labels.seen,
        )

    def items(self, start: int, count: int) -> Iterator[Item]:
        begin = 0
        for number, rows in enumerate(self._all_rows()):
            for row in range(max(0, start - begin), min(rows, start + count - begin)):
                file = self._file(number)
                yield self._item(file, begin + row, row)
            begin += rows

    def labels(self, whole: bool) -> Iterator[Sequence[float]]:
        for number, rows in enumerate(self._all_rows()):
            file = self._file(number)
            if not (name := file.label):
                continue
            step = _PIECE if whole else max(_PIECE, rows // _SPREAD)
            for start in range(0, rows, step):
                block = file.rows_of(name, start, min(rows, start + _PIECE))
                yield from block.reshape(len(block), -1).astype(np.float64).tolist()

    def records(self, after: Segment | None) -> Iterator[Record]:
        skipped = after.records if after else 0
        for number in range(len(self._paths)):
            file = self._file(number)
            parts = file.records()
            if self.kind == "hdf5-list":
                parts = _headed(parts)
            for key, value in parts:
                if skipped:
                    skipped -= 1
                else:
                    yield key, value.read() if isinstance(value, _Piece) else value

    def share(self, done: Segment) -> float:
        self._all_rows()
        return min(1.0, done.size / max(1, sum(self._bytes)))

    def close(self) -> None:
        if self._open is not None:
            self._open[1].close()
            self._open = None

    def _file(self, number: int) -> _File:
        """The file of that number, open; the one before is closed."""
        if self._open is None or self._open[0] != number:
            self.close()
            self._open = number, _File(self._paths[number])
        return self._open[1]

    def _all_rows(self) -> list[int]:
        if self._rows is None:
            rows = []
            for number in range(len(self._paths)):
                file = self._file(number)
                rows.append(file.rows)
                self._bytes.append(sum(one.dtype.itemsize * one.size for one in file.datasets.values()))
            self._rows = rows
        return self._rows

    def _shapes(self, number: int) -> dict[str, list[int]]:
        return {name: _shape(one)[1:] for name, one in self._file(number).datasets.items()}

    def _item(self, file: _File, index: int, row: int) -> Item:
        labels: list[float] = []
        if file.label and row < len(file.datasets[file.label]):
            labels = [float(one) for one in file.rows_of(file.label, row, row + 1).ravel()[:100]]
        name = file.data
        if not name or row >= len(file.datasets[name]):
            return Item(index, "", labels, None, "there are no values for it")
        values = file.rows_of(name, row, row + 1)[0]
        return Item(index, name, labels, np.asarray(values, _as_shown(values.dtype)))


def hdf5_list(path: Path, base: Path) -> list[Path]:
    """The files of a list, relative ones from the folder on. Raises OSError."""
    return [base / name for name in path.read_text("utf-8", "surrogateescape").split()]


def _headed(records: Iterator[tuple[bytes, Any]]) -> Iterator[tuple[bytes, Any]]:
    yield b"", b"file"
    yield from records


def _shape(dataset: Any) -> list[int]:
    return [int(size) for size in dataset.shape]


def _as_shown(kind: Any) -> str:
    return "u1" if kind == np.uint8 else "<f4"


class _guarded:
    """Whatever libhdf5 says of a file's content becomes a DatasetError."""

    def __init__(self, path: Path) -> None:
        self._inner = guarded(path)

    def __enter__(self) -> None:
        self._inner.__enter__()

    def __exit__(self, *about: Any) -> None:
        try:
            self._inner.__exit__(*about)
        except WeightsError as error:
            raise DatasetError(str(error), _DAMAGED) from None
