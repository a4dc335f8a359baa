"""Executables on this machine that behave like caffe: all that a session can choose."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import msgspec

from barista_server.agent import files
from barista_server.agent.builds import places
from barista_server.agent.builds.checks import Checks
from barista_server.api.messages import CaffeInfo


class Entry(msgspec.Struct):
    """One of ``<root>/caffes.json``: a wrapper script, a build somewhere, a container command."""

    name: str
    argv: list[str]


class Caffes:
    """What can be chosen; looked for anew each time, since people install things."""

    def __init__(self, root: Path, keep: bool = True) -> None:
        self.checks = Checks(root, keep)
        self._config = root / "caffes.json"

    # --------------------------------------------------------------------------------------------- finding

    def find(self) -> list[CaffeInfo]:
        """Those in caffes.json, on the PATH, in usual places, then the embedded engine, with what is known of
        each. Blocks briefly.
        """
        last = places.embedded()
        added = [info for info in self._configured() if info.name != last.name]
        known = [info.argv[0] for info in added if len(info.argv) == 1]
        on_path = places.others(places.on_path(), known)
        in_places = places.others(places.in_usual_places(), [*known, *on_path])
        found = {info.name: info for info in reversed(added)}
        found = dict(reversed(found.items()))
        for path in on_path:
            name = "caffe" if path == on_path[0] and "caffe" not in found else path
            found.setdefault(name, CaffeInfo(name=name, argv=[path], source="path"))
        for path in in_places:
            found.setdefault(path, CaffeInfo(name=path, argv=[path], source="found"))
        return [self._known(info) for info in (*found.values(), last)]

    def get(self, name: str) -> CaffeInfo:
        """By name. Blocks briefly. KeyError when there is none.

        Its problem is told only if it cannot be started: what was found by a try may be mended since.
        """
        info = {one.name: one for one in self.find()}[name]
        return info if info.checked is None else msgspec.structs.replace(info, problem=None, hint=None)

    async def choose(self, name: str) -> CaffeInfo:
        """By name; empty: the first that trains, which is tried if need be. KeyError when there is none."""
        if name:
            return await asyncio.to_thread(self.get, name)
        found = await asyncio.to_thread(self.find)
        for info in found[:-1]:
            if (await self._tried(info, again=False)).problem is None:
                return info
        return found[-1]

    # -------------------------------------------------------------------------------------------- checking

    async def check(self, names: list[str], again: bool) -> list[CaffeInfo]:
        """All, after those of ``names`` (empty: all) were tried if they are due, or ``again``. KeyError for
        a name that is none's.
        """
        found = await asyncio.to_thread(self.find)
        if unknown := set(names) - {info.name for info in found}:
            raise KeyError(min(unknown))
        wanted = [info for info in found if not names or info.name in names]
        await asyncio.gather(*(self._tried(info, again) for info in wanted))
        return await asyncio.to_thread(self.find)

    async def _tried(self, info: CaffeInfo, again: bool) -> CaffeInfo:
        """With what came of a try. Raises OSError."""
        if info.problem is not None and info.checked is None:
            return info
        if again or await asyncio.to_thread(self.checks.is_due, info.argv):
            await self.checks.make(info.argv)
        return await asyncio.to_thread(self._known, msgspec.structs.replace(info, problem=None))

    def _known(self, info: CaffeInfo) -> CaffeInfo:
        check = self.checks.of(info.argv) if info.problem is None else None
        if check is None:
            return info
        return msgspec.structs.replace(
            info,
            kind=check.kind,
            version=check.version,
            gpu=check.gpu,
            problem=check.problem,
            hint=check.hint,
            checked=check.at,
        )

    # ------------------------------------------------------------------------------------------- caffes.json

    def entries(self) -> list[Entry]:
        """Those a person added. Blocks. Raises ValueError when the file is damaged, OSError."""
        try:
            return files.read_json(self._config, list[Entry])
        except FileNotFoundError:
            return []

    def write(self, entries: list[Entry]) -> None:
        """Blocks. Raises OSError."""
        files.write_json(self._config, entries)

    def _configured(self) -> list[CaffeInfo]:
        try:
            entries = self.entries()
        except (ValueError, OSError) as error:
            hint = "Correct the file, or remove it and add them again: barista caffes add"
            return [CaffeInfo(name=self._config.name, argv=[], problem=str(error), hint=hint)]
        return [started(CaffeInfo(name=entry.name, argv=entry.argv)) for entry in entries]


def started(info: CaffeInfo) -> CaffeInfo:
    """With the problem, if there is no program to start. Blocks briefly."""
    if not info.argv or shutil.which(info.argv[0]) is None:
        problem = f"{info.argv[0] if info.argv else 'argv'} is not there or not executable"
        return msgspec.structs.replace(info, problem=problem)
    return info
