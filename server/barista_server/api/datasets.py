"""What the messages say of datasets: what an agent knows of them, what may be asked, what it answers."""

from __future__ import annotations

from typing import Literal

from barista_server.api.things import Message

MOST_SAMPLES = 256
"""Samples, or thumbnails, in one answer."""
MOST_SIDE = 256
"""Pixels of a thumbnail's longer side."""

DatasetKind = Literal["lmdb", "leveldb", "hdf5", "hdf5-list", "image-list"]


class Top(Message, frozen=True):
    """What a dataset gives a data layer: ``data``, ``label``, or the datasets of an HDF5 file by name."""

    name: str
    shape: list[int]
    """Of one sample; empty for a single number, and where samples differ."""
    dtype: str


class DatasetFacts(Message, frozen=True):
    """What the files tell without being read as a whole."""

    kind: DatasetKind
    size: int
    """Bytes of all files."""
    files: int
    samples: int | None = None
    """None: only known once it is hashed (LevelDB counts no records)."""
    tops: list[Top] = []
    encoded: bool = False
    """The samples are images in a file format."""
    varying: bool = False
    """Samples differ in shape; that of the first is told."""
    labels: Literal["none", "integers", "floats"] = "none"
    label_low: float | None = None
    label_high: float | None = None
    labels_seen: int = 0
    """Labels that the range was taken from, spread over the dataset."""


class Job(Message, frozen=True):
    """What is being done to a dataset just now."""

    what: Literal["waiting", "hashing"]
    bytes: int = 0
    """Content read so far, what an earlier try had read included."""
    share: float = 0.0
    """Part done, 0 to 1."""
    rate: float = 0.0
    """Bytes per second of late."""
    eta: float | None = None
    """Seconds to go."""
    resumed: int = 0
    """Bytes that need not be read again."""
    note: str = ""
    """Why an earlier try could not be gone on with."""


class DatasetInfo(Message, frozen=True):
    """One dataset on the agent's list."""

    id: str
    name: str
    path: str
    """On the agent's machine, absolute, links resolved."""
    facts: DatasetFacts
    base: str = ""
    """Folder that relative names in a list start from; empty: the list's own."""
    content: str = ""
    """Content id, 64 hex digits: the same wherever the same data is. Empty: not hashed yet."""
    alive: bool = True
    """The files are there."""
    changed: bool = False
    """The files are not those that were hashed, as far as sizes and times tell; ``content`` is of the old."""
    problem: str | None = None
    job: Job | None = None


class Sample(Message, frozen=True):
    """``data`` holds the values of ``shape`` in C order, little-endian; colours are blue, green, red."""

    index: int
    key: str = ""
    """Of the record, or the image's name in the list."""
    labels: list[float] = []
    shape: list[int] = []
    dtype: str = "uint8"
    data: bytes = b""
    problem: str | None = None
    """Why there is no ``data``."""


class Thumbnail(Message, frozen=True):
    """``data``: bytes of (height, width, channels), one channel for grey, or red, green, blue."""

    index: int
    labels: list[float] = []
    height: int = 0
    width: int = 0
    channels: int = 1
    data: bytes = b""
    problem: str | None = None


class LabelBin(Message, frozen=True):
    """Labels from ``low`` to ``high``: one whole number if both are the same, else without ``high`` itself
    (but for the last bin).
    """

    low: float
    high: float
    count: int


class Found(Message, frozen=True):
    """A dataset that a search came upon."""

    path: str
    kind: DatasetKind
    size: int
    listed: str = ""
    """Its number, if it is on the list already."""


# ----------------------------------------------------------------------------------------------------- calls


class ListDatasets(Message, frozen=True, tag="list-datasets"):
    """Answered by :class:`DatasetList`."""


class FollowDatasets(Message, frozen=True, tag="follow-datasets"):
    """Receive :class:`DatasetChanged` and :class:`DatasetRemoved` from now on, until the link ends. Answered
    by :class:`DatasetList`.
    """


class GetDataset(Message, frozen=True, tag="get-dataset"):
    """By id, unique name, unique beginning of an id, or beginning (8 digits at least) of a content id.
    Answered by :class:`DatasetReply`.
    """

    dataset: str


class AddDataset(Message, frozen=True, tag="add-dataset"):
    """Put a dataset on the list and hash it. Answered by :class:`DatasetReply`, while it is being hashed.

    ``path`` is absolute, on the agent's machine; where a client of this machine adds it, it is declared,
    else it must lie below a declared folder. If its content turns out to be that of another one on the list,
    it is taken off again: :class:`DatasetRemoved` says so.
    """

    path: str
    name: str = ""
    kind: DatasetKind | Literal[""] = ""
    base: str = ""


class RenameDataset(Message, frozen=True, tag="rename-dataset"):
    """Answered by :class:`DatasetReply`."""

    dataset: str
    name: str


class RemoveDataset(Message, frozen=True, tag="remove-dataset"):
    """Take it off the list; its files stay. Answered by :class:`DatasetReply`."""

    dataset: str


class RestoreDataset(Message, frozen=True, tag="restore-dataset"):
    """Undo a removal; ``dataset`` is the id it had. Answered by :class:`DatasetReply`."""

    dataset: str


