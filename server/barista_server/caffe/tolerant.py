"""Prototxt of forks: fields and enum values that Caffe 1.0 does not know are set aside, the rest is parsed.

The unknown ones are found by token and replaced by blanks, so every other error keeps its line and column.
"""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from barista_server.caffe import prototxt
from barista_server.caffe.prototxt import M, PrototxtError
from barista_server.caffe.tokens import Lines, Token, tokens

_NAME = re.compile(r"[A-Za-z_]\w*")
_STRING = re.compile(r"""(?P<quote>["'])(?:(?!(?P=quote))[^\\\n]|\\.)*(?P=quote)""", re.DOTALL)
_CLOSING = {"{": "}", "<": ">", "[": "]"}
_LETTER = re.compile(r"[^\n]")
_DEEPEST = 100


@dataclass(frozen=True, slots=True)
class UnknownField:
    """A field that its message lacks, or one whose value its enum lacks.

    path: from the top of the file, as in "layer[3].pooling_param.mode"; message: type of the block it stands
    in ("PoolingParameter"); value: the unknown enum value, None if the field itself is unknown; text: all of
    it as written; line, column: 1-based; start, end: offsets in the text, with the separator behind it.
    """

    path: str
    message: str
    name: str
    value: str | None
    text: str
    line: int
    column: int
    start: int
    end: int


def read_tolerant(path: str | Path, cls: type[M]) -> tuple[M, list[UnknownField]]:
    """Read a prototxt file of a fork. Raises OSError, PrototxtError."""
    return parse_tolerant(Path(path).read_bytes(), cls, str(path))


def parse_tolerant(text: str | bytes, cls: type[M], path: str | None = None) -> tuple[M, list[UnknownField]]:
    """The message of all that is known, and what is not, in file order.

    Where nothing is unknown this is prototxt.parse. Raises PrototxtError for everything else that it refuses.
    """
    try:
        return prototxt.parse(text, cls, path), []
    except PrototxtError:
        source, unknown = split_unknown(text, cls, path)
        if not unknown:
            raise
    return parse_known(source, unknown, cls, path), unknown


def split_unknown(
    text: str | bytes, cls: type[Message], path: str | None = None
) -> tuple[str, list[UnknownField]]:
    """The text decoded, and the unknown fields in it, up to where it is no prototxt. Raises PrototxtError."""
    source = prototxt.decode(text, path)
    walk = _Walk(source)
    walk.whole(cls.DESCRIPTOR)  # type: ignore[arg-type]
    return source, walk.found


def parse_known(source: str, unknown: list[UnknownField], cls: type[M], path: str | None = None) -> M:
    """Parse what split_unknown gave as if the unknown fields were not there. Raises PrototxtError."""
    known, end = [], 0
    for field in unknown:
        known += [source[end : field.start], _LETTER.sub(" ", source[field.start : field.end])]
        end = field.end
    return prototxt.parse("".join([*known, source[end:]]), cls, path)


def refusal(unknown: UnknownField, path: str | None, hint: str) -> PrototxtError:
    """The error that stands for an unknown field where it cannot be set aside."""
    if unknown.value is None:
        message = f'Message type "caffe.{unknown.message}" has no field named "{unknown.name}"'
    else:
        message = f'Unknown enumeration value of "{unknown.value}" for field "{unknown.name}"'
    return PrototxtError(path, unknown.line, unknown.column, message, hint)


class _Broken(Exception):
    """The text is no prototxt from here on: protobuf says why."""


class _Walk:
    """Goes through a text by the fields of a message. found: the unknown fields."""

    def __init__(self, source: str) -> None:
        self.found: list[UnknownField] = []
        self._source = source
        self._lines = Lines(source)
        self._tokens = [token for token in tokens(source) if token.kind != "comment"]
        self._next = 0

    def whole(self, message: Descriptor) -> None:
        """Find what is unknown up to the end of the text, or to where it cannot be understood."""
        try:
            self._block(message, "", "", 0)
        except _Broken:
            pass

    def _sees(self, *marks: str) -> bool:
        if self._next == len(self._tokens):
            return False
        token = self._tokens[self._next]
        return token.kind == "mark" and token.text in marks

    def _take(self) -> Token:
        if self._next == len(self._tokens):
            raise _Broken
        self._next += 1
        return self._tokens[self._next - 1]

    def _block(self, message: Descriptor | None, path: str, closing: str, depth: int) -> None:
        """Fields up to the closing mark (the end of the text if empty); no message: all of it is unknown."""
        if depth > _DEEPEST:
            raise _Broken
        counts: Counter[str] = Counter()
        while not (self._sees(closing) if closing else self._next == len(self._tokens)):
            self._field(message, path, counts, depth)
        if closing:
            self._take()

    def _field(self, message: Descriptor | None, path: str, counts: Counter[str], depth: int) -> None:
        name = self._take()
        if name.kind != "word" or not _NAME.fullmatch(name.text):
            raise _Broken
        field = message.fields_by_name.get(name.text) if message else None
        where = f"{path}{name.text}"
        if field is not None and field.is_repeated:
            where += f"[{counts[name.text]}]"
            counts[name.text] += 1
        inner: Descriptor | None = field.message_type if field else None
        words = self._value(inner, where, depth)
        value = _not_in_enum(field, words) if field else None
        last = self._tokens[self._next - 1]
        if self._sees(",", ";"):
            self._take()
        if message is None or (field is not None and value is None):
            return
        separator = self._tokens[self._next - 1]
        start, end = name.offset, separator.offset + len(separator.text)
        text = self._source[start : last.offset + len(last.text)]
        line, column = self._lines.at(start)
        self.found.append(UnknownField(where, message.name, name.text, value, text, line, column, start, end))

    def _value(self, inner: Descriptor | None, where: str, depth: int) -> list[str]:
        """Go behind a value, a block or a list; the words of scalars are returned."""
        colon = self._sees(":")
        if colon:
            self._take()
        if self._sees("{", "<"):
            self._block(inner, f"{where}.", _CLOSING[self._take().text], depth + 1)
            return []
        if not colon:
            raise _Broken
        if not self._sees("["):
            return [self._scalar()]
        self._take()
        words: list[str] = []
        while not self._sees("]"):
            if self._sees("{", "<"):
                self._block(inner, f"{where}.", _CLOSING[self._take().text], depth + 1)
            else:
                words.append(self._scalar())
            if not self._sees("]"):
                if not self._sees(","):
                    raise _Broken
                self._take()
        self._take()
        return words

    def _scalar(self) -> str:
        """A word with its sign, or strings that join to one."""
        token = self._take()
        if token.kind == "mark":
            raise _Broken
        if token.kind == "word":
            return token.text + self._take().text if token.text == "-" else token.text
        while True:
            if not _STRING.fullmatch(token.text):
                raise _Broken
            if self._next == len(self._tokens) or self._tokens[self._next].kind != "string":
                return token.text
            token = self._take()


def _not_in_enum(field: FieldDescriptor, words: list[str]) -> str | None:
    """The first name that is no value of the field's enum."""
    if field.enum_type is None:
        return None
    known = field.enum_type.values_by_name
    return next((word for word in words if _NAME.fullmatch(word) and word not in known), None)
