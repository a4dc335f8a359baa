"""``barista-server``: serve, stop, status, and what goes with them."""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path

from barista_server import __version__
from barista_server.api.link import CallFailed, Link, LinkError
from barista_server.api.local import START_TIMEOUT, default_root
from barista_server.api.messages import Done, ListSessions, SessionList, StopAgent
from barista_server.runner import start_ticks

DEFAULT_PORT = 4200
STOP_TIMEOUT = 10.0
MOST_LOG = 1 << 20
"""Bytes of agent.log beyond which it is begun anew (the old one is kept as agent.log.1)."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0 done, 1 failed, 2 wrong usage."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if problem := _listening_problem(options):
        parser.error(problem)
    root = (getattr(options, "dir", None) or options.root).expanduser().absolute()
    try:
        str(root).encode()
    except UnicodeEncodeError:
        print(f"the name of {str(root)!a} is not UTF-8: choose another folder", file=sys.stderr)
        return 2
    return _run(root, options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="barista-server",
        description="Headless agent of Barista: runs Caffe trainings and tells about them.",
        epilog="exit codes: 0 done; 1 it failed, or there is no agent; 2 the command line was wrong",
    )
    parser.add_argument("--version", action="version", version=f"barista-server {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    verbs = {
        "serve": "serve sessions to the local user, in the background",
        "stop": "end the agent; trainings go on",
        "status": "say whether an agent runs, and what it runs",
        "unit": "print a systemd unit that starts the agent with the machine",
        "doctor": "say what this machine is fit for, and try what trainings survive on it",
        "stdio": "speak to the agent through standard input and output, as a program behind ssh does",
    }
    for verb, about in verbs.items():
        command = commands.add_parser(verb, help=about, description=about)
        command.add_argument("--root", type=Path, help="folder of the sessions (default: %(default)s)")
        command.set_defaults(root=default_root())
        if verb == "serve":
            _serve_options(command)
        elif verb == "unit":
            command.add_argument("--install", action="store_true", help="write it, and have systemd use it")
        elif verb == "doctor":
            _doctor_options(command)
        elif verb == "stdio":
            _stdio_options(command)
    return parser


def _run(root: Path, options: argparse.Namespace) -> int:
    if options.command == "serve":
        listen = (options.ip, options.port) if options.port is not None else None
        serve = _serve_here if options.foreground else _serve_detached
        return serve(root, options.linger, listen)
    if options.command == "unit":
        from barista_server.agent import unit

        return unit.install(root) if options.install else unit.show_unit(root)
    if options.command == "doctor":
        from barista_server.doctor.examine import doctor

        return doctor(root, options.torture, options.kills, options.json)
    if options.command == "stdio":
        from barista_server.agent.gateway import stdio

        work: Coroutine[None, None, int] = stdio(root, "viewer" if options.viewer else "owner", options.admin)
    else:
        work = _stop(root) if options.command == "stop" else _status(root)
    try:
        return asyncio.run(work)
    except (LinkError, CallFailed) as error:
        print(error, file=sys.stderr)
        return 1


def _serve_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--foreground", action="store_true", help="stay in this terminal")
    command.add_argument(
        "--linger",
        type=float,
        metavar="SECONDS",
        help="end when for so long nobody was connected and nothing trained (default: never)",
    )
    door = command.add_argument_group(
        "a port for other machines", "SSH with the public keys in DIR/authorized_keys; see docs/remote.md"
    )
    door.add_argument("--port", type=int, metavar="N", help="listen there, usually 4200 (default: no port)")
    door.add_argument("--ip", metavar="ADDRESS", help="listen on this address (default: 127.0.0.1)")
    door.add_argument("--dir", type=Path, metavar="DIR", help="folder of the sessions; must exist")


def _stdio_options(command: argparse.ArgumentParser) -> None:
    rights = command.add_mutually_exclusive_group()
    rights.add_argument("--viewer", action="store_true", help="whoever comes this way may look, but not act")
    rights.add_argument(
        "--admin",
        action="store_true",
        help="whoever comes this way may also say which programs are run, which those with a login "
        "may in any case, and a key tied to this command may not",
    )


def _doctor_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--torture",
        action="store_true",
        help="kill agents, runners and a make-believe caffe in a throw-away folder beside the root; a minute",
    )
    command.add_argument("--kills", type=int, default=20, metavar="N", help="of the agent (default: 20)")
    command.add_argument("--json", action="store_true", help="print JSON, for scripts")


def _listening_problem(options: argparse.Namespace) -> str | None:
    """What is wrong with the options of a port; fills in their defaults."""
    if options.command != "serve":
        return None
    if options.ip is not None and options.port is None:
        options.port = DEFAULT_PORT
    options.ip = options.ip or "127.0.0.1"
    if options.port is not None and not 0 <= options.port < 65536:
        return f"--port {options.port}: ports go from 1 to 65535 (0: any free one)"
    if options.port is not None and options.dir is None:
        return "--dir is missing: name the folder whose sessions are to be served"
    if options.dir is not None and not options.dir.expanduser().is_dir():
        return f"--dir {options.dir}: there is no such folder"
    return None


Listen = tuple[str, int] | None
"""Address and port for other machines."""


def _serve_here(root: Path, linger: float | None, listen: Listen) -> int:
    return _serve(root, linger, listen, lambda said: None, lambda text: print(text, file=sys.stderr))


READY = "ready\n"
"""What an agent in the background says first, once it serves; then come words for the person."""


def _serve_detached(root: Path, linger: float | None, listen: Listen) -> int:
    """Return once the agent in the background listens, or say why it does not."""
    told, tell = os.pipe()
    if os.fork() != 0:
        os.close(tell)
        with open(told, "rb") as pipe:  # noqa: PTH123 (a descriptor)
            words = pipe.read().decode(errors="replace")
        if words.startswith(READY):
            sys.stdout.write(words[len(READY) :])
            return 0
        print(words or f"the agent ended at its start: see {root / 'agent.log'}", file=sys.stderr)
        return 1
    os.setsid()
    if os.fork() != 0:
        os._exit(0)
    code = 1
    try:
        os.close(told)
        _redirect(root)

        def say(text: str) -> None:
            os.write(tell, text.encode())
            os.close(tell)

        code = _serve(root, linger, listen, lambda said: say(READY + (said and f"{said}\n")), say)
    except OSError as error:
        os.write(
            tell, f"{error.filename or root}: {error.strerror}. Choose a folder you may write to.".encode()
        )
    finally:
        sys.stderr.flush()
        os._exit(code)


def _redirect(root: Path) -> None:
    """Standard streams to agent.log, standing nowhere in particular."""
    root.mkdir(parents=True, exist_ok=True)
    path = root / "agent.log"
    if path.exists() and path.stat().st_size > MOST_LOG:
        path.replace(path.with_name("agent.log.1"))
    log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    os.close(null)
    os.chdir("/")


def _serve(
    root: Path,
    linger: float | None,
    listen: Listen,
    ready: Callable[[str], None],
    fail: Callable[[str], None],
) -> int:
    # Here, not above: stop and status start faster without the agent's code. What is loaded stays, so Python
    # need not look for cycles in it, now or later.
    gc.disable()
    from barista_server.agent.errors import ListenError
    from barista_server.agent.serve import AlreadyServed, Server, lock_root

    gc.freeze()
    gc.enable()

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    deadline = time.monotonic() + START_TIMEOUT * 0.8
    while True:
        try:
            lock_root(root)
            break
        except AlreadyServed as error:
            # Started twice at once: that is fine as soon as the other one answers. Or it is just dying.
            if asyncio.run(_answers(root)):
                if listen is not None and _door_of(root) != listen:
                    stop = f"barista-server stop --root {root}"
                    fail(f"{error}, without that port: `{stop}` ends it (trainings go on), then try again")
                    return 1
                ready("")
                return 0
            if time.monotonic() > deadline:
                fail(f"{error}, but it does not answer. See {root / 'agent.log'}")
                return 1
            time.sleep(0.05)
        except OSError as error:
            fail(f"{root} cannot be used: {error.strerror}. Choose a folder you may write to.")
            return 1

    async def serve() -> None:
        await Server(root, linger, listen).run(ready)

    try:
        asyncio.run(serve())
    except ListenError as error:
        logging.getLogger("barista.agent").error("cannot serve %s: %s", root, error)
        fail(str(error))
        return 1
    except Exception as error:
        # Whatever it is: in the background nobody else would tell.
        logging.getLogger("barista.agent").exception("cannot serve %s", root)
        fail(f"{root} cannot be served: {error}. The end of {root / 'agent.log'} says more.")
        return 1
    return 0


def _door_of(root: Path) -> Listen:
    """Where the agent that serves the root listens for other machines, as it wrote down."""
    try:
        about = json.loads((root / "agent.json").read_text())
        return str(about["ip"]), int(about["port"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


async def _answers(root: Path) -> bool:
    try:
        link = await Link.open(root, start_agent=False, client=f"barista-server {__version__}")
    except LinkError:
        return False
    await link.close()
    return True


async def _stop(root: Path) -> int:
    try:
        link = await Link.open(root, start_agent=False, client=f"barista-server {__version__}")
    except LinkError:
        # An agent of another version refuses to talk; it can be ended all the same.
        if not _end_by_signal(root):
            raise
    else:
        await link.call(StopAgent(), Done)
        await link.wait_closed()
    print(f"The agent of {root} has stopped. Trainings go on.")
    return 0


def _end_by_signal(root: Path) -> bool:
    """SIGTERM to the agent that agent.json names, if it still is that process."""
    try:
        about = json.loads((root / "agent.json").read_text())
        pid, ticks = int(about["pid"]), int(about["start_ticks"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    if start_ticks(pid) != ticks:
        return False
    try:
        os.kill(pid, signal.SIGTERM)
    except OSError:
        return False
    deadline = time.monotonic() + STOP_TIMEOUT
    while start_ticks(pid) == ticks and time.monotonic() < deadline:
        time.sleep(0.05)
    return start_ticks(pid) != ticks


async def _status(root: Path) -> int:
    link = await Link.open(root, start_agent=False, client=f"barista-server {__version__}")
    reply = await link.call(ListSessions(), SessionList)
    welcome = link.welcome
    await link.close()
    print(f"{welcome.agent}, pid {welcome.pid}, serves {welcome.root} on {welcome.host}")
    for session in reply.sessions:
        print(
            f"{session.id:>5}  {session.state:<12} {session.iteration:>8}/{session.max_iter}  {session.name}"
        )
    return 0
