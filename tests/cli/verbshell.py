"""`barista` as a process of its own, on a root of its own with the scripted caffe."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from tests.support.zygote import zygote

SCRIPTED = Path(__file__).parents[1] / "support" / "scripted_caffe.py"
BARISTA = [sys.executable, "-m", "barista_tui.cli"]
DEADLINE = 30.0

NET = """name: "tiny"
layer {
  name: "data" type: "DummyData" top: "data" top: "label"
  dummy_data_param { shape { dim: 1 dim: 4 } shape { dim: 1 dim: 1 } }
}
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 1 } }
layer { name: "loss" type: "EuclideanLoss" bottom: "ip" bottom: "label" top: "loss" }
"""


class Shell:
    """Runs verbs. ``files`` is a folder for prototxt files."""

    def __init__(self) -> None:
        # Not pytest's folder: its path may be too long for a socket.
        self.root = Path(tempfile.mkdtemp(prefix="barista-"))
        self.files = self.root / "files"
        self.files.mkdir()
        entry = {"name": "scripted", "argv": [sys.executable, str(SCRIPTED)]}
        (self.root / "caffes.json").write_text(json.dumps([entry]))
        self.environment = {**os.environ, "BARISTA_ROOT": str(self.root), "COLUMNS": "80"}

    def barista(self, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """A finished verb, whose exit code must be ``code``."""
        ran = zygote("barista").run(list(words), self.environment, timeout=60)
        said = (text.decode().replace("\r\n", "\n") for text in (ran.stdout, ran.stderr))
        done = subprocess.CompletedProcess(ran.args, ran.returncode, *said)
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def json(self, *words: str) -> Any:
        return json.loads(self.barista(*words, "--json").stdout)

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """A verb that goes on."""
        return subprocess.Popen(
            [*BARISTA, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
        )

    def new(self, *words: str, max_iter: int = 100_000, extra: str = "", **script: Any) -> dict[str, Any]:
        """Make a session from files, as a person would; ``script`` sets the scripted caffe's manners."""
        (self.files / "net.prototxt").write_text(NET)
        (self.files / "solver.prototxt").write_text(
            f'# script: {json.dumps(script)}\nnet: "net.prototxt"\nbase_lr: 0.01\nlr_policy: "fixed"\n'
            f"max_iter: {max_iter}\ndisplay: 5\n{extra}"
        )
        made: dict[str, Any] = self.json(
            "new", str(self.files / "solver.prototxt"), "--caffe", "scripted", *words
        )
        return made

    def until(self, found: Callable[[], Any], what: str) -> Any:
        """The first true value of ``found``, polled."""
        end = time.monotonic() + DEADLINE
        while not (value := found()):
            assert time.monotonic() < end, f"{what}: not within {DEADLINE} s"
            time.sleep(0.05)
        return value

    def iterating(self, session: str, least: int = 1) -> dict[str, Any]:
        """The session once it has shown an iteration of at least ``least``."""

        def found() -> Any:
            shown = self.json("show", session)
            return shown if shown["loss"] is not None and shown["iteration"] >= least else None

        shown: dict[str, Any] = self.until(found, f"iteration {least} of {session}")
        return shown

    def log(self, session: str = "1", run: int = 1) -> Path:
        return self.root / "sessions" / session / "runs" / f"{run:04}" / "caffe.log"

    def agent_pid(self) -> int:
        pid: int = self.json("agent", "status")["pid"]
        return pid

    def close(self) -> None:
        """End everything that was started here, then the folder."""
        mine = [process for process in psutil.process_iter() if self._is_mine(process)]
        for process in mine:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                pass
        psutil.wait_procs(mine, timeout=10)
        shutil.rmtree(self.root)

    def _is_mine(self, process: psutil.Process) -> bool:
        try:
            return any(str(self.root) in place for place in (*process.cmdline(), process.cwd()))
        except psutil.Error:
            return False
