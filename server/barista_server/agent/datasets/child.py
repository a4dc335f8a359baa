"""``python -m barista_server.agent.datasets.child``: carries out the task on standard input.

It prints one answer, or several as they come, each a line of base64 MessagePack. When the agent is gone it
ends with the next one. Its memory is bounded.
"""

from __future__ import annotations

import base64
import gc
import os
import resource
import sys
import time
from pathlib import Path

import msgspec

from barista_server.agent.datasets.tasks import (
    Answer,
    Failed,
    Hashed,
    Looked,
    Looking,
    Progress,
    Resumed,
    Task,
)  # fmt: skip
from barista_server.api import datasets as d
from barista_server.data.datasets.content import VERSION, Segment, content_id
from barista_server.data.datasets.kinds import open_source, settle, within
from barista_server.data.datasets.labels import LabelCount
from barista_server.data.datasets.pictures import thumbnail
from barista_server.data.datasets.searching import search
from barista_server.data.datasets.source import DatasetError, Item, Source
from barista_server.data.datasets.stamps import stamp

MOST_MEMORY = 8 << 30
"""Bytes that it may write to; mapped databases are not among them."""
MOST_DATA = 8 << 20
"""Bytes of samples in one answer."""
_OFTEN = 0.2
"""Seconds between two reports."""
_HISTOGRAM = 2.0
"""Seconds, unless all labels are to be looked at."""


class _Part(msgspec.Struct):
    """First line of the file that keeps what was hashed: it is of use for the same files only."""

    version: int
    path: str
    base: str
    stamp: str


class _Line(msgspec.Struct):
    """One segment."""

    digest: bytes
    records: int
    last: bytes
    size: int


def _limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = MOST_MEMORY if hard == resource.RLIM_INFINITY else min(MOST_MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def tell(answer: Answer) -> None:
    """Print it. Raises BrokenPipeError when nobody listens any more."""
    sys.stdout.buffer.write(base64.b64encode(msgspec.msgpack.encode(answer)) + b"\n")
    sys.stdout.buffer.flush()


def main() -> None:
    """Raises BrokenPipeError."""
    task = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Task)
    try:
        _carry_out(task)
    except DatasetError as error:
        tell(Failed(str(error), error.hint))
    except FileNotFoundError as error:
        tell(Failed(f"there is no {error.filename}", None, "not-found"))
    except BrokenPipeError:
        raise
    except OSError as error:
        tell(Failed(f"{error.filename or task.path}: {error.strerror or error}"))
    except (MemoryError, RecursionError, ValueError, LookupError, ArithmeticError) as error:
        tell(Failed(f"{task.path}: damaged ({type(error).__name__}: {error})"))


def _carry_out(task: Task) -> None:
    allowed = within(task.roots)
    if task.what == "search":
        _search(task)
        return
    path, kind = settle(Path(task.path), task.kind)
    allowed(path)
    source = open_source(path, kind, task.base, allowed)
    try:
        if task.what == "look":
            tell(Looked(str(path), source.facts(), stamp(source.files())))
        elif task.what == "samples":
            tell(_samples(source, task))
        elif task.what == "thumbnails":
            items = source.items(task.start, task.count)
            tell(d.Thumbnails(thumbnails=[_thumbnail(item, task.side) for item in items]))
        elif task.what == "histogram":
            tell(_histogram(source, task.whole))
        else:
            _hash(source, task)
    finally:
        source.close()


def _samples(source: Source, task: Task) -> d.Samples:
    found: list[d.Sample] = []
    held = 0
    for item in source.items(task.start, task.count):
        values = item.values
        held += 0 if values is None else values.nbytes
        if held > MOST_DATA and found:
            break
        sample = d.Sample(index=item.index, key=item.key, labels=item.labels, problem=item.problem)
        if values is not None and values.nbytes > MOST_DATA:
            text = f"it has {values.nbytes} bytes, more than an answer may have"
            sample = msgspec.structs.replace(sample, shape=list(values.shape), problem=text)
        elif values is not None:
            sample = msgspec.structs.replace(
                sample, shape=list(values.shape), dtype=values.dtype.name, data=values.tobytes()
            )
        found.append(sample)
    return d.Samples(samples=found)


