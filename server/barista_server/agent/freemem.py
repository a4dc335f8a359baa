"""Memory that a training could have on this machine now."""

from __future__ import annotations

import shutil
import subprocess

PATIENCE = 5.0
"""Seconds that nvidia-smi has for its answer."""

_QUERY = ["--query-gpu=index,memory.free", "--format=csv,noheader,nounits"]


def free_memory() -> dict[str, int]:
    """Free bytes by device: ``cpu`` (what the kernel would give without swapping), then each GPU's number.

    Blocks. GPUs are those that nvidia-smi tells of; none where it is missing or silent.
    """
    import psutil

    return {"cpu": psutil.virtual_memory().available, **_gpus()}


def _gpus() -> dict[str, int]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return {}
    try:
        told = subprocess.run(
            [program, *_QUERY], capture_output=True, text=True, timeout=PATIENCE, check=True
        ).stdout
        rows = [line.split(",") for line in told.splitlines() if line.strip()]
        return {index.strip(): int(free) << 20 for index, free in rows}
    except (OSError, ValueError, subprocess.SubprocessError):
        return {}
