"""Changes to single fields of a prototxt that leave every other byte as it was: comments, order, spacing.

Fields are named by paths such as "base_lr", "stepvalue[1]" or "layer[3].convolution_param.num_output";
without a number the first one is meant.
"""

import re
from itertools import pairwise
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from barista_server.caffe import prototxt
from barista_server.caffe.nodes import EditError, Node, find, indent_within, tree, whole_line
from barista_server.caffe.tolerant import UnknownField, parse_tolerant

__all__ = ["EditError", "checked", "remove_field", "set_field"]
_STEP = re.compile(r"(\w+)(?:\[(\d+)\])?")


def set_field(text: str, cls: type[Message], path: str, value: object) -> str:
    """The text with the field set to the value; blocks on the way to it are made where they are missing.

    An enum value is given by name. What only forks understand stays. Raises PrototxtError if the text does
    not parse, EditError for a wrong path or value.
    """
    steps = _steps(path)
    wanted, unknown = parse_tolerant(text, cls)
    descriptor = _put(wanted, steps, value)
    shown = prototxt.scalar_text(descriptor, value)
    parents, rest = find(tree(text), steps)
    if not rest:
        node = parents[-1]
        changed = text[: node.value] + shown + text[node.end :]
        return checked(changed, wanted, _outside(text, unknown, node.start, node.end), path)
    changed = _insert(text, parents[-1], [name for name, _ in rest], shown)
    return checked(changed, wanted, [one.text for one in unknown], path)


def remove_field(text: str, cls: type[Message], path: str) -> str:
    """The text without the field or block; a line that is left empty goes too, a comment stays.

    It may be a field that only forks understand. Raises PrototxtError if the text does not parse, EditError
    if there is no such field.
    """
    steps = _steps(path)
    wanted, unknown = parse_tolerant(text, cls)
    parents, rest = find(tree(text), steps)
    if rest:
        raise EditError(f"there is no {path}")
    foreign = _unknown_at(text, unknown, parents[-1].start)
    if foreign is None:
        start, end = _extent(text, parents[-1], parents[-2])
        _take(wanted, steps)
    else:
        start, end = whole_line(text, *foreign)
    return checked(text[:start] + text[end:], wanted, _outside(text, unknown, start, end), path)


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


def checked(text: str, wanted: Message, kept: list[str], path: str) -> str:
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
            raise EditError(f"'{path}' is no path of a field, as layer.conv1.param[0].lr_mult is")
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


def _insert(text: str, block: Node, names: list[str], shown: str) -> str:
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
    indent = indent_within(text, block)
    lines = [f"{indent}{'  ' * depth}{name} {{" for depth, name in enumerate(names[:-1])]
    lines.append(f"{indent}{'  ' * len(lines)}{names[-1]}: {shown}")
    lines += [f"{indent}{'  ' * depth}}}" for depth in reversed(range(len(names) - 1))]
    added = "".join(line + newline for line in lines)
    if line_start == place and place != len(text) and not block.opening:
        return text + added
    return text[:line_start] + added + text[line_start:]


def _extent(text: str, node: Node, parent: Node) -> tuple[int, int]:
    """What goes with a field: its separator, and its line or the blanks before it."""
    if node.spread:
        return _element(text, node, parent)
    start, end = node.start, node.end
    separator = re.compile(r"[ \t]*[,;]").match(text, end)
    if separator:
        end = separator.end()
    return whole_line(text, start, end)


def _element(text: str, node: Node, parent: Node) -> tuple[int, int]:
    """An element of a list in brackets with its comma; the last one takes the field with it."""
    siblings = [child for child in parent.children if child.spread and child.start == node.start]
    if len(siblings) == 1:
        return whole_line(text, node.start, text.index("]", node.end) + 1)
    for left, right in pairwise(siblings):
        if left is node:
            return node.value, right.value
    return siblings[-2].end, node.end
