"""What a client may ask of the agent, one struct a call."""

from __future__ import annotations

from typing import Literal

from barista_server.api.builds import BUILD_LOOKS, BuildCall
from barista_server.api.cloning import CloneCall
from barista_server.api.comparing import COMPARE_LOOKS, CompareCall
from barista_server.api.datasets import DATASET_LOOKS, DatasetCall
from barista_server.api.deploy import DeployCall
from barista_server.api.editing import EDITING_LOOKS, EditingCall
from barista_server.api.keeping import KeepingCall
from barista_server.api.lists import ListCall
from barista_server.api.search import SEARCH_LOOKS, SearchCall
from barista_server.api.settings import SETTINGS_LOOKS, SettingsCall
from barista_server.api.slurm import SLURM_LOOKS, SlurmCall
from barista_server.api.things import Acting, Message, SeriesKey
from barista_server.api.transfers import TRANSFER_LOOKS, TransferCall
from barista_server.api.trash import TRASH_LOOKS, TrashCall

MOST_LINES = 10_000
"""Lines in one answer, so that it fits a frame and holds up nobody."""
MOST_VALUES = 2_000_000
"""Values of a blob in one answer."""


class ListSessions(Message, frozen=True, tag="list-sessions"):
    """Answered by :class:`SessionList`."""


class GetSession(Message, frozen=True, tag="get-session"):
    """By id, unique id prefix, or unique name. Answered by :class:`SessionReply`."""

    session: str


class NewSession(Message, frozen=True, tag="new-session"):
    """Create a session from a template, or from the text of a solver and net. Answered by
    :class:`SessionReply`.

    With ``template`` empty, ``solver`` and ``net`` are prototxt texts; ``base`` is the folder that relative
    data paths in them mean (they are made absolute); empty leaves them as they are. An empty ``caffe`` or
    ``device`` is the host's default.
    """

    name: str = ""
    template: str = ""
    solver: str = ""
    net: str = ""
    base: str = ""
    caffe: str = ""
    device: str = ""


class ImportLog(Message, frozen=True, tag="import-log"):
    """Show a log file beside the sessions. Answered by :class:`SessionReply`, at the latest after a second: a
    long log is then still being read (``busy``).

    ``path`` is absolute, on the agent's host. Without a ``name`` it is called after the file.
    """

    path: str
    name: str = ""


class StartSession(Acting, frozen=True, tag="start"):
    """Start, or go on from ``snapshot`` (iteration; default: newest verified). Answered by
    :class:`SessionReply`, also when it runs already and no snapshot was named.
    """

    session: str
    snapshot: int | None = None


class PauseSession(Acting, frozen=True, tag="pause"):
    """Stop with a verified snapshot; answered when the process was told, Paused comes as an event.

    ``force`` is for a process that does not react, after a person confirmed what is lost since the last
    snapshot.
    """

    session: str
    force: Literal["", "term", "kill"] = ""


class SnapshotSession(Message, frozen=True, tag="snapshot"):
    """Take a snapshot while running. Answered by :class:`SnapshotReply` once both files are verified."""

    session: str


class ResetSession(Acting, frozen=True, tag="reset"):
    """Move snapshots and runs to the trash. Answered by :class:`TrashReply`; refused while running."""

    session: str


class DeleteSession(Acting, frozen=True, tag="delete"):
    """Move the whole session to the trash. Answered by :class:`TrashReply`; refused while running."""

    session: str


class Restore(Message, frozen=True, tag="restore"):
    """Undo a reset or delete. Answered by :class:`SessionReply`."""

    trash: str


class RenameSession(Acting, frozen=True, tag="rename"):
    """Answered by :class:`SessionReply`."""

    session: str
    name: str


class QueueSession(Message, frozen=True, tag="queue"):
    """Start as soon as the session's devices have room, at once if they have. Answered by
    :class:`SessionReply`.

    ``after``: not before that session (id, beginning of it, or name) is Finished, or with ``after_any`` over
    in any way. For one that is in the queue already, this changes how it waits.
    """

    session: str
    priority: int = 0
    after: str = ""
    after_any: bool = False


class UnqueueSession(Message, frozen=True, tag="unqueue"):
    """Take it out of the queue. Answered by :class:`SessionReply`."""

    session: str


class MoveInQueue(Message, frozen=True, tag="queue-move"):
    """Change a queued session's place, or its priority. Answered by :class:`SessionReply`.

    Moved past others of another priority, it takes theirs; given a priority, it goes behind all that have it.
    """

    session: str
    where: Literal["", "up", "down", "first", "last"] = ""
    priority: int | None = None


class SetSlots(Message, frozen=True, tag="queue-slots"):
    """How many trainings the queue has on a device (``cpu``, ``0``) at a time; 0 keeps it from starting any.
    Answered by :class:`QueueList`.
    """

    device: str
    slots: int


class ListQueue(Message, frozen=True, tag="list-queue"):
    """Answered by :class:`QueueList`."""


class ListDevices(Message, frozen=True, tag="list-devices"):
    """Answered by :class:`DeviceList`."""


class ListTemplates(Message, frozen=True, tag="list-templates"):
    """Answered by :class:`TemplateList`."""


class GetLines(Message, frozen=True, tag="get-lines"):
    """Lines of a run's log. Answered by :class:`Lines`. Run 0 of an imported log is the whole file.

    ``start`` counts filtered lines, 0-based; negative counts from the end. An empty ``kinds`` lets every kind
    pass. At most MOST_LINES come at a time.
    """

    session: str
    run: int
    start: int = -200
    count: int = 200
    kinds: list[str] = []


class ListSeries(Message, frozen=True, tag="list-series"):
    """Answered by :class:`SeriesList`."""

    session: str


