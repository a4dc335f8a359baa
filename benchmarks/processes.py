"""What a process costs, and an agent's root to measure in."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import psutil

STEADY = Path(__file__).parent / "steady_caffe.py"
NET = """layer { name: "data" type: "DummyData" top: "data" dummy_data_param { shape { dim: 1 dim: 4 } } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 1 } }
"""


def solver(rate: float, seconds: float, first: int = 0, burst: int = 1) -> str:
    """Of a session that prints so many lines at once, then so many a second for so long, some together."""
    script = json.dumps({"rate": rate, "seconds": seconds, "first": first, "burst": burst})
    return f'# script: {script}\nbase_lr: 0.01\nlr_policy: "fixed"\nmax_iter: 100000000\ndisplay: 1\n'


@contextmanager
def agent_root() -> Iterator[Path]:
    """A folder for an agent that knows the steady caffe. What is left of it in the end is ended."""
    root = Path(mkdtemp(prefix="barista-"))
    entry = {"name": "steady", "argv": [sys.executable, "-S", "-I", str(STEADY)]}
    (root / "caffes.json").write_text(json.dumps([entry]))
    try:
        yield root
    finally:
        left = [one for one in psutil.process_iter() if _belongs(one, root)]
        for one in left:
            one.kill()
        psutil.wait_procs(left, 5)
        rmtree(root)


def _belongs(process: psutil.Process, root: Path) -> bool:
    try:
        return any(str(root) in word for word in process.cmdline()) or process.cwd().startswith(str(root))
    except psutil.Error:
        return False


def cpu(pid: int) -> float:
    """Seconds of processor time used so far."""
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> float:
    """MiB, pages shared with others in full."""
    return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0]) / 1024


def load() -> str:
    """How busy the machine was."""
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def hurry(*pids: int, later: bool = False) -> str:
    """Let processes (0: this thread) go before all else, as on a machine with nothing else to do, and say
    whether that was allowed. ``later``: what they start from now on, too.
    """
    try:
        for pid in pids:
            how = os.SCHED_RR | (0 if later else os.SCHED_RESET_ON_FORK)
            os.sched_setscheduler(pid, how, os.sched_param(1))
    except (PermissionError, AttributeError):
        return "beside all else that runs here"
    return "going before all else that runs here"


def judged(value: float, most: float, figure: str, least: bool = False) -> str:
    """``figure`` with the limit beside it."""
    kept = value >= most if least else value <= most
    return f"{figure} (promised: {'at least' if least else 'at most'} {most:g}){'' if kept else '  MISSED'}"
