"""Folders below which datasets may be added from elsewhere, and are searched: ``<root>/dataset-roots``."""

from __future__ import annotations

from pathlib import Path

from barista_server.agent import files
from barista_server.agent.errors import CallError


class Roots:
    """One path a line; people may edit it. Every method may raise OSError, and blocks."""

    def __init__(self, root: Path) -> None:
        self._file = root / "dataset-roots"
        self.own = str((root / "datasets").resolve())

    def all(self) -> list[str]:
        """All of them, the agent's own first."""
        try:
            lines = self._file.read_text("utf-8", "surrogateescape").splitlines()
        except FileNotFoundError:
            lines = []
        return list(dict.fromkeys([self.own, *(line for line in lines if line.startswith("/"))]))

    def add(self, path: Path) -> None:
        """Declare it, unless something above it is."""
        if not self.hold(path):
            self._write([*self.all(), str(path)])

    def remove(self, path: Path) -> None:
        """Raises CallError."""
        there = self.all()
        if str(path) not in there[1:]:
            own = " (the agent's own folder is always)" if str(path) == self.own else ""
            raise CallError("not-found", f"{path} is not among the declared folders{own}")
        there.remove(str(path))
        self._write(there)

    def hold(self, path: Path) -> bool:
        """Whether the path, links resolved, lies in one."""
        return any(path.is_relative_to(one) for one in self.all())

    def _write(self, all_: list[str]) -> None:
        text = "".join(f"{one}\n" for one in all_ if one != self.own)
        files.write(self._file, text.encode("utf-8", "surrogateescape"))


def absolute(given: str) -> Path:
    """A client's path with links resolved. Blocks. Raises CallError, OSError."""
    if not given.startswith("/") or not given.isprintable():
        raise CallError("invalid", f"'{given}' is not the whole path of a dataset", "Begin it with a slash.")
    try:
        return Path(given).resolve()
    except RuntimeError:
        raise CallError("invalid", f"the links of {given} lead in a circle") from None