class GetSeries(Message, frozen=True, tag="get-series"):
    """Windows of metrics over all runs, stitched. Answered by :class:`SeriesWindow`.

    ``x0``/``x1`` bound the window in units of ``axis`` (None: open); at most ``buckets`` buckets a series.
    With ``buckets`` 0 nothing is decimated, and values are told as they are, infinities included; with
    ``raw`` moreover runs are not stitched. ``log``: buckets are of equal width in log x.
    """

    session: str
    keys: list[SeriesKey]
    axis: Literal["iteration", "time"] = "iteration"
    x0: float | None = None
    x1: float | None = None
    buckets: int = 400
    raw: bool = False
    log: bool = False


class GetFiles(Message, frozen=True, tag="get-files"):
    """Answered by :class:`SessionFiles`."""

    session: str


class ListWeights(Message, frozen=True, tag="list-weights"):
    """Layers and blobs of a trained model, without their values. Answered by :class:`WeightsList`.

    Which: of ``session`` the snapshot of ``iteration`` (default: the newest verified), or else the file at
    ``path``, absolute, on the agent's machine.
    """

    session: str = ""
    iteration: int | None = None
    path: str = ""


class GetBlob(Message, frozen=True, tag="get-blob"):
    """Values of one blob. Answered by :class:`BlobValues`.

    ``layer`` and ``blob`` count as :class:`WeightsList` does. ``start`` and ``stop`` bound the first axis
    that is longer than 1 (old files have ones in front); at most MOST_VALUES come at a time, whole rows of
    that axis.
    """

    layer: int
    blob: int
    start: int = 0
    stop: int | None = None
    session: str = ""
    iteration: int | None = None
    path: str = ""


class GetBlobStats(Message, frozen=True, tag="get-blob-stats"):
    """What the values of some layers' blobs are like. Answered by :class:`BlobStatsList`.

    All of them are read: a client with somebody waiting asks for a few at a time.
    """

    layers: list[int]
    session: str = ""
    iteration: int | None = None
    path: str = ""


class DescribeNet(Message, frozen=True, tag="describe-net"):
    """What the nets of a session look like once built, or those of a solver's or net's file on the agent's
    machine. Answered by :class:`NetReport`.

    ``path`` is absolute and taken if ``session`` is empty; ``base`` is the folder in which relative paths are
    looked for first (empty: the file's own). ``phase`` leaves out the nets of the other one; ``stages`` and
    ``level`` are those of caffe's command line: with a solver they concern the train net only. ``records``:
    channels, height and width of what data layers read, where that cannot be looked into.
    """

    session: str = ""
    path: str = ""
    base: str = ""
    phase: Literal["", "train", "test"] = ""
    stages: list[str] = []
    level: int | None = None
    records: list[int] = []


class Subscribe(Message, frozen=True, tag="subscribe"):
    """Receive session and notice events from now on. Answered by :class:`Subscribed`.

    ``epoch`` and ``after`` name the last event the client saw; events since then are sent again, unless too
    many were missed or the agent was started anew: then ``Subscribed.complete`` holds and the reply's lists
    are the whole truth.
    """

    epoch: str = ""
    after: int = 0


class FollowLog(Message, frozen=True, tag="follow-log"):
    """Send the bytes of a run's log from ``offset`` on, then what is appended. Answered by :class:`Done`.

    Run 0 of an imported log is the whole file; when another file takes its place, following ends.
    """

    session: str
    run: int
    offset: int = 0


class UnfollowLog(Message, frozen=True, tag="unfollow-log"):
    """Answered by :class:`Done`."""

    session: str
    run: int


class Ping(Message, frozen=True, tag="ping"):
    """Answered by :class:`Done`."""


class StopAgent(Message, frozen=True, tag="stop-agent"):
    """End the agent; trainings go on. Answered by :class:`Done`."""


Call = (
    ListSessions
    | GetSession
    | NewSession
    | ImportLog
    | StartSession
    | PauseSession
    | SnapshotSession
    | ResetSession
    | DeleteSession
    | Restore
    | RenameSession
    | QueueSession
    | UnqueueSession
    | MoveInQueue
    | SetSlots
    | ListQueue
    | ListDevices
    | ListTemplates
    | BuildCall
    | GetLines
    | ListSeries
    | GetSeries
    | GetFiles
    | ListWeights
    | GetBlob
    | GetBlobStats
    | DescribeNet
    | CloneCall
    | CompareCall
    | DatasetCall
    | EditingCall
    | DeployCall
    | ListCall
    | KeepingCall
    | SearchCall
    | SettingsCall
    | TransferCall
    | SlurmCall
    | TrashCall
    | Subscribe
    | FollowLog
    | UnfollowLog
    | Ping
    | StopAgent
)

_LOOKS: frozenset[type[Message]] = (
    BUILD_LOOKS
    | DATASET_LOOKS
    | EDITING_LOOKS
    | COMPARE_LOOKS
    | SETTINGS_LOOKS
    | SEARCH_LOOKS
    | TRANSFER_LOOKS
    | SLURM_LOOKS
    | TRASH_LOOKS
    | frozenset(
        {
            ListSessions,
            GetSession,
            ListQueue,
            ListDevices,
            ListTemplates,
            GetLines,
            ListSeries,
            GetSeries,
            GetFiles,
            DescribeNet,
            ListWeights,
            GetBlob,
            GetBlobStats,
            Subscribe,
            FollowLog,
            UnfollowLog,
            Ping,
        }
    )
)


def only_looks(call: Message) -> bool:
    """Whether a viewer may make this call: it changes nothing, and names no file outside of sessions."""
    return type(call) in _LOOKS and not getattr(call, "path", "")
