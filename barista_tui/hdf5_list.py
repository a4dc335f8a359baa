"""Text files that name HDF5 files, on this machine: read, filled from folders, written."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

SUFFIXES = (".h5", ".hdf5", ".hdf", ".he5")


def tidy(text: str) -> list[str]:
    """The lines, those that are empty left out."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def below(path: Path) -> list[str]:
    """The file itself, or all HDF5 files of a folder, recursively, in order. Raises OSError."""
    if not path.is_dir():
        path.stat()
        return [str(path)]
    return sorted(str(each) for each in path.rglob("*") if each.suffix in SUFFIXES and each.is_file())


def write(path: Path, lines: list[str]) -> None:
    """Write the whole file, or leave the old one as it is. Raises OSError."""
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w") as file:
            file.write("".join(f"{line}\n" for line in lines))
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
