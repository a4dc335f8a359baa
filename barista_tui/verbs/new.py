"""The verb that makes a session, from a template or from the files a Caffe user has."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from msgspec import Struct

from barista_server.api.messages import NewSession, SessionReply, StartSession
from barista_tui.verbs import output
from barista_tui.verbs.agentlink import linked, target_of
from barista_tui.verbs.errors import Exit, VerbError

_NET_FIELD = re.compile(r"""^[^#\n]*?\b(?:train_)?net\s*:\s*(["'])(.+?)\1""", re.MULTILINE)


class Files(Struct, frozen=True):
    """Texts of solver and net (empty when the solver has it inline), and what relative paths in them mean."""

    solver: str
    net: str
    base: Path


async def new(args: argparse.Namespace) -> Exit:
    """Make the session, start it if asked, print its id and name."""
    if args.template and args.net:
        raise VerbError("--net goes with a solver's file, not with --template", code=Exit.USAGE)
    if args.template:
        call = NewSession(
            name=args.name,
            template=args.template,
            base=str(args.base.absolute()) if args.base else "",
            caffe=args.caffe,
            device=args.device,
        )
    else:
        files = read_files(args.solver, args.net, args.base)
        call = NewSession(
            name=args.name,
            solver=files.solver,
            net=files.net,
            base=str(files.base),
            caffe=args.caffe,
            device=args.device,
        )
    async with linked(target_of(args)) as link:
        session = (await link.call(call, SessionReply)).session
        if args.start:
            session = (await link.call(StartSession(session=session.id), SessionReply)).session
    if args.json:
        output.print_json(session)
    else:
        output.say(f"{session.id}  {output.one_line(session.name)}  {output.state_word(session)}")
        for line in output.problem_lines(session.problems):
            output.say(line)
        if session.warnings:
            output.say("warnings:")
        for line in output.problem_lines(session.warnings):
            output.say(line)
        if session.problems:
            output.say(f"Correct that in {session.folder}, then: barista start {session.id}")
    return Exit.OK


def read_files(solver: Path, net: Path | None, base: Path | None) -> Files:
    """Read a solver and the net it names.

    Caffe takes paths relative to the folder it is started in, so that is looked in first; then in the
    solver's folder and those above it, which finds the net of a solver inside a Caffe source tree. Where the
    net is found, relative data paths begin too. Raises VerbError when a file is missing or no text.
    """
    text = _read(solver)
    if net is not None:
        return Files(text, _read(net), (base or Path.cwd()).absolute())
    named = _NET_FIELD.search(text)
    if named is None:
        return Files(text, "", (base or Path.cwd()).absolute())
    given = Path(named[2])
    places = [base] if base else [Path.cwd(), *solver.absolute().parents]
    for place in places:
        if (place / given).is_file():
            return Files(text, _read(place / given), place.absolute())
    looked = list(dict.fromkeys(map(str, places)))
    more = " ..." if len(looked) > 3 else ""
    raise VerbError(
        f'{solver} names the net "{given}", which is not in {", ".join(looked[:3])}{more}',
        "Say where it is with --net NET.prototxt, or what its path is relative to with --base DIR.",
        Exit.NOT_FOUND,
    )


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        raise VerbError(f"there is no file {path}", code=Exit.NOT_FOUND) from None
    except IsADirectoryError:
        raise VerbError(
            f"{path} is a folder", "Give the solver's .prototxt file in it.", Exit.NOT_FOUND
        ) from None
    except UnicodeDecodeError:
        raise VerbError(f"{path} is no text file", "Give the .prototxt file, not the weights.") from None
