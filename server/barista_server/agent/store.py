"""The root folder: session folders, their numbers, the trash."""

from __future__ import annotations

import contextlib
import re
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from barista_server.agent import files, journal
from barista_server.agent.journal import Record
from barista_server.api.things import Ancestor, AutoResume, Keep, LauncherName, SlurmOptions

_RUN = re.compile(r"\d{4,}")
MOST_ANCESTORS = 50
"""Of a session, the nearest ones."""
_TRASH = re.compile(r"[0-9T]+-(\d+)-(delete|reset)(\.\d+)?")


class Meta(msgspec.Struct, omit_defaults=True):
    """``session.json``."""

    id: str
    name: str
    created: float
    caffe: str = ""
    device: str = "cpu"
    parent: str | None = None
    lineage: list[Ancestor] = []
    weights: str = ""
    """File in its folder that a start takes the weights from while there is no snapshot."""
    keep: Keep | None = None
    auto_resume: AutoResume = "off"
    launcher: LauncherName = "process"
    slurm: SlurmOptions | None = None


class LogMeta(msgspec.Struct, omit_defaults=True):
    """``log.json``: a log file that is shown beside the sessions, wherever it is."""

    id: str
    name: str
    created: float
    path: str


class Command(msgspec.Struct, omit_defaults=True):
    """``command.json``: what the runner executes, and what the agent wants to remember of it."""

    argv: list[str]
    cwd: str
    env: dict[str, str]
    nonce: str
    resumed_from: int | None = None
    device: str = "cpu"
    caffe: str = ""
    slurm: SlurmOptions | None = None
    """What sbatch is asked for; None: a process of this machine."""
    key: str = ""
    """Comment of the job; of an array, of all its tasks."""
    name: str = ""
    task: int | None = None
    """Number within an array."""
    lead: int = 0
    """Seconds before the time limit that caffe is asked to stop."""
    python: str = ""
    """That executes the runner on the node; empty: the agent's own."""


class Ticket(msgspec.Struct):
    """``job.json``: the job of Slurm that a run is."""

    job: str
    submitted: float


class Process(msgspec.Struct):
    """``process.json``, written by the runner before caffe executes."""

    boot_id: str
    runner_pid: int
    runner_start: int
    caffe_pid: int
    caffe_start: int
    nonce: str
    started: float
    log: tuple[int, int] | None = None
    """Device and number of the file it writes to."""
    host: str = ""
    """Of a job: the node."""


class Exit(msgspec.Struct):
    """``exit.json``, written by the runner when caffe has ended."""

    ended: float
    wall_seconds: float
    monotonic_seconds: float
    code: int | None = None
    signal: int | None = None
    exec_error: str | None = None
    oom_kills: int = 0
    """Processes killed as memory ran out while it ran, by its control group or by the machine."""
    warned: str = ""
    """What the runner of a job was told before: ``time limit``, ``terminated``."""
    left: list[tuple[int, int]] = []
    """Pid and start of what caffe had started and was still there."""


