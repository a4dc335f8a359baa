"""A net as a list with rails beside it, as ``git log --graph`` draws branches. Pure.

    ●─╮     data
    ├─│─●   1x1         branches off, the rail goes on
    ● │ │   pool        the last one that takes a blob takes its rail
    ●─│─╯   concat      joins
    ●─╯     loss

A column carries one blob from the row that makes it to the last one that takes it. ``─│─`` passes behind a
column; ``├``, ``┤`` and ``┼`` take from one that goes on, ``╰``, ``╯`` and ``┴`` from one that ends.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from barista_server.api.messages import NetLayer

Blob = tuple[int, int]
"""Place of the layer that makes it and of the top: a layer in place makes another blob of the same name."""


class Wires(Struct, frozen=True):
    """What a row takes from rows before it, and what it gives to those behind."""

    takes: tuple[Blob, ...] = ()
    gives: tuple[Blob, ...] = ()


class Node(Struct, frozen=True):
    """A row: the layers at these places of the net; with ``prefix`` a fold of those that begin with it."""

    layers: tuple[int, ...]
    prefix: str = ""


def put_in(layer: NetLayer) -> bool:
    """A Split that Caffe puts in: drawn as the branch that it is, not as a layer."""
    return layer.index is None and layer.type == "Split"


def wiring(layers: Sequence[NetLayer]) -> list[Wires]:
    """What each layer takes and makes, :func:`put_in` ones looked through; they have no wires themselves."""
    latest: dict[str, Blob] = {}
    wires: list[Wires] = []
    for place, layer in enumerate(layers):
        taken = [latest[bottom] for bottom in layer.bottoms if bottom in latest]
        if put_in(layer):
            latest.update((top.name, taken[0]) for top in layer.tops if taken)
            wires.append(Wires())
            continue
        made = [(place, number) for number in range(len(layer.tops))]
        latest.update((top.name, blob) for top, blob in zip(layer.tops, made, strict=True))
        wires.append(Wires(tuple(dict.fromkeys(taken)), tuple(made)))
    return wires


# ------------------------------------------------------------------------------------------------- folding


def prefixes(name: str) -> list[str]:
    """The beginnings of a name that can be folded, shortest first: ``a/``, ``a/b/`` of ``a/b/c`` and ``a/b``.

    A layer belongs to those that begin with its whole name: ``conv1`` to ``conv1/``, as ``conv1/relu`` does.
    """
    parts = name.strip("/").split("/")
    return ["/".join(parts[:number]) + "/" for number in range(1, len(parts) + 1)]


def nodes(layers: Sequence[NetLayer], folded: frozenset[str] = frozenset()) -> list[Node]:
    """The rows. Only neighbours are folded together, so that what a row takes is always above it."""
    rows: list[Node] = []
    for place, layer in enumerate(layers):
        if put_in(layer):
            continue
        prefix = next((each for each in prefixes(layer.name) if each in folded), "")
        if prefix and rows and rows[-1].prefix == prefix:
            rows[-1] = Node((*rows[-1].layers, place), prefix)
        else:
            rows.append(Node((place,), prefix))
    return [row if len(row.layers) > 1 else Node(row.layers) for row in rows]


def groups(layers: Sequence[NetLayer]) -> list[str]:
    """All beginnings of names under which there is something to fold, in order of appearance."""
    found: dict[str, None] = {}
    before: set[str] = set()
    for layer in layers:
        if not put_in(layer):
            mine = prefixes(layer.name)
            found.update(dict.fromkeys(each for each in mine if each in before))
            before = set(mine)
    return list(found)


def node_wires(rows: Sequence[Node], wires: Sequence[Wires]) -> list[Wires]:
    """The wires of rows, those within a fold left out."""
    joined = []
    for row in rows:
        made = dict.fromkeys(blob for place in row.layers for blob in wires[place].gives)
        taken = dict.fromkeys(blob for place in row.layers for blob in wires[place].takes)
        joined.append(Wires(tuple(blob for blob in taken if blob not in made), tuple(made)))
    return joined


# ------------------------------------------------------------------------------------------------- drawing


def rails(wires: Sequence[Wires], marks: Sequence[str] = ()) -> list[str]:
    """A drawing for each row, two cells a column; marks: the sign of each row, ``●`` where there is none."""
    last = {blob: row for row, each in enumerate(wires) for blob in each.takes}
    columns: list[Blob | None] = []
    drawn = []
    for row, each in enumerate(wires):
        taken = {columns.index(blob): blob for blob in each.takes}
        ending = [column for column, blob in taken.items() if last[blob] == row]
        own = min(ending) if ending else _free(columns, set())
        others = set(taken) - {own}
        wanted = [blob for blob in each.gives if last.get(blob, -1) > row]
        before = list(columns)
        for column in ending:
            columns[column] = None
        new = []
        for blob in wanted:
            column = own if blob == wanted[0] else _free(columns, {own, *taken})
            columns[column] = blob
            if column != own:
                new.append(column)
        mark = marks[row] if row < len(marks) else "●"
        cells = _Cells(before, own, others - set(ending), others & set(ending), set(new), mark)
        drawn.append(cells.text())
        while columns and columns[-1] is None:
            columns.pop()
    return drawn


def _free(columns: list[Blob | None], taken: set[int]) -> int:
    """The leftmost column that is free, made if there is none."""
    for column, blob in enumerate(columns):
        if blob is None and column not in taken:
            return column
    while len(columns) in taken:
        columns.append(None)
    columns.append(None)
    return len(columns) - 1


class _Cells(Struct, frozen=True):
    """One row: columns above it, its own one; from which it takes (going on, ending) and which it begins."""

    before: Sequence[Blob | None]
    own: int
    going: set[int]
    ending: set[int]
    new: set[int]
    mark: str

    def text(self) -> str:
        ends = {self.own} | self.going | self.ending | self.new
        low, high = min(ends), max(ends)
        width = max(len(self.before), high + 1)
        cells = []
        for column in range(width):
            cells.append(self._sign(column, low, high))
            cells.append("─" if low <= column < high else " ")
        return "".join(cells).rstrip()

    def _sign(self, column: int, low: int, high: int) -> str:
        if column == self.own:
            return self.mark
        place = 0 if column == low else 2 if column == high else 1
        for columns, signs in ((self.going, "├┼┤"), (self.ending, "╰┴╯"), (self.new, "╭┬╮")):
            if column in columns:
                return signs[place]
        if column < len(self.before) and self.before[column] is not None:
            return "│"
        return "─" if low < column < high else " "
