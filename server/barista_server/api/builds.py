"""What the messages say of caffe builds: what a host has, what each is, and what may be run there."""

from __future__ import annotations

from typing import Literal

from barista_server.api.things import Message

CaffeSource = Literal["added", "path", "found", "embedded"]
"""A person added it; it is on the agent's PATH; it lies in a usual place; it came with the agent."""


class CaffeInfo(Message, frozen=True):
    """An executable that behaves like caffe. What is empty or None is not known, or not yet: see
    :class:`CheckCaffes`.
    """

    name: str
    argv: list[str]
    version: str = ""
    problem: str | None = None
    """Why it does not train, as far as it is known."""
    hint: str | None = None
    """What to do about the problem, as a sentence."""
    kind: str = ""
    """``BVLC``, ``NVCaffe``, ``Intel Caffe``, ``SSD``, ``OpenCL Caffe``, ``embedded`` ..."""
    gpu: bool | None = None
    """Whether it was built for graphics cards."""
    checked: float | None = None
    """When it was run to see whether it trains; None: never, or it has changed since."""
    source: CaffeSource = "added"


class ListCaffes(Message, frozen=True, tag="list-caffes"):
    """What is known of each without running it. Answered by CaffeList."""


class CheckCaffes(Message, frozen=True, tag="check-caffes"):
    """Train a tiny net with executables, to see what they are. Answered by CaffeList: all there are.

    ``names`` are those to look at, empty: all; what is known of one and still holds is not tried ``again``
    unless asked for. Takes seconds for each, more for one in a container.
    """

    names: list[str] = []
    again: bool = False


class AddCaffe(Message, frozen=True, tag="add-caffe"):
    """Let sessions choose another executable. Answered by CaffeList.

    Only for admins (see ``Welcome.admin``): it will be run on the host. It is tried first and refused with
    code ``untrained`` if it does not train, unless ``unchecked``. The first of ``argv`` is absolute, or on
    the agent's PATH. ``place``: among those that were added, 0 the first; None: the last.
    """

    name: str
    argv: list[str]
    unchecked: bool = False
    place: int | None = None


class RemoveCaffe(Message, frozen=True, tag="remove-caffe"):
    """Take one that was added off the list; nothing is deleted. Only for admins. Answered by CaffeList."""

    name: str


class RenameCaffe(Message, frozen=True, tag="rename-caffe"):
    """Give one that was added another name, also where sessions have chosen it. Only for admins. Answered by
    CaffeList.
    """

    name: str
    to: str


BuildCall = ListCaffes | CheckCaffes | AddCaffe | RemoveCaffe | RenameCaffe
BUILD_LOOKS: frozenset[type[Message]] = frozenset({ListCaffes})
