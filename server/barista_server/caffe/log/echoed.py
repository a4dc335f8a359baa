"""The messages that a log's echoed prototxt holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic

from barista_server.caffe.caffe_pb2 import NetParameter, SolverParameter
from barista_server.caffe.prototxt import M
from barista_server.caffe.tolerant import UnknownField, parse_tolerant

from .dumps import Dump, find_text, whole_part


@dataclass(frozen=True, slots=True)
class Echo(Generic[M]):
    """What a log tells of a solver or net."""

    message: M
    unknown: list[UnknownField]
    """Fields of forks."""
    cut: bool
    """Whether its end is missing: glog cuts messages at 30,000 bytes."""


def echoed_solver(data: bytes, dump: Dump, first: int = 0) -> Echo[SolverParameter]:
    """The solver of a dump; ``data`` are the lines of the log from number ``first`` on.

    Raises PrototxtError for a text that others are mixed with.
    """
    text, cut = whole_part(find_text(data, dump, first))
    return Echo(*parse_tolerant(text, SolverParameter), cut)


def echoed_net(data: bytes, dump: Dump, first: int = 0) -> Echo[NetParameter]:
    """The net of a dump, with the layers its phase has; ``state.phase`` tells which. See echoed_solver."""
    text, cut = whole_part(find_text(data, dump, first))
    return Echo(*parse_tolerant(text, NetParameter), cut)
