"""Changes to single fields of a prototxt that leave every other byte as it was: comments, order, spacing.

Fields are named by paths such as "base_lr", "stepvalue[1]" or "layer[3].convolution_param.num_output";
without a number the first one is meant.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from barista_server.caffe import prototxt
from barista_server.caffe.tokens import Token, tokens
from barista_server.caffe.tolerant import UnknownField, parse_tolerant

_STEP = re.compile(r"(\w+)(?:\[(\d+)\])?")


class EditError(ValueError):
    """A change that cannot be made; the text says why."""


@dataclass(slots=True)
class _Node:
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
    children: list["_Node"] = field(default_factory=list)


def set_field(text: str, cls: type[Message], path: str, value: object) -> str:
    """The text with the field set to the value; blocks on the way to it are made where they are missing.

    An enum value is given by name. What only forks understand stays. Raises PrototxtError if the text does
    not parse, EditError for a wrong path or value.
    """
    steps = _steps(path)
    wanted, unknown = parse_tolerant(text, cls)
    descriptor = _put(wanted, steps, value)
    shown = prototxt.scalar_text(descriptor, value)
    parents, rest = _find(_tree(text), steps)
    if not rest:
        node = parents[-1]
        changed = text[: node.value] + shown + text[node.end :]
        return _checked(changed, wanted, _outside(text, unknown, node.start, node.end), path)
    changed = _insert(text, parents[-1], [name for name, _ in rest], shown)
    return _checked(changed, wanted, [one.text for one in unknown], path)


def remove_field(text: str, cls: type[Message], path: str) -> str:
    """The text without the field or block; a line that is left empty goes too, a comment stays.

    It may be a field that only forks understand. Raises PrototxtError if the text does not parse, EditError
    if there is no such field.
    """
    steps = _steps(path)
    wanted, unknown = parse_tolerant(text, cls)
    parents, rest = _find(_tree(text), steps)
    if rest:
        raise EditError(f"there is no {path}")
    foreign = _unknown_at(text, unknown, parents[-1].start)
    if foreign is None:
        start, end = _extent(text, parents[-1], parents[-2])
        _take(wanted, steps)
    else:
        start, end = _line(text, *foreign)
    return _checked(text[:start] + text[end:], wanted, _outside(text, unknown, start, end), path)


def _take(message: Message, steps: list[tuple[str, int]]) -> None:
    """Take the field out of the message. Raises EditError for one within a block that Caffe does not know."""
    holder = message
    for name, index in steps[:-1]:
        repeated = _field(holder, name).is_repeated
        holder = getattr(holder, name)[index] if repeated else getattr(holder, name)
    name, index = steps[-1]
    if _field(holder, name).is_repeated:
        del getattr(holder, name)[index]
    else:
        holder.ClearField(name)


def _unknown_at(text: str, unknown: list[UnknownField], start: int) -> tuple[int, int] | None:
    """Start and end of the unknown field that begins there, if one does."""
    ahead = _ahead(text)
    return next(((one.start + ahead, one.end + ahead) for one in unknown if one.start + ahead == start), None)


def _outside(text: str, unknown: list[UnknownField], start: int, end: int) -> list[str]:
    """The unknown fields that are not within start..end of the text."""
    return [one.text for one in unknown if not start <= one.start + _ahead(text) < end]


def _ahead(text: str) -> int:
    """Length of the byte order mark, which places of unknown fields do not count."""
    return len(text) - len(text.removeprefix("\ufeff"))


def _checked(text: str, wanted: Message, kept: list[str], path: str) -> str:
    """The text, once it is sure to say what is wanted; this guards against what only protobuf knows.

    kept: the fields in it that only forks understand.
    """
    try:
        message, unknown = parse_tolerant(text, type(wanted))
        same = message == wanted and [one.text for one in unknown] == kept
    except prototxt.PrototxtError as error:
        raise EditError(f"{path} cannot be changed here: {error}") from None
    if not same:
        raise EditError(f"{path} cannot be changed here without changing more")
    return text


def _steps(path: str) -> list[tuple[str, int]]:
    steps = []
    for part in path.split("."):
        found = _STEP.fullmatch(part)
        if found is None:
            raise EditError(f"'{path}' is no path of a field")
        steps.append((found[1], int(found[2] or 0)))
    return steps


def _field(message: Message, name: str) -> FieldDescriptor:
    descriptor: FieldDescriptor | None = message.DESCRIPTOR.fields_by_name.get(name)  # type: ignore[assignment]
    if descriptor is None:
        hint = prototxt.nearest(name, list(message.DESCRIPTOR.fields_by_name))
        raise EditError(f"{message.DESCRIPTOR.name} has no field {name}" + (f" ({hint})" if hint else ""))
    return descriptor


def _put(message: Message, steps: list[tuple[str, int]], value: object) -> FieldDescriptor:
    """Set the field in the message. Raises EditError."""
    for position, (name, index) in enumerate(steps):
        descriptor = _field(message, name)
        last = position == len(steps) - 1
        if last == (descriptor.message_type is not None):
            raise EditError(f"{name} is {'a block' if last else 'no block'}")
        values: Any = getattr(message, name)
        if index > (len(values) if descriptor.is_repeated else 0):
            raise EditError(f"there is no {name}[{index}]")
        if last:
            _assign(message, descriptor, index, value)
            return descriptor
        if not descriptor.is_repeated:
            values.SetInParent()
        message = (
            (values[index] if index < len(values) else values.add()) if descriptor.is_repeated else values
        )
    raise EditError("an empty path")


def _assign(message: Message, descriptor: FieldDescriptor, index: int, value: object) -> None:
    number: Any = value
    if descriptor.enum_type is not None:
        known = descriptor.enum_type.values_by_name
        if value not in known:
            raise EditError(f"{descriptor.name} is one of {', '.join(known)}, not {value}")
        number = known[str(value)].number
    try:
        if not descriptor.is_repeated:
            setattr(message, descriptor.name, number)
        elif index < len(getattr(message, descriptor.name)):
            getattr(message, descriptor.name)[index] = number
        else:
            getattr(message, descriptor.name).append(number)
    except (TypeError, ValueError, OverflowError) as error:
        raise EditError(f"{descriptor.name}: {error}") from None


def _tree(text: str) -> _Node:
    """The fields of the whole text; the text must parse."""
    blank = " " + text[1:] if text.startswith("\ufeff") else text
    root = _Node("", 0, closing=len(text), end=len(text))
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


def _read(stream: _Tokens, block: _Node) -> None:
    """Read the fields of a block up to its closing brace, which is left."""
    while stream.next is not None and not stream.sees("}", ">"):
        if stream.sees(",", ";"):
            stream.take()
            continue
        name = stream.take()
        if stream.sees(":"):
            stream.take()
        if not stream.sees("["):
            block.children.append(_value(stream, _Node(name.text, name.offset)))
            continue
        stream.take()
        while not stream.sees("]"):
            if stream.sees(","):
                stream.take()
            else:
                block.children.append(_value(stream, _Node(name.text, name.offset, spread=True)))
        stream.take()


def _value(stream: _Tokens, node: _Node) -> _Node:
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


def _find(root: _Node, steps: list[tuple[str, int]]) -> tuple[list[_Node], list[tuple[str, int]]]:
    """The nodes on the way to the field, root first, and the steps that lead on from the last one."""
    found = [root]
    for position, (name, index) in enumerate(steps):
        same = [child for child in found[-1].children if child.name == name]
        if index >= len(same):
            return found, steps[position:]
        found.append(same[index])
    return found, []


def _insert(text: str, block: _Node, names: list[str], shown: str) -> str:
    """Put a field at the end of a block, within new blocks for all names but the last."""
    newline = "\r\n" if "\r\n" in text else "\n"
    place = block.closing
    line_start = text.rfind("\n", 0, place) + 1
    if block.opening and text[line_start:place].strip():  # the block ends on the line of its last field
        inline = " { ".join(names) + f": {shown}" + " }" * (len(names) - 1)
        before = "" if text[place - 1].isspace() else " "
        return text[:place] + f"{before}{inline} " + text[place:]
    if not block.opening and line_start < place:
        line_start = place
        text += newline
    indent = _indent(text, block)
    lines = [f"{indent}{'  ' * depth}{name} {{" for depth, name in enumerate(names[:-1])]
    lines.append(f"{indent}{'  ' * len(lines)}{names[-1]}: {shown}")
    lines += [f"{indent}{'  ' * depth}}}" for depth in reversed(range(len(names) - 1))]
    added = "".join(line + newline for line in lines)
    if line_start == place and place != len(text) and not block.opening:
        return text + added
    return text[:line_start] + added + text[line_start:]


def _indent(text: str, block: _Node) -> str:
    """Blanks before the fields of a block: as many as before one that begins its line."""
    for child in block.children:
        line_start = text.rfind("\n", 0, child.start) + 1
        if child.start > block.opening and not text[line_start : child.start].strip():
            return text[line_start : child.start]
    if not block.opening:
        return ""
    line_start = text.rfind("\n", 0, block.closing) + 1
    return text[line_start : block.closing] + "  "


def _extent(text: str, node: _Node, parent: _Node) -> tuple[int, int]:
    """What goes with a field: its separator, and its line or the blanks before it."""
    if node.spread:
        return _element(text, node, parent)
    start, end = node.start, node.end
    separator = re.compile(r"[ \t]*[,;]").match(text, end)
    if separator:
        end = separator.end()
    return _line(text, start, end)


def _line(text: str, start: int, end: int) -> tuple[int, int]:
    blanks_after = re.compile(r"[ \t]*").match(text, end)
    after = blanks_after.end() if blanks_after else end
    before = start - len(text[:start]) + len(text[:start].rstrip(" \t"))
    alone = before == 0 or text[before - 1] == "\n"
    if alone and (found := re.compile(r"\r?\n|\Z").match(text, after)):
        return before, found.end()
    if after == len(text) or text[after] in "\r\n}>":
        return (start if alone else before), end
    return start, after


def _element(text: str, node: _Node, parent: _Node) -> tuple[int, int]:
    """An element of a list in brackets with its comma; the last one takes the field with it."""
    siblings = [child for child in parent.children if child.spread and child.start == node.start]
    if len(siblings) == 1:
        return _line(text, node.start, text.index("]", node.end) + 1)
    for left, right in pairwise(siblings):
        if left is node:
            return node.value, right.value
    return siblings[-2].end, node.end
