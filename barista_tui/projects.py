"""Project files: which hosts and sessions are shown, and how they are looked at; which were open of late.

A project is a ``*.barista`` file of JSON that a person may copy, send, and correct by hand. Sessions and data
stay where they are.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import msgspec
from msgspec import Struct

from barista_tui.hosts import HostEntry, folder
from barista_tui.settings import Settings

SUFFIX = ".barista"
MAX_SIZE = 1024 * 1024
MOST_RECENT = 12


class ProjectError(ValueError):
    """What is wrong with a project file, and what to do."""


class Project(msgspec.Struct, frozen=True, forbid_unknown_fields=False, kw_only=True):
    """``root``: the folder of this machine's sessions, None: the usual one; ``hosts``: the others."""

    barista: int = 1
    """Version of the format."""
    root: str | None = None
    hosts: list[HostEntry] = []
    view: Settings = Settings()


class Recent(Struct, frozen=True):
    """Paths of projects, the latest first; ``open_now``: the first one is where the next start goes on."""

    paths: tuple[Path, ...] = ()
    open_now: bool = False


class _RecentFile(msgspec.Struct):
    paths: list[str] = []
    open_now: bool = False


def load(path: Path) -> Project:
    """Raises ProjectError."""
    try:
        if path.stat().st_size > MAX_SIZE:
            raise ProjectError(f"{path} is too large to be a project")
        project = msgspec.json.decode(path.read_bytes(), type=Project)
    except OSError as error:
        raise ProjectError(f"{path}: {error.strerror or error}") from None
    except msgspec.MsgspecError as error:
        raise ProjectError(f"{path} is no project file: {error}") from None
    if project.barista != 1:
        raise ProjectError(f"{path} was written by a newer Barista (format {project.barista})")
    return project


def save(path: Path, project: Project) -> None:
    """Written whole or not at all. Raises OSError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(project)) + b"\n")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def named(text: str) -> Path:
    """The file that a person means by a name or a path: absolute, with its suffix."""
    path = Path(text).expanduser().absolute()
    return path if path.suffix == SUFFIX else path.with_name(path.name + SUFFIX)


def _recent_file() -> Path:
    return folder() / "recent.json"


def recent() -> Recent:
    """Projects open of late that are still there; none where nothing can be read."""
    try:
        found = msgspec.json.decode(_recent_file().read_bytes(), type=_RecentFile)
    except (OSError, msgspec.MsgspecError):
        return Recent()
    paths = [Path(each) for each in found.paths]
    there = tuple(path for path in paths if path.is_file())
    return Recent(there, found.open_now and there[:1] == tuple(paths[:1]))


def remember(opened: Path | None) -> None:
    """That project, or all hosts without one, is looked at now. What cannot be written is not remembered."""
    before = recent().paths
    paths = [str(opened)] if opened is not None else []
    paths += [str(path) for path in before if path != opened]
    file = _recent_file()
    temporary = file.with_suffix(f".{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(msgspec.json.encode(_RecentFile(paths[:MOST_RECENT], opened is not None)))
        temporary.replace(file)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
