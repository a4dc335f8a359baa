"""Every message that crosses the wire, as typed structs.

A connection carries MessagePack frames (see :mod:`barista_server.api.frames`). Its first two frames are a
handshake: the client sends :class:`Hello`, the agent answers :class:`Welcome` or :class:`Refusal`. From then
on the client sends :class:`Request` frames; the agent answers each with one :class:`Reply` of the same ``id``
(in any order) and pushes :class:`Event` frames for what the client subscribed to.

Times are seconds since the epoch (float), sizes are bytes, arrays are raw little-endian bytes.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

PROTOCOL = 1
"""Version of this file's meaning. Agent and client must agree on it exactly."""


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of all below. Unknown fields are ignored, so that a field may be added within one version."""


# -------------------------------------------------------------------------------------------------- handshake


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


class Refusal(Message, frozen=True, tag="refusal"):
    """The agent will not talk to this client; the connection closes after it."""

    reason: str


MOST_LINES = 10_000
"""Lines in one answer, so that it fits a frame and holds up nobody."""

# ----------------------------------------------------------------------------------------------------- things


class State(StrEnum):
    """State of a session. *Not connected* is no state: it belongs to the link (see docs/architecture.md)."""

    WAITING = "waiting"
    QUEUED = "queued"
    RUNNING = "running"
    PAUSING = "pausing"
    PAUSED = "paused"
    FINISHED = "finished"
    PRETRAINED = "pre-trained"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    INVALID = "invalid"


class Problem(Message, frozen=True):
    """Why a session is invalid or a run failed."""

    text: str
    file: str | None = None
    line: int | None = None
    """1-based, in ``file``."""
    hint: str | None = None
    """What to do next, as a sentence."""


class Snapshot(Message, frozen=True):
    """A verified pair of model and state file in the session's folder."""

    iteration: int
    model: str
    """File name relative to the session's folder; so is ``state``."""
    state: str
    size: int
    time: float


class RunInfo(Message, frozen=True):
    """One start of the caffe executable within a session. Runs count from 1."""

    number: int
    started: float
    ended: float | None = None
    resumed_from: int | None = None
    """Iteration of the snapshot it went on from."""
    exit_code: int | None = None
    signal: int | None = None
    log_size: int = 0
    lines: int = 0


class SessionInfo(Message, frozen=True):
    """All a list row needs to know of a session."""

    id: str
    name: str
    state: State
    folder: str
    created: float
    caffe: str
    """Name of the chosen executable, see :class:`CaffeInfo`."""
    device: str = "cpu"
    """``cpu``, or what caffe's ``--gpu`` takes: ``0``, ``0,1``, ``all``."""
    parent: str | None = None
    problems: list[Problem] = []
    """Reasons of Invalid and Failed, worst first."""
    iteration: int = 0
    max_iter: int = 0
    loss: float | None = None
    """Last displayed (smoothed) training loss; may be NaN or infinite."""
    tests: dict[str, float] = {}
    """Last value of each test output, by name: ``{"accuracy": 0.98}``."""
    speed: float | None = None
    """Iterations per second over the last displays, tests left out."""
    eta: float | None = None
    """Seconds to go, tests included; only while running."""
    stalled: bool = False
    """No line for far longer than this run's own history predicts."""
    runs: list[RunInfo] = []
    snapshots: list[Snapshot] = []
    """Oldest first."""
    busy: str | None = None
    """What the agent is doing to it just now: ``stopping at iteration 4200``."""


class CaffeInfo(Message, frozen=True):
    """An executable that behaves like caffe."""

    name: str
    argv: list[str]
    version: str = ""
    problem: str | None = None


class TemplateInfo(Message, frozen=True):
    """A ready-made network with solver."""

    name: str
    title: str
    about: str


class SeriesKey(Message, frozen=True):
    """Names one metric of a session: training's loss and lr, outputs of the train net and each test net."""

    phase: Literal["train", "test"]
    name: str
    net: int = 0
    """Number of the test net."""
    output: int = -1
    """Number of the net output (``#0``); -1 for the smoothed loss and lr, which are no outputs."""


class Series(Message, frozen=True):
    """A window of one metric, decimated to buckets. All arrays have the same length.

    ``x`` float64: iteration, or seconds since the first run's start (as the request asked); ``low``/``high``
    float64: least and greatest finite value in the bucket (NaN where it has none); ``line`` int64: log line
    of the bucket's last point, or -1.
    """

    key: SeriesKey
    x: bytes
    low: bytes
    high: bytes
    line: bytes
    run: bytes
    """Run number of each bucket's last point, int32."""
    points: int
    """Number of points the window stands for."""
    nonfinite: bytes = b""
    """x of NaN and infinite points, float64, thinned like the rest."""


class LogLine(Message, frozen=True):
    """One cleaned line of a run's log."""

    number: int
    """0-based line number within the run's log."""
    kind: Literal["plain", "metric", "test", "event", "warning", "error"]
    text: str


class Notice(Message, frozen=True):
    """A message for the console that is no log line: the agent, or a session's life."""

    time: float
    caller: str
    """``Session 7``, ``Agent`` ..."""
    kind: Literal["text", "error"]
    text: str


