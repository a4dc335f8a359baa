"""What a prototxt file of a session has been: every text that was saved, and where undo stands. Blocks.

<session>/edits/solver.json        the texts, oldest first, and which one is in use
<session>/edits/solver/0003.prototxt
"""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from barista_server.agent import files

MOST = 100
"""Texts that are kept of a file."""
AS_IT_WAS = "as it was"
OUTSIDE = "changes made outside"


class _Version(msgspec.Struct):
    number: int
    what: str
    time: float


class _Index(msgspec.Struct):
    at: int = -1
    """Place of the text in use; -1: there is none yet."""
    versions: list[_Version] = []


class Edits:
    """The history of one file. Damaged, it begins anew; the file itself is never touched by it."""

    def __init__(self, session: Path, name: str) -> None:
        self._folder = session / "edits" / name
        self._file = self._folder.with_suffix(".json")

    def ends(self, now: bytes) -> tuple[str, str]:
        """What an undo would take back and a redo bring again; empty: nothing. ``now``: the file's text."""
        index = self._read()
        if index.at < 0:
            return "", ""
        if self._text(index, index.at) != now:
            return OUTSIDE, ""
        later = index.versions[index.at + 1 :]
        return index.versions[index.at].what if index.at else "", later[0].what if later else ""

    def add(self, now: bytes, new: bytes, what: str) -> None:
        """Before ``now`` becomes ``new``: what had been undone is forgotten. Raises OSError."""
        index = self._caught_up(now)
        del index.versions[index.at + 1 :]
        self._append(index, new, what)
        self._write(index)

    def step(self, now: bytes, steps: int) -> tuple[bytes, str, int]:
        """The text ``steps`` back (forward if negative), or as far as there are texts; in words what is
        undone or done again; how many steps that is. Raises OSError.
        """
        index = self._caught_up(now)
        goal = max(0, min(index.at - steps, len(index.versions) - 1))
        told = index.versions[goal + 1 : index.at + 1] or index.versions[index.at + 1 : goal + 1]
        text = self._text(index, goal) if told else now
        if text is None:
            raise FileNotFoundError(2, "is lost", str(self._path(index.versions[goal])))
        taken, index.at = abs(goal - index.at), goal
        self._write(index)
        return text, "; ".join(version.what for version in told), taken

    def _caught_up(self, now: bytes) -> _Index:
        """The index, with a text that somebody else wrote as one more."""
        index = self._read()
        if index.at < 0:
            self._append(index, now, AS_IT_WAS)
        elif self._text(index, index.at) != now:
            del index.versions[index.at + 1 :]
            self._append(index, now, OUTSIDE)
        return index

    def _append(self, index: _Index, text: bytes, what: str) -> None:
        number = max((version.number for version in index.versions), default=0) + 1
        version = _Version(number, what, time.time())
        self._folder.mkdir(parents=True, exist_ok=True)
        files.write(self._path(version), text)
        index.versions.append(version)
        index.at = len(index.versions) - 1
        if len(index.versions) > MOST:
            self._path(index.versions.pop(0)).unlink(missing_ok=True)
            index.at -= 1

    def _path(self, version: _Version) -> Path:
        return self._folder / f"{version.number:04}.prototxt"

    def _text(self, index: _Index, place: int) -> bytes | None:
        try:
            return self._path(index.versions[place]).read_bytes()
        except OSError:
            return None

    def _read(self) -> _Index:
        try:
            index = files.read_json(self._file, _Index)
        except (OSError, ValueError):
            return _Index()
        return index if -1 <= index.at < len(index.versions) else _Index()

    def _write(self, index: _Index) -> None:
        files.write_json(self._file, index)
