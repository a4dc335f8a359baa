"""Text files that name HDF5 files: read, filled from folders, written."""

from __future__ import annotations

import os
import time
import unicodedata
from pathlib import Path

from barista_server.caffe.atomic import replacing

SUFFIXES = (".h5", ".hdf5", ".hdf", ".he5")


def tidy(lines: list[str]) -> list[str]:
    """The lines, those that are empty left out."""
    return [line.strip() for line in lines if line.strip()]


def is_plain(line: str) -> bool:
    """Nothing in it that a terminal would obey or that would end the line."""
    return not any(unicodedata.category(char) in ("Cc", "Zl", "Zp") for char in line)


def stamp(path: Path) -> str:
    """Another one when the file was written since. Raises OSError."""
    found = path.stat()
    return f"{found.st_ino}:{found.st_size}:{found.st_mtime_ns}"


def read(path: Path, most: int) -> tuple[list[str], str]:
    """Lines and stamp. Raises OSError, ValueError (longer than ``most`` bytes, or no text)."""
    before = stamp(path)
    if not path.is_file():
        # A pipe would be waited for.
        raise ValueError("it is no file")
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise ValueError(f"it has more than {most:,} bytes")
    if b"\0" in data:
        raise ValueError("it is no text")
    lines = tidy(data.decode("utf-8").splitlines())
    if hostile := next((line for line in lines if not is_plain(line)), None):
        raise ValueError(f"a name has control characters: {hostile!r}")
    return lines, before


def below(path: Path, most: int, seconds: float) -> tuple[list[str], str]:
    """The file itself, or all HDF5 files of a folder, recursively, in order, and why some may be missing.

    ``most``: bytes of all names together. Raises OSError.
    """
    if not path.is_dir():
        path.stat()
        return [str(path)], ""
    found: list[str] = []
    size, end, closed = 0, time.monotonic() + seconds, 0

    def unreadable(_: OSError) -> None:
        nonlocal closed
        closed += 1

    for folder, folders, names in os.walk(path, onerror=unreadable):
        folders.sort()
        for name in names:
            one = Path(folder, name)
            if name.endswith(SUFFIXES) and is_plain(str(one)) and one.is_file():
                found.append(str(one))
                size += len(os.fsencode(one)) + 1
        if size > most or time.monotonic() > end:
            why = "there are too many" if size > most else f"it takes more than {seconds:.0f} s"
            return sorted(found), f"not all files are here: {why}; add the folders below one by one"
    return sorted(found), f"{closed} folders cannot be read" if closed else ""


def write(path: Path, lines: list[str]) -> None:
    """Write the whole file, or leave the old one as it is, mode kept. Raises OSError."""
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    with replacing(path) as temporary:
        temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        temporary.chmod(mode)
