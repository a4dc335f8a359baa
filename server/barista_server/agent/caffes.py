"""Executables on this machine that behave like caffe."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path

import msgspec

from barista_server.agent import files
from barista_server.api.messages import CaffeInfo

EMBEDDED = "embedded"
VERSION_TIMEOUT = 20.0


class Entry(msgspec.Struct):
    """One of ``<root>/caffes.json``: a wrapper script, a build somewhere, a container command."""

    name: str
    argv: list[str]


class Caffes:
    """What can be chosen; looked for anew each time, since people install things."""

    def __init__(self, root: Path) -> None:
        self._config = root / "caffes.json"
        self._versions: dict[tuple[str, float], str] = {}

    def find(self) -> list[CaffeInfo]:
        """The embedded engine first, then caffes.json, then PATH; without versions. Blocks briefly."""
        found = [_embedded(), *self._configured()]
        paths = dict.fromkeys(
            str(path)
            for folder in os.get_exec_path()
            if os.access(path := Path(folder, "caffe"), os.X_OK) and path.is_file()
        )
        found += [
            CaffeInfo(name="caffe" if number == 0 else path, argv=[path]) for number, path in enumerate(paths)
        ]
        return list({info.name: info for info in reversed(found)}.values())[::-1]

    def get(self, name: str) -> CaffeInfo:
        """By name; empty is the first that works. KeyError when there is none."""
        found = self.find()
        if not name:
            return next((info for info in found if info.problem is None), found[0])
        return {info.name: info for info in found}[name]

    async def with_versions(self) -> list[CaffeInfo]:
        """All, with what ``--version`` says."""
        found = await asyncio.to_thread(self.find)
        return list(await asyncio.gather(*(self._with_version(info) for info in found)))

    def _configured(self) -> list[CaffeInfo]:
        try:
            entries = files.read_json(self._config, list[Entry])
        except FileNotFoundError:
            return []
        except (ValueError, OSError) as error:
            return [CaffeInfo(name=self._config.name, argv=[], problem=str(error))]
        return [_checked(CaffeInfo(name=entry.name, argv=entry.argv)) for entry in entries]

    async def _with_version(self, info: CaffeInfo) -> CaffeInfo:
        if info.problem is not None:
            return info
        program = shutil.which(info.argv[0]) or info.argv[0]
        found = await asyncio.to_thread(os.stat, program)
        key = (" ".join(info.argv), found.st_mtime)
        if key not in self._versions:
            version = await _version(info.argv)
            if version is None:
                problem = f"{program} --version fails: try it in a shell"
                return msgspec.structs.replace(info, problem=problem)
            self._versions[key] = version
        return msgspec.structs.replace(info, version=self._versions[key])


def _embedded() -> CaffeInfo:
    beside = Path(sys.executable).with_name("barista-caffe")
    path = str(beside) if beside.exists() else shutil.which("barista-caffe")
    if path is None:
        problem = "barista-caffe is not installed: pip install 'barista-server[engine]'"
        return CaffeInfo(name=EMBEDDED, argv=["barista-caffe"], problem=problem)
    return CaffeInfo(name=EMBEDDED, argv=[path])


def _checked(info: CaffeInfo) -> CaffeInfo:
    if not info.argv or shutil.which(info.argv[0]) is None:
        problem = f"{info.argv[0] if info.argv else 'argv'} is not there or not executable"
        return msgspec.structs.replace(info, problem=problem)
    return info


async def _version(argv: list[str]) -> str | None:
    try:
        process = await asyncio.create_subprocess_exec(
            *argv, "--version",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
    except OSError:
        return None
    try:
        async with asyncio.timeout(VERSION_TIMEOUT):
            out, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return None
    lines = out.decode(errors="replace").strip().splitlines()
    return lines[0] if process.returncode == 0 and lines else None
