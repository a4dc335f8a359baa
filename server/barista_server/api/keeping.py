"""What the messages say of how many snapshots a session keeps."""

from __future__ import annotations

from barista_server.api.things import Acting, Keep


class KeepSnapshots(Acting, frozen=True, tag="keep-snapshots"):
    """From now on keep only these snapshots; what is too many already goes at once, for good: it is to make
    room. Answered by :class:`SessionReply`.
    """

    session: str
    keep: Keep


KeepingCall = KeepSnapshots
