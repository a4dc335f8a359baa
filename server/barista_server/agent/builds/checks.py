"""What executables were found to be, kept until they change."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import tempfile
import time
from pathlib import Path

import msgspec

from barista_server.agent import files
from barista_server.agent.builds.outcome import Check, Tries
from barista_server.agent.builds.trying import try_out

AT_ONCE = 2
"""Executables that are tried together."""
AGAIN = 60.0
"""Seconds after which one that failed is worth another try: a library may be there by now. One that took long
to fail has to wait sixty times as long as that, so that it does not hold up every new session.
"""
log = logging.getLogger("barista.agent")


class _Known(msgspec.Struct):
    checks: dict[str, Check]


class Checks:
    """Kept in ``<root>/caffe-checks.json``; losing it costs a few seconds.

    Without ``keep`` nothing is written below the root.
    """

    def __init__(self, root: Path, keep: bool = True) -> None:
        self._path = root / "caffe-checks.json" if keep else None
        self._folder = (
            root / "checks" if keep else Path(tempfile.gettempdir(), f"barista-checks-{os.getpid()}")
        )
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._keeping = asyncio.Lock()
        self._going: dict[str, asyncio.Task[Check]] = {}
        self._known: dict[str, Check] | None = None

    def of(self, argv: list[str]) -> Check | None:
        """What is known of it as it is now. Blocks briefly."""
        if self._known is None:
            self._known = self._read()
        return self._known.get(_key(argv))

    def is_due(self, argv: list[str]) -> bool:
        """Worth a try: never tried as it is now, or it failed a while ago. Blocks briefly."""
        found = self.of(argv)
        if found is None or found.problem is None:
            return found is None
        return not 0 <= time.time() - found.at <= AGAIN * max(1.0, found.took)

    async def make(self, argv: list[str]) -> Check:
        """Try it, even if it is known; who asks meanwhile gets the same answer. Raises OSError."""
        key = await asyncio.to_thread(_key, argv)
        task = self._going.get(key)
        if task is None:
            task = self._going[key] = asyncio.create_task(self._make(argv, key))
            task.add_done_callback(lambda _: self._going.pop(key))
        # One who leaves does not take the answer from others.
        return await asyncio.shield(task)

    async def _make(self, argv: list[str], key: str) -> Check:
        async with self._turns:
            begun = time.monotonic()
            tries = await try_out(argv, self._folder)
            took = time.monotonic() - begun
        check = await asyncio.to_thread(_judged, argv, tries, took)
        async with self._keeping:
            await asyncio.to_thread(self._keep, key, check)
        return check

    def _read(self) -> dict[str, Check]:
        if self._path is None:
            return {}
        try:
            return files.read_json(self._path, _Known).checks
        except FileNotFoundError:
            return {}
        except (ValueError, OSError) as error:
            log.warning("caffes are tried anew: %s", error)
            return {}

    def _keep(self, key: str, check: Check) -> None:
        # What was there before under another time or size is of no use any more.
        command = key.rpartition("\n")[0]
        others = {
            each: one for each, one in (self._known or {}).items() if each.rpartition("\n")[0] != command
        }
        self._known = {**others, key: check}
        if self._path is None:
            return
        try:
            files.write_json(self._path, _Known(self._known))
        except OSError as error:
            log.warning("what caffes are cannot be kept: %s", error)


def _judged(argv: list[str], tries: Tries, took: float) -> Check:
    # Imported in the thread that needs it: this loads the readers of Caffe's formats.
    from barista_server.agent.builds.verdict import judge

    return msgspec.structs.replace(judge(argv, tries, time.time()), took=round(took, 1))


def _key(argv: list[str]) -> str:
    """The command, and time and size of each file in it: of a script's interpreter, of the script ..."""
    stamps = []
    for word in (shutil.which(argv[0]) or argv[0], *argv[1:]):
        try:
            found = Path(word).stat()
        except (OSError, ValueError):
            continue
        stamps.append(f"{found.st_mtime_ns}:{found.st_size}")
    return "\0".join(argv) + "\n" + " ".join(stamps)
