"""Where the agent of this machine lives, and how it is brought up."""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
import sys
import tempfile
from pathlib import Path

LONGEST_SOCKET_PATH = 100
"""Bytes. Unix socket addresses end at 104 (macOS) or 108 (Linux)."""

START_TIMEOUT = 30.0
"""Seconds a freshly started agent has until it answers."""

LINGER = 30.0
"""Seconds without client and training after which an agent that a client started ends by itself."""


LOGGED_IN = "BARISTA_LOGGED_IN"
"""Environment variable set to 1 by the command line of a client that may run any program on the host."""


class LinkError(OSError):
    """The agent cannot be reached or the connection is gone. The text says what happened and what to do."""


def default_root() -> Path:
    """``$BARISTA_ROOT``, or the user's data folder for Barista."""
    if given := os.environ.get("BARISTA_ROOT"):
        return Path(given).expanduser().absolute()
    # Only needed where no root is given: keeps it out of the start of everything else.
    from platformdirs import user_data_dir

    return Path(user_data_dir("barista"))


def socket_path(root: Path) -> Path:
    """The agent's socket: in ``root``, or in a private runtime folder where that path would be too long.

    Raises LinkError when the runtime folder belongs to somebody else.
    """
    root = root.absolute()
    path = root / "agent.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return path
    key = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:16]
    return _runtime_folder() / f"{key}.sock"


def _runtime_folder() -> Path:
    """A folder only this user can enter. Not from the environment: agent and client must agree on it."""
    user = os.getuid()
    folder = Path(f"/run/user/{user}")
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        folder = Path(tempfile.gettempdir())
    folder /= f"barista-{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != user or found.st_mode & 0o077:
        raise LinkError(f"{folder} is not a private folder of yours. Remove it and try again.")
    return folder


async def connect(root: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the agent that serves ``root``. Raises LinkError when none answers."""
    path = socket_path(root)
    try:
        return await asyncio.open_unix_connection(str(path))
    except OSError as error:
        raise LinkError(
            f"no agent answers at {path} ({error.strerror or error}). "
            f"Start one with: barista-server serve --root {root}"
        ) from error


async def ensure_agent(root: Path) -> None:
    """Return once an agent answers for ``root``, starting one if need be.

    The agent takes a lock on ``root``, so clients that start one at the same time end up with the same.
    Raises LinkError with the agent's own words when it does not come up.
    """
    if await _answers(root):
        return
    try:
        async with asyncio.timeout(START_TIMEOUT):
            code, words = await start_agent(["serve", "--root", str(root), "--linger", str(LINGER)])
    except TimeoutError:
        raise LinkError(
            f"the agent for {root} did not answer within {START_TIMEOUT:.0f} s. See {root / 'agent.log'}"
        ) from None
    except OSError as error:
        raise LinkError(f"the agent cannot be started: {error}") from error
    if code != 0:
        told = words.strip() or f"exit code {code}"
        raise LinkError(f"the agent did not start: {told}")
    if not await _answers(root):
        raise LinkError(f"the agent for {root} was started and does not answer. See {root / 'agent.log'}")


async def start_agent(words: list[str]) -> tuple[int, str]:
    """Run the agent's command line; its exit code and what it had to say. Raises OSError.

    It returns when the agent, by then in the background, listens or has failed.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "barista_server.agent", *words),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    return process.returncode or 0, said.decode(errors="replace")


async def _answers(root: Path) -> bool:
    try:
        _, writer = await connect(root)
    except LinkError:
        return False
    writer.close()
    return True
