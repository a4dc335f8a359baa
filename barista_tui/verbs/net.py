"""The verb that shows nets as Caffe would build them: layers, shapes, parameters, memory."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from barista_server.api.messages import DescribeNet, NetLayer, NetReport, NetView, Problem, TrainingNeed
from barista_tui import format
from barista_tui.verbs import output
from barista_tui.verbs.agentlink import ask, target_of
from barista_tui.verbs.errors import Exit

ROOMY, KIND, SHAPE = 110, 16, 20
"""Below so many columns, types and shapes are cut to so many."""


async def net(args: argparse.Namespace) -> Exit:
    """Tables of the nets of a session or a file; REFUSED when Caffe would not build or train them."""
    report = await ask(target_of(args), _call(args), NetReport)
    if args.json:
        output.print_json(report)
    else:
        for line in report_lines(report):
            output.say(line)
    return Exit.REFUSED if report.problems else Exit.OK


def _call(args: argparse.Namespace) -> DescribeNet:
    """What looks like a path, or is one, is a file; anything else a session."""
    named = Path(args.source).expanduser()
    is_file = "/" in args.source or named.suffix == ".prototxt" or named.is_file()
    return DescribeNet(
        session="" if is_file else args.source,
        path=str(named.absolute()) if is_file else "",
        base=str(Path.cwd()) if is_file else "",
        phase=args.phase,
        stages=[stage for stages in args.stage for stage in stages.split(",") if stage],
        level=args.level,
        records=args.records,
    )


def report_lines(report: NetReport) -> list[str]:
    """A table for each net, what training takes, what is wrong."""
    lines: list[str] = []
    for view in report.nets:
        lines += [*([""] if lines else []), *net_lines(view)]
    for need in report.needs:
        lines += ["", *need_lines(need)]
    for title, found in (("problems", report.problems), ("warnings", report.warnings)):
        if found:
            lines += ["", title, *output.problem_lines([_nearer(one) for one in found])]
    return lines


def net_lines(view: NetView) -> list[str]:
    """Title, a row a layer, totals."""
    stages = f", stage {', '.join(view.stages)}" if view.stages else ""
    where = f" in {_near(view.file)}" if view.file else ""
    name = f" of {view.name}" if view.name else ""
    rows = [["LAYER", "TYPE", "TOPS", "PARAMS", "MEMORY"], *map(_row, view.layers)]
    rows.append(["total", "", "", _count(view.parameters), format.size(view.memory)])
    lines = [output.one_line(f"{view.title}{name}{where}{stages}")]
    if not view.layers:
        return [*lines, "  no layers"]
    lines += ["  ".join(cells).rstrip() for cells in output.table(rows, right=(3, 4), wide=0)]
    parameters = f"{view.parameters:,} ({format.size(4 * view.parameters)})"
    tops = format.size(view.data_size)
    if view.complete:
        tops = f"{tops}, told by Caffe as: Memory required for data: {view.data_size}"
        return [*lines, *_facts([("parameters", parameters), ("tops", tops)])]
    lines += _facts([("parameters", f"{parameters} or more"), ("tops", f"{tops} or more")])
    if any(not layer.bottoms and top.shape is None for layer in view.layers for top in layer.tops):
        lines.append("  ?  not known: the data is not there; --records CxHxW says what it would hold")
    return lines


def _row(layer: NetLayer) -> list[str]:
    shapes = [_shape(top.shape) for top in layer.tops]
    alike = len(shapes) > 1 and len(set(shapes)) == 1
    kind = output.one_line(layer.type)
    tops = f"{len(shapes)} x {shapes[0]}" if alike else ", ".join(shapes)
    if output.width() < ROOMY:
        kind = kind if len(kind) <= KIND else format.fit(kind, KIND)
        tops = tops if len(tops) <= SHAPE else format.fit(tops, SHAPE)
    name = output.one_line(layer.name)
    return [name, kind, tops, _count(layer.parameters), format.size(layer.memory) if layer.memory else ""]


def _shape(shape: Sequence[int] | None) -> str:
    """``64 1 28 28``; a blob without axes holds one value."""
    return "?" if shape is None else " ".join(map(str, shape)) or "1"


def _count(number: int) -> str:
    return format.count(number) if number else ""


def need_lines(need: TrainingNeed) -> list[str]:
    """What training takes on a device, and the largest batch that has room."""
    device = "the CPU" if need.device == "cpu" else f"GPU {need.device}"
    facts = [
        ("parameters", f"{format.size(need.weights)}, their gradients as much again"),
        (output.one_line(need.solver_type), f"{format.size(need.history)} of history and scratch"),
        ("train net", format.size(need.train)),
    ]
    if need.tests:
        facts.append(("test nets", format.size(need.tests)))
    if need.device == "cpu":
        facts.append(("snapshot", f"{format.size(need.snapshot)} more while one is written"))
    if need.batch is not None and need.free is not None:
        facts.append(("batch", f"{need.batch}; {_largest(need)} in {format.size(need.free)} of free memory"))
    title = f"training on {device} takes Caffe about {format.size(need.total)}, its program not counted"
    return [title, *_facts(facts)]


def _largest(need: TrainingNeed) -> str:
    if need.largest is None:
        return "the net allows no other, or another is not known to fit"
    return f"at most {need.largest:,}" if need.largest else "not even 1 has room"


def _facts(facts: Sequence[tuple[str, str]]) -> list[str]:
    column = max(len(name) for name, _ in facts)
    return [f"  {name:<{column}}  {text}" for name, text in facts]


def _nearer(problem: Problem) -> Problem:
    """The problem with its file as one would type it here."""
    file = _near(problem.file) if problem.file else None
    return Problem(text=problem.text, file=file, line=problem.line, hint=problem.hint)


def _near(path: str) -> str:
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path
