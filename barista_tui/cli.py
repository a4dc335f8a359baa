"""`barista`: the screen, or one verb. Nothing heavy is imported before it is known which."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Awaitable, Callable, Container, Sequence
from typing import cast

from barista_tui import garbage
from barista_tui.verbs.errors import CODES, Exit, VerbError

HANDLERS = {
    "ls": "listing:ls",
    "show": "listing:show",
    "net": "net:net",
    "templates": "listing:templates",
    "caffes": "caffes:caffes",
    "devices": "devices:devices",
    "queue": "queue:queue",
    "new": "new:new",
    "import": "importing:import_log",
    "clone": "cloning:clone",
    "diff": "comparing:diff",
    "compare": "comparing:compare",
    "tree": "familytree:tree",
    "set": "settings:settings",
    "edit": "edit:edit",
    "slurm": "slurm:slurm",
    "start": "running:start",
    "pause": "running:pause",
    "snapshot": "running:snapshot",
    "wait": "running:wait",
    "logs": "logs:logs",
    "messages": "messages:messages",
    "export": "metrics:export",
    "plot": "metrics:plot",
    "weights": "weights:weights",
    "deploy": "deploy:deploy",
    "get": "transfers:get",
    "put": "transfers:put",
    "move": "transfers:move",
    "rename": "keeping:rename",
    "reset": "keeping:reset",
    "rm": "keeping:rm",
    "trash": "trash:trash",
    "restore": "keeping:restore",
    "input": "inputs:input_",
    "agent": "agent:agent",
    "host": "hosts:host",
    "doctor": "doctor:doctor",
    "completion": "completion:completion",
}
"""Module in barista_tui.verbs and coroutine function in it, of each verb that works without a screen."""

Handler = Callable[[argparse.Namespace], Awaitable[Exit]]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code (argparse's own errors leave with 2)."""
    words = sys.argv[1:] if argv is None else list(argv)
    for stream in (sys.stdout, sys.stderr):
        # A name of a session must not end a verb on a terminal that cannot show it.
        getattr(stream, "reconfigure", lambda **_: None)(errors="replace")
    garbage.hold()
    try:
        return int(_run(words))
    except BrokenPipeError:
        # Whoever read our output has enough; nothing may be written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    finally:
        garbage.keep()


def _run(words: list[str]) -> int:
    if words[:1] == ["_complete"]:
        from barista_tui.completion import print_candidates

        return print_candidates(words[1:])
    from barista_tui.verbs.parser import build_parser

    if words[:1] == ["help"]:
        words = [*words[1:], "--help"]
    words = with_open(words, HANDLERS)
    parser = build_parser(verb_in(words))
    args = parser.parse_args(words)
    if not args.server and (args.dir is not None or args.port != parser.get_default("port")):
        parser.error("--dir and --port go with --server")
    if args.server and (args.verb is not None or args.host is not None):
        parser.error("--server stands alone; after it the host is 'server': barista --host server ls")
    if args.verb in (None, "open"):
        return _screen(args)
    if args.verb == "demo":
        from barista_tui.demo import demo

        garbage.keep()
        return _guarded(lambda: demo(args))
    module, name = HANDLERS[args.verb].split(":")
    handler = cast(Handler, getattr(importlib.import_module(f"barista_tui.verbs.{module}"), name))

    def run() -> int:
        import asyncio

        garbage.keep()

        async def whole() -> Exit:
            return await handler(args)

        return asyncio.run(whole())

    return _guarded(run, args.host)


def with_open(words: list[str], verbs: Container[str]) -> list[str]:
    """`barista PATH` means `barista open PATH`: a first word that is no verb and looks like a path."""
    at = _first(words)
    if (
        at >= len(words)
        or words[at].startswith("-")
        or words[at] in verbs
        or words[at] in ("demo", "open", "session")
    ):
        return words
    word = words[at]
    looks = "/" in word or word.endswith((".barista", ".log", ".caffemodel")) or os.path.exists(word)  # noqa: PTH110
    return [*words[:at], "open", *words[at:]] if looks else words


