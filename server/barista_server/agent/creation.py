"""Texts of a new session: from a template, or a person's own made fit for the session's folder."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import NamedTuple

from barista_server.agent.compose import prepare_net, prepare_solver
from barista_server.agent.datalists import adopt_lists
from barista_server.agent.errors import CallError
from barista_server.api.messages import NewSession, TemplateInfo
from barista_server.caffe.prototxt import PrototxtError
from barista_server.caffe.schema import NetParameter
from barista_server.caffe.tolerant import parse_tolerant
from barista_server.templates import TemplateError, instantiate, list_templates


def templates() -> list[TemplateInfo]:
    """What :class:`NewSession` may name."""
    return [
        TemplateInfo(name=one.name, title=one.name.replace("-", " "), about=one.summary)
        for one in list_templates()
    ]


class Draft(NamedTuple):
    """A session to be."""

    name: str
    solver: str
    net: str
    beside: dict[str, bytes]
    """More files for its folder, by relative name."""


def draft(call: NewSession, root: Path) -> Draft:
    """What the call asks for, made fit for a session's folder. Blocks. Raises CallError, OSError."""
    beside: dict[str, bytes] = {}
    if call.template:
        solver, net = _from_template(call, root)
        name = call.template
    elif call.solver.strip():
        solver = call.solver
        net, beside = adopt_lists(
            prepare_net(call.net, call.base), call.base, lambda path: Path(path).read_bytes()
        )
        name = _net_name(net)
    else:
        hint = "Give a template, or the text of a solver and a net."
        raise CallError("invalid", "a session needs a solver", hint)
    solver = prepare_solver(solver, call.base, call.device)
    return Draft(" ".join(call.name.split()) or name, solver, net, beside)


def _from_template(call: NewSession, root: Path) -> tuple[str, str]:
    found = next((one for one in list_templates() if one.name == call.template), None)
    if found is None:
        there = ", ".join(one.name for one in list_templates())
        raise CallError("not-found", f"there is no template '{call.template}'", f"There are: {there}.")
    data = root / "datasets" / found.dataset
    if call.base and not found.is_made:
        data = Path(call.base)
    data.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root, prefix=".template-") as folder:
        try:
            instantiate(call.template, folder, {found.dataset: str(data)})
        except TemplateError as error:
            raise CallError("invalid", str(error)) from None
        solver, net = (Path(folder, name).read_text("utf-8") for name in ("solver.prototxt", "net.prototxt"))
    return solver, net


def _net_name(net: str) -> str:
    try:
        return parse_tolerant(net, NetParameter)[0].name or "session"
    except PrototxtError:
        return "session"
