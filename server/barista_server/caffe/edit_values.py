"""Fields changed by what a person typed, all values of a field at once; layers may be named.

Paths are those of :mod:`barista_server.caffe.edit`; moreover ``layer.conv1.convolution_param.num_output``
means the layer of that name.
"""

import re
import shlex
from collections.abc import Sequence
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from barista_server.caffe import prototxt
from barista_server.caffe.edit import EditError, remove_field, set_field
from barista_server.caffe.tolerant import parse_tolerant

_STEP = re.compile(r"(\w+)(?:\[(\d+)\])?")
_TRUE, _FALSE = {"true", "t", "1", "yes", "on"}, {"false", "f", "0", "no", "off"}
_INTS = {
    FieldDescriptor.TYPE_INT32,
    FieldDescriptor.TYPE_INT64,
    FieldDescriptor.TYPE_UINT32,
    FieldDescriptor.TYPE_UINT64,
}
_FLOATS = {FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE}
_RULES = ("include", "exclude")


def put_text(text: str, cls: type[Message], path: str, typed: str | None) -> str:
    """The text with the field set to what was typed, several values with commas or blanks between; None: left
    out. A block that is empty then goes too, where that changes nothing else.

    Raises PrototxtError if the text does not parse, EditError for a wrong path or value.
    """
    path = resolved(text, cls, path)
    field, index = field_at(cls, path)
    if field.message_type is not None:
        if typed is not None:
            raise EditError(f"{path} is a block: name a field in it, as in {path}.{_example(field)}")
        return remove_field(text, cls, path)
    if typed is None:
        values: list[object] = []
    else:
        values = [_value(field, word) for word in _words(field, typed, index)]
    if not field.is_repeated or index is not None:
        return set_field(_filled(text, cls, path), cls, path, values[0]) if values else _out(text, cls, path)
    there = _count(text, cls, path)
    text = _filled(text, cls, path) if values else text
    for place, value in enumerate(values):
        text = set_field(text, cls, f"{path}[{place}]", value)
    for place in reversed(range(len(values), there)):
        text = _out(text, cls, f"{path}[{place}]")
    return text


def resolved(text: str, cls: type[Message], path: str) -> str:
    """The path with the number of a layer in place of its name. Raises EditError, PrototxtError."""
    head, _, rest = path.partition(".")
    if head not in ("layer", "layers") or not rest:
        return path
    message = parse_tolerant(text, cls)[0]
    layers = getattr(message, head, ())
    named = [
        (len(layer.name), place, layer.name)
        for place, layer in enumerate(layers)
        if layer.name and (rest == layer.name or rest.startswith(f"{layer.name}."))
    ]
    if not named:
        if rest.partition(".")[0] in cls.DESCRIPTOR.fields_by_name[head].message_type.fields_by_name:  # type: ignore[union-attr]
            return path
        names = [layer.name for layer in layers]
        hint = prototxt.nearest(rest.partition(".")[0], names)
        raise EditError(
            f"there is no layer '{rest.partition('.')[0]}'" + (f" ({hint})" if hint else "")
            if names
            else f"there is no {head} in it"
        )
    longest = max(length for length, _, _ in named)
    places = [(place, name) for length, place, name in named if length == longest]
    if len(places) > 1:
        which = ", ".join(f"{head}[{place}]" for place, _ in places)
        raise EditError(f"{len(places)} layers are called '{places[0][1]}': name one by number, {which}")
    place, name = places[0]
    return f"{head}[{place}]{rest[len(name) :]}"


def field_at(cls: type[Message], path: str) -> tuple[FieldDescriptor, int | None]:
    """The field that a path names, and the number of its value if one is meant. Raises EditError."""
    message: Descriptor = cls.DESCRIPTOR  # type: ignore[assignment]
    parts = path.split(".")
    for position, part in enumerate(parts):
        step = _STEP.fullmatch(part)
        if step is None:
            raise EditError(f"'{path}' is no path of a field, as layer.conv1.param[0].lr_mult is")
        field = message.fields_by_name.get(step[1])
        if field is None:
            hint = prototxt.nearest(step[1], list(message.fields_by_name))
            raise EditError(f"{message.name} has no field {step[1]}" + (f" ({hint})" if hint else ""))
        if step[2] is not None and not field.is_repeated:
            raise EditError(f"{step[1]} has one value only")
        if position == len(parts) - 1:
            return field, int(step[2]) if step[2] is not None else None
        if field.message_type is None:
            raise EditError(f"{step[1]} is no block")
        message = field.message_type
    raise EditError("an empty path")


