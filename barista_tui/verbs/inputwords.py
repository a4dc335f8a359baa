"""How datasets read: a row each, all about one, samples, histograms."""

from __future__ import annotations

import base64
import sys
from collections.abc import Sequence
from math import prod

from barista_server.api.messages import DatasetInfo, Found, LabelHistogram, Message, Sample, Thumbnail, Top
from barista_tui import format
from barista_tui.verbs import output

SHADES = " .:-=+*#%@"
_SHORT = 12
"""Digits of a content id that are shown."""


def rows(datasets: Sequence[DatasetInfo]) -> list[list[str]]:
    """A header, then a row each."""
    found = [["ID", "NAME", "KIND", "SAMPLES", "SHAPE", "LABELS", "SIZE", "CONTENT"]]
    for one in datasets:
        facts = one.facts
        found.append(
            [
                one.id, output.one_line(one.name), facts.kind, samples(one), shape(one), labels(one),
                format.size(facts.size), state(one),
            ]
        )  # fmt: skip
    return found


def samples(dataset: DatasetInfo) -> str:
    """How many."""
    return "?" if dataset.facts.samples is None else f"{dataset.facts.samples:,}"


def shape(dataset: DatasetInfo) -> str:
    """Of the samples; for HDF5 that of the largest part."""
    tops = dataset.facts.tops
    return top(max(tops, key=lambda one: prod(one.shape))) if tops else ""


def top(one: Top) -> str:
    """``3x32x32 float32``; bytes say no type."""
    dims = "x".join(map(str, one.shape)) or "1"
    return dims if one.dtype == "uint8" else f"{dims} {one.dtype}"


def labels(dataset: DatasetInfo) -> str:
    """``0..9``; with a tilde if not all were looked at."""
    facts = dataset.facts
    if facts.labels == "none" or facts.label_low is None or facts.label_high is None:
        return "none"
    some = "" if facts.labels_seen == facts.samples else "~"
    if facts.labels == "integers":
        return f"{some}{facts.label_low:.0f}..{facts.label_high:.0f}"
    return f"{some}{format.value(facts.label_low)}..{format.value(facts.label_high)}"


def state(dataset: DatasetInfo) -> str:
    """The content id, or what is wrong, or how far it is."""
    if not dataset.alive:
        return "missing"
    if dataset.job is not None:
        return progress(dataset)
    if dataset.changed:
        return f"{dataset.content[:_SHORT]} CHANGED"
    if dataset.problem:
        return "not hashed: see show"
    return dataset.content[:_SHORT] or "not hashed"


def progress(dataset: DatasetInfo) -> str:
    """``hashing 42 %, 1.2 GB/s, 12 s to go``."""
    job = dataset.job
    if job is None or job.what == "waiting":
        return "waits to be hashed"
    rate = f", {format.size(int(job.rate))}/s" if job.rate else ""
    to_go = f", {format.duration(job.eta)} to go" if job.eta is not None else ""
    return f"hashing {100 * job.share:.0f} %{rate}{to_go}"


def about(dataset: DatasetInfo) -> list[str]:
    """All that is known."""
    facts = dataset.facts
    differ = " (they differ in shape)" if facts.varying else ""
    lines = [
        f"{dataset.id}  {output.one_line(dataset.name)}",
        f"  path     {output.one_line(dataset.path)}" + ("" if dataset.alive else "  (missing)"),
        *([f"  names    from {output.one_line(dataset.base)}"] if dataset.base else []),
        f"  kind     {facts.kind}, {format.size(facts.size)} in {format.plural(facts.files, 'file')}",
        f"  samples  {samples(dataset)}{differ}{', encoded images' if facts.encoded else ''}",
        *(f"  {'tops' if number == 0 else '    '}     {output.one_line(one.name)}: {top(one)}"
          for number, one in enumerate(facts.tops)),
        f"  labels   {labels(dataset)}",
        f"  content  {dataset.content or state(dataset)}",
    ]  # fmt: skip
    if dataset.job is not None:
        resumed = f"; {format.size(dataset.job.resumed)} known before" if dataset.job.resumed else ""
        lines.append(f"  now      {progress(dataset)}{resumed}{_behind(dataset.job.note)}")
    if dataset.changed:
        lines.append("  CHANGED since it was hashed")
    if dataset.problem:
        lines.append(f"  problem  {output.one_line(dataset.problem)}")
    return lines


def _behind(note: str) -> str:
    return f"; {note}" if note else ""


def sample_rows(found: Sequence[Sample]) -> list[list[str]]:
    """A header, then a row each."""
    table = [["INDEX", "KEY", "LABEL", "SHAPE", "TYPE"]]
    for one in found:
        dims = "x".join(map(str, one.shape))
        kind = output.one_line(one.problem) if one.problem else one.dtype
        table.append([str(one.index), output.one_line(one.key), _numbers(one.labels), dims, kind])
    return table


def _numbers(values: Sequence[float]) -> str:
    shown = " ".join(f"{value:g}" for value in values[:4])
    return f"{shown} ..." if len(values) > 4 else shown


def sample_object(one: Sample) -> dict[str, object]:
    """For --json: the values in base64."""
    return _object(one)


def thumbnail_object(one: Thumbnail) -> dict[str, object]:
    """For --json: the pixels in base64."""
    return _object(one)


def _object(one: Message) -> dict[str, object]:
    fields = {name: getattr(one, name) for name in one.__struct_fields__}
    fields["data"] = base64.b64encode(fields["data"]).decode()
    return fields


def drawn(one: Thumbnail) -> list[str]:
    """Two cells a pixel, the lighter the denser; below a line about it."""
    if one.problem:
        return [f"{one.index}: {output.one_line(one.problem)}"]
    row = one.width * one.channels
    lines = []
    for start in range(0, len(one.data), row):
        pixels = one.data[start : start + row]
        greys = [sum(pixels[at : at + one.channels]) // one.channels for at in range(0, row, one.channels)]
        lines.append("".join(2 * SHADES[grey * len(SHADES) // 256] for grey in greys))
    return [*lines, f"{one.index}: {_numbers(one.labels)}"]


def histogram(found: LabelHistogram, width: int, ascii_only: bool) -> list[str]:
    """A bar a bin, and how many labels were looked at."""
    most = max((one.count for one in found.bins), default=1)
    names = [f"{one.low:g}" if one.low == one.high else f"{one.low:g}..{one.high:g}" for one in found.bins]
    left, number = max(map(len, names), default=0), len(f"{most:,}")
    room = max(10, width - left - number - 4)
    bar = "#" if ascii_only else "█"
    lines = [
        f"{name:>{left}}  {one.count:>{number},}  {bar * round(room * one.count / max(1, most))}".rstrip()
        for name, one in zip(names, found.bins, strict=True)
    ]
    if found.whole:
        return [*lines, f"all {found.seen:,} labels"]
    among = (
        "" if found.samples is None else f" of {found.samples:,} ({100 * found.seen / found.samples:.2g} %)"
    )
    return [*lines, f"{found.seen:,} labels{among}, spread over the dataset; all: --whole"]


def found_rows(found: Sequence[Found]) -> list[list[str]]:
    """A header, then a row each."""
    listed = [f"listed as {one.listed}" if one.listed else "" for one in found]
    table = [["KIND", "SIZE", "PATH", ""]]
    return table + [
        [one.kind, format.size(one.size), output.one_line(one.path), here]
        for one, here in zip(found, listed, strict=True)
    ]


def passing(text: str) -> None:
    """A line on a terminal that the next one takes the place of."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
