"""Keeps ``caffe.log`` of a run that goes on whole at its place, whoever rotates, cuts off or deletes it.

Everybody reads a log by its path and by offsets: so the file is put right, not the readers. Linux only. All
functions block briefly and may raise OSError.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from barista_server.agent.process import Identity

ROOM = 16 * 1024
"""Bytes that caffe may write while a log that was cut off is put right."""
CHUNK = 1 << 20

Inode = tuple[int, int]
"""Device and number of a file."""


def inode_of(path: Path, caffe: Identity) -> Inode | None:
    """The file at ``path``, if ``caffe`` writes to it."""
    try:
        found = path.stat()
        known = (found.st_dev, found.st_ino)
        held = [Path(f"/proc/{caffe.pid}/fd/{number}").stat() for number in (1, 2)]
    except OSError:
        return None
    return known if known in [(one.st_dev, one.st_ino) for one in held] else None


class LogCare:
    """For one run: ``inode`` is the file that its caffe writes to."""

    def __init__(self, path: Path, inode: Inode, caffe: Identity) -> None:
        self._path = path
        self._inode = inode
        self._caffe = caffe
        self._deleted: int | None = None
        """Descriptor of the file, when it has no name any more."""

    def close(self) -> None:
        """Let go of it."""
        if self._deleted is not None:
            os.close(self._deleted)
            self._deleted = None

    def look(self, read: int, cut: bool) -> str | None:
        """Put it right; what was wrong. ``read``: bytes that readers have had; ``cut``: what stands there is
        not what was read.
        """
        try:
            found = self._path.stat()
        except FileNotFoundError:
            found = None
            # Not if the whole folder was taken away.
            self._path.parent.stat()
        if found is not None and (found.st_dev, found.st_ino) == self._inode:
            self.close()
            return self._mend_cut(read) if cut or found.st_size < read else None
        if self._deleted is not None:
            self._copy(self._deleted)
            return None
        descriptor = self._open()
        return None if descriptor is None else self._bring_back(descriptor)

    def _open(self) -> int | None:
        """The file by what caffe holds of it; None when it holds it no more."""
        for number in (2, 1):
            try:
                descriptor = os.open(f"/proc/{self._caffe.pid}/fd/{number}", os.O_RDONLY | os.O_NONBLOCK)
            except OSError:
                continue
            found = os.fstat(descriptor)
            if (found.st_dev, found.st_ino) == self._inode:
                return descriptor
            os.close(descriptor)
        return None

    def _bring_back(self, descriptor: int) -> str:
        part = self._path.with_name(".caffe.log.part")
        part.unlink(missing_ok=True)
        try:
            # Another name for the same file: whoever moved it keeps theirs.
            os.link(Path(f"/proc/self/fd/{descriptor}").readlink(), part)
            found = part.stat()
            if (found.st_dev, found.st_ino) != self._inode:
                raise FileNotFoundError(part)
        except OSError:
            part.unlink(missing_ok=True)
            # On another disk it is as good as deleted.
            self._deleted = descriptor
            self._copy(descriptor)
            return "its log was deleted: what caffe still writes to it is copied to its place"
        os.close(descriptor)
        aside = self._put_aside() if self._path.exists() and self._path.stat().st_size else ""
        part.replace(self._path)
        return f"its log was moved away: it is back at its place{aside}"

    def _put_aside(self) -> str:
        """What somebody put in its place; says so."""
        other = self._path.with_name(f"caffe.log.replaced-{int(time.time())}")
        self._path.rename(other)
        return f" (what was put there is {other.name} now)"

    def _copy(self, source: int) -> None:
        """Bring the copy at its place up to date."""
        size = os.fstat(source).st_size
        here = self._path.stat().st_size if self._path.exists() else 0
        begin = max(0, here - CHUNK)
        if here:
            with self._path.open("rb") as file:
                file.seek(begin)
                if here > size or file.read() != os.pread(source, here - begin, begin):
                    self._put_aside()
                    here = 0
        with self._path.open("ab") as file:
            while piece := os.pread(source, CHUNK, here):
                file.write(piece)
                here += len(piece)

    def _mend_cut(self, read: int) -> str:
        """Readers stand at ``read``: so much is put before what was written since, as nothing, and a word."""
        word = f"\n*** the log was cut off: {read} bytes before this line are gone ***".encode()
        with self._path.open("rb+", 0) as file:
            size = os.fstat(file.fileno()).st_size
            end = read + len(word) + ROOM + size
            # From here on caffe, which appends, writes behind ``end``.
            os.ftruncate(file.fileno(), end)
            since = os.pread(file.fileno(), size + ROOM, 0).rstrip(b"\0")
            os.pwrite(file.fileno(), bytes(len(since)), 0)
            gap = end - read - len(since) - 1
            os.pwrite(file.fileno(), word.ljust(gap) + b"\n" + since, read)
        return f"its log was cut off: {read} bytes of it are gone, reading goes on"
