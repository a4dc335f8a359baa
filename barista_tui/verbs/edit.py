"""Verb: edit."""

from __future__ import annotations

import argparse
import asyncio
import os
import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from barista_server.api.link import CallFailed, Link
from barista_server.api.messages import (
    CheckText,
    DatasetReply,
    EditLayer,
    EditText,
    FieldEdit,
    FileName,
    FileText,
    Form,
    GetDataset,
    GetForm,
    GetText,
    Problem,
    TextReport,
    UndoEdit,
)
from barista_tui import assigning
from barista_tui.verbs import output
from barista_tui.verbs.agentlink import linked, session_of, target_of
from barista_tui.verbs.errors import Exit, VerbError

LAYER_DEEDS: dict[str, Literal["add", "copy", "remove"]] = {
    "add_layer": "add",
    "copy_layer": "copy",
    "remove_layer": "remove",
}
WAYS = ("set", "unset", "file", "input", *LAYER_DEEDS, "undo", "redo", "renew", "form", "print")


async def edit(args: argparse.Namespace) -> Exit:
    """Change a session's net or solver, or show it."""
    way = _way(args)
    edits = _edits(args)
    file: FileName = args.which
    async with linked(target_of(args)) as link:
        session = (await session_of(link, args.session)).id
        match way:
            case "print":
                text = await link.call(GetText(session=session, file=file), FileText)
                if args.json:
                    output.print_json(_plain(text))
                else:
                    sys.stdout.flush()
                    sys.stdout.buffer.write(text.data)
                    sys.stdout.buffer.flush()
                return Exit.OK
            case "form":
                return await _form(args, link, session)
            case "undo" | "redo":
                steps = args.undo if way == "undo" else -args.redo
                done = await link.call(UndoEdit(session=session, file=file, steps=steps), FileText)
            case "input":
                edits = await _assigned(args, link, session)
                done = await _send(args, link, EditText(session=session, file=file, edits=edits))
            case "add_layer" | "copy_layer" | "remove_layer":
                done = await _send(args, link, _layer_call(args, way, session))
            case "renew":
                done = await _send(args, link, EditText(session=session, file=file, renew=True))
            case "set":
                done = await _send(args, link, EditText(session=session, file=file, edits=edits))
            case "file":
                data = sys.stdin.buffer.read() if str(args.file) == "-" else args.file.read_bytes()
                if args.check:
                    report = await link.call(CheckText(session=session, file=file, data=data), TextReport)
                    return _tell_report(args, report.problems, report.warnings)
                done = await _send(args, link, EditText(session=session, file=file, data=data))
            case _:
                return await _in_editor(args, link, session)
    return _tell(args, done)


def _way(args: argparse.Namespace) -> str:
    """Which of the ways was chosen; empty: the editor. Raises VerbError."""
    chosen = [way for way in WAYS if getattr(args, way) not in (None, False, [])]
    if "set" in chosen and "unset" in chosen:
        chosen.remove("unset")
    if len(chosen) > 1:
        first, second = (way.replace("_", "-") for way in chosen[:2])
        raise VerbError(f"--{first} and --{second} exclude each other", None, Exit.USAGE)
    if (args.input is not None and args.layer is None) or (args.input is not None and args.which != "net"):
        hint = "As in: barista edit SESSION net --layer data --input DATASET"
        raise VerbError("--input wants the layer of a net", hint, Exit.USAGE)
    layered = [way for way in chosen if way in LAYER_DEEDS]
    if layered and (args.which != "net" or (args.layer is None and layered != ["add_layer"])):
        option = layered[0].replace("_", "-")
        hint = "As in: barista edit SESSION net --add-layer ReLU --layer conv1"
        raise VerbError(f"--{option} wants the --layer of a net", hint, Exit.USAGE)
    if args.check and chosen != ["file"]:
        raise VerbError("--check wants --file", None, Exit.USAGE)
    return "set" if chosen == ["unset"] else chosen[0] if chosen else ""


def _edits(args: argparse.Namespace) -> list[FieldEdit]:
    """What --set and --unset ask for. Raises VerbError."""
    edits = []
    for word in args.set:
        path, equals, typed = word.partition("=")
        if not equals or not path:
            raise VerbError(f"--set wants FIELD=VALUE, not '{word}'", None, Exit.USAGE)
        edits.append(FieldEdit(path=path.strip(), typed=typed))
    return [*edits, *(FieldEdit(path=path) for path in args.unset)]


def _layer_call(args: argparse.Namespace, way: str, session: str) -> EditLayer:
    return EditLayer(
        session=session,
        deed=LAYER_DEEDS[way],
        name=args.layer or "",
        kind=args.add_layer or "",
        called=args.called or "",
    )


async def _send(args: argparse.Namespace, link: Link, call: EditText | EditLayer) -> FileText:
    """Raises CallFailed, with a hint to --anyway where that would help."""
    try:
        return await link.call(msgspec.structs.replace(call, strict=not args.anyway), FileText)
    except CallFailed as error:
        if error.failure.code == "invalid" and "could not be started" in error.failure.text:
            hint = "To change it all the same: --anyway"
            lines = [error.failure.text, *output.problem_lines(error.failure.problems, "")]
            raise VerbError("\n".join(lines), hint, Exit.REFUSED) from None
        raise


