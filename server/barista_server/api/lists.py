"""Text files that name the HDF5 files of a dataset, one a line, on the agent's machine."""

from __future__ import annotations

from barista_server.api.things import Message

MOST_LIST_BYTES = 4_000_000
"""Of a list, and of the names in one answer."""


class ReadFileList(Message, frozen=True, tag="read-file-list"):
    """Answered by :class:`FileList`. ``path`` is absolute, on the agent's machine; from another machine
    only what lies below the declared folders can be read.
    """

    path: str


class FindHdf5Files(Message, frozen=True, tag="find-hdf5-files"):
    """The file itself, or all HDF5 files below a folder. Answered by :class:`Hdf5Files`."""

    path: str


class WriteFileList(Message, frozen=True, tag="write-file-list"):
    """Write it whole, or leave it as it is. Answered by :class:`FileList`.

    ``stamp`` is that of the list as it was read; if it has changed since, nothing is written. Empty: a new
    file. Empty lines are left out.
    """

    path: str
    lines: list[str]
    stamp: str = ""


class FileList(Message, frozen=True, tag="file-list"):
    path: str
    """Links resolved."""
    lines: list[str]
    """Without empty ones."""
    stamp: str


class Hdf5Files(Message, frozen=True, tag="hdf5-files"):
    paths: list[str]
    note: str = ""
    """Why not all were found."""


ListCall = ReadFileList | FindHdf5Files | WriteFileList
ListResult = FileList | Hdf5Files
