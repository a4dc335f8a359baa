"""A real OpenSSH sshd on loopback, with keys and files of its own, that runs this project's agent."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import asyncssh

from barista_server.remote.address import Address
from barista_server.remote.hostkeys import KnownHosts, Offered
from barista_server.remote.ssh import Way

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") or "sshd"
USER = os.environ.get("USER") or "root"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Sshd:
    """``folder`` holds keys and configuration; ``root`` is where its agent keeps the sessions."""

    folder: Path
    root: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(cls, folder: Path, root: Path, path: str | None = None, home: Path | None = None) -> Sshd:
        """``path``: where the login finds programs; this environment's own first unless given.

        ``home``: of the login, if it is not to be the user's own.
        """
        folder.mkdir(exist_ok=True)
        sshd = cls(folder, root, free_port())
        for name in ("host", "client"):
            asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(folder / name))
            key = asyncssh.read_private_key(str(folder / name))
            key.write_public_key(str(folder / f"{name}.pub"))
            (folder / name).chmod(0o600)
        sshd.authorize()
        programs = path if path is not None else f"{Path(sys.executable).parent}:/usr/bin:/bin"
        (folder / "config").write_text(
            f"Port {sshd.port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\n"
            f"AuthorizedKeysFile {folder}/authorized_keys\nStrictModes no\nUsePAM no\n"
            "PermitRootLogin yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
            f'SetEnv "PATH={programs}" "BARISTA_ROOT={root}"'
            + (f' "HOME={home}"' if home is not None else "")
            + "\n"
            "Subsystem sftp internal-sftp\n"
        )
        sshd.up()
        return sshd

    def up(self) -> None:
        """Returns when it listens."""
        if os.getuid() == 0:
            # where sshd wants to be confined while nobody is logged in
            Path("/run/sshd").mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            [SSHD, "-D", "-e", "-f", str(self.folder / "config")],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert self.process.stderr is not None
        words = b""
        while b"Server listening" not in words:
            line = self.process.stderr.readline()
            words += line
            assert line, words.decode()

    def authorize(self, options: str = "") -> None:
        """Let the client's key in, with options before it."""
        key = (self.folder / "client.pub").read_text()
        (self.folder / "authorized_keys").write_text(f"{options} {key}".lstrip())

    @property
    def address(self) -> Address:
        return Address("ssh", "127.0.0.1", USER, self.port)

    def way(self, accepted: bool = True, via: Literal["asyncssh", "ssh"] = "asyncssh") -> Way:
        """The client's way here, the host key already accepted or not."""
        known = KnownHosts(self.folder / "known_hosts")
        if accepted:
            kind, text = (self.folder / "host.pub").read_text().split()[:2]
            known.accept(Offered("", "", "", f"[127.0.0.1]:{self.port} {kind} {text}"))
        return Way(known, keys=[self.folder / "client"], via=via)

    def down(self) -> None:
        """End the listener; connections there are go on."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait()
            assert self.process.stderr is not None
            self.process.stderr.close()