def verb_in(words: Sequence[str]) -> str | None:
    """The verb where it is plain to see, "" where there is none, else None, as for --help."""
    at = _first(words)
    if at >= len(words):
        return ""
    return words[at] if words[at] in HANDLERS or words[at] in ("demo", "open") else None


def _first(words: Sequence[str]) -> int:
    """Where the first word stands that does not say which sessions are meant."""
    at = 0
    while at < len(words) and words[at] in ("--root", "--host"):
        at += 2
    return at


def _screen(args: argparse.Namespace) -> int:
    if args.server:
        return _guarded(lambda: _server(args))
    hint = "See the verbs that need none: barista --help (barista ls, barista logs -f ...)"
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return _complain("the screen needs a terminal", hint, Exit.USAGE)
    if os.environ.get("TERM", "dumb") in ("dumb", "unknown", ""):
        why = "the screen needs a terminal that can move its cursor, and TERM says it cannot"
        return _complain(f"{why} (TERM={os.environ.get('TERM', '')})", hint, Exit.USAGE)
    return _guarded(lambda: _open(args))


def _open(args: argparse.Namespace) -> int:
    """The screen: on a path, on the one host or root that is named, else where it was left."""
    from barista_tui import opening, projects
    from barista_tui.app import run
    from barista_tui.opening import Opening, OpeningError
    from barista_tui.verbs.agentlink import target_of

    try:
        if args.path is not None:
            if args.host is not None:
                raise VerbError("--host and PATH exclude each other", None, Exit.USAGE)
            opened = opening.of_path(args.path, args.root)
        elif args.host is not None or args.root is not None:
            opened = Opening(target_of(args))
        elif args.all:
            opened = opening.everything()
        else:
            opened = opening.last()
    except OpeningError as error:
        raise VerbError(str(error), "To start without it: barista --all", Exit.NOT_FOUND) from None
    if opened.others is not None and opened.file is None:
        projects.remember(opened.project)
    return run(opened)


def _server(args: argparse.Namespace) -> int:
    """An agent with a port; the screen on it where there is a terminal."""
    from barista_server.api.local import default_root
    from barista_tui.server import bring_up
    from barista_tui.target import Target

    root = (args.dir or args.root or default_root()).expanduser().absolute()
    if args.dir is None:
        root.mkdir(parents=True, exist_ok=True)
    host = bring_up(root, args.port)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        print(f"An agent serves {root} at {host.address}; it is the host '{host.name}'.")
        return Exit.OK
    from barista_tui.app import run
    from barista_tui.opening import Opening

    return run(Opening(Target(root, host)))


def _next_step(error: Exception, host: str | None) -> str | None:
    from barista_tui.hosts import cause_of

    if cause_of(error) != "key-unknown":
        return None
    return f"To accept it, once: barista host accept {host or 'NAME'}"


def _guarded(verb: Callable[[], int], host: str | None = None) -> int:
    """Run a verb, on ``host`` if one is named; what it raises becomes words on stderr and an exit code."""
    from barista_server.api.link import CallFailed, LinkError

    try:
        return verb()
    except VerbError as error:
        return _complain(str(error), error.hint, error.code)
    except CallFailed as error:
        from barista_tui.verbs.output import problem_lines

        failure = error.failure
        text = "\n".join([failure.text, *problem_lines(failure.problems, "")])
        return _complain(text, failure.hint, CODES.get(failure.code, Exit.FAILED))
    except LinkError as error:
        return _complain(str(error), _next_step(error, host), Exit.UNREACHABLE)
    except BrokenPipeError:
        raise
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _complain(f"{where}{error.strerror or error}", None, Exit.FAILED)


def _complain(text: str, hint: str | None, code: Exit) -> Exit:
    """What happened, what to do next, on standard error."""
    from barista_tui.verbs.output import one_line

    first, *more = (one_line(line) for line in text.splitlines() or [text])
    print(f"barista: {first}", file=sys.stderr)
    for line in [*more, *([one_line(hint)] if hint else [])]:
        print(f"  {line}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
