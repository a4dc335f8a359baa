"""Which names of files and folders are taken from elsewhere: no others are ever opened or made. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from barista_server.api.transfers import MOST_FILES, Parcel, ParcelFile

LONGEST_PART = 240
"""Bytes of a name, so that .part has room within the 255 of most file systems."""
LONGEST = 1000
"""Bytes of a whole relative path."""
PART = ".part"
MOST_EXTENTS = 10_000
LARGEST = 1 << 50


class ParcelError(ValueError):
    """Why files are not copied; ``hint`` says what to do; ``code`` is for programs, as of a Failure."""

    def __init__(self, text: str, hint: str | None = None, code: str = "invalid") -> None:
        super().__init__(text)
        self.hint = hint
        self.code = code


def odd(path: str) -> str:
    """Why a relative path is not copied; empty if it is."""
    if not path or path.startswith("/"):
        return "it is no relative path"
    try:
        parts = path.encode().split(b"/")
    except UnicodeEncodeError:
        return "its name is no UTF-8"
    if any(part in (b"", b".", b"..") for part in parts):
        return "it may lead elsewhere"
    if not path.isprintable():
        return "its name has characters that cannot be seen"
    if "\\" in path:
        return "its name has a backslash"
    if len(path.encode()) > LONGEST or max(map(len, parts)) > LONGEST_PART:
        return "its name is too long"
    if any(part.endswith(PART.encode()) for part in parts):
        return f"{PART} is the ending of what is half there"
    return ""


def check(parcel: Parcel) -> None:
    """Whether all in it can be made in an empty folder, and only there. Raises ParcelError."""
    if len(parcel.files) > MOST_FILES:
        hint = "Pack them into a database, or copy them by other means."
        raise ParcelError(f"{len(parcel.files):,} files are more than {MOST_FILES:,}", hint)
    for path in [*(file.path for file in parcel.files), *parcel.folders]:
        if why := odd(path):
            raise ParcelError(f"{path!r} cannot be copied: {why}")
    _check_places([file.path for file in parcel.files], parcel.folders)
    for file in parcel.files:
        _check_sizes(file)
    if parcel.main and parcel.main not in {file.path for file in parcel.files}:
        raise ParcelError(f"{parcel.main!r} is not among the files")


def _check_places(files: Sequence[str], folders: Sequence[str]) -> None:
    """No two the same, also where capitals do not count, and no file where a folder has to be."""
    if twice := clash([*files, *folders]):
        raise ParcelError(f"{twice[0]!r} and {twice[1]!r} differ in capitals only, or not at all")
    taken = {path.casefold() for path in files}
    for path in [*files, *folders]:
        parts = path.casefold().split("/")
        if any("/".join(parts[:count]) in taken for count in range(1, len(parts))):
            raise ParcelError(f"{path!r} would lie in a file")


def clash(paths: Iterable[str]) -> tuple[str, str] | None:
    """The first two that are the same where capitals do not count."""
    seen: dict[str, str] = {}
    for path in paths:
        key = path.casefold()
        if key in seen:
            return seen[key], path
        seen[key] = path
    return None


def _check_sizes(file: ParcelFile) -> None:
    if not 0 <= file.size <= LARGEST or abs(file.mtime) >= 1 << 63 or len(file.extents) > MOST_EXTENTS:
        raise ParcelError(f"{file.path!r} has no sensible size or time")
    at = 0
    for begin, end in file.extents:
        if not at <= begin <= end <= file.size:
            raise ParcelError(f"the holes of {file.path!r} are no holes")
        at = end


def pieces(file: ParcelFile) -> list[tuple[int, int]]:
    """Begin and end of what has to be copied."""
    return file.extents or [(0, file.size)]


def weight(file: ParcelFile) -> int:
    """Bytes to copy, holes left out."""
    return sum(end - begin for begin, end in pieces(file))


def left(file: ParcelFile, at: int) -> list[tuple[int, int]]:
    """What remains to be copied of a file that stands at ``at`` (-1: it is there)."""
    if at < 0:
        return []
    return [(max(begin, at), end) for begin, end in pieces(file) if end > max(begin, at)]