def _thumbnail(item: Item, side: int) -> d.Thumbnail:
    if item.values is None or not item.values.size:
        problem = item.problem or "it is empty"
        return d.Thumbnail(index=item.index, labels=item.labels, problem=problem)
    picture = thumbnail(item.values, side)
    height, width, channels = picture.shape
    return d.Thumbnail(
        index=item.index, labels=item.labels, height=height, width=width, channels=channels,
        data=picture.tobytes(),
    )  # fmt: skip


def _histogram(source: Source, whole: bool) -> d.LabelHistogram:
    labels, end = LabelCount(), time.monotonic() + _HISTOGRAM
    for number, label in enumerate(source.labels(whole)):
        labels.take([label])
        if not whole and number % 1000 == 999 and time.monotonic() > end:
            break
    samples = source.facts().samples
    return d.LabelHistogram(
        bins=labels.bins(), seen=labels.seen, samples=samples, whole=whole or labels.seen == samples
    )


# --------------------------------------------------------------------------------------------------- hashing


def _hash(source: Source, task: Task) -> None:
    _be_humble()
    gc.disable()  # it would look through thousands of buffers again and again, and they form no cycles
    now = stamp(source.files())
    part, known, note = Path(task.part), list[_Line](), ""
    head = _Part(VERSION, task.path, task.base, now)
    if part.exists():
        known, note = _known(part, head)
    last = Segment(known[-1].digest, known[-1].records, known[-1].last, known[-1].size) if known else None
    tell(Resumed(last.size if last else 0, note))
    if not known:
        _keep(part, "wb", head)
    digests = [line.digest for line in known]
    told = 0.0
    for done in source.segments(last):
        last = done
        digests.append(done.digest)
        _keep(part, "ab", _Line(done.digest, done.records, done.last, done.size))
        if time.monotonic() - told >= _OFTEN:
            told = time.monotonic()
            tell(Progress(done.size, source.share(done)))
    if stamp(source.files()) != now:
        part.unlink(missing_ok=True)
        raise DatasetError(f"{task.path} changed while it was hashed", "Hash it when nobody writes to it.")
    records, size = (last.records, last.size) if last else (0, 0)
    tell(Hashed(content_id(source.kind, digests, records), now, records, size))


def _be_humble() -> None:
    """Leave processors and disks to others."""
    import psutil

    os.nice(10)
    try:
        psutil.Process().ionice(psutil.IOPRIO_CLASS_IDLE)
    except (AttributeError, OSError, psutil.Error):
        pass  # a container may forbid it


def _known(part: Path, head: _Part) -> tuple[list[_Line], str]:
    """What an earlier try found; or none, and why."""
    lines = part.read_bytes().split(b"\n")
    try:
        before = msgspec.json.decode(lines[0], type=_Part)
    except msgspec.DecodeError:
        return [], "what an earlier try had found is damaged"
    if before != head:
        why = "the files have changed since" if before.path == head.path else "it was elsewhere then"
        return [], f"it begins anew: {why}"
    known = []
    for line in lines[1:]:
        try:
            known.append(msgspec.json.decode(line, type=_Line))
        except msgspec.DecodeError:
            break
    # What is behind a line that was cut would be read next time as if it belonged there.
    _keep(part, "wb", head, *known)
    return known, ""


def _keep(part: Path, mode: str, *lines: _Part | _Line) -> None:
    try:
        with part.open(mode) as file:
            file.write(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    except OSError:
        pass  # a full disk: it can be hashed all the same, but not gone on with


# ---------------------------------------------------------------------------------------------------- search


def _search(task: Task) -> None:
    _be_humble()
    allowed = within(task.roots)
    told, folders = time.monotonic(), 0
    found: list[tuple[str, d.DatasetKind, int]] = []
    for step in search(Path(task.path)):
        folders = step.folders
        if step.found is not None:
            try:
                allowed(step.found[0])
                found.append((str(step.found[0]), step.found[1], step.found[2]))
            except DatasetError:
                pass
        if step.note or time.monotonic() - told >= _OFTEN:
            told = time.monotonic()
            tell(Looking(folders, found, step.note))
            found = []
    tell(Looking(folders, found))


if __name__ == "__main__":
    _limit()
    try:
        main()
    except BrokenPipeError:
        os._exit(1)
