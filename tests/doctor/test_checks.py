"""What the doctor says of machines, real and made of files."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from barista_server.caffe.weights import read_state, read_weights
from barista_server.doctor import logout, machine, places, programs, report, scripted
from barista_server.doctor.report import Finding

OTHER = Path(__file__).parents[1] / "support" / "other_caffe.py"
DOCTOR = [sys.executable, "-m", "barista_server.agent", "doctor"]


def test_a_report_of_this_machine(tmp_path: Path) -> None:
    script = tmp_path / "caffe.sh"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} {OTHER} ssd "$@"\n')
    script.chmod(0o755)
    (tmp_path / "caffes.json").write_text(json.dumps([{"name": "mine", "argv": [str(script)]}]))
    done = subprocess.run(
        [*DOCTOR, "--root", str(tmp_path), "--json"], capture_output=True, text=True, check=False
    )
    told = json.loads(done.stdout)
    assert told["well"] is (done.returncode == 0)
    checks = {one["name"]: one for one in told["checks"]}
    assert {"python", "root", "files", "disk", "socket", "identity", "limits", "log-out", "cards"} <= {
        *checks
    }
    assert any("mine: SSD 1.0.0-rc3, CPU only" in one["text"] for one in told["checks"])
    assert checks["root"]["level"] != "bad"
    assert {path.name for path in tmp_path.iterdir()} == {"caffe.sh", "caffes.json"}


def test_a_root_that_is_no_folder_to_write_in() -> None:
    done = subprocess.run([*DOCTOR, "--root", "/proc/none"], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "bad   root" in done.stdout and "--root DIR" in done.stdout
    assert "not well: root" in done.stdout


def test_the_file_system_is_the_one_mounted_nearest() -> None:
    mounts = (
        "/dev/a / ext4 rw 0 0\nserver:/x /home nfs4 rw 0 0\n/dev/b /home/me/local\\040disk xfs rw 0 0\n"
        "none / overlay rw 0 0\n"
    )
    kinds = ("/home/me/sessions", "/home/me/local disk/x", "/homer", "/")
    assert [places.file_system(Path(one), mounts) for one in kinds] == ["nfs4", "xfs", "overlay", "overlay"]
    assert places._kind("nfs4").level == "warn" and "O_APPEND" in places._kind("nfs4").advice
    assert places._kind("ext4").level == "ok"


def systemd(root: Path, text: str, dropped: str = "") -> Path:
    (root / "run/systemd/system").mkdir(parents=True)
    (root / "etc/systemd/logind.conf.d").mkdir(parents=True)
    (root / "etc/systemd/logind.conf").write_text(f"[Login]\n{text}")
    (root / "etc/systemd/logind.conf.d/10-site.conf").write_text(f"[Login]\n{dropped}")
    return root


@pytest.mark.parametrize(
    ("text", "dropped", "linger", "level"),
    [
        ("#KillUserProcesses=yes\n", "", "no", "ok"),
        ("KillUserProcesses=yes\n", "", "no", "bad"),
        ("KillUserProcesses=yes\n", "", "yes", "ok"),
        ("KillUserProcesses=no\n", "KillUserProcesses=yes\n", "no", "bad"),
        ("KillUserProcesses=yes\nKillExcludeUsers=root me\n", "", "no", "ok"),
        ("KillUserProcesses=yes\nKillOnlyUsers=you\n", "", "no", "ok"),
    ],
)
def test_whether_log_out_ends_trainings(
    tmp_path: Path, text: str, dropped: str, linger: str, level: str
) -> None:
    asked: list[Sequence[str]] = []

    def ask(words: Sequence[str]) -> str:
        asked.append(words)
        return f"Linger={linger}\n"

    found = logout.check_logout(systemd(tmp_path, text, dropped), ask, "me")
    assert found.level == level and asked[0][:3] == ["loginctl", "show-user", "me"]
    assert level == "ok" or "loginctl enable-linger me" in found.advice


def test_no_systemd_ends_nothing(tmp_path: Path) -> None:
    assert logout.check_logout(tmp_path).level == "ok"


def test_narrow_limits_are_named(tmp_path: Path) -> None:
    wide = {resource.RLIMIT_NOFILE: 1024}
    narrow = {resource.RLIMIT_NOFILE: 64, resource.RLIMIT_CPU: 3600}
    assert machine.check_limits(lambda which: (wide.get(which, -1), -1), tmp_path).level == "ok"
    found = machine.check_limits(lambda which: (narrow.get(which, -1), -1), tmp_path)
    assert found.level == "warn" and "64 open files" in found.text and "3600 seconds of CPU" in found.text
    for path, text in (
        ("proc/self/cgroup", "0::/user/me\n"),
        ("sys/fs/cgroup/user/pids.max", "100\n"),
        ("sys/fs/cgroup/user/pids.current", "90\n"),
        ("sys/fs/cgroup/user/me/pids.max", "max\n"),
        ("sys/fs/cgroup/user/me/pids.current", "9\n"),
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    found = machine.check_limits(lambda which: (wide.get(which, -1), -1), tmp_path)
    assert found.level == "warn" and "room for 10 more" in found.text


def test_hidden_processes_and_slurm_without_a_controller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mounts").write_text("proc /proc proc rw,hidepid=invisible 0 0\n")
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    assert {one.name: one.level for one in machine.check_identity(tmp_path)}["proc"] == "warn"
    answers = {"sbatch": "slurm-wlm 22.05.8\n", "scontrol": None}
    assert programs.check_slurm(lambda words: answers[words[0]]).level == "warn"
    assert programs.check_slurm(lambda _: None).level == "ok"


def test_advice_stands_below_its_line() -> None:
    lines = report.lines([Finding("a", "ok", "fine"), Finding("long", "bad", "broken", "mend it\nsoon")])
    assert lines == [
        "ok    a     fine",
        "bad   long  broken",
        "            mend it",
        "            soon",
    ]


def test_snapshots_of_the_scripted_caffe_are_caffes(tmp_path: Path) -> None:
    model, state = tmp_path / "m.caffemodel", tmp_path / "s.solverstate"
    for iteration in (0, 1, 127, 128, 70_000):
        model.write_bytes(scripted.model_bytes(iteration))
        state.write_bytes(scripted.state_bytes(iteration, "m.caffemodel"))
        (blob,) = read_weights(model).layers["ip"]
        assert blob.shape == (1, 4) and (blob == iteration).all()
        read = read_state(state)
        assert (read.iter, read.learned_net) == (iteration, "m.caffemodel")
        assert scripted.resume(str(state)) == iteration
