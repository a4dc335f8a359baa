"""Where caffe builds usually lie."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from barista_server.api.messages import CaffeInfo

EMBEDDED = "embedded"
_CONDA = ("~/miniconda*", "~/anaconda*", "~/miniforge*", "~/mambaforge*", "~/micromamba", "/opt/conda")
USUAL = (
    "$CAFFE_ROOT/build/tools/caffe",
    "$CAFFE_ROOT/.build_release/tools/caffe.bin",
    "$CAFFE_ROOT/bin/caffe",
    "/usr/local/bin/caffe",
    "/usr/bin/caffe",
    "/usr/local/caffe*/bin/caffe",
    "/usr/local/caffe*/build/tools/caffe",
    "/opt/*/bin/caffe",
    "/opt/caffe*/build/tools/caffe",
    "/opt/*/caffe*/build/tools/caffe",
    "~/*caffe*/build/tools/caffe",
    "~/*caffe*/build/install/bin/caffe",
    "~/*caffe*/.build_release/tools/caffe.bin",
    "~/*/*caffe*/build/tools/caffe",
    "~/*/*caffe*/.build_release/tools/caffe.bin",
    "~/.local/bin/caffe",
    *(f"{place}/{envs}bin/caffe" for place in _CONDA for envs in ("", "envs/*/")),
    "~/.conda/envs/*/bin/caffe",
)  # fmt: skip
"""Patterns, best first. Caffe's own make leaves ``build`` as a link to ``.build_release``."""
PLACES = "BARISTA_CAFFE_PLACES"
"""Environment variable with other patterns, with ``:`` between; empty: look nowhere."""


def on_path() -> list[str]:
    """Each ``caffe`` of the PATH, the one a shell takes first. Blocks briefly."""
    return [str(path) for folder in os.get_exec_path() if is_program(path := Path(folder, "caffe"))]


def in_usual_places() -> list[str]:
    """Executables that the patterns find, in their order. Blocks briefly."""
    given = os.environ.get(PLACES)
    patterns = USUAL if given is None else tuple(filter(None, given.split(":")))
    return [str(path) for pattern in patterns for path in _matching(pattern) if is_program(path)]


def _matching(pattern: str) -> list[Path]:
    # A variable that is not set stays as it is, and is no path then.
    path = Path(os.path.expandvars(pattern))
    try:
        path = path.expanduser()
        return sorted(Path("/").glob(str(path)[1:])) if path.is_absolute() else []
    except (OSError, RuntimeError):
        # A folder that cannot be read, a person without a home.
        return []


def others(paths: Iterable[str], known: Iterable[str]) -> list[str]:
    """Those of ``paths`` that are no file known before, by whatever name."""
    seen = {Path(path).resolve() for path in known}
    fresh = []
    for path in paths:
        if (real := Path(path).resolve()) not in seen:
            seen.add(real)
            fresh.append(path)
    return fresh


def is_program(path: Path) -> bool:
    """A file that may be executed."""
    return path.is_file() and os.access(path, os.X_OK)


def embedded() -> CaffeInfo:
    """The engine beside the agent, with the problem if it is not there."""
    beside = Path(sys.executable).with_name("barista-caffe")
    path = str(beside) if beside.exists() else shutil.which("barista-caffe")
    if path is None:
        return CaffeInfo(
            name=EMBEDDED,
            argv=["barista-caffe"],
            problem="barista-caffe is not installed",
            hint="pip install 'barista-server[engine]'",
            source="embedded",
        )
    return CaffeInfo(name=EMBEDDED, argv=[path], source="embedded")