async def _assigned(args: argparse.Namespace, link: Link, session: str) -> list[FieldEdit]:
    """The edits that give the layer its dataset. Raises VerbError, CallFailed."""
    dataset = (await link.call(GetDataset(dataset=args.input), DatasetReply)).dataset
    form = await link.call(GetForm(session=session, file="net", name=args.layer), Form)
    try:
        return assigning.edits(form, dataset)
    except assigning.CannotAssign as error:
        raise VerbError(str(error), "See: barista input ls", Exit.REFUSED) from None


async def _form(args: argparse.Namespace, link: Link, session: str) -> Exit:
    if args.which == "net" and args.layer is None:
        raise VerbError("--form of a net wants a --layer", "See: barista net SESSION", Exit.USAGE)
    form = await link.call(GetForm(session=session, file=args.which, name=args.layer or ""), Form)
    if args.json:
        output.print_json(form)
        return Exit.OK
    for group in form.groups:
        output.say(group.title)
        rows = [
            (field.name, " ".join(field.values) or f"({field.default})", field.unit, field.about)
            for field in group.fields
        ]
        for row in output.table(rows, wide=3):
            output.say("  " + output.one_line("  ".join(row)).rstrip())
    return Exit.OK


# ----------------------------------------------------------------------------------------------- the editor


async def _in_editor(args: argparse.Namespace, link: Link, session: str) -> Exit:
    """The text in the person's editor until it is written, or given up."""
    if args.json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise VerbError("an editor needs a terminal", "Use --set, --file or --print.", Exit.USAGE)
    text = await link.call(GetText(session=session, file=args.which), FileText)
    with tempfile.TemporaryDirectory(prefix="barista-edit-") as folder:
        path = Path(folder) / f"{args.which}.prototxt"
        await asyncio.to_thread(path.write_bytes, text.data)
        while True:
            await _run_editor(path)
            data = await asyncio.to_thread(path.read_bytes)
            if data == text.data:
                output.say("Nothing was changed.")
                return Exit.OK
            call = EditText(session=session, file=args.which, data=data, seen=text.revision)
            try:
                return _tell(args, await _send(args, link, call))
            except (CallFailed, VerbError) as error:
                kept = await _again(error, args.which, data)
                if kept is not None:
                    use = f"barista edit {session} {args.which} --file {kept}"
                    hint = f"Your text is in {kept}; to use it: {use}"
                    raise VerbError("nothing was changed", hint, Exit.REFUSED) from None


async def _run_editor(path: Path) -> None:
    """Raises VerbError when there is none."""
    words = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    try:
        process = await asyncio.create_subprocess_exec(*words, str(path))
    except OSError as error:
        hint = "Set EDITOR to the one you use."
        raise VerbError(f"the editor {words[0]} cannot be started: {error.strerror}", hint) from None
    if await process.wait() != 0:
        raise VerbError(f"the editor {words[0]} ended with an error: nothing was changed")


async def _again(error: Exception, which: str, data: bytes) -> Path | None:
    """Say what is wrong; None to go back to the editor, else where the text is kept."""
    text = str(error)
    if isinstance(error, CallFailed):
        text = "\n".join([error.failure.text, *output.problem_lines(error.failure.problems)])
    print(text, file=sys.stderr, flush=True)
    answer = await asyncio.to_thread(input, "Edit again? [Y/n] ")
    if answer.strip().lower() not in ("n", "no"):
        return None
    handle, name = tempfile.mkstemp(prefix=f"{which}-", suffix=".prototxt")
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    return Path(name)


# ------------------------------------------------------------------------------------------------- telling


def _plain(text: FileText) -> dict[str, object]:
    return {
        "session": text.session,
        "file": text.file,
        "revision": text.revision,
        "what": text.what,
        "text": text.data.decode("utf-8", "replace"),
        "problems": text.problems,
        "warnings": text.warnings,
        "standing": text.standing,
    }


def _tell(args: argparse.Namespace, text: FileText) -> Exit:
    if args.json:
        output.print_json(_plain(text))
    else:
        output.say(f"{text.file}.prototxt: {text.what}" if text.what else "Nothing was changed.")
        _tell_problems(text.problems, text.warnings)
    return Exit.OK


def _tell_report(args: argparse.Namespace, problems: Sequence[Problem], warnings: Sequence[Problem]) -> Exit:
    if args.json:
        output.print_json({"problems": list(problems), "warnings": list(warnings)})
    elif problems or warnings:
        _tell_problems(problems, warnings)
    else:
        output.say("Nothing is wrong with it.")
    return Exit.REFUSED if problems else Exit.OK


def _tell_problems(problems: Sequence[Problem], warnings: Sequence[Problem]) -> None:
    if problems:
        output.say("It cannot be started as it is:")
    for line in [*output.problem_lines(problems), *output.problem_lines(warnings)]:
        output.say(line)
