"""Pairs of model and state files in a session's folder, and which of them a training can go on from."""

from __future__ import annotations

import asyncio
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from barista_server.agent import apart
from barista_server.api.messages import Snapshot

_FILE = re.compile(
    r"(?P<prefix>.+)_iter_(?P<iteration>\d{1,18})\.(?P<what>caffemodel|solverstate)(?P<h5>\.h5)?"
)

Stamp = tuple[int, int, int, int]
"""Size and modification time (ns) of both files."""


@dataclass(frozen=True)
class Pair:
    """Two files that belong together by name."""

    iteration: int
    model: Path
    state: Path

    def stamp(self) -> Stamp:
        """Raises OSError."""
        model, state = self.model.stat(), self.state.stat()
        return model.st_size, model.st_mtime_ns, state.st_size, state.st_mtime_ns


class Shelf:
    """The snapshots of one session. A pair is read once and again only when its files change."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._judged: dict[Pair, tuple[Stamp, Snapshot | str]] = {}
        self._seen: dict[Pair, Stamp] = {}
        self._open = False

    def find(self) -> list[Pair]:
        """Pairs by name. Raises OSError."""
        return pairs_in(self._folder)

    def all_files(self) -> list[Path]:
        """Every snapshot file, also without its other half. Raises OSError."""
        return [path for path in self._folder.iterdir() if _FILE.fullmatch(path.name)]

    async def look(self, *, settled: bool) -> bool:
        """Bring the verdicts up to date; True when one changed. Raises OSError.

        ``settled``: nobody is writing. Otherwise a pair is read only after two looks found it the same.
        """
        before = dict(self._judged)
        pairs = await asyncio.to_thread(self.find)
        for gone in self._judged.keys() - set(pairs):
            del self._judged[gone]
        self._open = False
        for pair in pairs:
            stamp = _stamp(pair)
            known = self._judged.get(pair)
            if stamp is None:
                self._open = True
                continue
            if known is not None and known[0] == stamp:
                # What is no snapshot yet may become one: a slow disk takes its time.
                self._open |= isinstance(known[1], str)
                continue
            if not settled and self._seen.get(pair) != stamp:
                self._seen[pair] = stamp
                self._open = True
                continue
            verdict = await self._verify(pair, stamp)
            if _stamp(pair) == stamp:
                self._judged[pair] = (stamp, verdict)
            self._open |= _stamp(pair) != stamp or isinstance(verdict, str)
        return before != self._judged

    @property
    def unsettled(self) -> bool:
        """A pair was seen that is not good, or not yet."""
        return self._open

    def trust(self, pair: Pair, stamp: Stamp) -> None:
        """Take over a verdict from the journal, if the files have not changed since."""
        if _stamp(pair) == stamp:
            self._judged[pair] = (stamp, _snapshot(pair, stamp))

    @property
    def good(self) -> list[Snapshot]:
        """Verified ones, oldest first: by time, since after going back to an old one iterations repeat."""
        found = [verdict for _, verdict in self._judged.values() if isinstance(verdict, Snapshot)]
        return sorted(found, key=lambda snapshot: (snapshot.time, snapshot.iteration))

    def stamp_of(self, snapshot: Snapshot) -> Stamp | None:
        """The stamp a verdict was given for."""
        return next((stamp for stamp, verdict in self._judged.values() if verdict == snapshot), None)

    def stamps(self) -> set[Stamp | None]:
        """Of all pairs there are, whole or not. Blocks. Raises OSError."""
        return {_stamp(pair) for pair in self.find()}

    def damaged_since(self, when: float) -> list[tuple[Pair, str]]:
        """Pairs written after ``when`` that nothing can go on from, with the reason."""
        return [
            (pair, verdict)
            for pair, (stamp, verdict) in self._judged.items()
            if isinstance(verdict, str) and max(stamp[1], stamp[3]) / 1e9 >= when
        ]

    async def _verify(self, pair: Pair, stamp: Stamp) -> Snapshot | str:
        iteration, problem = await asyncio.to_thread(check, pair.model, pair.state)
        if problem:
            return problem
        if iteration != pair.iteration:
            return f"{pair.state.name} holds iteration {iteration}"
        return _snapshot(pair, stamp)


def is_snapshot(name: str) -> bool:
    """By its name."""
    return _FILE.fullmatch(name) is not None


def pairs_in(folder: Path) -> list[Pair]:
    """Pairs by name. Blocks. Raises OSError."""
    halves: dict[tuple[str, str, str], dict[str, Path]] = {}
    for path in folder.iterdir():
        if match := _FILE.fullmatch(path.name):
            key = (match["prefix"], match["iteration"], match["h5"] or "")
            halves.setdefault(key, {})[match["what"]] = path
    return [
        Pair(int(iteration), both["caffemodel"], both["solverstate"])
        for (_, iteration, _), both in halves.items()
        if len(both) == 2
    ]


def _stamp(pair: Pair) -> Stamp | None:
    try:
        return pair.stamp()
    except OSError:
        return None


def _snapshot(pair: Pair, stamp: Stamp) -> Snapshot:
    return Snapshot(
        iteration=pair.iteration,
        model=pair.model.name,
        state=pair.state.name,
        size=stamp[0] + stamp[2],
        time=max(stamp[1], stamp[3]) / 1e9,
    )


def check(model: Path, state: Path) -> tuple[int, str]:
    """Iteration and an empty text, or -1 and what is wrong. Blocks, in bounded memory.

    HDF5 files are read in a process of its own: on a damaged one libhdf5 may crash.
    """
    # Imported here: an agent that never verifies a snapshot saves the memory.
    from barista_server.caffe.hdf5 import is_hdf5
    from barista_server.caffe.weights import WeightsError

    try:
        if not (is_hdf5(model) or is_hdf5(state)):
            return check_here(model, state)
    except (WeightsError, OSError) as error:
        return -1, str(error)
    out = apart.run(__name__, str(model), str(state)).decode(errors="replace")
    iteration, _, problem = out.partition(" ")
    if not iteration.lstrip("-").isdecimal():
        return -1, f"reading {model.name} failed"
    return int(iteration), problem


def check_here(model: Path, state: Path) -> tuple[int, str]:
    """The same, in this process."""
    from barista_server.caffe.weights import WeightsError, verify_snapshot

    try:
        return verify_snapshot(model, state).iteration, ""
    except (WeightsError, OSError) as error:
        return -1, str(error)


if __name__ == "__main__":
    apart.limit()
    print(*check_here(Path(sys.argv[1]), Path(sys.argv[2])), end="")
