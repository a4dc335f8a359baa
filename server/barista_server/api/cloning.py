"""What the messages say of sessions that are made from others."""

from __future__ import annotations

from barista_server.api.things import Message


class CloneSession(Message, frozen=True, tag="clone"):
    """Make a session with the net and solver of another one of the host, and what they need of its folder.
    Answered by :class:`SessionReply`.

    With ``weights`` it is Pre-trained: its first run starts from the model of the verified snapshot of
    iteration ``snapshot`` (None: the newest), of which it has a copy of its own; without, it is Waiting.
    An empty ``name`` is made from the other's; an empty ``caffe`` or ``device`` is the other's.
    """

    session: str
    weights: bool = True
    snapshot: int | None = None
    name: str = ""
    caffe: str = ""
    device: str = ""


CloneCall = CloneSession
