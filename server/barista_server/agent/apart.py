"""Work on files of unknown make in a process of its own, with limits: a crash there hurts nobody."""

from __future__ import annotations

import resource
import subprocess
import sys

LONGEST = 300.0
"""Seconds after which it is ended. A disk may be slow; a file that makes libhdf5 turn in circles is worse."""
MOST_MEMORY = 8 << 30
"""Bytes of address space."""


def run(module: str, *arguments: str, data: bytes = b"") -> bytes:
    """What ``python -m module arguments`` prints when given ``data``; empty when it fails. Blocks.

    The module calls :func:`limit` first.
    """
    try:
        return subprocess.run(
            [sys.executable, "-P", "-m", module, *arguments],
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
            timeout=LONGEST,
        ).stdout
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return b""


def limit() -> None:
    """Bound this process's memory."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = MOST_MEMORY if hard == resource.RLIM_INFINITY else min(MOST_MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
