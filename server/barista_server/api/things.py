"""What the messages speak of: sessions, runs, snapshots, metrics, log lines."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of all on the wire. Unknown fields are ignored, so that one may be added within one version."""


class Acting(Message, frozen=True, kw_only=True):
    """Base of calls that do to a session what another person may not want any more."""

    seen: int | None = None
    """The :attr:`SessionInfo.revision` by which it was decided; the call is refused as ``changed`` if that is
    not what it is now. None: whatever it is.
    """


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


LauncherName = Literal["process", "slurm"]


class SlurmOptions(Message, frozen=True):
    """What ``sbatch`` is asked for. Empty or 0: nothing is said, Slurm's own default holds."""

    partition: str = ""
    gres: str = ""
    """``gpu:1``, ``gpu:a100:2``."""
    time: str = ""
    """Time limit as sbatch takes it: minutes, ``HH:MM:SS``, ``D-HH``."""
    cpus: int = 0
    """Processors of the one task."""
    memory: str = ""
    """``16G``."""
    account: str = ""
    arguments: list[str] = []
    """More arguments of sbatch, one word each: ``--qos=long``, ``--nodelist=gpu07``."""


class Problem(Message, frozen=True):
    """Why a session is invalid or a run failed."""

    text: str
    file: str | None = None
    line: int | None = None
    """1-based, in ``file``."""
    hint: str | None = None
    """What to do next, as a sentence."""
    log_line: int | None = None
    """1-based line of the log that tells of it, where ``file`` is another one or not."""


class Snapshot(Message, frozen=True):
    """A verified pair of model and state file in the session's folder."""

    iteration: int
    model: str
    """File name relative to the session's folder; so is ``state``."""
    state: str
    size: int
    time: float


RunEnding = Literal["", "open", "finished", "stopped early", "failed"]


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
    ending: RunEnding = ""
    """How a run of an imported log ended, as far as the log says; nobody knows its exit code."""


class LogFile(Message, frozen=True):
    """A log file that lies anywhere on the agent's host, and is only read."""

    path: str
    size: int = 0
    """Bytes and lines read so far."""
    lines: int = 0
    generation: int = 0
    """Counts the files that this agent has seen at the path."""


class Queued(Message, frozen=True):
    """Where a session stands in its host's queue."""

    place: int
    """1 is next. 0: not in the host's own queue but in Slurm's, which tells no places."""
    since: float
    priority: int = 0
    """Higher goes first."""
    after: str = ""
    """Id of the session that has to be Finished before."""
    after_any: bool = False
    """Any end of that one will do."""
    reason: str = ""
    """Why it is not started yet: ``GPU 0: lenet-base`` where that one trains."""


AutoResume = Literal["off", "on", "crash"]
"""Whether the agent starts a session again by itself: never; after a reboot of its host, or when its caffe
vanished; also after its caffe was killed by a signal or for want of memory.
"""


class Resumes(Message, frozen=True):
    """The agent is about to start a session again by itself."""

    due: float
    attempt: int
    """1 is the first since the training came further."""
    most: int
    """Tries after which it is left as it is."""


class Holder(Message, frozen=True):
    """A process that has memory of a graphics card."""

    pid: int
    user: str = ""
    name: str = ""
    memory: int | None = None
    session: str = ""
    """Id of the session it belongs to; empty for somebody else's."""


class Keep(Message, frozen=True):
    """Which snapshots stay: the newest ``last``, and the ``best`` by a test output; 0 and 0: all. ``high``:
    the greatest values are the best.
    """

    last: int = 0
    best: int = 0
    by: str = ""
    high: bool = True


class DeviceInfo(Message, frozen=True):
    """What a session can train on. None where nobody can tell."""

    id: str
    """As sessions choose it: ``cpu``, ``0``, ``1``."""
    model: str = ""
    cores: int = 0
    load: float | None = None
    """Of the last minute; like ``cores`` and the disk of the CPU only."""
    utilisation: float | None = None
    """Percent."""
    memory_free: int | None = None
    memory_total: int | None = None
    disk_free: int | None = None
    """Of the disk that holds the sessions."""
    disk_total: int | None = None
    temperature: int | None = None
    """Degrees Celsius."""
    slots: int = 1
    """Trainings that the queue has on it at a time."""
    sessions: list[str] = []
    """Ids of the sessions that train on it."""
    holders: list[Holder] = []
    busy: str = ""
    """Why the queue leaves it alone though it has a slot: processes of others hold it."""


