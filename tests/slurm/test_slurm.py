"""Sessions as jobs of a real Slurm: started, paused, lost, submitted again; the agent killed meanwhile."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..cli.verbshell import Shell
from .cluster import Cluster

pytestmark = pytest.mark.real("slurm")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    made = Cluster()
    try:
        made.up()
        yield made
    finally:
        made.down()


@pytest.fixture
def shell(cluster: Cluster) -> Iterator[Shell]:
    made = Shell()
    made.environment.update(cluster.environment)
    try:
        yield made
    finally:
        cluster.run("scancel", "--me")
        made.close()
        made.until(lambda: not cluster.run("squeue", "--noheader").stdout, "all jobs have ended")


def _job(shell: Shell, name: str) -> str:
    job: str = shell.json("show", name)["job"]
    return job


def _until_state(shell: Shell, name: str, *states: str) -> dict[str, Any]:
    def found() -> Any:
        shown = shell.json("show", name)
        return shown if shown["state"] in states else None

    shown: dict[str, Any] = shell.until(found, f"{name} is {states}")
    return shown


def _journal(shell: Shell, session: str = "1") -> list[str]:
    lines = (shell.root / "sessions" / session / "journal.jsonl").read_text().splitlines()
    return [json.loads(line)["kind"] for line in lines]


def test_a_job_trains_pauses_and_goes_on(shell: Shell, cluster: Cluster) -> None:
    shell.new("--name", "one")
    shell.barista("set", "one", "--launcher", "slurm", "--gres", "gpu:1", "--time", "10")
    shell.barista("set", "one", "--device", "0")
    started = shell.barista("start", "one").stdout
    assert "Queued" in started and "Slurm (job " in started
    shell.iterating("one")
    job = _job(shell, "one")
    listed = cluster.run("squeue", "-h", "-o", "%i|%j|%T|%b").stdout.replace("gres:", "").replace("gres/", "")
    assert f"{job}|barista-1-one|RUNNING|gpu:1" in listed
    assert [(each["job"], each["state"]) for each in shell.json("slurm")["jobs"]] == [(job, "RUNNING")]
    assert shell.barista("slurm").stdout.splitlines()[-1].split() == [
        job,
        "1",
        "one",
        "running",
        cluster.host,
    ]
    assert f"gres gpu:1, time 10; its number is {job}" in shell.barista("show", "one").stdout
    assert "snapshot taken" in shell.barista("snapshot", "one").stdout
    paused = shell.json("pause", "one")
    assert paused["state"] == "paused" and paused["iteration"] == paused["snapshots"][-1]["iteration"]
    run = shell.root / "sessions" / "1" / "runs" / "0001"
    assert json.loads((run / "exit.json").read_text())["code"] == 0
    assert json.loads((run / "process.json").read_text())["host"] == os.uname().nodename
    shell.barista("start", "one")
    assert shell.iterating("one", paused["iteration"] + 1)["runs"][1]["resumed_from"] == paused["iteration"]
    shell.barista("pause", "one", "--force", "term", code=0)
    failed = _until_state(shell, "one", "failed")
    assert "by force" in failed["problems"][0]["text"]


def test_a_job_that_waits_says_why_and_is_taken_back(shell: Shell) -> None:
    shell.new("--name", "one")
    shell.barista("set", "one", "--launcher", "slurm", "--partition", "closed")
    shell.barista("start", "one")
    shell.until(
        lambda: "the partition is down" in shell.barista("ls").stdout + shell.barista("show", "one").stdout,
        "why",
    )
    assert "on its way already" in shell.barista("start", "one", code=4).stderr
    assert "waits in the queue" in shell.barista("rm", "one", code=4).stderr
    assert "pause it first" in shell.barista("set", "one", "--partition", "main", code=4).stderr
    shell.barista("pause", "one", "--no-wait")
    _until_state(shell, "one", "waiting")
    assert not list((shell.root / "sessions" / "1" / "runs").iterdir())
    shell.barista("set", "one", "--partition", "nowhere")
    assert "invalid partition" in shell.barista("start", "one", code=1).stderr.lower()
    assert shell.json("show", "one")["state"] == "waiting"


def test_when_its_time_is_up_it_is_submitted_again(shell: Shell, cluster: Cluster) -> None:
    shell.new("--name", "long")
    shell.barista("start", "long", "--slurm")
    at = shell.iterating("long", 20)["iteration"]
    # As slurmctld does when the announced time before the limit has come.
    cluster.run("scancel", "--batch", "--signal=USR1", _job(shell, "long"))
    again = shell.until(
        lambda: (found := shell.json("show", "long")) and len(found["runs"]) == 2 and found, "a second run"
    )
    shell.until(lambda: shell.json("show", "long")["state"] == "running", "it runs again")
    resumed = again["runs"][1]["resumed_from"]
    assert resumed >= at and again["snapshots"][-1]["iteration"] == resumed
    assert json.loads((shell.root / "sessions/1/runs/0001/exit.json").read_text())["warned"] == "time limit"
    assert "submitted again" in _journal(shell)
    assert shell.iterating("long", resumed + 1)


def test_a_job_that_others_cancel_has_failed(shell: Shell, cluster: Cluster) -> None:
    shell.new("--name", "one", deaf=True)
    shell.barista("start", "one", "--slurm")
    shell.iterating("one")
    cluster.run("scancel", "--full", "--signal=KILL", _job(shell, "one"))
    failed = _until_state(shell, "one", "failed", "interrupted")
    assert "job" in failed["problems"][0]["text"] and "Slurm" in failed["problems"][0]["text"]


def test_an_agent_that_was_killed_finds_its_jobs_again(shell: Shell) -> None:
    shell.new("--name", "one")
    shell.barista("start", "one", "--slurm")
    before = shell.iterating("one")
    run = shell.root / "sessions" / "1" / "runs" / "0001"
    os.kill(shell.agent_pid(), signal.SIGKILL)
    # As if it had been killed before it could write the job's number down.
    (run / "job.json").unlink()
    after = shell.iterating("one", before["iteration"] + 50)
    assert after["state"] == "running" and len(after["runs"]) == 1
    shell.until(lambda: _job(shell, "one") == before["job"], "the job is known again")
    assert json.loads((run / "job.json").read_text())["job"] == before["job"]
    os.kill(shell.agent_pid(), signal.SIGKILL)
    assert shell.json("pause", "one")["state"] == "paused"


def test_several_sessions_are_one_array(shell: Shell, cluster: Cluster) -> None:
    for name in ("a", "b", "c"):
        shell.new("--name", name, max_iter=60, speed=40)
    told = shell.json("start", "a", "b", "c", "--slurm", "--array", "--at-once", "1")
    assert told["sessions"] == ["1", "2", "3"]
    listed = cluster.run("squeue", "-h", "-o", "%i|%j").stdout
    assert f"{told['job']}_[" in listed or f"{told['job']}_0" in listed
    shell.iterating("a")
    assert shell.json("show", "c")["state"] == "queued"
    assert [shell.json("show", name)["job"] for name in "abc"] == [f"{told['job']}_{n}" for n in range(3)]
    shell.barista("pause", "c", "--no-wait")
    for name in ("a", "b"):
        _until_state(shell, name, "finished")
    _until_state(shell, "c", "waiting")


def test_arguments_that_are_ours_are_refused(shell: Shell) -> None:
    shell.new("--name", "one")
    for argument in ("--array=0-9", "--sign=B:INT", "-o/tmp/x", "qos=long", "--wrap=rm -rf /"):
        assert argument in shell.barista("set", "one", f"--sbatch-arg={argument}", code=4).stderr
    assert shell.json("show", "one").get("slurm") is None


def test_what_slurm_has_is_shown(shell: Shell, tmp_path: Path) -> None:
    shown = shell.barista("slurm").stdout
    assert "main*" in shown and "1:00:00" in shown and "gpu:2" in shown
    assert "closed" in shown and "down" in shown
    told = shell.barista(
        "set", "--defaults", "--launcher", "slurm", "--time", "1-12", "--sbatch-arg=--qos=x"
    ).stdout
    assert "a job of Slurm: time 1-12, --qos=x" in told
    assert shell.new("--name", "one")["launcher"] == "slurm"
    shell.environment["PATH"] = str(tmp_path)
    assert "time" in shell.barista("set", "one", "--time", "soon", code=4).stderr


def test_a_job_whose_node_fails_goes_on_elsewhere(shell: Shell, cluster: Cluster) -> None:
    shell.new("--name", "one", extra="snapshot: 50\n")
    shell.barista("start", "one", "--slurm")
    shell.iterating("one", 60)
    process = json.loads((shell.root / "sessions/1/runs/0001/process.json").read_text())
    shell.until(lambda: cluster.run("squeue", "-h", "-o", "%M").stdout.strip() > "0:01", "it is launched")
    cluster.node_down(process["runner_pid"], process["caffe_pid"])
    try:
        again = shell.until(
            lambda: (found := shell.json("show", "one")) and len(found["runs"]) == 2 and found, "a second run"
        )
    finally:
        cluster.node_up_again()
    resumed = again["runs"][1]["resumed_from"]
    assert resumed >= 50 and resumed % 50 == 0
    assert shell.iterating("one", resumed + 1)["state"] == "running"
    assert "submitted again" in _journal(shell)


def test_slurm_does_not_answer_for_a_while(shell: Shell, cluster: Cluster) -> None:
    # The last one: slurmctld takes a while to trust its node again.
    shell.new("--name", "one", max_iter=200, speed=40)
    shell.barista("start", "one", "--slurm")
    shell.iterating("one")
    cluster.controller_down()
    try:
        at = shell.iterating("one", 60)
        assert at["state"] == "running"
        began = time.monotonic()
        assert _until_state(shell, "one", "finished")["iteration"] == 200
        assert time.monotonic() - began < 25
    finally:
        cluster.controller_up()
    assert "contact slurm" not in shell.json("slurm")["problem"]
