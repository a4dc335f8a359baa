"""What the messages say of copying: parcels of files that go from one machine to another in pieces.

Who has the files exports, who gets them imports; a client carries the pieces. What is half there stays in
``<root>/incoming`` and is gone on with when the same thing is imported again.
"""

from __future__ import annotations

from typing import Literal

from barista_server.api.datasets import DatasetKind
from barista_server.api.things import Message, SessionInfo

CHUNK = 512 << 10
"""Bytes that a client asks for at a time."""
MOST_CHUNK = 4 << 20
"""Bytes in one answer."""
MOST_FILES = 50_000
"""Files of one parcel, so that their list fits a frame."""

Which = Literal["none", "newest", "all"]


class ParcelFile(Message, frozen=True):
    """A regular file; ``path`` is relative, with slashes."""

    path: str
    size: int
    mtime: int
    """Nanoseconds since the epoch."""
    extents: list[tuple[int, int]] = []
    """Begin and end of what is no hole; empty: all of it."""
    grows: bool = False
    """A log: only what there was at first is copied, however long it gets."""


class ParcelInput(Message, frozen=True):
    """Data outside of the session's folder that its files name by absolute path."""

    path: str
    content: str = ""
    """Content id, if the path is on the source's list of datasets and was hashed."""
    dataset: str = ""
    """Its number there."""
    name: str = ""
    base: str = ""
    """Folder that names in a list start from."""
    item: int = -1
    """It is a file of that dataset, a list of HDF5 files: its place in there."""
    brought: str = ""
    """It is a single file, as a mean, that comes along: its path in the parcel."""


class Parcel(Message, frozen=True):
    """All that one copy consists of."""

    kind: Literal["session", "snapshots", "dataset", "deployment"]
    name: str
    origin: str
    """Host and place of what is copied: the same for each try."""
    files: list[ParcelFile]
    folders: list[str] = []
    """Relative, each after the one it is in."""
    left_out: list[str] = []
    """What is not copied, and why."""
    caffe: str = ""
    device: str = ""
    inputs: list[ParcelInput] = []
    dataset: DatasetKind | None = None
    main: str = ""
    """Of a dataset: the file that is its path; empty: the folder."""
    content: str = ""


class InputFound(Message, frozen=True):
    """Where a :class:`ParcelInput` is on the importing host; ``there`` is empty if it is missing, relative
    if it comes along.
    """

    path: str
    there: str = ""
    base: str = ""
    same: bool = False
    """Known by its content id, not by its path alone."""
    problem: str = ""
    """Why what lies at the same path is not taken."""


# ----------------------------------------------------------------------------------------------------- calls


class ExportSession(Message, frozen=True, tag="export-session"):
    """Answered by :class:`Export`. ``folder``: with all else in the session's folder; ``iteration``: just
    this snapshot.
    """

    session: str
    snapshots: Which = "newest"
    iteration: int | None = None
    folder: bool = True


class ExportDataset(Message, frozen=True, tag="export-dataset"):
    """Answered by :class:`Export`. All of its files must lie below declared folders."""

    dataset: str


class ReadChunk(Message, frozen=True, tag="read-chunk"):
    """Bytes of a file of an export, by its place in the list. Answered by :class:`Chunk`, in full; a file
    that is not as it was is a Failure with code ``changed``.
    """

    handle: str
    file: int
    offset: int
    size: int


class HashFiles(Message, frozen=True, tag="hash-files"):
    """Answered by :class:`FileHashes`: blake3 of what is no hole, in hex, of the files as they are now."""

    handle: str
    files: list[int]


class CloseExport(Message, frozen=True, tag="close-export"):
    """Answered by :class:`Done`."""

    handle: str


class OpenImport(Message, frozen=True, tag="open-import"):
    """Begin, or go on with what is half there. Answered by :class:`ImportState`; refused if the disk has no
    room.

    ``key`` names the import for all tries, ``attempt`` this one: if it has been finished already, and only
    the answer was lost, the state says so. ``name``, ``caffe`` and ``device`` are for a session, empty: as
    they were.
    """

    key: str
    parcel: Parcel
    attempt: str
    name: str = ""
    caffe: str = ""
    device: str = ""


class WriteChunk(Message, frozen=True, tag="write-chunk"):
    """The next bytes of a file: pieces are written in order, holes are passed over. Answered by
    :class:`Done`.
    """

    handle: str
    file: int
    offset: int
    data: bytes


class CheckFiles(Message, frozen=True, tag="check-files"):
    """Compare files that are there in full with the hashes they had where they come from. Answered by
    :class:`Done`; one that differs is thrown away: a Failure with code ``damaged``.
    """

    handle: str
    files: list[int]
    hashes: list[str]


class FinishImport(Message, frozen=True, tag="finish-import"):
    """Put all into place, once each file was checked. Answered by :class:`Arrived`.

    ``startable``: a session that could not be started as it is here is refused, with the reasons; what was
    copied stays for another try.
    """

    handle: str
    startable: bool = False


class CancelImport(Message, frozen=True, tag="cancel-import"):
    """Throw away what is half there. Answered by :class:`Done`."""

    key: str


class NoteMove(Message, frozen=True, tag="note-move"):
    """Write into a session's journal where it was moved to. Answered by :class:`Done`; refused while it
    runs.
    """

    session: str
    to: str
    number: str


# --------------------------------------------------------------------------------------------------- results


class Export(Message, frozen=True, tag="export"):
    """``handle`` is good for this connection, until it is closed."""

    handle: str
    parcel: Parcel


class Chunk(Message, frozen=True, tag="chunk"):
    data: bytes


class FileHashes(Message, frozen=True, tag="file-hashes"):
    hashes: list[str]
    grown: list[int] = []
    """Those of the logs asked for that are longer by now."""


class ImportState(Message, frozen=True, tag="import-state"):
    """``at``: for each file the byte to go on from; -1 if it is there and checked."""

    handle: str
    at: list[int]
    inputs: list[InputFound] = []
    caffe: str = ""
    """What it would be trained with here."""
    finished: Arrived | None = None


class Arrived(Message, frozen=True, tag="arrived"):
    """``path`` is where it is now; ``notes`` tell what was changed on the way."""

    path: str
    session: SessionInfo | None = None
    notes: list[str] = []


TransferCall = (
    ExportSession
    | ExportDataset
    | ReadChunk
    | HashFiles
    | CloseExport
    | OpenImport
    | WriteChunk
    | CheckFiles
    | FinishImport
    | CancelImport
    | NoteMove
)

TransferResult = Export | Chunk | FileHashes | ImportState | Arrived

TRANSFER_LOOKS: frozenset[type[Message]] = frozenset({ExportSession, ReadChunk, HashFiles, CloseExport})
"""A viewer sees all that a session's folder holds, by other calls too; of datasets only samples."""
