"""The wheels a host needs: made again from what is installed here, or fetched by pip for other hosts."""

from __future__ import annotations

import importlib.util
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import NamedTuple

import msgspec

from barista_server.remote.wheels import OURS, closure, least_glibc, plain, repack, tags_of

EXTRAS = ("images", "leveldb")
"""What the agent can do more, as far as it is installed here."""
_OLDEST = 17
"""manylinux_2_17 and later: what wheels for the Pythons we run on are built for."""


class Progress(NamedTuple):
    """``done`` of ``total`` bytes or wheels (0: not known) of a step, and what it is about just now."""

    step: str
    about: str = ""
    done: int = 0
    total: int = 0


Tell = Callable[[Progress], None]


class Facts(msgspec.Struct):
    """What a host has; see on_host.facts."""

    python: str
    version: str
    cache_tag: str
    machine: str
    system: str
    libc: tuple[str, str]
    venv: bool
    free: int
    base: str
    wheels: dict[str, str]
    own: str | None
    on_path: str | None
    in_the_way: bool

    def same_kind(self) -> bool:
        """What runs here runs there: system, processor, Python, C library."""
        here = (platform.system(), platform.machine(), sys.implementation.cache_tag, platform.libc_ver()[0])
        return here == (self.system, self.machine, self.cache_tag, self.libc[0])

    def glibc(self) -> tuple[int, int]:
        """(2, 36); (0, 0) where the C library is another."""
        found = re.match(r"(\d+)\.(\d+)", self.libc[1]) if self.libc[0] == "glibc" else None
        return (int(found[1]), int(found[2])) if found else (0, 0)


def collected(facts: Facts | None, folder: Path, tell: Tell) -> tuple[list[Path], str]:
    """Wheels for a host, or (None) one as this machine. Blocks. Raises WheelError, OSError.

    The second is empty when they are all; else why the host's own pip has to fetch the rest.
    """
    needed = closure(OURS, EXTRAS)
    if facts is None or (facts.same_kind() and all(_runs(one, facts) for one in needed)):
        return [*_repacked(needed, folder, tell), *_pip(folder)], ""
    ours, *others = closure(OURS)
    own = _repacked([ours], folder, tell)
    why = _download(others, facts, folder, tell)
    if why:
        return [*own, *_pip(folder)], why
    for extra in needed:
        # Not for every kind of host is there a wheel of these.
        if all(extra.name != one.name for one in (ours, *others)):
            _download([extra], facts, folder, tell)
    return sorted({*own, *_pip(folder), *folder.glob("*.whl")}), ""


def engine_wheels(facts: Facts, folder: Path, have: Sequence[Path], tell: Tell) -> list[Path]:
    """What the embedded engine needs beyond ``have``, from here; none if it is not here or does not fit."""
    needed = closure(OURS, (*EXTRAS, "engine"))
    fits = facts.same_kind() and all(_runs(one, facts) for one in needed)
    if not fits or not any(one.name == "torch" for one in needed):
        return []
    there = {path.name.split("-")[0] for path in have}
    return _repacked([one for one in needed if plain(one.name) not in there], folder, tell)


def pins(wheels: Sequence[Path]) -> list[str]:
    """``name==version`` of each, less pip itself, which serves the installation only."""
    parts = (path.name.split("-")[:2] for path in wheels)
    return [f"{name}=={version}" for name, version in parts if name != "pip"]


def _runs(of: Distribution, facts: Facts) -> bool:
    least = least_glibc(tags_of(of))
    return least == (0, 0) or facts.glibc() >= least


def _repacked(needed: Sequence[Distribution], folder: Path, tell: Tell) -> list[Path]:
    made = []
    for number, one in enumerate(needed):
        tell(Progress("collect", f"{one.name} {one.version}", number, len(needed)))
        made.append(repack(one, folder))
    return made


def _pip(folder: Path) -> list[Path]:
    """A wheel of pip, which runs as it is: hosts often have none. The installed one, or the one of Python."""
    try:
        return [repack(distribution("pip"), folder)]
    except PackageNotFoundError:
        pass
    carried = importlib.util.find_spec("ensurepip")
    if carried is None or carried.origin is None:
        return []
    newest = sorted(Path(carried.origin).parent.glob("_bundled/pip-*.whl"))[-1:]
    return [Path(shutil.copy(path, folder)) for path in newest]


def _download(needed: Sequence[Distribution], facts: Facts, folder: Path, tell: Tell) -> str:
    """Have pip here fetch the same versions for the host's kind; why it could not."""
    tell(Progress("collect", f"for {facts.system} {facts.machine}, Python {facts.version}"))
    kind = f"{facts.system} on {facts.machine} with Python {facts.version}"
    if facts.system != "Linux" or facts.glibc() < (2, _OLDEST):
        return f"The host ({kind}) is not as this machine, so its own pip had to fetch the packages"
    abi = facts.cache_tag.replace("cpython-", "cp")
    words = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    words += ["--only-binary=:all:", "--dest", str(folder), "--implementation", "cp"]
    words += ["--python-version", ".".join(facts.version.split(".")[:2])]
    for tag in (abi, "abi3", "none"):
        words += ["--abi", tag]
    for minor in range(facts.glibc()[1], _OLDEST - 1, -1):
        words += ["--platform", f"manylinux_2_{minor}_{facts.machine}"]
    words += ["--platform", f"manylinux2014_{facts.machine}", "--platform", "any"]
    words += [f"{one.name}=={one.version}" for one in needed]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    last = (done.stderr.strip().splitlines() or [f"code {done.returncode}"])[-1]
    return (
        f"The host ({kind}) is not as this machine, and pip here could not fetch its packages ({last}), "
        "so its own pip had to"
    )
