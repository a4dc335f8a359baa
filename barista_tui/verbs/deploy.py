"""The verb that deploys: a net to be used, with the weights of a snapshot."""

from __future__ import annotations

import argparse

from barista_server.api.deploy import DeployBlob, DeployFacts
from barista_tui import deploying, format
from barista_tui.deploying import DeployWish
from barista_tui.verbs import output
from barista_tui.verbs.agentlink import target_of
from barista_tui.verbs.errors import Exit, VerbError
from barista_tui.verbs.transfers import copied, left_words


async def deploy(args: argparse.Namespace) -> Exit:
    """Make it on the session's host, fetch it, say what is in it."""
    host = target_of(args)
    wish = DeployWish(
        session=args.session,
        iteration=_iteration(args.snapshot),
        batch=args.batch,
        outputs=tuple(args.blob),
        inputs=dict(map(_shape, args.input)),
        check=not args.no_check,
    )
    into = args.output.expanduser().absolute() if args.output else None
    if into is not None and (wrong := deploying.wrong_archive(into)):
        raise VerbError(f"{args.output} is no archive that is made here", wrong, Exit.USAGE)
    done = await copied(lambda report: deploying.deploy(host, wish, into, report), args)
    facts = done.facts
    if args.json:
        output.print_json({"path": str(done.path), "files": [one.path for one in done.outcome.parcel.files],
                           "bytes": done.outcome.total, **as_object(facts)})  # fmt: skip
        return Exit.OK
    for line in [*left_words(done.outcome), *facts.left_out]:
        output.say(output.one_line(line))
    for word, blobs in (("input", facts.inputs), ("output", facts.outputs)):
        for blob in blobs:
            output.say(f"{word:<6}  {_blob(blob)}")
    output.say(output.one_line(deploying.check_words(facts.check)))
    output.say(f"{format.plural(len(done.outcome.parcel.files), 'file')}, {format.size(done.outcome.total)}: "
               f"{output.one_line(str(done.path))}")  # fmt: skip
    return Exit.OK


def as_object(facts: DeployFacts) -> dict[str, object]:
    """For --json."""
    return {
        "iteration": facts.iteration,
        "model": facts.model,
        "inputs": facts.inputs,
        "outputs": facts.outputs,
        "left_out": facts.left_out,
        "check": facts.check,
    }


def _blob(blob: DeployBlob) -> str:
    shape = " x ".join(map(str, blob.shape))
    return output.one_line(f"{blob.name}  {shape}  {blob.what}").rstrip()


def _iteration(given: str) -> int | None:
    if given in ("latest", "newest"):
        return None
    if given.isdecimal():
        return int(given)
    raise VerbError(f"--snapshot {given}: an iteration, or latest", code=Exit.USAGE)


def _shape(given: str) -> tuple[str, list[int]]:
    try:
        return deploying.input_shape(given)
    except ValueError as error:
        raise VerbError(f"--input {error}", code=Exit.USAGE) from None
