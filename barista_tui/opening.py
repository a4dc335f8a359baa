"""What `barista PATH` opens: a project, a session's folder, a root of sessions, a log, or a model."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from barista_server.api.local import default_root
from barista_tui import projects
from barista_tui.hosts import HostEntry, Hosts, HostsError
from barista_tui.projects import Project, ProjectError
from barista_tui.target import Target


class OpeningError(ValueError):
    """Why a path cannot be opened, and what to do."""


class Opening(Struct, frozen=True):
    """What the screen starts with. ``others``: further hosts, None: this one alone and never any other."""

    target: Target
    others: tuple[Target, ...] | None = None
    project: Path | None = None
    select: str | None = None
    """Id or name of a session."""
    file: Path | None = None
    """A log to be imported, or a model whose weights are shown."""
    title: str = ""
    """For the head of the screen, where it is not the project's or the root's name."""


def everything(root: Path | None = None) -> Opening:
    """All hosts. Raises OpeningError."""
    target = Target(root or default_root())
    try:
        return Opening(target, tuple(Target(target.root, entry) for entry in Hosts().all()))
    except HostsError as error:
        raise OpeningError(str(error)) from None


def last() -> Opening:
    """What was looked at last: a project, or all hosts. Raises OpeningError."""
    found = projects.recent()
    return of_project(found.paths[0]) if found.open_now else everything()


def of_project(path: Path) -> Opening:
    """Raises OpeningError."""
    try:
        project = projects.load(path)
    except ProjectError as error:
        raise OpeningError(str(error)) from None
    return Opening(*targets_of(project), project=path)


def targets_of(project: Project) -> tuple[Target, tuple[Target, ...]]:
    """The hosts of a project; one that is on the list of hosts too is taken as it stands there."""
    root = Path(project.root).expanduser() if project.root else default_root()
    try:
        known: dict[str, HostEntry] = {entry.name: entry for entry in Hosts().all()}
    except HostsError:
        known = {}
    entries = [known.get(entry.name, entry) for entry in project.hosts]
    return Target(root), tuple(Target(root, entry) for entry in entries)


def of_path(path: Path, root: Path | None = None) -> Opening:
    """Raises OpeningError."""
    path = path.expanduser().absolute()
    if not path.exists():
        raise OpeningError(f"{path} is not there")
    if path.is_dir():
        return _of_folder(path)
    if path.suffix == projects.SUFFIX:
        return of_project(path)
    if path.name == "session.json":
        return _of_folder(path.parent)
    if path.suffix == ".prototxt":
        raise OpeningError(f"{path.name} is a net or a solver: barista new {path} makes a session of it")
    if path.name.endswith((".solverstate", ".solverstate.h5")):
        raise OpeningError(f"{path.name} is the state of a solver; the .caffemodel beside it has the weights")
    opening = everything(root)
    return Opening(opening.target, opening.others, file=path)


def is_model(path: Path) -> bool:
    """By its name: a file of weights, of any age."""
    return path.name.endswith((".caffemodel", ".h5", ".hdf5", ".binaryproto"))


def _of_folder(path: Path) -> Opening:
    if (path / "session.json").is_file():
        if path.parent.name == "sessions":
            return Opening(Target(path.parent.parent), select=path.name)
        raise OpeningError(
            f"{path} is a session's folder outside of any root: barista import {path} takes it in"
        )
    if (path / "sessions").is_dir():
        return Opening(Target(path))
    raise OpeningError(
        f"{path} is no session's folder and no root of sessions; barista --root {path} makes it one"
    )