# ------------------------------------------------------------------------------------------------------ calls


class ListSessions(Message, frozen=True, tag="list-sessions"):
    """Answered by :class:`SessionList`."""


class GetSession(Message, frozen=True, tag="get-session"):
    """By id, unique id prefix, or unique name. Answered by :class:`SessionReply`."""

    session: str


class NewSession(Message, frozen=True, tag="new-session"):
    """Create a session from a template, or from the text of a solver and net. Answered by
    :class:`SessionReply`.

    With ``template`` empty, ``solver`` and ``net`` are prototxt texts; ``base`` is the folder that relative
    data paths in them mean (they are made absolute); empty leaves them as they are.
    """

    name: str = ""
    template: str = ""
    solver: str = ""
    net: str = ""
    base: str = ""
    caffe: str = ""
    device: str = "cpu"


class StartSession(Message, frozen=True, tag="start"):
    """Start, or go on from ``snapshot`` (iteration; default: newest verified). Answered by
    :class:`SessionReply`.
    """

    session: str
    snapshot: int | None = None


class PauseSession(Message, frozen=True, tag="pause"):
    """Stop with a verified snapshot; answered when the process was told, Paused comes as an event.

    ``force`` is for a process that does not react, after a person confirmed what is lost since the last
    snapshot.
    """

    session: str
    force: Literal["", "term", "kill"] = ""


class SnapshotSession(Message, frozen=True, tag="snapshot"):
    """Take a snapshot while running. Answered by :class:`SnapshotReply` once both files are verified."""

    session: str


class ResetSession(Message, frozen=True, tag="reset"):
    """Move snapshots and runs to the trash. Answered by :class:`TrashReply`; refused while running."""

    session: str


class DeleteSession(Message, frozen=True, tag="delete"):
    """Move the whole session to the trash. Answered by :class:`TrashReply`; refused while running."""

    session: str


class Restore(Message, frozen=True, tag="restore"):
    """Undo a reset or delete. Answered by :class:`SessionReply`."""

    trash: str


class RenameSession(Message, frozen=True, tag="rename"):
    """Answered by :class:`SessionReply`."""

    session: str
    name: str


class ListTemplates(Message, frozen=True, tag="list-templates"):
    """Answered by :class:`TemplateList`."""


class ListCaffes(Message, frozen=True, tag="list-caffes"):
    """Answered by :class:`CaffeList`."""


class GetLines(Message, frozen=True, tag="get-lines"):
    """Lines of a run's log. Answered by :class:`Lines`.

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
    With ``raw`` true, runs are not stitched and nothing is decimated.
    """

    session: str
    keys: list[SeriesKey]
    axis: Literal["iteration", "time"] = "iteration"
    x0: float | None = None
    x1: float | None = None
    buckets: int = 400
    raw: bool = False


class GetFiles(Message, frozen=True, tag="get-files"):
    """Answered by :class:`SessionFiles`."""

    session: str


class Subscribe(Message, frozen=True, tag="subscribe"):
    """Receive session and notice events from now on. Answered by :class:`Subscribed`.

    ``epoch`` and ``after`` name the last event the client saw; events since then are sent again, unless too
    many were missed or the agent was started anew: then ``Subscribed.complete`` holds and the reply's lists
    are the whole truth.
    """

    epoch: str = ""
    after: int = 0


class FollowLog(Message, frozen=True, tag="follow-log"):
    """Send the bytes of a run's log from ``offset`` on, then what is appended. Answered by :class:`Done`."""

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
    | StartSession
    | PauseSession
    | SnapshotSession
    | ResetSession
    | DeleteSession
    | Restore
    | RenameSession
    | ListTemplates
    | ListCaffes
    | GetLines
    | ListSeries
    | GetSeries
    | GetFiles
    | Subscribe
    | FollowLog
    | UnfollowLog
    | Ping
    | StopAgent
)


# ---------------------------------------------------------------------------------------------------- results


class Done(Message, frozen=True, tag="done"):
    """The call was carried out and has nothing to tell."""


class Failure(Message, frozen=True, tag="failure"):
    """The call was not carried out.

    ``code`` is for programs: ``not-found``, ``ambiguous``, ``refused`` (wrong state; ``text`` says which and
    what to do first), ``invalid`` (see ``problems``), ``disk`` (full or unwritable), ``timeout``,
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
    """``trash`` is what :class:`Restore` takes; ``files`` and ``size`` say what went."""

    trash: str
    session: str
    files: int
    size: int


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
    session: str
    series: list[Series]


class SessionFiles(Message, frozen=True, tag="session-files"):
    solver: str
    net: str


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
    | TemplateList
    | CaffeList
    | Lines
    | SeriesList
    | SeriesWindow
    | SessionFiles
    | Subscribed
)


# ----------------------------------------------------------------------------------------------------- events


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


Occurrence = SessionChanged | SessionRemoved | Noticed | LogBytes


# ----------------------------------------------------------------------------------------------------- frames


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


FromClient = Hello | Request
FromAgent = Welcome | Refusal | Reply | Event
