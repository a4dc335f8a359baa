"""Every message that crosses the wire, as typed structs.

A connection carries MessagePack frames (see :mod:`barista_server.api.frames`). Its first two frames are a
handshake: the client sends :class:`Hello`, the agent answers :class:`Welcome` or :class:`Refusal`. From then
on the client sends :class:`Request` frames; the agent answers each with one :class:`Reply` of the same ``id``
(in any order) and pushes :class:`Event` frames for what the client subscribed to.

Times are seconds since the epoch (float), sizes are bytes, arrays are raw little-endian bytes.
"""

from __future__ import annotations

from typing import Literal

from barista_server.api.builds import *  # noqa: F403
from barista_server.api.calls import *  # noqa: F403
from barista_server.api.calls import Call
from barista_server.api.cloning import *  # noqa: F403
from barista_server.api.comparing import *  # noqa: F403
from barista_server.api.datasets import *  # noqa: F403
from barista_server.api.deploy import *  # noqa: F403
from barista_server.api.editing import *  # noqa: F403
from barista_server.api.keeping import *  # noqa: F403
from barista_server.api.lists import *  # noqa: F403
from barista_server.api.nets import *  # noqa: F403
from barista_server.api.results import *  # noqa: F403
from barista_server.api.results import Occurrence, Result
from barista_server.api.search import *  # noqa: F403
from barista_server.api.settings import *  # noqa: F403
from barista_server.api.slurm import *  # noqa: F403
from barista_server.api.things import *  # noqa: F403
from barista_server.api.things import Message
from barista_server.api.transfers import *  # noqa: F403
from barista_server.api.trash import *  # noqa: F403

Role = Literal["owner", "viewer"]
"""An owner may do all; a viewer only look (see :func:`~barista_server.api.calls.only_looks`)."""

PROTOCOL = 1
"""Version of the frames and the handshake; both sides must agree on it exactly. Fields, calls and kinds of
events may be added within one version (see :mod:`barista_server.api.frames`).
"""


class Introduction(Message, frozen=True, tag="introduction"):
    """What a gateway says of the client behind it, ahead of the client's own first frame.

    It can only take rights away: a client cannot get more of them by sending one itself.
    """

    role: Role = "owner"
    via: str = ""
    """Where the client comes from, for the agent's log: ``ssh from 192.0.2.7``."""
    admin: bool = False
    """It is the host's own person, or as good as that: may say which programs are run there."""


class Hello(Message, frozen=True, tag="hello"):
    """First frame from a client."""

    protocol: int
    client: str
    """Name and version, for the agent's log: ``barista 0.1.0``."""


class Welcome(Message, frozen=True, tag="welcome"):
    """The agent speaks the client's protocol."""

    protocol: int
    agent: str
    """Name and version: ``barista-server 0.1.0``."""
    host: str
    pid: int
    root: str
    """Folder that holds ``sessions/``."""
    epoch: str
    """Changes with every start of the agent: event sequence numbers count within one epoch."""
    role: Role = "owner"
    """What the client may do."""
    admin: bool = False
    """It may say which programs are run on the host, too."""


class Refusal(Message, frozen=True, tag="refusal"):
    """The agent will not talk to this client; the connection closes after it."""

    reason: str


class Request(Message, frozen=True, tag="request"):
    id: int
    call: Call


class Reply(Message, frozen=True, tag="reply"):
    id: int
    result: Result


class Event(Message, frozen=True, tag="event"):
    """``sequence`` counts subscribed events within the agent's epoch; 0 for log bytes, which carry offsets
    instead.
    """

    sequence: int
    what: Occurrence


class Strange(Message, frozen=True, tag="strange"):
    """Never on the wire: what a decoder makes of a request whose call it does not know."""

    id: int
    what: str
    """The call's tag."""
    error: str


FromClient = Introduction | Hello | Request | Strange
FromAgent = Welcome | Refusal | Reply | Event
