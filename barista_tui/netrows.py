"""What the rows of a net say, and the details of one of them. Pure: a net in, text out."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from rich.cells import cell_len

from barista_server.api.messages import NetLayer, NetReport, NetView, Problem
from barista_tui import format as fmt
from barista_tui.netgraph import Blob, Node, groups, node_wires, nodes, prefixes, rails, wiring

FOLDED = "◆"
LONGEST_RAILS = 24
"""Cells of rails that are shown; a net with more columns is cut there."""


class NetRow(Struct, frozen=True):
    """One line: what it stands for, its rails, and its cells."""

    node: Node
    rails: str
    name: str
    type: str
    shape: str
    parameters: int
    memory: int


class Widths(Struct, frozen=True):
    """Cells of the columns; 0: not shown."""

    rails: int
    name: int
    type: int
    shape: int
    parameters: int = 7
    memory: int = 8


def shape_words(shape: Sequence[int] | None) -> str:
    """``64 1 28 28``; a blob without axes holds one value; ``?`` where it is not known."""
    return "?" if shape is None else " ".join(map(str, shape)) or "1"


def net_rows(view: NetView, folded: frozenset[str] = frozenset()) -> list[NetRow]:
    """The rows of a net whose folded beginnings of names are one row each."""
    found = nodes(view.layers, folded)
    wires = node_wires(found, wiring(view.layers))
    taken = {blob for each in wires for blob in each.takes}
    drawn = rails(wires, [FOLDED if node.prefix else "●" for node in found])
    out = [[blob for blob in each.gives if blob in taken] for each in wires]
    return [_row(view.layers, node, line, gives) for node, line, gives in zip(found, drawn, out, strict=True)]


def matching(view: NetView | None, words: str) -> set[int]:
    """Places of the layers whose name or type has these words in it."""
    wanted = words.strip().lower()
    layers = view.layers if view is not None and wanted else []
    return {
        at for at, each in enumerate(layers) if wanted in each.name.lower() or wanted in each.type.lower()
    }


def _row(layers: Sequence[NetLayer], node: Node, line: str, gives: Sequence[Blob]) -> NetRow:
    """gives: what rows behind take; a fold shows the shapes of that, a layer those of all its tops."""
    some = [layers[place] for place in node.layers]
    tops = some[-1].tops
    if node.prefix and gives:
        tops = [layers[place].tops[number] for place, number in gives]
    shapes = list(dict.fromkeys(shape_words(top.shape) for top in tops))
    shape = ", ".join(shapes)
    if len(shapes) == 1 and len(tops) > 1:
        shape = f"{len(tops)} x {shape}"
    return NetRow(
        node,
        line,
        node.prefix or some[0].name,
        f"{len(some)} layers" if node.prefix else some[0].type,
        shape,
        sum(layer.parameters for layer in some),
        sum(layer.memory for layer in some),
    )


def widths(rows: Sequence[NetRow], width: int) -> Widths:
    """The columns in so many cells: names first, then what there is room for."""
    lines = min(LONGEST_RAILS, max((cell_len(row.rails) for row in rows), default=1), max(3, width // 4))
    name = max((cell_len(row.name) for row in rows), default=4)
    kind = min(15, max((cell_len(row.type) for row in rows), default=4))
    shape = min(18, max([6, *(cell_len(row.shape) for row in rows)]))
    rest = width - lines - 2
    for kinds, shapes, numbers in ((kind, shape, 17), (10, min(shape, 14), 17), (0, min(shape, 14), 17)):
        left = rest - numbers - (kinds + 1 if kinds else 0) - shapes - 1
        if left >= min(name, 16):
            return Widths(lines, min(name, left), kinds, shapes)
    return Widths(lines, max(1, rest), 0, 0, 0, 0)


def cells(row: NetRow, at: Widths) -> tuple[str, str, str, str]:
    """Rails, name, type, and the numbers behind."""
    kind = f" {fmt.fit(row.type, at.type)}" if at.type else ""
    numbers = ""
    if at.parameters:
        count = fmt.count(row.parameters) if row.parameters else ""
        memory = fmt.size(row.memory) if row.memory else ""
        numbers = (
            f" {fmt.fit(row.shape, at.shape)} {fmt.fit(count, at.parameters, right=True)}"
            f" {fmt.fit(memory, at.memory, right=True)}"
        )
    return fmt.fit(row.rails, at.rails) + " ", fmt.fit(row.name, at.name), kind, numbers


def heading(at: Widths) -> str:
    """The titles of the columns."""
    blank = " " * (at.rails + 1)
    kind = f" {fmt.fit('TYPE', at.type)}" if at.type else ""
    if not at.parameters:
        return f"{blank}{fmt.fit('LAYER', at.name)}"
    numbers = f" {fmt.fit('OUTPUT', at.shape)} {fmt.fit('PARAMS', 7, True)} {fmt.fit('MEMORY', 8, True)}"
    return f"{blank}{fmt.fit('LAYER', at.name)}{kind}{numbers}"


def totals(report: NetReport, view: NetView) -> str:
    """``61M parameters, 244 MB · memory 1.2 GB · cpu: training 2.1 GB of 16 GB, batch ≤ 8``."""
    more = "" if view.complete else " or more"
    parts = [
        f"{fmt.count(view.parameters)} parameters{more}, {fmt.size(4 * view.parameters)}",
        f"memory {fmt.size(view.memory)}{more}",
    ]
    for need in report.needs:
        device = "cpu" if need.device == "cpu" else f"GPU {need.device}"
        parts.append(f"{device}: training {fmt.size(need.total)}{more}")
        if need.free is not None:
            batch = f", batch ≤ {need.largest:,}" if need.largest else ""
            no_room = ", no batch fits" if need.largest == 0 else ""
            parts[-1] += f" of {fmt.size(need.free)}{batch}{no_room}"
    return " · ".join(parts)


def problem_words(problem: Problem) -> str:
    """``net.prototxt:41 bottom "poolX" unknown: the nearest name is "pool1"``."""
    where = problem.file or ""
    if where and problem.line is not None:
        where = f"{where}:{problem.line}"
    hint = f": {problem.hint}" if problem.hint else ""
    return f"{where} {problem.text}{hint}".strip().replace("\n", " ")


# ------------------------------------------------------------------------------------------------- folding


def fold_of(view: NetView, node: Node, folded: frozenset[str]) -> str:
    """The innermost beginning of its name that can still be folded; empty if there is none."""
    name = node.prefix or view.layers[node.layers[0]].name
    there = set(groups(view.layers))
    mine = [each for each in prefixes(name) if each in there and each != node.prefix and each not in folded]
    return mine[-1] if mine else ""


def outermost(view: NetView) -> frozenset[str]:
    """Beginnings of names that fold all there is."""
    found = groups(view.layers)
    return frozenset(each for each in found if each == prefixes(each)[0])


def row_of(rows: Sequence[NetRow], layer: int) -> int:
    """The row that a layer is in, 0 if none is."""
    return next((place for place, row in enumerate(rows) if layer in row.node.layers), 0)


# ------------------------------------------------------------------------------------------------- details


def details(view: NetView, row: NetRow, block: str) -> list[str]:
    """All there is to say of a row; block: its text in the file, empty where that is not at hand."""
    some = [view.layers[place] for place in row.node.layers]
    if row.node.prefix:
        facts = [f"{row.name}  {len(some)} layers folded, from {some[0].name} to {some[-1].name}"]
        kinds = dict.fromkeys(layer.type for layer in some)
        words = (f"{sum(layer.type == kind for layer in some)} {kind}" for kind in kinds)
        return [*facts, ", ".join(words)]
    layer = some[0]
    where = f"{view.file or 'solver.prototxt'}:{layer.line}" if layer.line is not None else "put in by Caffe"
    facts = [f"{layer.name}  {layer.type}  {where}"]
    if layer.bottoms:
        shapes = _shapes_of(view, row.node.layers[0])
        facts.append("from  " + ", ".join(f"{name} ({shapes.get(name, '?')})" for name in layer.bottoms))
    if layer.tops:
        facts.append("to    " + ", ".join(f"{top.name} ({shape_words(top.shape)})" for top in layer.tops))
    if layer.params:
        blobs = ", ".join(shape_words(shape) for shape in layer.params)
        facts.append(f"blobs {blobs}: {layer.parameters:,} of its own")
    facts.append(f"tops  {fmt.size(layer.data_size)}, adds {fmt.size(layer.memory)} of memory")
    if block:
        facts += ["", *block.expandtabs(2).splitlines()]
    return facts


def _shapes_of(view: NetView, before: int) -> dict[str, str]:
    """Shapes of the blobs that layers before a place make."""
    return {top.name: shape_words(top.shape) for layer in view.layers[:before] for top in layer.tops}