class Ancestor(Message, frozen=True):
    """A session that another one was made from. What is told of it is as it was then."""

    id: str
    name: str
    created: float
    how: Literal["weights", "settings", "copy"] = "copy"
    """What was taken from it: net and solver with the weights of a snapshot, or without; or all of it, by a
    copy that arrived here.
    """
    iteration: int | None = None
    """Of the snapshot whose weights were taken."""
    place: str = ""
    """``host:folder``, where it is a session of another root."""


class SessionInfo(Message, frozen=True):
    """All a list row needs to know of a session, or of an imported log, which is shown as one."""

    id: str
    name: str
    state: State
    folder: str
    created: float
    caffe: str
    """Name of the chosen executable, see :class:`CaffeInfo`."""
    device: str = "cpu"
    """``cpu``, or what caffe's ``--gpu`` takes: ``0``, ``0,1``, ``all``."""
    launcher: LauncherName = "process"
    """Whether it runs as a process of the agent's machine, or as a job of Slurm."""
    slurm: SlurmOptions | None = None
    """What the job asks for."""
    job: str = ""
    """Number of the newest run's job."""
    parent: str | None = None
    """Id of the session of the same root that this one was made from."""
    lineage: list[Ancestor] = []
    """What it was made from, then what that was made from, and so on; none of them need be there any more."""
    weights: str = ""
    """File in its folder that a start takes the weights from while there is no snapshot."""
    problems: list[Problem] = []
    """Reasons of Invalid and Failed, worst first."""
    warnings: list[Problem] = []
    """What is odd about the files and does not keep them from being started, as fields of a fork."""
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
    queued: Queued | None = None
    """While it is in the queue; of an Invalid session too, which then waits to be corrected."""
    keep: Keep | None = None
    """Which of them stay; None: all."""
    auto_resume: AutoResume = "off"
    resumes: Resumes | None = None
    revision: int = 0
    """Another one after a change of state, runs, name or settings, the same while it merely trains.
    0: the agent is too old to tell.
    """
    kind: Literal["session", "log"] = "session"
    log: LogFile | None = None
    """Of kind ``log``. Its runs are those found in the file; nothing can be done to them. ``folder`` is where
    the file lies, and ``caffe`` is empty.
    """


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


class Place(Message, frozen=True):
    """A point of a metric, ``x`` as the request asked, and the log line and run that told it."""

    x: float
    y: float
    line: int
    run: int


class Series(Message, frozen=True):
    """A window of one metric, decimated to buckets. All arrays have the same length.

    ``x`` float64: iteration, or seconds since the first run's start (as the request asked); ``low``/``high``
    float64: least and greatest finite value in the bucket (NaN where it has none; both are the value itself
    where nothing was decimated); ``line`` int64: log line of the bucket's last point, or -1.
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
    least: Place | None = None
    """The first point with the least finite value; None where there is none."""
    greatest: Place | None = None


class LogLine(Message, frozen=True, gc=False):
    """One cleaned line of a run's log. Thousands are kept, in which no garbage is to be looked for."""

    number: int
    """0-based line number within the run's log; within the file, where that holds several runs."""
    kind: Literal["plain", "metric", "test", "event", "warning", "error"]
    text: str


class BlobInfo(Message, frozen=True):
    """A blob of a model file."""

    shape: list[int]
    dtype: str = "float32"
    """As the file holds it: ``float32``, ``float64``, ``float16`` ..."""
    shared: bool = False
    """Kept with another layer, whose parameter it is; nothing else is known of it here."""


class LayerWeights(Message, frozen=True):
    """A layer of a model file. Names may repeat, and be empty."""

    name: str
    type: str
    """As the file has it: ``Convolution``, in older ones ``CONVOLUTION`` or ``conv``; empty in HDF5."""
    form: Literal["current", "V1", "V0", "HDF5"]
    blobs: list[BlobInfo] = []


class BlobStats(Message, frozen=True):
    """What the values of a blob are like. The numbers but for the counts are of the finite ones, None where
    there are none.
    """

    count: int
    nans: int = 0
    infinite: int = 0
    zeros: int = 0
    least: float | None = None
    mean: float | None = None
    greatest: float | None = None
    deviation: float | None = None
    """Standard deviation, of all values as the population."""


class Notice(Message, frozen=True):
    """A message for the console that is no log line: the agent, or a session's life."""

    time: float
    caller: str
    """``Session 7``, ``Agent`` ..."""
    kind: Literal["text", "error"]
    text: str
