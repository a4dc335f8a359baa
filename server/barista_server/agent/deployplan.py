"""A session's net made into one to be used: what is read for it, and the files that come out. Blocks."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from barista_server.agent.errors import CallError
from barista_server.api import messages as m
from barista_server.caffe import deploy_text as texts
from barista_server.caffe.blobshape import shape_text
from barista_server.caffe.deploy import DeployError, Deployment, Wish, deployed
from barista_server.caffe.errors import NetError, WeightsError
from barista_server.caffe.hdf5 import is_hdf5
from barista_server.caffe.model_file import ModelFile
from barista_server.caffe.prototxt import PrototxtError, to_text
from barista_server.caffe.schema import NetParameter, SolverParameter
from barista_server.caffe.solver import NetSource, SolverError, test_nets, train_net, upgrade_solver
from barista_server.caffe.stored_shapes import stored_in
from barista_server.caffe.tolerant import UnknownField, read_tolerant
from barista_server.copying.outgoing import Leaf

_WITHOUT_DATA = ("DummyData", "Input", "MemoryData")
"""What these give tells nothing: zeros, or nothing at all."""


@dataclass
class Plan:
    """All that was found out. ``foreign``: fields of forks in the net's file."""

    found: Deployment
    origin: texts.Origin
    name: str
    model: Path
    steps: dict[str, texts.Preprocessing]
    means: list[Leaf]
    foreign: Sequence[UnknownField]
    time: int = field(default_factory=time.time_ns)

    @property
    def net(self) -> str:
        """deploy.prototxt."""
        return texts.net_text(self.found, self.origin, self.steps, self.foreign)

    @property
    def trained(self) -> str:
        """What the net to be used is compared with."""
        return to_text(self.found.reference)

    @property
    def sample(self) -> str:
        """The layers that bring a sample for that; empty where none brings real data."""
        kinds = [layer.type for layer in self.found.sample.layer]
        return "" if not kinds or all(kind in _WITHOUT_DATA for kind in kinds) else to_text(self.found.sample)

    def facts(self, check: m.DeployCheck, size: int) -> m.DeployFacts:
        """For the client."""

        def expects(name: str) -> str:
            return "; ".join(self.steps[name].words()) if name in self.steps else ""

        return m.DeployFacts(
            name=self.name,
            iteration=self.origin.iteration,
            model=self.origin.model,
            size=size,
            inputs=[m.DeployBlob(name=one.name, shape=list(one.shape), what=expects(one.name))
                    for one in self.found.inputs],
            outputs=[m.DeployBlob(name=one.name, shape=list(one.shape or ()), what=one.what)
                     for one in self.found.outputs],
            left_out=self.found.notes,
            check=check,
        )  # fmt: skip

    def leaves(self, check: m.DeployCheck) -> list[Leaf]:
        """The files of the deployment."""
        about: dict[str, object] = {
            "state": check.state,
            "sample": check.sample or None,
            "why": check.why or None,
        }
        if check.state != "unchecked":
            about |= {"max_abs_difference": check.difference, "blob": check.blob}
        origin = replace(self.origin, more={"check": about})
        described = texts.facts_text(texts.facts(self.found, origin, self.steps))
        page = texts.readme(self.found, origin, self.steps, check_words(check))
        made = {texts.NET_FILE: self.net, texts.FACTS_FILE: described, texts.README_FILE: page}
        leaves = [
            Leaf(name, content=text.encode("utf-8", "surrogateescape"), time=self.time)
            for name, text in made.items()
        ]
        return [*leaves, *self.means, Leaf(self.model.name, self.model)]


def check_words(check: m.DeployCheck) -> str:
    """A sentence about the check."""
    if check.state == "unchecked":
        return f"Not checked: {check.why}."
    sample = "a sample of the training's data" if check.sample == "data" else "random numbers"
    why = f" ({check.why})" if check.why else ""
    return (
        f"Checked on {sample}{why}: no number differs from the trained net's by more than "
        f"{check.difference:.2g} (in `{check.blob}`, whose greatest is {check.largest:.3g})."
    )


