"""Datasets of all hosts as rows, and how what is in one is drawn. Pure: no I/O, no Textual but its text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from msgspec import Struct
from textual.content import Content

from barista_server.api.messages import DatasetInfo, LabelHistogram, Thumbnail
from barista_server.api.text import clean_name
from barista_tui import format as fmt
from barista_tui.store import HostKnown, Key, Known
from barista_tui.verbs import inputwords as words

SHORT = 8
"""Digits of a content id in a row: as many name a dataset in a command."""
NAME = 12
"""Cells that a name has at least, as long as another column can go for it."""
BARS = 4
"""Rows of a histogram's bars."""


class Row(Struct, frozen=True):
    """A dataset of a host. ``twins``: the others, on any host, with the same content."""

    key: Key
    dataset: DatasetInfo
    alive: bool
    """Its host answers."""
    twins: tuple[Key, ...] = ()


def rows(known: Known) -> list[Row]:
    """Host by host, in the order of their lists."""
    same: dict[str, list[Key]] = defaultdict(list)
    found = [(host, dataset) for host in known.hosts.values() for dataset in host.datasets.values()]
    for host, dataset in found:
        if dataset.content:
            same[dataset.content].append(Key(host.name, dataset.id))
    return [_row(host, dataset, same) for host, dataset in found]


def _row(host: HostKnown, dataset: DatasetInfo, same: Mapping[str, list[Key]]) -> Row:
    key = Key(host.name, dataset.id)
    return Row(key, dataset, host.alive, tuple(other for other in same[dataset.content] if other != key))


class Widths(Struct, frozen=True):
    """Cells of the columns; 0: not there."""

    host: int
    name: int
    kind: int
    samples: int
    shape: int
    labels: int
    size: int
    state: int


def widths(room: int, hosts: bool) -> Widths:
    """Columns for so many cells, 50 at least: what there is no room for goes, labels first, then shapes."""
    state = 22 if room >= 90 else 18 if room >= 66 else 12
    cells = {"host": 9 if hosts else 0, "kind": 10, "samples": 7, "shape": 16, "labels": 9, "size": 8}
    for name, less in (("labels", 0), ("shape", 9), ("shape", 0), ("kind", 0), ("size", 0)):
        if _left(cells, room - state) >= NAME:
            break
        cells[name] = less
    return Widths(name=max(4, min(40, _left(cells, room - state))), state=state, **cells)


def _left(cells: Mapping[str, int], room: int) -> int:
    """For the name, with a blank after each column."""
    return room - 1 - sum(each + 1 for each in cells.values() if each)


def head(columns: Widths) -> Content:
    """The names of the columns."""
    names = ("host", "name", "kind", "samples", "shape", "labels", "size", "content")
    cells = zip(names, _places(columns), strict=True)
    line = " ".join(fmt.fit(name, width, name in ("samples", "size")) for name, width in cells if width)
    return Content.styled(line, "$dim")


def _places(columns: Widths) -> tuple[int, ...]:
    return (
        columns.host, columns.name, columns.kind, columns.samples, columns.shape, columns.labels,
        columns.size, columns.state,
    )  # fmt: skip


def line(row: Row, columns: Widths) -> Content:
    """The row's line; dim where its host does not answer."""
    dataset = row.dataset
    tone = "$foreground" if row.alive else "$dim"
    samples = dataset.facts.samples
    texts = (
        row.key.host,
        clean_name(dataset.name),
        dataset.facts.kind,
        "?" if samples is None else fmt.count(samples),
        words.shape(dataset),
        words.labels(dataset),
        fmt.size(dataset.facts.size),
    )
    pieces: list[tuple[str, str]] = []
    for place, (text, width) in enumerate(zip(texts, _places(columns)[:-1], strict=True)):
        if width:
            pieces.append((fmt.fit(text, width, place in (3, 6)) + " ", "$dim" if place == 0 else tone))
    return Content.assemble(*pieces, *_state(row, columns.state))


def _state(row: Row, width: int) -> list[tuple[str, str]]:
    dataset, job = row.dataset, row.dataset.job
    if not row.alive:
        return [(fmt.fit(f"{dataset.content[:SHORT]} host away".strip(), width), "$dim")]
    if not dataset.alive:
        return [(fmt.fit("✖ missing", width), "$error")]
    if job is not None and job.what == "hashing":
        filled, empty = fmt.bar(job.share, max(0, width - 12))
        to_go = fmt.duration(job.eta)
        return [(filled, "$accent"), (empty, "$faint"), (f" {job.share:4.0%} {to_go}".rstrip(), "$dim")]
    if job is not None:
        return [("waits to be hashed", "$dim")]
    if dataset.changed:
        return [(f"{dataset.content[:SHORT]} ", "$dim"), ("! changed", "$warning")]
    if dataset.problem:
        return [(fmt.fit(f"{dataset.content[:SHORT]} ! problem".strip(), width), "$warning")]
    if not dataset.content:
        return [("not hashed", "$dim")]
    twins = f" ≡ {len(row.twins)} more" if row.twins else ""
    return [(dataset.content[:SHORT], "$foreground"), (twins, "$accent")]


