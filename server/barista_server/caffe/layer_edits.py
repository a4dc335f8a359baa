"""Layers put into a net's text, doubled, taken out. Who reads what follows; all else stays, byte for byte.

Layers are numbered as they stand in the file. Nets of before 2014 have to be brought up to date first.
"""

import re
from collections.abc import Collection
from typing import NamedTuple

from barista_server.caffe import new_layers
from barista_server.caffe.edit import checked
from barista_server.caffe.nodes import EditError, Node, tree, whole_line
from barista_server.caffe.schema import LayerParameter, NetParameter, Phase
from barista_server.caffe.tolerant import parse_tolerant

_REST = re.compile(r"[ \t]*(?:#[^\n]*)?(\r?\n|\Z)")
_OLD = "layers of before 2014 have to be brought up to date first: F9 in the editor, or barista edit --renew"


class Changed(NamedTuple):
    """``number``: the layer that is new, or that stands where one was; ``what``: in words."""

    text: str
    number: int
    what: str


def add_layer(text: str, behind: int, kind: str, name: str = "") -> Changed:
    """A new layer of the type behind that number, -1: before the first. It reads what the layer there makes,
    and those that follow read it instead, where its type is one to stand in between.

    Raises PrototxtError if the text does not parse, EditError for what cannot be.
    """
    net = _Net(text)
    at = net.last_source(net.at(behind)) if behind >= 0 else -1
    layer, between = new_layers.made(net.layers, at, kind, net.name_for(kind, name), list(net.message.input))
    if between:
        net.rename(at + 1, layer.bottom[0], layer.top[0], through=True)
    net.insert(at, layer, new_layers.written(layer))
    reads = f", reads {', '.join(layer.bottom)}" if layer.bottom else ""
    return Changed(net.done(f"layer {layer.name}"), at + 1, f"added {layer.name} ({kind}){reads}")


def copy_layer(text: str, number: int, name: str = "") -> Changed:
    """A layer like that one, behind it; in a row with it where it makes one blob of one, else beside it. A
    data layer for one phase is doubled for the other. Raises PrototxtError, EditError.
    """
    net = _Net(text)
    old = net.layers[net.at(number)]
    layer = LayerParameter()
    layer.CopyFrom(old)
    layer.name = net.name_for("", name, old.name)
    tops = {top: net.unused(layer.name if top == old.name else top) for top in old.top}
    inner = dict[str, str]()
    if not old.bottom and new_layers.phase_of(old) is not None:
        tops = {}
        layer.include[0].phase = Phase.Value("TEST" if new_layers.phase_of(old) == Phase.TRAIN else "TRAIN")
    elif set(old.top) & set(old.bottom):
        tops = {}
    elif len(old.bottom) == 1 and len(old.top) == 1 and old.type not in new_layers.ENDS:
        inner = {old.bottom[0]: old.top[0]}
        net.rename(number + 1, old.top[0], tops[old.top[0]], through=True)
    layer.top[:] = [tops.get(top, top) for top in old.top]
    layer.bottom[:] = [inner.get(bottom, bottom) for bottom in old.bottom]
    net.insert(number, layer, net.copied(number, layer), twice=True)
    return Changed(net.done(f"layer {layer.name}"), number + 1, f"added {layer.name}, like {old.name}")


def remove_layer(text: str, number: int) -> Changed:
    """Without the layer; who read the one blob that it made of another reads that one. Raises PrototxtError,
    EditError.
    """
    net = _Net(text)
    old = net.layers[net.at(number)]
    told = f"layer {old.name} taken out"
    if len(old.bottom) == 1 and len(old.top) == 1 and not net.made_elsewhere(number, old.top[0]):
        readers = net.rename(
            number + 1, old.top[0], old.bottom[0], through=net.may_write(number, old.bottom[0])
        )
        if readers:
            told += f", {', '.join(readers)} read{'s' if len(readers) == 1 else ''} {old.bottom[0]}"
    net.take(number)
    return Changed(net.done(f"layer {old.name}"), min(number, len(net.layers) - 1), told)


def layers_in(text: str) -> int:
    """How many layers the net has. Raises PrototxtError, EditError."""
    return len(_Net(text).layers)