class Folder:
    """One session's folder. Every method may raise OSError and blocks on the disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.solver = path / "solver.prototxt"
        self.net = path / "net.prototxt"

    def note(self, kind: str, **facts: object) -> Record:
        """Append to the journal."""
        return journal.append(self.path / "journal.jsonl", kind, **facts)

    def note_if_possible(self, kind: str, **facts: object) -> None:
        """Append what is plain without it: a full disk must not keep people from making room."""
        with contextlib.suppress(OSError):
            self.note(kind, **facts)

    def journal(self) -> list[Record]:
        """The journal as far as it is legible."""
        return journal.read(self.path / "journal.jsonl")

    def save(self, meta: Meta) -> None:
        """Write session.json."""
        files.write_json(self.path / "session.json", meta)

    def load(self) -> tuple[Meta, str | None]:
        """session.json, rebuilt from the journal where it is damaged; then the second part says so."""
        path = self.path / "session.json"
        try:
            meta = files.read_json(path, Meta)
            if meta.id == self.path.name:
                return meta, None
            reason = f"it belongs to session {meta.id}"
        except FileNotFoundError:
            reason = "it is missing"
        except ValueError as error:
            reason = str(error)
        meta = self._rebuild()
        if path.exists():
            path.replace(path.with_name(f"session.json.damaged-{int(time.time())}"))
        try:
            self.save(meta)
        except OSError as error:
            # It is known all the same; the next agent rebuilds it again.
            reason += f", and cannot be written: {error.strerror}"
        return meta, f"session.json was rebuilt from the journal ({reason})"

    def _rebuild(self) -> Meta:
        records = self.journal()
        created = journal.last(records, "created") or {}
        meta = Meta(
            id=self.path.name,
            name=str(created.get("name", f"session {self.path.name}")),
            created=float(created.get("time", self.path.stat().st_mtime)),
            caffe=str(created.get("caffe", "")),
            device=str(created.get("device", "cpu")),
            parent=created.get("parent"),
            weights=str(created.get("weights", "")),
        )
        with contextlib.suppress(msgspec.ValidationError):
            meta.lineage = msgspec.convert(created.get("lineage", []), list[Ancestor])
        if renamed := journal.last(records, "renamed"):
            meta.name = str(renamed.get("name", meta.name))
        return meta

    def runs(self) -> list[Path]:
        """Folders of the runs, oldest first."""
        try:
            found = [path for path in (self.path / "runs").iterdir() if _RUN.fullmatch(path.name)]
        except FileNotFoundError:
            return []
        return sorted(found, key=lambda path: int(path.name))

    def new_run(self) -> Path:
        """Make the next run's folder. Numbers go on after a reset: whoever follows a run meets no other."""
        numbers = [int(path.name) for path in self.runs()]
        numbers += [int(record.get("run", 0)) for record in self.journal() if record["kind"] == "run started"]
        path = self.path / "runs" / f"{max(numbers, default=0) + 1:04}"
        path.mkdir(parents=True)
        files.sync_folder(path.parent)
        return path

    def size(self) -> tuple[int, int]:
        """Number of files and their bytes."""
        sizes = [path.stat().st_size for path in self.path.rglob("*") if path.is_file()]
        return len(sizes), sum(sizes)


