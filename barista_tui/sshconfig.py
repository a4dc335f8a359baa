"""The hosts that a person's ``~/.ssh/config`` names, to choose from."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

DEEPEST = 8
"""Files that include files, at most; more is a circle."""


class Alias(NamedTuple):
    """``where``: the address behind it as far as its own block says, such as ``me@192.0.2.7:22``."""

    name: str
    where: str


def aliases(path: Path | None = None) -> list[Alias]:
    """All names without wildcards, in their order; none where there is no file that can be read."""
    start = path or Path.home() / ".ssh" / "config"
    found: dict[str, dict[str, str]] = {}
    names: list[str] = []
    for key, values in _words(start, start.parent, 0):
        if key in ("host", "match"):
            plain = [each for each in values if not set(each) & set("*?!")]
            names = plain if key == "host" else []
            for name in names:
                found.setdefault(name, {})
        else:
            for name in names:
                found[name].setdefault(key, values[0])
    return [Alias(name, _where(block)) for name, block in found.items()]


def _where(block: dict[str, str]) -> str:
    host = block.get("hostname", "")
    user = f"{block['user']}@" if host and "user" in block else ""
    port = f":{block['port']}" if host and "port" in block else ""
    return f"{user}{host}{port}"


def _words(path: Path, folder: Path, depth: int) -> Iterator[tuple[str, list[str]]]:
    """Keyword in small letters with its values, a line each; included files in their place."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        key, _, rest = line.strip().replace("=", " ", 1).partition(" ")
        try:
            values = shlex.split(rest, comments=True)
        except ValueError:
            continue
        if not values or key.startswith("#"):
            continue
        if key.lower() != "include":
            yield key.lower(), values
        elif depth < DEEPEST:
            for value in values:
                wanted = Path(value).expanduser()
                pattern = str(wanted if wanted.is_absolute() else folder / wanted)
                for each in sorted(Path("/").glob(pattern.lstrip("/"))):
                    yield from _words(each, folder, depth + 1)