def make_plan(
    folder: Path, name: str, snapshot: m.Snapshot, call: m.DeploySession, roots: Sequence[str]
) -> Plan:
    """Read net and snapshot, and work out the net to be used. Raises CallError, OSError."""
    source, foreign = _source(folder)
    wish = Wish(call.batch, tuple(call.outputs), {key: tuple(shape) for key, shape in call.inputs.items()})
    try:
        found = deployed(source.param, wish, stored_in(folder))
    except DeployError as error:
        raise CallError("invalid", f"cannot be deployed: {error}", error.hint or None) from None
    except NetError as error:
        raise CallError("invalid", f"cannot be deployed: {error}", error.hint or None) from None
    model = folder / snapshot.model
    _need_weights(found, model)
    origin = texts.Origin(name, snapshot.iteration, snapshot.model, time.strftime("%Y-%m-%d %H:%M:%S"))
    steps = {one.name: texts.preprocessing(source.param.layer[one.index]) for one in found.inputs}
    means, steps = _bring_means(folder, steps, roots, found.notes.append)
    for layer in found.net.layer:
        if layer.type == "Python":
            where = f"{layer.python_param.module}.{layer.python_param.layer}"
            found.notes.append(f"layer '{layer.name}' is Python: {where} has to be where it is used")
    plain = "".join(char if char.isalnum() or char in "._-+" else "-" for char in name).strip(".-")
    folder_name = f"{plain[:80] or 'session'}-{snapshot.iteration}"
    return Plan(found, origin, folder_name, model, steps, means, foreign)


def _source(folder: Path) -> tuple[NetSource, list[UnknownField]]:
    """The first test net, else the training net. Raises CallError, OSError."""
    foreign: dict[str, list[UnknownField]] = {}

    def read(path: str | Path, cls: type[NetParameter], notes: list[str]) -> NetParameter:
        net, foreign[str(path)] = read_tolerant(path, cls)
        return net

    try:
        solver = read_tolerant(folder / "solver.prototxt", SolverParameter)[0]
        upgrade_solver(solver, "solver.prototxt", folder)
        tests = test_nets(solver, folder, read)
        source = tests[0] if tests else train_net(solver, folder, read)
    except (NetError, PrototxtError, SolverError) as error:
        raise CallError("invalid", f"has no net that can be deployed: {error}") from None
    return source, foreign.get(str(folder / (source.path or "")), [])


def _need_weights(found: Deployment, model: Path) -> None:
    """Whether the snapshot has what the net needs. Raises CallError, OSError.

    HDF5 files are looked at by the check alone: libhdf5 is kept out of the agent.
    """
    if is_hdf5(model):
        return
    try:
        with ModelFile(model) as opened:
            held = {layer.name: [blob.shape if blob else None for blob in layer.blobs]
                    for layer in opened.layers}  # fmt: skip
    except WeightsError as error:
        raise CallError("invalid", f"cannot be deployed: {error}", "Take another snapshot.") from None
    hint = "The net was changed since the snapshot was taken: take the files of that time, or another one."
    for name, shapes in found.params.items():
        blobs = held.get(name, [])
        if len(blobs) != len(shapes):
            text = f"{model.name} has {len(blobs)} blobs for layer '{name}', which has {len(shapes)}"
            raise CallError("invalid", f"cannot be deployed: {text}", hint)
        for blob, shape in zip(blobs, shapes, strict=True):
            if blob is not None and blob != shape and blob != (1,) * (4 - len(shape)) + tuple(shape):
                text = f"layer '{name}' is {shape_text(shape)} in the net, {shape_text(blob)} in {model.name}"
                raise CallError("invalid", f"cannot be deployed: {text}", hint)


def _bring_means(
    folder: Path,
    steps: Mapping[str, texts.Preprocessing],
    roots: Sequence[str],
    note: Callable[[str], object],
) -> tuple[list[Leaf], dict[str, texts.Preprocessing]]:
    """Mean images come along, if whoever asks may read them."""
    leaves: dict[str, Leaf] = {}
    named = dict(steps)
    readable = [*map(Path, roots), folder.resolve()]
    for name, step in steps.items():
        if not step.mean_file:
            continue
        place = (folder / step.mean_file).resolve()
        if not place.is_file() or not any(place.is_relative_to(root) for root in readable):
            note(f"the mean image {step.mean_file} of input '{name}' is not in it: it cannot be read")
            continue
        file = texts.MEAN_FILE if not leaves else f"{len(leaves) + 1}-{texts.MEAN_FILE}"
        leaf = leaves.setdefault(str(place), Leaf(file, place))
        named[name] = replace(step, mean_file=leaf.path)
    return list(leaves.values()), named