class _Net:
    """A net as text and as message; changes are gathered for both, and have to come to the same."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.message, unknown = parse_tolerant(text, NetParameter)
        if self.message.layers:
            raise EditError(_OLD)
        self.layers = list(self.message.layer)
        self._nodes = [child for child in tree(text).children if child.name == "layer" and child.opening]
        ahead = len(text) - len(text.removeprefix("\ufeff"))
        self._foreign = [(one.start + ahead, one.text) for one in unknown]
        self._pieces: list[tuple[int, int, str]] = []
        self._newline = "\r\n" if "\r\n" in text else "\n"
        if len(self._nodes) != len(self.layers):
            raise EditError("its layers stand in a list: change the text itself")

    def at(self, number: int) -> int:
        """The number, if there is such a layer. Raises EditError."""
        if not 0 <= number < len(self.layers):
            raise EditError(f"there is no layer {number}: the net has {len(self.layers)}")
        return number

    def last_source(self, number: int) -> int:
        """The last of the layers from this one on that make the same blob, each in a phase of its own."""
        tops = set(self.layers[number].top)
        while number + 1 < len(self.layers):
            behind = self.layers[number + 1]
            if behind.bottom or not tops & set(behind.top):
                break
            number += 1
        return number

    def name_for(self, kind: str, wanted: str, like: str = "") -> str:
        """The name that is wanted, or one that nothing has. Raises EditError."""
        taken = {layer.name for layer in self.layers}
        if wanted:
            if wanted in taken:
                raise EditError(f"there is a layer {wanted} already")
            return wanted
        blobs = {top for layer in self.layers for top in layer.top}
        if like:
            return self.unused(like, taken)
        return new_layers.name_of(kind, taken | blobs)

    def unused(self, name: str, more: Collection[str] = ()) -> str:
        """The name with a number that no blob has, nor any of ``more``; as it is if it has none."""
        taken = {top for layer in self.layers for top in layer.top} | set(more)
        return next(one for one in (name, *(f"{name}_{n}" for n in range(2, 9999))) if one not in taken)

    def made_elsewhere(self, number: int, blob: str) -> bool:
        """Whether another layer makes the blob of something else, as in the other phase."""
        others = (layer for at, layer in enumerate(self.layers) if at != number)
        return any(blob in layer.top and blob not in layer.bottom for layer in others)

    def may_write(self, number: int, blob: str) -> bool:
        """Whether others may write in place of the blob once the layer is gone: nobody else reads it."""
        others = [layer for at, layer in enumerate(self.layers) if at != number]
        makers = [layer for layer in others if blob in layer.top]
        return (
            bool(makers)
            and all(one.bottom for one in makers)
            and all(blob not in one.bottom for one in others)
        )

    def rename(self, start: int, blob: str, to: str, *, through: bool) -> list[str]:
        """Those from ``start`` on that read the blob read ``to`` until it is made anew; ``through``: what
        they write in its place, too. Names of the readers.
        """
        readers = []
        for layer, node in zip(self.layers[start:], self._nodes[start:], strict=True):
            reads, makes = blob in layer.bottom, blob in layer.top
            if makes and not reads:
                break
            if reads:
                readers.append(layer.name)
                self._put(layer, node, "bottom", blob, to)
            if reads and makes and through:
                self._put(layer, node, "top", blob, to)
            elif makes:
                break
        return readers

    def _put(self, layer: LayerParameter, node: Node, field: str, old: str, new: str) -> None:
        values = getattr(layer, field)
        for at, child in enumerate(child for child in node.children if child.name == field):
            if values[at] == old:
                values[at] = new
                self._pieces.append((child.value, child.end, f'"{new}"'))

    def insert(self, behind: int, layer: LayerParameter, block: str, *, twice: bool = False) -> None:
        """Put the block of a layer behind one, on lines of its own; ``twice``: it is that one's block."""
        added = block.replace("\n", self._newline) + self._newline
        place = self._nodes[behind].end if behind >= 0 else 0
        if behind >= 0:
            rest = _REST.match(self.text, place)
            place = rest.end() if rest else place
            if rest is None or not rest.group(1):
                added = self._newline + added
        elif self._nodes:
            place = self.text.rfind("\n", 0, self._nodes[0].start) + 1
        elif self.text and not self.text.endswith("\n"):
            place, added = len(self.text), self._newline + added
        else:
            place = len(self.text)
        self._pieces.append((place, place, added))
        self.layers.insert(behind + 1, layer)
        if twice:
            node = self._nodes[behind]
            own = [one for one in self._foreign if node.start <= one[0] < node.end]
            later = [one for one in self._foreign if one[0] >= node.end]
            self._foreign = [one for one in self._foreign if one[0] < node.end] + own + later

    def copied(self, number: int, layer: LayerParameter) -> str:
        """The block of that layer as it is written, with the names, blobs and phase of this one."""
        node, old = self._nodes[number], self.layers[number]
        pieces: list[tuple[int, int, str]] = []
        for child in node.children:
            if child.name == "name":
                pieces.append((child.value, child.end, f'"{layer.name}"'))
            elif child.name == "include" and layer.include != old.include:
                phases = [one for one in child.children if one.name == "phase"]
                name = Phase.Name(layer.include[0].phase)
                pieces += [(one.value, one.end, name) for one in phases]
        for field in ("bottom", "top"):
            there = [child for child in node.children if child.name == field]
            for child, value in zip(there, getattr(layer, field), strict=True):
                pieces.append((child.value, child.end, f'"{value}"'))
        block = _replaced(self.text, pieces, node.start, node.end)
        line_start = self.text.rfind("\n", 0, node.start) + 1
        return (
            "" if self.text[line_start : node.start].strip() else self.text[line_start : node.start]
        ) + block

    def take(self, number: int) -> None:
        """Take the layer's block out."""
        node = self._nodes[number]
        start, end = whole_line(self.text, node.start, node.end)
        self._pieces.append((start, end, ""))
        self._foreign = [one for one in self._foreign if not node.start <= one[0] < node.end]
        del self.layers[number]

    def done(self, path: str) -> str:
        """The new text. Raises EditError where it would say more or less than was wanted."""
        wanted = NetParameter()
        wanted.CopyFrom(self.message)
        del wanted.layer[:]
        wanted.layer.extend(self.layers)
        text = _replaced(self.text, self._pieces, 0, len(self.text))
        return checked(text, wanted, [text for _, text in self._foreign], path)


def _replaced(text: str, pieces: list[tuple[int, int, str]], start: int, end: int) -> str:
    """Start..end of the text with these pieces of it replaced."""
    out, at = [], start
    for first, last, new in sorted(pieces):
        out += [text[at:first], new]
        at = last
    return "".join([*out, text[at:end]])
