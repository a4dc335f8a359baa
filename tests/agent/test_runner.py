"""The runner: what caffe finds, what is left of it, and what the runner costs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from barista_server import runner
from barista_server.agent import process
from barista_server.agent.process import Identity

from .agents import exists, until

REPORT = """
import json, os, signal
found = [int(name) for name in os.listdir("/proc/self/fd")]
print(json.dumps({
    "fds": sorted(fd for fd in found if os.path.exists(f"/proc/self/fd/{fd}")),
    "ignored": [n for n in range(1, 32) if n not in (9, 19) and signal.getsignal(n) is signal.SIG_IGN],
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    "cwd": os.getcwd(), "env": os.environ.get("GIVEN"), "stdin": os.readlink("/proc/self/fd/0"),
}), flush=True)
"""


class Runs:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(self, *argv: str, nonce: str = "n") -> subprocess.CompletedProcess[str]:
        self.folder.mkdir()
        command = {"argv": list(argv), "cwd": str(self.folder), "env": {"GIVEN": "yes"}, "nonce": nonce}
        (self.folder / "command.json").write_text(json.dumps(command))
        environment = {**os.environ, process.NONCE: nonce}
        arguments = [sys.executable, "-I", "-S", str(runner.__file__), str(self.folder)]
        return subprocess.run(arguments, capture_output=True, text=True, env=environment, check=False)

    def read(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / name).read_text())
        return found

    async def end(self) -> dict[str, Any]:
        await until((self.folder / "exit.json").exists, "exit.json")
        return self.read("exit.json")


def resident(pid: int) -> int:
    """KiB."""
    return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0])


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    made = Runs(tmp_path / "0001")
    yield made
    if (made.folder / "process.json").exists():
        found = made.read("process.json")
        for pid in (found["caffe_pid"], found["runner_pid"]):
            if exists(pid) and found["boot_id"] == runner.boot_id():
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass


async def test_caffe_inherits_nothing_it_should_not(runs: Runs) -> None:
    leak = os.open(os.devnull, os.O_RDONLY)
    os.set_inheritable(leak, True)
    # -I: a Python that changes nothing on its way; SIGPIPE and SIGXFSZ are its own doing.
    assert runs.start(sys.executable, "-I", "-c", REPORT).returncode == 0
    os.close(leak)
    ended = await runs.end()
    assert (ended["code"], ended["signal"], ended["exec_error"]) == (0, None, None)
    report = json.loads((runs.folder / "caffe.log").read_text())
    assert report["fds"][:3] == [0, 1, 2] and len(report["fds"]) == 3
    assert set(report["ignored"]) <= {signal.SIGPIPE, signal.SIGXFSZ}
    assert report["blocked"] == []
    assert (report["cwd"], report["env"], report["stdin"]) == (str(runs.folder), "yes", "/dev/null")


OF_LIBC = 1 << 31 | 1 << 32
"""Signals 32 and 33 belong to the C library; what a parent process left them at cannot be changed."""


async def test_sigpipe_is_at_its_default(runs: Runs) -> None:
    runs.start("/bin/sh", "-c", "grep -E 'SigIgn|SigBlk' /proc/self/status")
    await runs.end()
    for line in (runs.folder / "caffe.log").read_text().splitlines():
        assert int(line.split()[1], 16) & ~OF_LIBC == 0, line


async def test_the_verdict_tells_code_signal_and_resources(runs: Runs) -> None:
    runs.start("/bin/sh", "-c", "echo out; echo err >&2; kill -SEGV $$")
    ended = await runs.end()
    assert (ended["code"], ended["signal"]) == (None, signal.SIGSEGV)
    assert ended["wall_seconds"] > 0 and ended["max_rss_kib"] > 100
    assert (runs.folder / "caffe.log").read_text() == "out\nerr\n"


async def test_a_missing_executable_is_an_exec_error(runs: Runs) -> None:
    assert runs.start("/no/such/caffe", "train").returncode == 0
    ended = await runs.end()
    assert "No such file" in ended["exec_error"] and "/no/such/caffe" in ended["exec_error"]


def test_what_cannot_be_started_is_said_at_once(runs: Runs) -> None:
    runs.folder.mkdir()
    arguments = [sys.executable, "-I", "-S", str(runner.__file__), str(runs.folder)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "command.json" in done.stderr


async def test_it_detaches_stays_small_and_ignores_what_would_end_it(runs: Runs) -> None:
    runs.start("/bin/sleep", "100")
    found = runs.read("process.json")
    pid = found["runner_pid"]
    rss = resident(pid)
    assert rss < 12 * 1024, f"{rss} KiB"
    assert os.getsid(pid) != os.getsid(0)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        os.kill(pid, number)
    identity = Identity(found["boot_id"], found["caffe_pid"], found["caffe_start"], "n")
    assert process.is_alive(identity) and exists(pid)
    assert process.send(identity, signal.SIGTERM)
    assert (await runs.end())["signal"] == signal.SIGTERM
    await until(lambda: not exists(pid), "the runner ends")


async def test_orphans_of_caffe_are_reaped_and_do_not_hold_it_up(runs: Runs) -> None:
    runs.start("/bin/sh", "-c", "(sleep 0.3 &) ; (true &) ; exec sleep 1")
    ended = await runs.end()
    assert ended["code"] == 0 and ended["monotonic_seconds"] >= 1


async def test_process_json_is_there_before_caffe_runs(runs: Runs) -> None:
    runs.start("/bin/sh", "-c", "cat process.json")
    await runs.end()
    assert json.loads((runs.folder / "caffe.log").read_text()) == runs.read("process.json")


@pytest.mark.parametrize(("field", "value"), [("boot", "other"), ("start", 1), ("nonce", "other")])
async def test_one_wrong_mark_and_nothing_is_signalled(runs: Runs, field: str, value: Any) -> None:
    runs.start("/bin/sleep", "100")
    found = runs.read("process.json")
    right = {"boot": found["boot_id"], "pid": found["caffe_pid"], "start": found["caffe_start"], "nonce": "n"}
    assert process.is_alive(Identity(**right))
    wrong = Identity(**{**right, field: value})
    assert not process.is_alive(wrong)
    assert not process.send(wrong, signal.SIGKILL)
    assert process.send(Identity(**right), signal.SIGKILL)
    assert (await runs.end())["signal"] == signal.SIGKILL
    assert not process.send(Identity(**right), signal.SIGKILL)
