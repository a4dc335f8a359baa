"""Makes a person's solver and net fit for a session's folder, touching nothing else in their text. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from google.protobuf import text_encoding

from barista_server.caffe.tokens import tokens

_NET_FIELDS = ("net", "net_param", "train_net", "train_net_param")
_FILES = ("source", "mean_file", "root_folder", "label_map_file", "name_size_file")
"""Fields of layers that name something to read; the last two are SSD's."""


class Value(NamedTuple):
    """A scalar in a prototxt: dotted field name, and which characters of the text it is."""

    path: str
    start: int
    text: str


def prepare_solver(solver: str, base: str, device: str) -> str:
    """The solver with ``net: "net.prototxt"`` and a snapshot_prefix without directory, both added if need be.

    Other files it names are made absolute, starting from ``base``; a solver_mode that contradicts the device
    ``cpu`` is set to CPU (for a GPU, the command line decides).
    """
    names = {value.path for value in values(solver)} | {path.split(".")[0] for path in blocks(solver)}

    def edit(value: Value) -> str | None:
        if value.path == "net":
            return quote("net.prototxt")
        if value.path == "snapshot_prefix":
            return quote(Path(unquote(value.text)).name or "snapshot")
        if value.path == "solver_mode" and device == "cpu":
            return "CPU"
        if value.path in ("train_net", "test_net", "weights"):
            parts = unquote(value.text).split(",")
            return quote(",".join(absolute(part.strip(), base) for part in parts))
        return None

    text = edited(solver, edit)
    if not names.intersection(_NET_FIELDS):
        text = _with_line(text, f"net: {quote('net.prototxt')}")
    if "snapshot_prefix" not in names:
        text = _with_line(text, f"snapshot_prefix: {quote('snapshot')}")
    return text


def prepare_net(net: str, base: str) -> str:
    """The net with relative data paths made absolute, starting from ``base`` (empty: left alone)."""

    def edit(value: Value) -> str | None:
        if value.path.rpartition(".")[2] not in _FILES or not value.text.startswith(("'", '"')):
            return None
        before = unquote(value.text)
        after = absolute(before, base)
        return quote(after) if after != before else None

    return edited(net, edit)


def values(text: str) -> Iterator[Value]:
    """Every scalar with its place, in order."""
    stack: list[str] = []
    name = ""
    filled = True
    for token in tokens(text):
        if token.kind == "comment":
            continue
        if token.text in ("{", "<"):
            stack.append(name)
            filled = True
        elif token.text in ("}", ">"):
            name = stack.pop() if stack else ""
            filled = True
        elif token.kind == "mark":
            continue
        elif filled and token.kind == "word":
            name, filled = token.text, False
        else:
            filled = True
            yield Value(".".join([*stack, name]), token.offset, token.text)


def blocks(text: str) -> Iterator[str]:
    """Dotted names of the scalars within blocks."""
    return (value.path for value in values(text) if "." in value.path)


def quote(path: str) -> str:
    """As a string in a prototxt."""
    return f'"{text_encoding.CEscape(path.encode(), as_utf8=True)}"'


def unquote(token: str) -> str:
    """The value of a string token; a bare word stands for itself."""
    if not token.startswith(("'", '"')):
        return token
    return text_encoding.CUnescape(token[1:-1]).decode(errors="replace")


def absolute(path: str, base: str) -> str:
    """The path, starting from ``base`` if it is relative; an empty base or path changes nothing."""
    # As text: Caffe puts root_folder and file name together without a slash of its own.
    return f"{base.rstrip('/')}/{path}" if base and path and not path.startswith("/") else path


def edited(text: str, edit: Callable[[Value], str | None]) -> str:
    """The text with each value replaced by what ``edit`` gives for it (None: left alone)."""
    parts = []
    done = 0
    for value in values(text):
        new = edit(value)
        if new is not None:
            parts += [text[done : value.start], new]
            done = value.start + len(value.text)
    return "".join([*parts, text[done:]])


def _with_line(text: str, line: str) -> str:
    return f"{text}{'' if not text or text.endswith(chr(10)) else chr(10)}{line}\n"