class MoveDataset(Message, frozen=True, tag="move-dataset"):
    """Up the list (negative) or down. Answered by :class:`DatasetList`."""

    dataset: str
    places: int


class RelocateDataset(Message, frozen=True, tag="relocate-dataset"):
    """The files are elsewhere now. Its id stays and is checked. Answered by :class:`DatasetReply`."""

    dataset: str
    path: str
    base: str = ""


class ReloadDataset(Message, frozen=True, tag="reload-dataset"):
    """Read the facts again and see whether the files changed. Answered by :class:`DatasetReply`."""

    dataset: str


class HashDataset(Message, frozen=True, tag="hash-dataset"):
    """Find the content id, going on where an earlier try was left; nothing happens if it is known and the
    files are as they were, unless ``again``. Answered by :class:`DatasetReply`.
    """

    dataset: str
    again: bool = False


class CancelHash(Message, frozen=True, tag="cancel-hash"):
    """What has been read is kept for the next try. Answered by :class:`DatasetReply`."""

    dataset: str


class GetSamples(Message, frozen=True, tag="get-samples"):
    """Answered by :class:`Samples`, as many as fit into an answer, MOST_SAMPLES at most."""

    dataset: str
    start: int = 0
    count: int = 1


class GetThumbnails(Message, frozen=True, tag="get-thumbnails"):
    """Small pictures of samples. Answered by :class:`Thumbnails`."""

    dataset: str
    start: int = 0
    count: int = 16
    side: int = 32
    """Pixels of the longer side, at most; nothing is enlarged."""


class GetLabelHistogram(Message, frozen=True, tag="get-label-histogram"):
    """Answered by :class:`LabelHistogram`. ``whole``: look at every label, which may take long; else at as
    many, spread over the dataset, as two seconds allow.
    """

    dataset: str
    whole: bool = False


class ListDatasetRoots(Message, frozen=True, tag="list-dataset-roots"):
    """Answered by :class:`DatasetRoots`."""


class DeclareRoot(Message, frozen=True, tag="declare-root"):
    """Let datasets below this folder be added from elsewhere. Answered by :class:`DatasetRoots`; only from
    the agent's own machine.
    """

    path: str


class UndeclareRoot(Message, frozen=True, tag="undeclare-root"):
    """Answered by :class:`DatasetRoots`; only from the agent's own machine."""

    path: str


class SearchDatasets(Message, frozen=True, tag="search-datasets"):
    """Look for datasets in the declared folders, or in one folder below them. Answered by
    :class:`SearchState` at once; ask :class:`GetSearch` for more.
    """

    below: str = ""


class GetSearch(Message, frozen=True, tag="get-search"):
    """Answered by :class:`SearchState`."""

    search: str


class CancelSearch(Message, frozen=True, tag="cancel-search"):
    """Answered by :class:`SearchState`, with what was found so far."""

    search: str


# --------------------------------------------------------------------------------------------------- results


class DatasetList(Message, frozen=True, tag="dataset-list"):
    datasets: list[DatasetInfo]


class DatasetReply(Message, frozen=True, tag="dataset"):
    dataset: DatasetInfo


class Samples(Message, frozen=True, tag="samples"):
    samples: list[Sample]


class Thumbnails(Message, frozen=True, tag="thumbnails"):
    thumbnails: list[Thumbnail]


class LabelHistogram(Message, frozen=True, tag="label-histogram"):
    """``seen`` labels were looked at, of ``samples`` (None: unknown)."""

    bins: list[LabelBin]
    seen: int
    samples: int | None
    whole: bool


class DatasetRoots(Message, frozen=True, tag="dataset-roots"):
    """``own`` is always among ``roots``: the agent's folder of datasets."""

    roots: list[str]
    own: str


class SearchState(Message, frozen=True, tag="search-state"):
    search: str
    running: bool
    looked: int
    """Folders looked into."""
    found: list[Found]
    note: str = ""
    """Why it did not look everywhere."""


# ---------------------------------------------------------------------------------------------------- events


class DatasetChanged(Message, frozen=True, tag="dataset-changed"):
    """New or changed; some times a second at most while it is hashed, newest wins."""

    dataset: DatasetInfo


class DatasetRemoved(Message, frozen=True, tag="dataset-removed"):
    dataset: str
    reason: str = ""
    """If nobody asked for it: its content is that of another."""


DatasetCall = (
    ListDatasets
    | FollowDatasets
    | GetDataset
    | AddDataset
    | RenameDataset
    | RemoveDataset
    | RestoreDataset
    | MoveDataset
    | RelocateDataset
    | ReloadDataset
    | HashDataset
    | CancelHash
    | GetSamples
    | GetThumbnails
    | GetLabelHistogram
    | ListDatasetRoots
    | DeclareRoot
    | UndeclareRoot
    | SearchDatasets
    | GetSearch
    | CancelSearch
)

DatasetResult = (
    DatasetList | DatasetReply | Samples | Thumbnails | LabelHistogram | DatasetRoots | SearchState
)

DATASET_LOOKS: frozenset[type[Message]] = frozenset(
    {
        ListDatasets,
        FollowDatasets,
        GetDataset,
        GetSamples,
        GetThumbnails,
        GetLabelHistogram,
        ListDatasetRoots,
        GetSearch,
    }
)
