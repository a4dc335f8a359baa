"""Fields and blocks of a prototxt as they stand in its text: to change some of them, and nothing else."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from barista_server.caffe.tokens import Token, tokens


class EditError(ValueError):
    """A change that cannot be made; the text says why."""


@dataclass(slots=True)
class Node:
    """A field or block in the text. value: offsets of its value; closing: offset of a block's last brace.

    spread: whether it is an element of a list in brackets.
    """

    name: str
    start: int
    value: int = 0
    end: int = 0
    opening: int = 0
    closing: int = 0
    spread: bool = False
    children: list["Node"] = field(default_factory=list)


def tree(text: str) -> Node:
    """The fields of the whole text; the text must parse."""
    blank = " " + text[1:] if text.startswith("\ufeff") else text
    root = Node("", 0, closing=len(text), end=len(text))
    _read(_Tokens(blank), root)
    return root


class _Tokens:
    """The tokens without comments, with a look ahead."""

    def __init__(self, text: str) -> None:
        self._rest: Iterator[Token] = (token for token in tokens(text) if token.kind != "comment")
        self.next = next(self._rest, None)

    def take(self) -> Token:
        token = self.next
        if token is None:
            raise EditError("the text ends too early")
        self.next = next(self._rest, None)
        return token

    def sees(self, *marks: str) -> bool:
        return self.next is not None and self.next.kind == "mark" and self.next.text in marks


def _read(stream: _Tokens, block: Node) -> None:
    """Read the fields of a block up to its closing brace, which is left."""
    while stream.next is not None and not stream.sees("}", ">"):
        if stream.sees(",", ";"):
            stream.take()
            continue
        name = stream.take()
        if stream.sees(":"):
            stream.take()
        if not stream.sees("["):
            block.children.append(_value(stream, Node(name.text, name.offset)))
            continue
        stream.take()
        while not stream.sees("]"):
            if stream.sees(","):
                stream.take()
            else:
                block.children.append(_value(stream, Node(name.text, name.offset, spread=True)))
        stream.take()


def _value(stream: _Tokens, node: Node) -> Node:
    """Read a block, the strings that join to one, or a word."""
    token = stream.take()
    node.value = token.offset
    if token.text in ("{", "<"):
        node.opening = token.offset + 1
        _read(stream, node)
        token = stream.take()
        node.closing = token.offset
    elif token.kind == "string":
        while stream.next is not None and stream.next.kind == "string":
            token = stream.take()
    node.end = token.offset + len(token.text)
    return node


def find(root: Node, steps: list[tuple[str, int]]) -> tuple[list[Node], list[tuple[str, int]]]:
    """The nodes on the way to the field, root first, and the steps that lead on from the last one."""
    found = [root]
    for position, (name, index) in enumerate(steps):
        same = [child for child in found[-1].children if child.name == name]
        if index >= len(same):
            return found, steps[position:]
        found.append(same[index])
    return found, []


def whole_line(text: str, start: int, end: int) -> tuple[int, int]:
    blanks_after = re.compile(r"[ \t]*").match(text, end)
    after = blanks_after.end() if blanks_after else end
    before = start - len(text[:start]) + len(text[:start].rstrip(" \t"))
    alone = before == 0 or text[before - 1] == "\n"
    if alone and (found := re.compile(r"\r?\n|\Z").match(text, after)):
        return before, found.end()
    if after == len(text) or text[after] in "\r\n}>":
        return (start if alone else before), end
    return start, after


def indent_within(text: str, block: Node) -> str:
    """Blanks before the fields of a block: as many as before one that begins its line."""
    for child in block.children:
        line_start = text.rfind("\n", 0, child.start) + 1
        if child.start > block.opening and not text[line_start : child.start].strip():
            return text[line_start : child.start]
    if not block.opening:
        return ""
    line_start = text.rfind("\n", 0, block.closing) + 1
    return text[line_start : block.closing] + "  "
