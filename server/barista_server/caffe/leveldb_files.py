"""What the files of a LevelDB tell: who uses it, which one process may do, and once; whether it is empty."""

import fcntl
import struct
from pathlib import Path

_FLOCK = "hhqqi4x"  # type, whence, start, length, pid: struct flock on 64-bit Linux


def lock_holder(path: str | Path) -> int | None:
    """The process that holds the database in the folder, as far as the system tells; None if nobody does."""
    asked = struct.pack(_FLOCK, fcntl.F_WRLCK, 0, 0, 0, 0)
    try:
        with Path(path, "LOCK").open("rb") as file:
            answer = fcntl.fcntl(file, fcntl.F_GETLK, asked)
    except OSError:
        return None
    kind, _, _, _, pid = struct.unpack(_FLOCK, answer)
    return None if kind == fcntl.F_UNLCK else int(pid)


def holds_nothing(path: str | Path) -> bool:
    """Whether nothing was ever written to the database in the folder."""
    folder = Path(path)
    try:
        if any(folder.glob("*.ldb")) or any(folder.glob("*.sst")):
            return False
        return not any(log.stat().st_size for log in folder.glob("*.log"))
    except OSError:
        return False
