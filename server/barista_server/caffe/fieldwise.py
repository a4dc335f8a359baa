"""Two messages of one type compared field by field, as Caffe understands them. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from barista_server.caffe.prototxt import scalar_text

_AS_IF_THERE = ("param",)
"""Repeated blocks of which a missing one is the same as an empty one."""
_ANY_ORDER = ("include", "exclude")
"""Repeated blocks of which one has to hold, whichever."""
_ZERO_IF_UNSET = "SolverParameter"
"""Caffe never asks whether a number of this message is set."""
_NUMBERS = (
    *(FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT32),
    *(FieldDescriptor.CPPTYPE_UINT64, FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE),
    FieldDescriptor.CPPTYPE_BOOL,
)


@dataclass(frozen=True, slots=True)
class Change:
    """A field that two messages differ in: dotted path from the message, and what is written in each.

    None: not set; then ``old_default`` or ``new_default`` is what holds instead, if Caffe has a default.
    """

    field: str
    old: str | None
    new: str | None
    old_default: str = ""
    new_default: str = ""


def changes(old: Message, new: Message, skip: Collection[str] = ()) -> list[Change]:
    """What differs, in the order of the fields' declaration. ``skip``: names of fields that are left out."""
    return list(_changes(old, new, "", frozenset(skip)))


def _changes(old: Message, new: Message, path: str, skip: frozenset[str]) -> Iterator[Change]:
    fields: Iterable[FieldDescriptor] = old.DESCRIPTOR.fields  # type: ignore[assignment]
    for field in fields:
        if field.name in skip:
            continue
        name = f"{path}{field.name}"
        one, other = getattr(old, field.name), getattr(new, field.name)
        block = field.message_type is not None
        if field.is_repeated and block:
            yield from _blocks(field, list(one), list(other), name)
        elif field.is_repeated:
            if (before := _list(field, one)) != (after := _list(field, other)):
                yield Change(name, before, after)
        elif block:
            yield from _changes(one, other, f"{name}.", frozenset())
        else:
            yield from _scalars(field, old, new, name)


def _scalars(field: FieldDescriptor, old: Message, new: Message, name: str) -> Iterator[Change]:
    there = old.HasField(field.name), new.HasField(field.name)
    one, other = getattr(old, field.name), getattr(new, field.name)
    same = one == other or (one != one and other != other)
    if there == (False, False) or (same and (all(there) or has_default(field))):
        return
    default = scalar_text(field, field.default_value) if has_default(field) else ""
    before = scalar_text(field, one) if there[0] else None
    after = scalar_text(field, other) if there[1] else None
    yield Change(name, before, after, "" if there[0] else default, "" if there[1] else default)


def has_default(field: FieldDescriptor) -> bool:
    """Whether leaving the field out is the same as writing the value that Caffe has for it."""
    if field.has_default_value:
        return True
    message = field.containing_type
    return message is not None and message.name == _ZERO_IF_UNSET and field.cpp_type in _NUMBERS


def _list(field: FieldDescriptor, values: Iterable[Any]) -> str | None:
    return ", ".join(scalar_text(field, value) for value in values) or None


def _blocks(field: FieldDescriptor, old: list[Message], new: list[Message], name: str) -> Iterator[Change]:
    many = max(len(old), len(new)) > 1
    if field.name in _ANY_ORDER:
        old, new = _without_common(old, new)
    for index, (one, other) in enumerate(zip_longest(old, new)):
        where = f"{name}[{index}]" if many else name
        if one is not None and other is not None:
            yield from _changes(one, other, f"{where}.", frozenset())
        elif field.name in _AS_IF_THERE:
            empty = type(one or other)()
            yield from _changes(one or empty, other or empty, f"{where}.", frozenset())
        elif one is not None:
            yield from (Change(path, text, None) for path, text in leaves(one, where))
        else:
            yield from (Change(path, None, text) for path, text in leaves(other, where))


def _without_common(old: list[Message], new: list[Message]) -> tuple[list[Message], list[Message]]:
    only_old, only_new = list(old), []
    for each in new:
        if each in only_old:
            only_old.remove(each)
        else:
            only_new.append(each)
    return only_old, only_new


def leaves(message: Message, path: str, skip: Collection[str] = ()) -> Iterator[tuple[str, str]]:
    """Every value that is set, by dotted path from ``path``; a block without any is ``{ }``."""
    found = [(field, value) for field, value in message.ListFields() if field.name not in skip]
    if not found:
        yield path, "{ }"
    for field, value in found:
        name = f"{path}.{field.name}" if path else field.name
        if field.message_type is None:
            yield name, (_list(field, value) or "") if field.is_repeated else scalar_text(field, value)
        elif field.is_repeated:
            for index, each in enumerate(value):
                yield from leaves(each, f"{name}[{index}]" if len(value) > 1 else name)
        else:
            yield from leaves(value, name)