class Store:
    """``<root>``. Every method may raise OSError and blocks on the disk."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.sessions = root / "sessions"
        self.logs = root / "logs"
        self.trash = root / "trash"

    def open(self) -> list[Folder]:
        """Make what is missing; the sessions' folders in order of their numbers."""
        self.sessions.mkdir(parents=True, exist_ok=True)
        self.trash.mkdir(exist_ok=True)
        hidden = [path for folder in (self.sessions, self.logs, self.trash) for path in folder.glob(".*")]
        for draft in [*hidden, *self.root.glob(".template-*")]:
            # An agent was killed before it was whole.
            shutil.rmtree(draft, ignore_errors=True)
        found = [path for path in self.sessions.iterdir() if path.name.isdecimal() and path.is_dir()]
        return [Folder(path) for path in sorted(found, key=lambda path: int(path.name))]

    def create(self, meta: Meta, solver: str, net: str, beside: Mapping[str, bytes] | None = None) -> Folder:
        """A new session's folder, with more files ``beside`` the two; ``meta.id`` is set to its number."""
        meta.id = self._next_id()
        # Built under another name: a folder that is there is whole.
        draft = self.sessions / f".{meta.id}"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        try:
            files.write(draft / "solver.prototxt", solver.encode())
            files.write(draft / "net.prototxt", net.encode())
            for name, content in (beside or {}).items():
                (draft / name).parent.mkdir(exist_ok=True)
                files.write(draft / name, content)
            folder = Folder(draft)
            folder.note("created", name=meta.name, caffe=meta.caffe, device=meta.device, parent=meta.parent)
            folder.save(meta)
            path = self.sessions / meta.id
            draft.rename(path)
        except OSError:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        files.sync_folder(self.sessions)
        return Folder(path)

    def adopt(self, ready: Path, meta: Meta, kind: str, facts: Mapping[str, object]) -> Folder:
        """Move a folder that is fit for it among the sessions, with ``kind`` in its journal; ``meta.id`` is
        set to its number.
        """
        meta.id = self._next_id()
        folder = Folder(ready)
        folder.save(meta)
        folder.note(kind, **facts)
        path = self.sessions / meta.id
        ready.rename(path)
        files.sync_folder(self.sessions)
        return Folder(path)

    def _next_id(self) -> str:
        """Numbers are never used again, also not those of sessions that were deleted for good."""
        counter = self.root / "last-id"
        try:
            last = int(counter.read_text())
        except (FileNotFoundError, ValueError):
            last = 0
        folders = [*self.sessions.iterdir(), *self.open_logs()]
        present = [int(path.name) for path in folders if path.name.isdecimal()]
        trashed = [int(match[1]) for path in self.trash.iterdir() if (match := _TRASH.fullmatch(path.name))]
        number = max([last, *present, *trashed]) + 1
        files.write(counter, f"{number}\n".encode())
        return str(number)

    def open_logs(self) -> list[Path]:
        """Folders of the imported logs, in order of their numbers."""
        try:
            found = [path for path in self.logs.iterdir() if path.name.isdecimal() and path.is_dir()]
        except FileNotFoundError:
            return []
        return sorted(found, key=lambda path: int(path.name))

    def import_log(self, meta: LogMeta) -> Path:
        """Keep where a log is; ``meta.id`` is set to its number. The folder of what is known of it."""
        meta.id = self._next_id()
        folder, draft = self.logs / meta.id, self.logs / f".{meta.id}"
        draft.mkdir(parents=True)
        try:
            files.write_json(draft / "log.json", meta)
            draft.rename(folder)
        except OSError:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        files.sync_folder(self.logs)
        return folder

    def delete_log(self, folder: Path) -> tuple[str, int, int]:
        """Move what is known of an imported log to the trash, not the log: name there, files, bytes."""
        count, size = Folder(folder).size()
        target = self._trash_folder(folder, "delete")
        folder.rename(target)
        files.sync_folder(self.logs)
        return target.name, count, size

    def restore_log(self, path: Path, number: str) -> Path:
        """Bring it back."""
        target = self.logs / number
        self.logs.mkdir(exist_ok=True)
        path.rename(target)
        files.sync_folder(self.logs)
        return target

    def delete(self, folder: Folder) -> tuple[str, int, int]:
        """Move a session to the trash: name there, files, bytes."""
        count, size = folder.size()
        target = self._trash_folder(folder.path, "delete")
        folder.note_if_possible("deleted", trash=target.name)
        folder.path.rename(target)
        files.sync_folder(self.sessions)
        return target.name, count, size

    def reset(self, folder: Folder, snapshots: list[Path]) -> tuple[str, int, int]:
        """Move runs and snapshots to the trash: name there, files, bytes."""
        target = self._trash_folder(folder.path, "reset")
        target.mkdir()
        folder.note_if_possible("reset", trash=target.name)
        for path in [*snapshots, folder.path / "runs"]:
            if path.exists():
                path.rename(target / path.name)
        files.sync_folder(folder.path)
        count, size = Folder(target).size()
        return target.name, count, size

    def find_trash(self, name: str) -> tuple[Path, str, str]:
        """Folder, session id and kind (``delete`` or ``reset``) of something in the trash. KeyError: not
        there.
        """
        match = _TRASH.fullmatch(name)
        path = self.trash / name
        if match is None or not path.is_dir():
            raise KeyError(name)
        return path, match[1], match[2]

    def trashed(self) -> list[str]:
        """Names of what is in the trash, oldest first."""
        return sorted(path.name for path in self.trash.iterdir() if _TRASH.fullmatch(path.name))

    def restore_delete(self, path: Path, session: str) -> Folder:
        """Bring a deleted session back."""
        target = self.sessions / session
        path.rename(target)
        files.sync_folder(self.sessions)
        folder = Folder(target)
        folder.note_if_possible("restored", trash=path.name)
        return folder

    def restore_reset(self, path: Path, folder: Folder) -> None:
        """Bring runs and snapshots back; the session must have none. FileExistsError when it has."""
        moved = list(path.iterdir())
        if any((folder.path / item.name).exists() for item in moved):
            raise FileExistsError(folder.path)
        for item in moved:
            item.rename(folder.path / item.name)
        path.rmdir()
        folder.note_if_possible("restored", trash=path.name)

    def _trash_folder(self, folder: Path, what: str) -> Path:
        stem = f"{time.strftime('%Y%m%dT%H%M%S')}-{folder.name}-{what}"
        target = self.trash / stem
        number = 1
        while target.exists():
            number += 1
            target = self.trash / f"{stem}.{number}"
        return target
