"""A Slurm of its own on this machine: real munged, slurmctld and slurmd, on free ports, in one folder."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil

CONFIG = """ClusterName=barista
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={control}
SlurmdPort={node}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
CredType=cred/munge
CryptoType=crypto/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1,sched_min_interval=0
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
MailProg=/bin/true
KillWait=1
MessageTimeout=2
MinJobAge=300
InactiveLimit=0
SlurmdTimeout=5
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=500 Gres=gpu:2 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=60 State=UP
PartitionName=closed Nodes={host} MaxTime=60 State=DOWN
"""


class Cluster:
    """``environment`` makes programs talk to this cluster."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-"))
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.host = socket.gethostname().partition(".")[0]
        self.config = self.folder / "slurm.conf"
        self.environment = {"SLURM_CONF": str(self.config)}

    def up(self) -> None:
        """Returns when the node is idle."""
        for name in ("state", "spool", "munge"):
            (self.folder / name).mkdir(mode=0o700)
        self.folder.chmod(0o755)
        # Munge wants nobody else to be able to write where its socket and its files are.
        (self.folder / "munge").chmod(0o700)
        key = self.folder / "munge" / "key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        control, node = free_ports(2)
        self.config.write_text(CONFIG.format(folder=self.folder, host=self.host, control=control, node=node))
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=autodetect\n")
        (self.folder / "gres.conf").write_text("Name=gpu Count=2 File=/dev/null,/dev/zero\n")
        munge = self.folder / "munge"
        self._start(
            "munged", "--foreground", "--force", f"--socket={self.folder}/munge.sock", f"--key-file={key}",
            f"--log-file={munge}/log", f"--pid-file={munge}/pid", f"--seed-file={munge}/seed",
        )  # fmt: skip
        self._until(lambda: (self.folder / "munge.sock").exists(), "munged answers")
        self.controller_up()
        self.node_up()

    def node_up(self) -> None:
        self._start("slurmd", "-D", "-N", self.host, "-f", str(self.config))
        self._until(lambda: "idle" in self.run("sinfo", "-h", "-o", "%t").stdout, "the node is idle")

    def controller_up(self) -> None:
        self._start("slurmctld", "-D", "-f", str(self.config))
        self._until(lambda: self.run("scontrol", "ping").returncode == 0, "slurmctld answers")

    def controller_down(self) -> None:
        """As when its machine fails."""
        self.processes["slurmctld"].kill()
        self.processes["slurmctld"].wait()

    def node_down(self, *pids: int) -> None:
        """As when it loses power: its slurmd, its steps, and processes of them that are named."""
        self.processes["slurmd"].kill()
        self.processes["slurmd"].wait()
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.pid in pids or (
                    process.name() == "slurmstepd" and process.environ().get("SLURM_CONF") == str(self.config)
                ):
                    process.kill()
        # By itself slurmctld takes longer than a test should to be sure of it.
        self.run("scontrol", "update", f"NodeName={self.host}", "State=DOWN", "Reason=test")

    def node_up_again(self) -> None:
        """Repaired."""
        self.run("scontrol", "update", f"NodeName={self.host}", "State=RESUME")
        self.node_up()

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, **self.environment}
        return subprocess.run(words, capture_output=True, text=True, env=environment, timeout=30, check=False)

    def down(self) -> None:
        self.run("scancel", "--me", "--signal=KILL", "--full")
        for process in reversed(self.processes.values()):
            process.kill()
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self, name: str, *words: str) -> None:
        program = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") or name
        out = (self.folder / f"{name}.out").open("wb")
        self.processes[name] = subprocess.Popen(
            [program, *words],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env={**os.environ, **self.environment},
        )
        out.close()

    def _until(self, found: object, what: str) -> None:
        end = time.monotonic() + 30
        while not found():  # type: ignore[operator]
            words = "\n".join(path.read_text(errors="replace") for path in self.folder.glob("*.out"))
            assert time.monotonic() < end, f"{what}: not within 30 s\n{words}"
            time.sleep(0.05)


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()
