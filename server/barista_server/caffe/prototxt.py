"""Caffe's text files (prototxt): read with errors that name the place, written as Caffe's logs show them."""

import difflib
import re
import struct
from pathlib import Path
from typing import Any, TypeVar

from google.protobuf import descriptor_pool, text_encoding, text_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from barista_server.caffe.tokens import Lines, tokens

M = TypeVar("M", bound=Message)

_PLACE = re.compile(r"^\d+:\d+ : ")
_UNKNOWN_FIELD = re.compile(r'Message type "([\w.]+)" has no field named "([^"]*)"')
_REPEATED = re.compile(r'Message type "[\w.]+" should not have multiple "([^"]*)" fields')
_ENUM = re.compile(r'Enum type "([\w.]+)" has no value (?:named|with number) (\S+)')

_FOREIGN = re.compile("[\ud800-\udfff]")
_BAD_ESCAPE = re.compile(r"(?:[^\\]|\\.)*?\\[^abfnrtvxXuU0-7?'\"\\]", re.DOTALL)
_SUSPECT = re.compile("[\\\\\ud800-\udfff]")


class PrototxtError(ValueError):
    """A text file that Caffe would refuse.

    path: the file as named by the caller, or None; line, column: 1-based; message: what is wrong;
    hint: what to do, may be empty.
    """

    def __init__(self, path: str | None, line: int, column: int, message: str, hint: str = "") -> None:
        self.path = path
        self.line = line
        self.column = column
        self.message = message
        self.hint = hint
        super().__init__(path, line, column, message, hint)

    def __str__(self) -> str:
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.path or '<text>'}:{self.line}:{self.column}: {self.message}{hint}"


def read(path: str | Path, cls: type[M]) -> M:
    """Read a prototxt file. Raises OSError when it cannot be read, PrototxtError when it does not parse."""
    return parse(Path(path).read_bytes(), cls, str(path))


def parse(text: str | bytes, cls: type[M], path: str | None = None) -> M:
    """Parse prototxt text; bytes are UTF-8, other bytes in comments only. path is used in errors.

    Raises PrototxtError.
    """
    source = decode(text, path)
    message = cls()
    try:
        text_format.Parse(source, message)
    except text_format.ParseError as error:
        raise _explain(error, source, path) from None
    except (UnicodeError, RecursionError) as error:
        raise PrototxtError(path, 1, 1, str(error)) from None
    missing: list[str] = message.FindInitializationErrors()  # type: ignore[attr-defined]
    if missing:
        fields = ", ".join(missing)
        raise PrototxtError(
            path, max(1, source.count("\n")), 1, f"Message is missing required fields: {fields}"
        )
    return message


def to_text(message: Message) -> str:
    """The message in text form as Caffe's logs show it: set fields in number order, two blanks per level."""
    lines: list[str] = []
    _print(message, "", lines)
    return "".join(lines)


def scalar_text(field: FieldDescriptor, value: Any) -> str:
    """A value of a field that is no block, as to_text writes it; enum values are given by number or name."""
    return str(value) if field.enum_type is not None and isinstance(value, str) else _scalar(field, value)


def decode(text: str | bytes, path: str | None) -> str:
    """Text without byte order mark. Foreign bytes are let through inside comments, as Caffe does."""
    source = text if isinstance(text, str) else text.decode("utf-8", "surrogateescape")
    source = source.removeprefix("\ufeff")
    if not _SUSPECT.search(source):
        return source
    for token in tokens(source):
        if token.kind == "comment":
            continue
        for found, message, hint in (
            (_FOREIGN.search(token.text), "Not valid UTF-8", "save the file as UTF-8"),
            (
                _BAD_ESCAPE.match(token.text),
                "Invalid escape sequence in string literal",
                "a backslash is \\\\",
            ),
        ):
            if found:
                line, column = Lines(source).at(token.offset + found.end() - 1)
                raise PrototxtError(path, line, column, message, hint)
    return source.encode("utf-8", "replace").decode("utf-8")


def _explain(error: text_format.ParseError, source: str, path: str | None) -> PrototxtError:
    """protobuf's error as ours: place apart, the line of text it repeats out, a hint where one is known."""
    line, column = error.GetLine() or 1, error.GetColumn() or 1
    message = _PLACE.sub("", str(error))
    lines = source.split("\n")
    quoted = f"'{lines[line - 1]}': " if line <= len(lines) else ""
    message = message.removeprefix(quoted).removeprefix("'': ").removesuffix(".")
    hint = ""
    if found := _UNKNOWN_FIELD.search(message):
        fields = descriptor_pool.Default().FindMessageTypeByName(found[1]).fields
        hint = nearest(found[2], [field.name for field in fields])
        if not hint and found[2].isidentifier():
            hint = "Caffe 1.0 has no such field; a fork may"
    elif found := _REPEATED.search(message):
        message = f'Non-repeated field "{found[1]}" is specified multiple times'
        hint = "keep one of them"
    elif found := _ENUM.search(message):
        values = list(descriptor_pool.Default().FindEnumTypeByName(found[1]).values_by_name)
        hint = nearest(found[2], values) or "one of " + ", ".join(values)
    elif message.startswith(('Expected "}"', 'Expected ">"')):
        hint = "a block is not closed"
    elif message.endswith(("got }", "got >")):
        hint = "there is no open block to close here"
    return PrototxtError(path, line, column, message, hint)


def nearest(name: str, known: list[str]) -> str:
    """The hint `did you mean "base_lr"?`, or nothing when no known name is near."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    near = difflib.get_close_matches(name.lower(), list(by_lower), n=1)
    return f'did you mean "{by_lower[near[0]]}"?' if near else ""


def _print(message: Message, indent: str, lines: list[str]) -> None:
    for field, value in message.ListFields():
        for item in value if field.is_repeated else (value,):
            if field.type == FieldDescriptor.TYPE_MESSAGE:
                lines.append(f"{indent}{field.name} {{\n")
                _print(item, indent + "  ", lines)
                lines.append(f"{indent}}}\n")
            else:
                lines.append(f"{indent}{field.name}: {_scalar(field, item)}\n")


def _scalar(field: FieldDescriptor, value: Any) -> str:
    if field.type == FieldDescriptor.TYPE_STRING:
        return f'"{text_encoding.CEscape(value.encode(), as_utf8=False)}"'
    if field.type == FieldDescriptor.TYPE_BYTES:
        return f'"{text_encoding.CEscape(value, as_utf8=False)}"'
    if field.type == FieldDescriptor.TYPE_BOOL:
        return "true" if value else "false"
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known else str(value)
    if field.type == FieldDescriptor.TYPE_FLOAT:
        return _shortest(value, (6, 9))
    if field.type == FieldDescriptor.TYPE_DOUBLE:
        return _shortest(value, (15, 17), "<d")
    return str(value)


def _shortest(value: float, digits: tuple[int, int], form: str = "<f") -> str:
    """The number with few digits where that reads back to the same value, else with enough of them."""
    text = f"{value:.{digits[0]}g}"
    try:
        same = struct.pack(form, float(text)) == struct.pack(form, value)
    except OverflowError:
        same = False
    return text if same else f"{value:.{digits[1]}g}"
