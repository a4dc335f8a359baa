"""Where things stand in a prototxt: a tokenizer that knows braces, strings and comments.

The text itself is parsed by protobuf; this only answers "on which line", which a parsed message
no longer knows.
"""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"""(?P<comment>\#[^\n]*)
    |(?P<string>"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?)
    |(?P<mark>[{}<>\[\]:;,])
    |(?P<word>[^\s{}<>\[\]:;,"'\#]+)""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Token:
    """One token: kind is comment, string, mark or word; offset counts characters from the text's start."""

    kind: str
    text: str
    offset: int


@dataclass(slots=True)
class LayerPlace:
    """Lines (1-based) of one `layer {` block; fields: dotted field name -> line of each of its values.

    path: which block of the file it is, as in "layer[3]".
    """

    line: int
    path: str = ""
    fields: dict[str, list[int]] = field(default_factory=dict)

    def line_of(self, name: str, index: int = 0) -> int:
        """Line of the index-th value of the field; where it is not there, that of the block it belongs in."""
        lines = self.fields.get(name, [])
        if index < len(lines):
            return lines[index]
        block, dot, _ = name.rpartition(".")
        return self.line_of(block) if dot else self.line


def tokens(text: str) -> Iterator[Token]:
    """Tokens of the text in order, comments included; never fails."""
    for match in _TOKEN.finditer(text):
        yield Token(match.lastgroup or "word", match.group(), match.start())


class Lines:
    """Turns character offsets of a text into line and column, both 1-based."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def at(self, offset: int) -> tuple[int, int]:
        """Line and column of the character at offset."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1


def field_lines(text: str) -> dict[str, list[int]]:
    """Lines of the values of every top-level field of the text, e.g. of a solver file."""
    places: dict[str, list[int]] = {}
    for path, line, _, _ in _values(text):
        if "." not in path:
            places.setdefault(path, []).append(line)
    return places


def layer_places(text: str) -> list[LayerPlace]:
    """Places of the `layer` blocks of a net file (`layers` in old files), in file order.

    The padding layers of the oldest files are left out: no layer of the net comes from them.
    """
    places: list[LayerPlace] = []
    padding: list[LayerPlace] = []
    counts: Counter[str] = Counter()
    for path, line, opens, value in _values(text):
        name, _, rest = path.partition(".")
        if name not in ("layer", "layers"):
            continue
        if not rest and opens:
            places.append(LayerPlace(line, f"{name}[{counts[name]}]"))
            counts[name] += 1
        elif rest and places:
            if rest == "layer.type" and value[1:-1] == "padding":
                padding.append(places[-1])
            if name == "layers":
                rest = rest.removeprefix("layer.")
            places[-1].fields.setdefault(rest, []).append(line)
    return [place for place in places if place not in padding]


def _values(text: str) -> Iterator[tuple[str, int, bool, str]]:
    """(dotted field name, line of the name, whether a block opens, token) of every value, in lists too."""
    lines = Lines(text)
    stack: list[str] = []
    name, line, filled, in_list = "", 1, True, False
    for token in tokens(text):
        if token.kind == "comment":
            continue
        here = lines.at(token.offset)[0]
        if token.text in ("{", "<"):
            path = ".".join([*stack, name])
            yield path, line, True, token.text
            stack.append(name)
            filled, in_list = True, False
        elif token.text in ("}", ">"):
            if stack:
                name = stack.pop()
            filled = True
        elif token.text in ("[", "]"):
            in_list = token.text == "["
            filled = not in_list
        elif token.kind == "mark":
            continue
        elif filled and not in_list:
            if token.kind == "word":
                name, line, filled = token.text, here, False
        else:
            yield ".".join([*stack, name]), here if in_list else line, False, token.text
            filled = True