def _example(field: FieldDescriptor) -> str:
    inner = field.message_type
    return next((each.name for each in inner.fields if each.message_type is None), "") if inner else ""


def _words(field: FieldDescriptor, typed: str, index: int | None) -> list[str]:
    if not field.is_repeated or index is not None:
        return [typed if field.type == FieldDescriptor.TYPE_STRING else typed.strip()]
    reader = shlex.shlex(typed, posix=True)
    reader.whitespace += ","
    reader.whitespace_split, reader.commenters = True, ""
    try:
        return list(reader)
    except ValueError:
        raise EditError(f"{field.name}: a quotation is not closed in {typed}") from None


def _value(field: FieldDescriptor, word: str) -> object:
    """What a word stands for. Raises EditError."""
    if field.enum_type is not None:
        return _enum_value(field, word)
    if field.type == FieldDescriptor.TYPE_BOOL:
        if word.lower() not in _TRUE | _FALSE:
            raise EditError(f"{field.name} is true or false, not '{word}'")
        return word.lower() in _TRUE
    try:
        if field.type in _INTS:
            return int(word)
        if field.type in _FLOATS:
            return float(word)
    except ValueError:
        kind = "a whole number" if field.type in _INTS else "a number"
        raise EditError(f"{field.name} is {kind}, not '{word}'") from None
    return word


def _enum_value(field: FieldDescriptor, word: str) -> str:
    known = field.enum_type.values_by_name if field.enum_type else {}
    by_name = {name.lower(): name for name in known}
    if word.lower() not in by_name:
        raise EditError(f"{field.name} is one of {', '.join(known)}, not '{word}'")
    return by_name[word.lower()]


def _count(text: str, cls: type[Message], path: str) -> int:
    """Values the repeated field has."""
    message: Any = parse_tolerant(text, cls)[0]
    *holders, name = path.split(".")
    for part in holders:
        step = _STEP.fullmatch(part)
        assert step is not None  # field_at has been here
        value = getattr(message, step[1])
        if message.DESCRIPTOR.fields_by_name[step[1]].is_repeated:
            place = int(step[2] or 0)
            if place >= len(value):
                return 0
            value = value[place]
        message = value
    return len(getattr(message, name))


def _filled(text: str, cls: type[Message], path: str) -> str:
    """The text with the settings of earlier blobs, where those of a later one are named."""
    found = re.fullmatch(r"(layer\[\d+\])\.param\[(\d+)\]\.\w+", path)
    if found is None:
        return text
    for place in range(_count(text, cls, f"{found[1]}.param"), int(found[2])):
        text = set_field(text, cls, f"{found[1]}.param[{place}].lr_mult", 1.0)
    return text


def _out(text: str, cls: type[Message], path: str) -> str:
    """The text without the field if it is there, and without a block that is empty then."""
    try:
        text = remove_field(text, cls, path)
    except EditError as error:
        if str(error).startswith("there is no "):
            return text
        raise
    holder, dot, _ = path.rpartition(".")
    if dot and "." in holder and _may_go(cls, holder) and _is_empty(text, cls, holder):
        return remove_field(text, cls, holder)
    return text


def _may_go(cls: type[Message], path: str) -> bool:
    """Whether the block means nothing where it is empty; an empty rule would hold always."""
    field, _ = field_at(cls, path)
    return not field.is_repeated or field.name in _RULES


def _is_empty(text: str, cls: type[Message], path: str) -> bool:
    """Whether nothing at all is written in the block, comments neither."""
    try:
        rest = remove_field(text, cls, path)
    except EditError:
        return False
    gone = _difference(text, rest)
    return re.fullmatch(r"\s*\w+\s*:?\s*[{<]\s*[}>]\s*[,;]?\s*", gone) is not None


def _difference(text: str, shorter: str) -> str:
    """What was taken out in one piece."""
    start = 0
    while start < len(shorter) and text[start] == shorter[start]:
        start += 1
    return text[start : start + len(text) - len(shorter)]


def changed_fields(before: Message, after: Message) -> Sequence[str]:
    """Names of the top-level fields that differ."""
    names = [field.name for field in before.DESCRIPTOR.fields]
    return [name for name in names if _taken(before, name) != _taken(after, name)]


def _taken(message: Message, name: str) -> object:
    return {field.name: value for field, value in message.ListFields()}.get(name)