def about(row: Row, known: Known, width: int = 80) -> Content:
    """All that is known of it, a fact a line; where ``width`` is short, so are path and content id."""
    id = (
        row.dataset.content
        if width >= 64 + NAME
        else fmt.fit(row.dataset.content, min(24, width - NAME)).strip()
    )
    dataset, facts = row.dataset, row.dataset.facts
    tops = "  ".join(f"{clean_name(one.name)} {words.top(one)}" for one in facts.tops)
    more = (", shapes differ" if facts.varying else "") + (", encoded images" if facts.encoded else "")
    told = [
        ("path", _end(clean_name(dataset.path), max(8, width - NAME))),
        ("names from", clean_name(dataset.base)),
        ("kind", f"{facts.kind}, {fmt.size(facts.size)} in {fmt.plural(facts.files, 'file')}"),
        ("samples", words.samples(dataset) + more),
        ("tops", tops),
        ("labels", words.labels(dataset)),
        ("content", id or "not hashed yet"),
        ("same on", ", ".join(_named(twin, known) for twin in row.twins)),
    ]
    lines = [
        Content.assemble((fmt.fit(name, 11), "$dim"), (text, "$foreground")) for name, text in told if text
    ]
    if not row.alive:
        why = known.host(row.key.host).link.detail or known.host(row.key.host).link.state
        lines.insert(0, Content.styled(f"{row.key.host} does not answer: {why}", "$warning"))
    if not dataset.alive:
        lines.insert(0, Content.styled("The files are not there: l tells where they are now", "$error"))
    if dataset.changed:
        lines.insert(
            0, Content.styled("The files changed since they were hashed: h hashes again", "$warning")
        )
    if dataset.problem:
        lines.insert(0, Content.styled(clean_name(dataset.problem), "$warning"))
    if dataset.job is not None:
        lines.insert(0, Content.styled(words.progress(dataset), "$accent"))
        if dataset.job.note:
            lines.insert(1, Content.styled(dataset.job.note, "$dim"))
    return Content("\n").join(lines)


def _end(text: str, width: int) -> str:
    """Of a path the end tells most."""
    return text if len(text) <= width else fmt.ELLIPSIS + text[1 - width :]


def _named(key: Key, known: Known) -> str:
    twin = known.host(key.host).datasets.get(key.session)
    return f"{key.host} ({clean_name(twin.name) if twin else key.session})"


# ------------------------------------------------------------------------------------ what is in it


def bars(found: LabelHistogram, width: int) -> Content:
    """Columns of blocks, a bin each as wide as there is room, below them the labels' range."""
    if not found.bins or width < 4:
        return Content.styled("no labels", "$dim")
    bins = _gathered([one.count for one in found.bins], width)
    wide = min(6, width // len(bins))
    most = max(1, *bins)
    lines = []
    for level in range(BARS - 1, -1, -1):
        text = "".join(_block(count / most * BARS - level) * wide for count in bins)
        lines.append(Content.styled(text, "$accent"))
    low, high = f"{found.bins[0].low:g}", f"{found.bins[-1].high:g}"
    gap = max(1, wide * len(bins) - len(low) - len(high))
    lines.append(Content.styled(low + (" " * gap + high if low != high else ""), "$dim"))
    seen = f"{found.seen:,}" + ("" if found.whole or found.samples is None else f" of {found.samples:,}")
    lines.append(Content.styled(f"labels of {seen}; the highest bar: {most:,}", "$dim"))
    return Content("\n").join(lines)


def _block(part: float) -> str:
    """One cell of a bar, filled from below."""
    if part <= 0:
        return " "
    return fmt.SPARKS[min(7, max(0, round(part * 8) - 1))]


def _gathered(counts: Sequence[int], width: int) -> list[int]:
    """No more bars than cells: neighbours are put together."""
    each = -(-len(counts) // width)
    return [sum(counts[start : start + each]) for start in range(0, len(counts), each)]


def picture(one: Thumbnail, colors: bool = True) -> Content:
    """Two rows of pixels in a row of half-blocks; in shades of characters where there are no colours."""
    if one.problem or not one.data:
        return Content.styled(clean_name(one.problem or "no picture"), "$warning")
    if not colors:
        return Content("\n".join(words.drawn(one)[:-1]))
    lines = []
    for y in range(0, one.height, 2):
        pieces = []
        for x in range(one.width):
            below = f" on {_color(one, x, y + 1)}" if y + 1 < one.height else ""
            pieces.append(("▀", f"{_color(one, x, y)}{below}"))
        lines.append(Content.assemble(*pieces))
    return Content("\n").join(lines)


def _color(one: Thumbnail, x: int, y: int) -> str:
    at = (y * one.width + x) * one.channels
    pixel = one.data[at : at + one.channels]
    red, green, blue = (pixel[0],) * 3 if one.channels == 1 else pixel[:3]
    return f"#{red:02x}{green:02x}{blue:02x}"


def caption(one: Thumbnail) -> str:
    """``12: 3``, the sample's number and its labels."""
    labels = " ".join(f"{each:g}" for each in one.labels[:3]) + (" …" if len(one.labels) > 3 else "")
    return f"{one.index}: {labels}" if labels else str(one.index)
