"""What the agent answers, and what it tells by itself."""

from __future__ import annotations

from typing import Literal

from barista_server.api.builds import CaffeInfo
from barista_server.api.comparing import CompareResult
from barista_server.api.datasets import DatasetChanged, DatasetRemoved, DatasetResult
from barista_server.api.deploy import DeployResult
from barista_server.api.editing import EditingResult
from barista_server.api.lists import ListResult
from barista_server.api.nets import NetView, TrainingNeed
from barista_server.api.search import SearchResult
from barista_server.api.settings import SettingsResult
from barista_server.api.slurm import SlurmResult
from barista_server.api.things import (
    BlobStats,
    DeviceInfo,
    LayerWeights,
    LogLine,
    Message,
    Notice,
    Problem,
    Series,
    SeriesKey,
    SessionInfo,
    Snapshot,
    TemplateInfo,
)
from barista_server.api.transfers import TransferResult
from barista_server.api.trash import TrashList


class Done(Message, frozen=True, tag="done"):
    """The call was carried out and has nothing to tell."""


class Failure(Message, frozen=True, tag="failure"):
    """The call was not carried out.

    ``code`` is for programs: ``not-found``, ``ambiguous``, ``refused`` (wrong state; ``text`` says which and
    what to do first), ``changed`` (not what the caller saw, see :class:`Acting`), ``invalid`` (see
    ``problems``), ``disk`` (full or unwritable), ``timeout``, ``unknown`` (the other side is older),
    ``internal``.
    """

    code: str
    text: str
    hint: str | None = None
    problems: list[Problem] = []


class SessionList(Message, frozen=True, tag="session-list"):
    sessions: list[SessionInfo]


class SessionReply(Message, frozen=True, tag="session"):
    session: SessionInfo


class SnapshotReply(Message, frozen=True, tag="snapshot-taken"):
    session: str
    snapshot: Snapshot


class TrashReply(Message, frozen=True, tag="trashed"):
    """``trash`` is what :class:`Restore` takes; ``files`` and ``size`` say what went. Of an imported log that
    is what the agent knew of it, never the log.
    """

    trash: str
    session: str
    files: int
    size: int
    kind: Literal["session", "log"] = "session"


class QueueList(Message, frozen=True, tag="queue-list"):
    """Sessions in the queue, the next one first; ``slots`` of devices that were told other ones than 1."""

    sessions: list[SessionInfo]
    slots: dict[str, int] = {}


class DeviceList(Message, frozen=True, tag="device-list"):
    """The CPU, then the graphics cards."""

    devices: list[DeviceInfo]


class TemplateList(Message, frozen=True, tag="template-list"):
    templates: list[TemplateInfo]


class CaffeList(Message, frozen=True, tag="caffe-list"):
    caffes: list[CaffeInfo]


class Lines(Message, frozen=True, tag="lines"):
    """``total`` counts the lines that pass the filter; ``start`` is the filtered index of the first sent."""

    session: str
    run: int
    start: int
    total: int
    lines: list[LogLine]


class SeriesList(Message, frozen=True, tag="series-list"):
    keys: list[SeriesKey]


class SeriesWindow(Message, frozen=True, tag="series-window"):
    """``origin``: the time (seconds of Unix) that the axis "time" counts from; 0 where nothing tells it."""

    session: str
    series: list[Series]
    origin: float = 0.0


class SessionFiles(Message, frozen=True, tag="session-files"):
    solver: str
    net: str


class WeightsList(Message, frozen=True, tag="weights-list"):
    """``path`` is the file's, on the agent's machine; ``iteration`` is None where no session's snapshot was
    asked for; ``size`` in bytes.
    """

    path: str
    net: str
    size: int
    layers: list[LayerWeights]
    session: str = ""
    iteration: int | None = None


class BlobValues(Message, frozen=True, tag="blob-values"):
    """``data`` are float32 values in C order, of ``shape``: the rows from ``start`` on of ``rows``."""

    shape: list[int]
    start: int
    rows: int
    data: bytes


class BlobStatsList(Message, frozen=True, tag="blob-stats-list"):
    """For each layer asked for one for each of its blobs; None for one kept with another layer."""

    layers: list[list[BlobStats | None]]


class NetReport(Message, frozen=True, tag="net-report"):
    """The train net, then the test nets. ``needs``: one per device, if a solver says how to train.

    ``problems`` keep Caffe from building or training them, ``warnings`` do not.
    """

    file: str
    """The file they were read from: the solver's, or the net's."""
    nets: list[NetView]
    needs: list[TrainingNeed] = []
    problems: list[Problem] = []
    warnings: list[Problem] = []


class Subscribed(Message, frozen=True, tag="subscribed"):
    """``complete``: ``sessions`` and ``notices`` replace all the client knows. ``sequence``: the last event's
    number.
    """

    complete: bool
    sequence: int
    sessions: list[SessionInfo] = []
    notices: list[Notice] = []


Result = (
    Done
    | Failure
    | SessionList
    | SessionReply
    | SnapshotReply
    | TrashReply
    | QueueList
    | DeviceList
    | TemplateList
    | CaffeList
    | Lines
    | SeriesList
    | SeriesWindow
    | SessionFiles
    | WeightsList
    | BlobValues
    | BlobStatsList
    | NetReport
    | CompareResult
    | DatasetResult
    | EditingResult
    | DeployResult
    | ListResult
    | SearchResult
    | SettingsResult
    | TransferResult
    | SlurmResult
    | TrashList
    | Subscribed
)


class SessionChanged(Message, frozen=True, tag="session-changed"):
    """New or changed; sent at most a few times a second for one session, newest wins."""

    session: SessionInfo


class SessionRemoved(Message, frozen=True, tag="session-removed"):
    session: str


class Noticed(Message, frozen=True, tag="noticed"):
    notice: Notice


class LogBytes(Message, frozen=True, tag="log-bytes"):
    """``data`` starts at byte ``offset`` of the run's log. Offsets are contiguous unless ``gap`` bytes were
    left out.
    """

    session: str
    run: int
    offset: int
    data: bytes
    gap: int = 0
    """Bytes skipped before ``offset`` because the client was too slow."""
    ended: bool = False
    """The run is over and this is its last event."""


Occurrence = SessionChanged | SessionRemoved | Noticed | LogBytes | DatasetChanged | DatasetRemoved
