"""The folder of the sessions and its file system: writes that last, room, a socket."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import tempfile
import time
from pathlib import Path

from barista_server.api.local import LinkError, socket_path
from barista_server.doctor.report import Finding

LITTLE = 5 << 30
"""Bytes: a snapshot of a large net takes half a GB."""
LEAST = 200 << 20
FEW_FILES = 10_000
SLOW = 0.5
"""Seconds for one flush to the disk."""
NETWORK = {
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "fuse.sshfs",
    "afs",
    "lustre",
    "gpfs",
    "beegfs",
    "ceph",
}
PASSING = {"tmpfs", "ramfs", "overlay"}


def nearest(path: Path) -> Path:
    """The folder itself, or the nearest above it that there is."""
    return next(one for one in (path, *path.parents) if one.is_dir())


def file_system(path: Path, mounts: str) -> str:
    """Kind of the file system that holds a path, by the text of /proc/mounts; empty: not told."""
    best, kind = "", ""
    real = str(path.resolve())
    for line in mounts.splitlines():
        parts = line.split()
        if len(parts) < 3:
            continue
        where = parts[1].encode().decode("unicode_escape")
        inside = real == where or real.startswith(where.rstrip("/") + "/")
        if inside and len(where) >= len(best):
            best, kind = where, parts[2]
    return kind


def check_root(root: Path) -> Finding:
    """Write, flush, rename, append and lock, as sessions and logs are written."""
    there = nearest(root)
    try:
        with tempfile.TemporaryDirectory(prefix=".barista-doctor-", dir=there) as folder:
            slowest = _write(Path(folder))
    except OSError as error:
        advice = (
            f"Choose a folder you may write to: --root DIR, or BARISTA_ROOT (is {there} yours, is it full?)"
        )
        return Finding("root", "bad", f"{there}: {error.strerror or error}", advice)
    made = "" if there == root else f" ({root} will be made)"
    text = f"{there}{made}: written, flushed, renamed, appended, locked"
    if slowest > SLOW:
        advice = "Each state change of a session waits for that; trainings do not. Is the disk busy?"
        return Finding("root", "warn", f"{text}, but a flush took {slowest:.1f} s", advice)
    return Finding("root", "ok", f"{text}; a flush takes {1000 * slowest:.0f} ms")


def _write(folder: Path) -> float:
    """Seconds of the slowest flush. Raises OSError."""
    slowest = 0.0
    for number in range(5):
        path = folder / f"state.{number}.part"
        with path.open("wb") as file:
            file.write(b"x" * 4096)
            file.flush()
            begun = time.monotonic()
            os.fsync(file.fileno())
            slowest = max(slowest, time.monotonic() - begun)
        path.replace(folder / "state")
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    ends = [os.open(folder / "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600) for _ in range(2)]
    try:
        for end in (*ends, *ends):
            os.write(end, b"line\n")
        fcntl.flock(ends[0], fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _locks_too(ends[1]):
            raise OSError(0, "two processes get the same lock: this file system has none")
    finally:
        for end in ends:
            os.close(end)
    if (folder / "log").stat().st_size != 20:
        raise OSError(0, "what two writers append overwrites each other")
    return slowest


def _locks_too(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def check_disk(root: Path, mounts: Path = Path("/proc/mounts")) -> list[Finding]:
    """What file system it is, how much room for bytes and files is left."""
    there = nearest(root)
    try:
        kind = file_system(there, mounts.read_text())
    except OSError:
        kind = ""
    return [_kind(kind), _room(there)]


def _kind(kind: str) -> Finding:
    if kind in NETWORK:
        advice = (
            "Appending (O_APPEND) and locks hold on one machine only: let one host alone serve this root,\n"
            "and choose a local disk if logs are written fast. Trainings stall when the file server does."
        )
        return Finding("files", "warn", f"{kind}: a file system over the network", advice)
    if kind in PASSING:
        return Finding(
            "files",
            "warn",
            f"{kind}: what is written here may be gone after a restart",
            "Choose a folder on a disk: --root DIR, or BARISTA_ROOT.",
        )
    return Finding("files", "ok", kind or "kind of the file system is not told")


def _room(there: Path) -> Finding:
    free, files = shutil.disk_usage(there).free, os.statvfs(there)
    few = files.f_files > 0 and files.f_favail < FEW_FILES
    text = f"{free / 1e9:.1f} GB free"
    text += f", {files.f_favail} files more" if files.f_files > 0 else ""
    if free >= LITTLE and not few:
        return Finding("disk", "ok", text)
    advice = "Make room, also in ROOT/trash; a full disk stops trainings at their next snapshot."
    return Finding("disk", "bad" if free < LEAST else "warn", text, advice)


def check_socket(root: Path) -> Finding:
    """Clients on this machine, and sshd's, reach the agent by a Unix socket in the root."""
    try:
        where = socket_path(root)
        folder = nearest(where.parent)
        with (
            tempfile.TemporaryDirectory(prefix=".bd-", dir=folder) as made,
            socket.socket(socket.AF_UNIX) as one,
        ):
            one.bind(f"{made}/s")
            one.listen()
    except (OSError, LinkError) as error:
        advice = (
            "The agent cannot be reached: choose another root (some network file systems have no sockets)."
        )
        return Finding("socket", "bad", f"no Unix socket can be made: {error}", advice)
    return Finding("socket", "ok", f"{where}")
